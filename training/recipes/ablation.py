"""Ablation: what each part of CLIMB-ReID contributes, over several seeds (CLIMB-ReID, tables 4-6, any model size).

    python -m training.recipes.ablation --seeds 0 1 2 --out ablation.jsonl
    python -m training.recipes.ablation training/configs/lsvid.yaml data.folder=/data/ls-vid --seeds 0 1 2

All variants of a seed start from the same encoder: CLIP's or `initial`, if the configuration names one; otherwise one
trained on single frames of other generated people (`ablation_start.yaml`). Heads and memories start untrained. Rows
that are already in the output file are not run again, so an interrupted ablation can be resumed.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reid_worker.model.climb import Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import load_weights
from training.config import TrainConfig, changed, load_config
from training.data.crops import Tracklets
from training.evaluation.embedding import middle_frames
from training.evaluation.metrics import Labelled, rank
from training.people import HeldOut, people_of
from training.train import run_training

_CONFIGS = Path(__file__).parents[1] / "configs"
_CHUNK = 8  # tracklets embedded together
_FEW = 8  # people a run validates on; its result is unused, `validated` uses all people
_FEATURES = ("frame average", "temporal head", "both")


@dataclass(frozen=True, slots=True)
class Variant:
    """A row of the table: settings changed, by `group.key`, and the feature used for ranking."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    feature: str = "frame average"


_BASELINE: dict[str, Any] = {
    "losses.mmc": 0.0,
    "losses.sequence_ce": 1.0,
    "losses.sequence_triplet": 1.0,
    "schedule.temporal_from": 1.0,
}
_MEMORIES = _BASELINE | {"losses.mmc": 1.0}
_HEAD = _MEMORIES | {"schedule.temporal_from": 0.0}
VARIANTS = (
    Variant("baseline: CE + triplet on the frame average", _BASELINE),
    Variant("+ MMC (mean + hard)", _MEMORIES),
    Variant("+ IRM (stride 1)", _HEAD | {"network.strides": (1,)}, "both"),
    Variant("+ all strides (1, 4, 8)", _HEAD, "both"),
    Variant("MMC: mean", _MEMORIES | {"losses.memories": ("mean",)}),
    Variant("MMC: hard", _MEMORIES | {"losses.memories": ("hard",)}),
    Variant("MMC: mean + random + hard", _MEMORIES | {"losses.memories": ("mean", "random", "hard")}),
)
_START = Variant("start: the encoder all variants begin from")


def features_by_name(network: Climb, preprocessing: Preprocessing, people: Tracklets) -> dict[str, NDArray[np.float32]]:
    """Return the normalised features of every tracklet from its T middle frames, by the names of `_FEATURES`."""
    lengths, T = people.lengths, network.architecture.frames
    parts: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    with torch.no_grad():
        for i in range(0, len(lengths), _CHUNK):
            rows = range(i, min(i + _CHUNK, len(lengths)))
            tracklets = [people.read(row, middle_frames(int(lengths[row]), T)) for row in rows]
            crops = torch.from_numpy(preprocessing.resize([crop for tracklet in tracklets for crop in tracklet]))
            found = network.ragged(preprocessing.scale(crops), [len(tracklet) for tracklet in tracklets])
            parts.append((found.sequence, found.temporal, found.ranking()))
    joined = (torch.cat(part) for part in zip(*parts, strict=True))
    unit = (torch.nn.functional.normalize(feature, dim=1).numpy() for feature in joined)
    return dict(zip(_FEATURES, unit, strict=True))


def validated(weights: Path, held_out: HeldOut) -> dict[str, dict[str, float]]:
    """Return mAP and rank-1, in per cent, of each feature of the weights in a file."""
    loaded = load_weights(weights)
    query = features_by_name(loaded.network, loaded.preprocessing, held_out.query)
    same = held_out.gallery is held_out.query
    gallery = query if same else features_by_name(loaded.network, loaded.preprocessing, held_out.gallery)
    result = {}
    for name in _FEATURES:
        sides = [
            Labelled(features[name], people.identities, people.cameras)
            for features, people in ((query, held_out.query), (gallery, held_out.gallery))
        ]
        ranking = rank(sides[0], sides[1])
        result[name] = {"mAP": 100 * ranking.mean_ap, "rank1": 100 * ranking.rank(1)}
    return result


def run(base: TrainConfig, variants: Sequence[Variant], seeds: Sequence[int], out: Path) -> None:
    """Run variants missing from `out`, one JSON line each, all variants of a seed before the next seed."""
    done = {(row["seed"], row["variant"]) for row in read_rows(out)}
    _, held_out = people_of(base, None, _log)
    for seed in seeds:
        initial = _start(base, seed)
        if initial is not None and (seed, _START.name) not in done:
            _append(out, seed, _START, 0.0, validated(initial, held_out))
        for number, variant in enumerate(variants):
            if (seed, variant.name) in done:
                continue
            config = changed(base, _settings(base, seed, number, initial) | variant.changes)
            began = time.monotonic()
            weights = run_training(config).weights
            _append(out, seed, variant, time.monotonic() - began, validated(weights, held_out))


def _settings(base: TrainConfig, seed: int, number: int, initial: Path | None) -> dict[str, Any]:
    """Return the settings that every variant of a seed changes, by `group.key`."""
    return {
        "run.seed": seed,
        "run.output": base.run.output / f"seed{seed}-{number}",
        "run.validate_every": base.schedule.steps,
        "network.initial": initial,
        "network.load_head": False,
        "synthetic.validation_identities": _FEW,
    }


def _start(base: TrainConfig, seed: int) -> Path | None:
    """Return the weights that all variants of a seed start from, training them first if none are given."""
    if base.network.clip or base.network.initial is not None:
        return base.network.initial
    folder = base.run.output / f"seed{seed}-start"
    if not (folder / "best.safetensors").exists():
        config = load_config(_CONFIGS / "ablation_start.yaml")
        same = {
            "run.seed": seed,
            "run.output": folder,
            "run.threads": base.run.threads,
            "run.workers": base.run.workers,
            "network.model": base.network.model,
            "network.standardise": base.network.standardise,
            "synthetic.cache": base.synthetic.cache,
        }
        run_training(changed(config, same))
    return folder / "best.safetensors"


def read_rows(out: Path) -> list[dict[str, Any]]:
    """Return the rows of an ablation so far."""
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def _append(out: Path, seed: int, variant: Variant, seconds: float, figures: dict[str, dict[str, float]]) -> None:
    row = {"seed": seed, "variant": variant.name, "feature": variant.feature, "seconds": round(seconds, 1)}
    rounded = {name: {key: round(value, 2) for key, value in one.items()} for name, one in figures.items()}
    with out.open("a") as file:
        file.write(json.dumps(row | {"figures": rounded}) + "\n")
    _log(json.dumps(row | {"figures": rounded}))


def table(rows: Sequence[dict[str, Any]], variants: Sequence[Variant]) -> str:
    """Return mean and spread (standard deviation over seeds) of each variant, and its difference from the baseline.

    The difference is taken per seed, so its spread is that of the effect and not of the starting weights.
    """
    lines = [
        "| variant | ranked by | seeds | mAP | rank-1 | mAP against the baseline |",
        "|---|---|---|---|---|---|",
    ]
    baseline = _by_seed(rows, variants[0].name, variants[0].feature, "mAP")
    listed = [(variant, variant.feature) for variant in (_START, *variants)]
    listed += [(variants[3], feature) for feature in _FEATURES[:2]] if len(variants) > 3 else []
    for variant, feature in listed:
        found = _by_seed(rows, variant.name, feature, "mAP")
        if not found:
            continue
        gains = [value - baseline[seed] for seed, value in found.items() if seed in baseline]
        firsts = _by_seed(rows, variant.name, feature, "rank1").values()
        cells = (variant.name, feature, str(len(found)), _spread(found.values()), _spread(firsts), _spread(gains, "+"))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _by_seed(rows: Sequence[dict[str, Any]], variant: str, feature: str, figure: str) -> dict[int, float]:
    return {row["seed"]: row["figures"][feature][figure] for row in rows if row["variant"] == variant}


def _spread(values: Iterable[float], sign: str = "") -> str:
    found = list(values)
    if not found:
        return ""
    deviation = np.std(found, ddof=1) if len(found) > 1 else float("nan")
    return f"{np.mean(found):{sign}.1f} ± {deviation:.1f}"


def _log(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> None:
    """Run the ablation and print its table."""
    parser = argparse.ArgumentParser(
        prog="python -m training.recipes.ablation", description="Measure what each part of CLIMB-ReID contributes."
    )
    parser.add_argument("config", nargs="?", type=Path, default=_CONFIGS / "ablation.yaml")
    parser.add_argument("overrides", nargs="*", metavar="GROUP.KEY=VALUE")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True, help="file of JSON lines, one per run")
    given = parser.parse_args(arguments)
    if "=" in str(given.config):
        given.overrides, given.config = [str(given.config), *given.overrides], _CONFIGS / "ablation.yaml"
    run(load_config(given.config, given.overrides), VARIANTS, given.seeds, given.out)
    sys.stdout.write(table(read_rows(given.out), VARIANTS) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
