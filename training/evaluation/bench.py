"""Measure time and memory of the ranking metrics, with and without re-ranking, as one JSON line.

Features are random unit vectors around one centre per identity.

climbtrack bench evaluation [--queries N] [--gallery N]
"""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import Labelled, Ranking, query_results, rank, summarise
from training.evaluation.rerank import reranked

_DIM = 768
_OF_EACH = 16  # gallery items per identity
_CAMERAS = 6
_NOISE = 2.5  # standard deviation around a centre of standard deviation 1: some queries fail
_ROWS = 4096  # drawn at a time, so that drawing does not need more memory than the metric


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a ranking.

    Attributes:
        seconds: Wall-clock time.
        cpu_s: CPU time of all threads.
        peak_mb: Peak memory of this process so far, including features.
        mean_ap: The resulting mAP, 0 to 1.
    """

    seconds: float
    cpu_s: float
    peak_mb: float
    mean_ap: float


@dataclass(frozen=True, slots=True)
class EvaluationCost:
    """Cost of the metrics at a given size.

    Attributes:
        queries: Number of queries.
        gallery: Number of gallery items.
        before_mb: Peak memory before the first ranking: the program and the features.
        cosine: Ranking by cosine.
        rerank: Re-ranking, including the computation of its distances; None if not requested.
    """

    queries: int
    gallery: int
    before_mb: float
    cosine: Cost
    rerank: Cost | None


def measure(queries: int, gallery: int, *, by_rerank: bool = True) -> EvaluationCost:
    """Rank random features by cosine, and then by re-ranked distances: peak memory only ever grows."""
    people = max(gallery // _OF_EACH, 1)
    items = _drawn(gallery, people, seed=1)
    wanted = _drawn(queries, people, seed=2)
    before = _peak_mb()
    return EvaluationCost(
        queries,
        gallery,
        before,
        _cost(lambda: rank(wanted, items)),
        _cost(lambda: _rerank(wanted, items)) if by_rerank else None,
    )


def _rerank(queries: Labelled, gallery: Labelled) -> Ranking:
    scores = reranked(queries.features, gallery.features).scores
    return summarise(query_results(scores, queries.labels, gallery.labels))


def _cost(ranking: Callable[[], Ranking]) -> Cost:
    began, worked = time.perf_counter(), time.process_time()
    found = ranking()
    return Cost(time.perf_counter() - began, time.process_time() - worked, _peak_mb(), found.mean_ap)


def _drawn(rows: int, people: int, seed: int) -> Labelled:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((people, _DIM), np.float32)
    identities = rng.integers(people, size=rows)
    features: NDArray[np.float32] = rng.standard_normal((rows, _DIM), np.float32)
    for start in range(0, rows, _ROWS):
        part = features[start : start + _ROWS]
        part *= _NOISE
        part += centres[identities[start : start + _ROWS]]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return Labelled(features, identities, rng.integers(_CAMERAS, size=rows))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e3 if sys.platform != "darwin" else 1e6)
