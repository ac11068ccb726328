"""Ranking equals the words of its definition, followed one query after the other, also where scores are equal."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.data.dataset import DISTRACTOR, JUNK
from training.evaluation import metrics
from training.evaluation.metrics import Labels, QueryResult, places, query_results, summarise


class Case(NamedTuple):
    scores: NDArray[np.float32]
    queries: Labels
    gallery: Labels


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Few people, cameras and scores: everything that can coincide does."""
    q, g = draw(st.integers(1, 5)), draw(st.integers(1, 12))

    def whole(low: int, high: int, count: int) -> NDArray[np.int64]:
        return np.array(draw(st.lists(st.integers(low, high), min_size=count, max_size=count)), np.int64)

    scores = whole(-3, 3, q * g).reshape(q, g).astype(np.float32)
    return Case(scores, Labels(whole(0, 3, q), whole(0, 2, q)), Labels(whole(DISTRACTOR, 3, g), whole(0, 2, g)))


def reference(case: Case, query: int) -> QueryResult:
    who, where = case.queries.identities[query], case.queries.cameras[query]
    there = [
        item
        for item, (identity, camera) in enumerate(zip(case.gallery.identities, case.gallery.cameras, strict=True))
        if identity != JUNK and not (identity == who and camera == where)
    ]
    ordered = sorted(there, key=lambda item: -case.scores[query, item])
    right = [place for place, item in enumerate(ordered, start=1) if case.gallery.identities[item] == who]
    if not right:
        return QueryResult(0.0, 0.0, 0)
    precisions = [count / place for count, place in enumerate(right, start=1)]
    return QueryResult(sum(precisions) / len(right), len(right) / right[-1], right[0])


@given(cases(), st.integers(1, 200))
def test_every_query_finds_what_the_definition_says(case: Case, block_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "_BLOCK_BYTES", block_bytes)
        found = query_results(lambda start, stop: case.scores[start:stop].copy(), case.queries, case.gallery)
    for query, one in enumerate(found):
        wanted = reference(case, query)
        assert one.first == wanted.first
        assert one.average_precision == pytest.approx(wanted.average_precision)
        assert one.inverse_penalty == pytest.approx(wanted.inverse_penalty)
    if any(one.first for one in found):
        assert summarise(found).queries + summarise(found).left_out == len(found)


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=20), st.data())
def test_places_are_those_of_a_stable_sort(distances: list[int], data: st.DataObject) -> None:
    row = np.array(distances, np.float32)
    right = np.array(sorted(data.draw(st.sets(st.integers(0, len(row) - 1)))), np.int64)
    order = np.argsort(row, kind="stable").tolist()
    assert places(row, right).tolist() == sorted(order.index(item) + 1 for item in right.tolist())
