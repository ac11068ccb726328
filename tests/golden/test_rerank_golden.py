"""Re-ranked distances equal those that the authors' published program gave; `rerank.json` says how they were made."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.metrics import Labels, query_results, summarise
from training.evaluation.rerank import Reranked, reranked

GOLDEN = json.loads(Path(__file__).with_name("rerank.json").read_text())


def drawn(identities: list[int]) -> NDArray[np.float32]:
    """Unit rows around one centre an identity, as `rerank.json` words it."""
    rng = np.random.default_rng([GOLDEN["seed"], len(identities)])
    centres = np.random.default_rng(GOLDEN["seed"]).normal(size=(GOLDEN["identities"], GOLDEN["dim"]))
    features = centres[identities] + GOLDEN["noise"] * rng.normal(size=(len(identities), GOLDEN["dim"]))
    return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True), np.float32)


def again(case: dict[str, Any]) -> Reranked:
    queries, gallery = drawn(GOLDEN["query_identities"]), drawn(GOLDEN["gallery_identities"])
    return reranked(queries, gallery, k1=case["k1"], k2=case["k2"], weight=case["weight"])


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"k1={case['k1']} k2={case['k2']}")
def test_distances_are_the_published_programs(case: dict[str, Any]) -> None:
    distances = -again(case).scores(0, len(case["distances"]))
    np.testing.assert_allclose(distances, case["distances"], atol=2e-5)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"k1={case['k1']} k2={case['k2']}")
def test_mean_average_precision_is_the_published_programs(case: dict[str, Any]) -> None:
    queries = Labels(np.array(GOLDEN["query_identities"]), np.zeros(len(GOLDEN["query_identities"]), np.int64))
    gallery = Labels(np.array(GOLDEN["gallery_identities"]), np.ones(len(GOLDEN["gallery_identities"]), np.int64))
    ranking = summarise(query_results(again(case).scores, queries, gallery))
    assert ranking.mean_ap == pytest.approx(case["mean_ap"], abs=1e-6)
    assert ranking.rank(1) == pytest.approx(case["rank1"])
