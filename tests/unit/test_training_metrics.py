"""CMC and mAP against a slow reference that follows the words of the definition."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.metrics import Labelled, cosine_gap, rank, rank_all


def items(n: int, seed: int, people: int = 5, cameras: int = 3) -> Labelled:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 4)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return Labelled(features, rng.integers(0, people, n), rng.integers(0, cameras, n))


def reference(queries: Labelled, gallery: Labelled, ranks: int) -> tuple[float, list[float], int]:
    """Return mAP, CMC and the number of queries that count, one query after the other."""
    precisions, first_places = [], []
    for q in range(len(queries.features)):
        scored = []
        for g in range(len(gallery.features)):
            same = bool(gallery.identities[g] == queries.identities[q])
            if same and gallery.cameras[g] == queries.cameras[q]:
                continue
            scored.append((float(queries.features[q] @ gallery.features[g]), same))
        scored.sort(key=lambda pair: -pair[0])
        places = [place for place, (_, same) in enumerate(scored, start=1) if same]
        if places:
            precisions.append(sum((i + 1) / place for i, place in enumerate(places)) / len(places))
            first_places.append(places[0])
    cmc = [sum(p <= r for p in first_places) / len(first_places) for r in range(1, ranks + 1)]
    return sum(precisions) / len(precisions), cmc, len(precisions)


@pytest.mark.parametrize("seed", range(5))
def test_ranking_equals_the_slow_reference(seed: int) -> None:
    queries, gallery = items(20, seed), items(40, seed + 100)
    got = rank(queries, gallery, ranks=8)
    mean_ap, cmc, counted = reference(queries, gallery, 8)
    assert got.mean_ap == pytest.approx(mean_ap)
    np.testing.assert_allclose(got.cmc, cmc)
    assert got.queries == counted


def test_ranking_all_against_all_does_not_find_the_query_itself() -> None:
    features = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32)
    got = rank_all(Labelled(features, np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3])))
    assert got.rank(1) == 0.0


def test_perfect_features_rank_perfectly() -> None:
    people = np.repeat(np.arange(4), 3)
    got = rank_all(Labelled(np.eye(4, dtype=np.float32)[people], people, np.tile(np.arange(3), 4)))
    assert got.mean_ap == pytest.approx(1.0)
    assert got.rank(1) == 1.0


def test_ranking_without_matches_is_an_error() -> None:
    features: NDArray[np.float32] = np.eye(2, dtype=np.float32)
    with pytest.raises(ValueError, match="another camera"):
        rank_all(Labelled(features, np.array([0, 1]), np.array([0, 1])))


def test_cosine_gap_compares_across_cameras_only() -> None:
    features = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    gap = cosine_gap(Labelled(features, np.array([0, 0, 1]), np.array([0, 1, 1])))
    assert (gap.same, gap.different, gap.gap) == (1.0, 0.0, 1.0)


def test_one_person_alone_differs_from_nobody() -> None:
    alone = Labelled(np.ones((2, 1), np.float32), np.array([4, 4]), np.array([0, 1]))
    gap = cosine_gap(alone)
    assert gap.same == 1
    assert np.isnan(gap.different)
