"""CMC, mAP and mINP are those of FastReID on the same features; `metrics.json` says how they were made."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.data.dataset import DISTRACTOR, JUNK
from training.evaluation.metrics import Labelled, rank

CASES = json.loads(Path(__file__).with_name("metrics.json").read_text())["cases"]


def drawn(*, seed: int, q: int, g: int, people: int, cameras: int, dim: int, noise: float) -> tuple[Labelled, Labelled]:
    """Return queries and gallery: noise around a centre a person, with junk and distractors in the gallery."""
    rng = np.random.default_rng(seed)
    identities = [rng.integers(0, people, n) for n in (q, g)]
    seen_by = [rng.integers(0, cameras, n) for n in (q, g)]
    identities[1][rng.random(g) < 0.1] = DISTRACTOR
    identities[1][rng.random(g) < 0.1] = JUNK
    centres = rng.normal(size=(people, dim))
    sides = []
    for who, where in zip(identities, seen_by, strict=True):
        strangers = rng.normal(size=(len(who), dim))
        features = np.where(who[:, None] >= 0, centres[np.maximum(who, 0)], strangers)
        features = features + noise * rng.normal(size=(len(who), dim))
        sides.append(
            Labelled((features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32), who, where)
        )
    return sides[0], sides[1]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"seed {case['input']['seed']}")
def test_the_figures_are_those_of_fastreid(case: dict[str, Any]) -> None:
    queries, gallery = drawn(**case["input"])
    ours = rank(queries, gallery, ranks=20)
    np.testing.assert_allclose(ours.cmc, case["cmc"], atol=1e-6)
    assert ours.mean_ap == pytest.approx(case["mean_ap"], abs=1e-9)
    assert ours.mean_inp == pytest.approx(case["mean_inp"], abs=1e-9)
