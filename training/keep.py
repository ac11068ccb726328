"""Weights that a run saves as it goes: the last validated ones and the best, each with a JSON card."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from reid_worker.model.climb import Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import load_weights, save_weights
from training.evaluation.evaluate import Report
from training.evaluation.prior import prior_of

LAST, BEST = "last.safetensors", "best.safetensors"


@dataclass(frozen=True, slots=True)
class WeightsCard:
    """How good saved weights are, as far as known.

    Attributes:
        file: Name of the weights file, in the same folder.
        model_id: Name of their embedding space.
        step: Optimiser steps completed.
        minutes: Time the run had taken.
        held_out: mAP, rank-1 and rank-5 on the people held out, 0 to 1, and the mean cosine of pairs of the same and of
            different people; None if they were not validated.
    """

    file: str
    model_id: str
    step: int
    minutes: float
    held_out: dict[str, float | None] | None


def _held_out_figures(report: Report) -> dict[str, float | None]:
    """Return the figures of a card; NaN, the mean of no pairs, becomes None, as JSON has no NaN."""
    ranking, gap = report.ranking, report.gap
    found = {"mAP": ranking.mean_ap, "rank1": ranking.rank(1), "rank5": ranking.rank(5)}
    found |= {"cosine_same": gap.same, "cosine_different": gap.different}
    return {name: round(float(value), 4) if math.isfinite(value) else None for name, value in found.items()}


def keep(
    path: Path,
    network: Climb,
    preprocessing: Preprocessing,
    *,
    report: Report | None,
    step: int,
    elapsed_s: float,
    half: bool = False,
) -> None:
    """Write weights, in half precision if asked, then their card beside them; readers only see complete files.

    Similarities of the held-out people are stored with the weights as their similarity prior.
    """
    prior = None if report is None else prior_of(report.gap)
    save_weights(path, network, preprocessing, prior, half=half)
    figures = None if report is None else _held_out_figures(report)
    card = WeightsCard(path.name, load_weights(path).model_id, step, round(elapsed_s / 60, 2), figures)
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(asdict(card), indent=2) + "\n")
    part.replace(path.with_suffix(".json"))
