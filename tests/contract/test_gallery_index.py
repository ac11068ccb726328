"""All indexes give the results of brute force, the reference."""

import gc
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from gallery.index import BruteForceIndex, FlatIndex, Hits, VectorIndex
from gallery.index_faiss import MAX_REMOVED, GpuFaissIndex, index_for
from gallery.index_sketch import ScalingIndex, SketchIndex
from gallery.recall import WATCHED, RecallWatch
from gallery.searcher import Searcher
from gallery.store.store import Prototype

D = 16
KINDS = pytest.mark.parametrize(
    "kind",
    [BruteForceIndex, FlatIndex, ScalingIndex, SketchIndex, GpuFaissIndex],
    ids=["brute_force", "flat", "scaling", "sketch", "faiss_gpu"],
)
MOST_HITS = 2048  # what FAISS's GPU search returns at most


class FakeGpuIndex:
    """FAISS's flat index with what its GPU form cannot do: no removal, no more than `MOST_HITS` hits."""

    def __init__(self, resources: object, dimension: int) -> None:
        self._index: Any = faiss.IndexFlatIP(dimension)

    def add(self, vectors: NDArray[np.float32]) -> None:
        self._index.add(vectors)

    def search(self, queries: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        assert k <= MOST_HITS
        scores, rows = self._index.search(queries, k)
        return scores, rows

    def reset(self) -> None:
        self._index.reset()


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss, "GpuIndexFlatIP", FakeGpuIndex, raising=False)
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)


@pytest.mark.parametrize(("gpus", "kind"), [(0, ScalingIndex), (2, GpuFaissIndex)])
def test_a_gpu_is_used_where_faiss_has_one(monkeypatch: pytest.MonkeyPatch, gpus: int, kind: type) -> None:
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: gpus, raising=False)
    assert isinstance(index_for(D), kind)


def test_removed_rows_of_a_gpu_never_displace_current_ones() -> None:
    index = GpuFaissIndex(D)
    near = np.repeat(np.eye(1, D, dtype=np.float32), MAX_REMOVED * 2, axis=0)
    index.add(np.arange(len(near)), near)
    index.add(np.array([9000]), np.eye(2, D, dtype=np.float32)[1:])
    for gone in range(len(near)):
        index.remove(np.array([gone]))
    assert index.search(np.eye(1, D, dtype=np.float32), 1).ids.tolist() == [[9000]]
    assert len(index) == 1


def vectors(seed: int, n: int) -> NDArray[np.float32]:
    return looks(np.random.default_rng(seed), n, np.ones(D))


@KINDS
def test_an_empty_index_finds_nothing(kind: type) -> None:
    hits = kind(D).search(vectors(0, 2), 3)

    assert hits.ids.tolist() == [[-1] * 3] * 2
    assert np.isneginf(hits.scores).all()


@KINDS
def test_the_nearest_come_first_and_missing_ones_are_marked(kind: type) -> None:
    index: VectorIndex = kind(D)
    index.add(np.array([30, 10]), np.eye(2, D, dtype=np.float32))

    hits = index.search(np.array([[0.8, 0.6, *[0] * (D - 2)]], np.float32), 3)

    assert hits.ids.tolist() == [[30, 10, -1]]
    np.testing.assert_allclose(hits.scores[0, :2], [0.8, 0.6], atol=1e-6)


@KINDS
def test_equal_scores_stand_by_id(kind: type) -> None:
    index: VectorIndex = kind(D)
    index.add(np.array([7, 3, 5]), np.repeat(np.eye(1, D, dtype=np.float32), 3, axis=0))

    assert index.search(np.eye(1, D, dtype=np.float32), 3).ids.tolist() == [[3, 5, 7]]


@KINDS
def test_what_is_removed_is_not_found_and_its_id_can_be_used_again(kind: type) -> None:
    index: VectorIndex = kind(D)
    index.add(np.array([1, 2]), np.eye(2, D, dtype=np.float32))
    index.remove(np.array([1, 99]))
    assert index.search(np.eye(1, D, dtype=np.float32), 1).ids.tolist() == [[2]]

    index.add(np.array([1]), -np.eye(1, D, dtype=np.float32))

    assert index.search(-np.eye(1, D, dtype=np.float32), 1).ids.tolist() == [[1]]
    assert len(index) == 2


def bytes_of(index: VectorIndex) -> bytes:
    """Return all of an index's arrays, and FAISS's own form of what it has in the GPU's memory."""
    seen: dict[int, object] = {}
    left: list[object] = [index]
    parts = []
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, type):
            continue
        seen[id(one)] = one
        if isinstance(one, np.ndarray):
            parts.append((one if one.base is None else one.base).tobytes())
        elif isinstance(one, faiss.Index):
            parts.append(faiss.serialize_index(one).tobytes())
        else:
            left += gc.get_referents(one)
    return b"".join(parts)


@KINDS
@pytest.mark.parametrize("count", [2, 40])
def test_of_a_vector_that_was_removed_no_byte_is_left(monkeypatch: pytest.MonkeyPatch, kind: type, count: int) -> None:
    monkeypatch.setattr("gallery.index_sketch.MAX_FLAT", 20)
    monkeypatch.setattr("gallery.index_sketch.BLOCK", 16)
    known = vectors(1, count).astype(np.float16).astype(np.float32)
    index: VectorIndex = kind(D)
    index.add(np.arange(count), known)
    erased, other = known[1], known[0]

    def is_there(vector: NDArray[np.float32]) -> bool:
        return any(vector.astype(form).tobytes() in bytes_of(index) for form in ("<f4", "<f2"))

    assert index.search(erased[None], 2).ids[0, 0] == 1
    assert is_there(erased)
    index.remove(np.array([1]))
    index.purge()
    assert not is_there(erased)
    assert is_there(other)
    assert index.search(other[None], 1).ids.tolist() == [[0]]


@KINDS
def test_vectors_of_another_dimension_are_refused(kind: type) -> None:
    with pytest.raises(ValueError, match=r"must be \(n, 16\)"):
        kind(D).add(np.array([1]), np.ones((1, 8), np.float32))


@pytest.mark.parametrize("kind", [FlatIndex, ScalingIndex, SketchIndex, GpuFaissIndex])
@pytest.mark.parametrize("seed", range(4))
def test_an_exact_index_equals_brute_force_after_any_history(
    monkeypatch: pytest.MonkeyPatch, seed: int, kind: type[FlatIndex | ScalingIndex | SketchIndex | GpuFaissIndex]
) -> None:
    monkeypatch.setattr("gallery.index_faiss.MAX_REMOVED", 7)
    rng = np.random.default_rng(seed)
    one, other = BruteForceIndex(D), kind(D)
    known: list[int] = []
    for step in range(30):
        ids = np.arange(step * 10, step * 10 + int(rng.integers(0, 10)))
        added, gone = (
            vectors(seed * 100 + step, len(ids)),
            rng.permutation(known)[: rng.integers(0, 6)].astype(np.int64),
        )
        for index in (one, other):
            index.add(ids, added)
            index.remove(gone)
        known = [number for number in [*known, *ids.tolist()] if number not in gone]

        queries = vectors(seed * 100 + step + 50, 3)
        expected, found = one.search(queries, 8), other.search(queries, 8)

        np.testing.assert_array_equal(found.ids, expected.ids)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
        assert len(one) == len(other) == len(known)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an index change its form, its blocks and its directions with few vectors."""
    for name, value in {"MAX_FLAT": 100, "BLOCK": 128, "SAMPLE": 64, "MAX_DIRECTIONS": 6}.items():
        monkeypatch.setattr(f"gallery.index_sketch.{name}", value)


def looks(rng: np.random.Generator, n: int, spread: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return unit vectors that float16 represents exactly, which vary as told in each direction."""
    drawn = rng.normal(size=(n, D)) * spread
    return np.asarray((drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16), np.float32)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("seed", range(3))
def test_a_large_index_equals_brute_force_while_people_come_and_go_and_change_their_clothes(seed: int) -> None:
    # Given vectors that come and go, and vary in other directions later than at first, or in all of them
    rng = np.random.default_rng(seed)
    first, later, all_alike = np.eye(2).repeat(8, axis=1)[0] + 0.02, np.eye(2).repeat(8, axis=1)[1] + 0.02, np.ones(D)
    one, other = BruteForceIndex(D), ScalingIndex(D)
    known: list[int] = []
    for step in range(60):
        spread = first if step < 20 else later if step < 40 else all_alike
        added, ids = looks(rng, 40, spread), np.arange(step * 40, step * 40 + 40)
        gone = rng.permutation(known)[:20].astype(np.int64)
        for index in (one, other):
            index.add(ids, added)
            index.remove(gone)
        known = sorted({*known, *ids.tolist()} - {*gone.tolist()})
        queries = np.concatenate([looks(rng, 3, spread), added[:3]])
        # Then a search finds what comparing with all of them finds
        expected, found = one.search(queries, 8), other.search(queries, 8)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
        assert [set(row) for row in found.ids.tolist()] == [set(row) for row in expected.ids.tolist()]
        assert len(other) == len(known)


@pytest.mark.usefixtures("small_blocks")
def test_the_order_of_additions_does_not_change_what_is_found() -> None:
    rng = np.random.default_rng(5)
    added = np.concatenate([looks(rng, 400, np.linspace(1, 0.05, D)), looks(rng, 400, np.linspace(0.05, 1, D))])
    queries = looks(rng, 20, np.ones(D))
    found = []
    for order in (np.arange(800), np.arange(800)[::-1], rng.permutation(800)):
        index = ScalingIndex(D)
        for some in np.split(order, 16):
            index.add(some, added[some])
        found.append(index.search(queries, 8))

    for other in found[1:]:
        np.testing.assert_array_equal(other.ids, found[0].ids)
        np.testing.assert_allclose(other.scores, found[0].scores, atol=1e-6)


@pytest.mark.usefixtures("small_blocks")
def test_a_search_of_many_equal_vectors_ends_and_finds_some_of_them() -> None:
    index = ScalingIndex(D)
    index.add(np.arange(3_000), np.repeat(np.eye(1, D, dtype=np.float32), 3_000, axis=0))

    hits = index.search(np.eye(1, D, dtype=np.float32), 64)

    assert (hits.scores == 1.0).all()
    assert len(set(hits.ids[0].tolist())) == 64


def test_a_few_best_of_many_are_the_best_of_all() -> None:
    one, other = BruteForceIndex(D), FlatIndex(D)
    added = vectors(3, 5_000)
    for index in (one, other):
        index.add(np.arange(5_000), added)
        index.remove(np.arange(0, 5_000, 7))
    queries = vectors(4, 6)

    for k in (1, 64, 200):
        expected, found = one.search(queries, k), other.search(queries, k)
        np.testing.assert_array_equal(found.ids, expected.ids)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)


@KINDS
def test_the_searcher_follows_identities_and_keeps_models_apart(kind: type) -> None:
    def look(axis: int, model: str = "m", size: int = D) -> Prototype:
        return Prototype("mean", "door", model, 3 * np.eye(size, dtype=np.float32)[axis], 3.0)

    searcher = Searcher(kind)
    searcher.replace({1: [look(0), look(1)], 2: [look(2)], 3: [look(0, "other", 8)]})
    assert searcher.nearest(np.eye(D, dtype=np.float32)[:1], "m") == [{1, 2}]
    assert searcher.nearest(np.eye(8, dtype=np.float32)[:1], "other") == [{3}]
    assert searcher.nearest(np.eye(D, dtype=np.float32)[:1], "unknown") == [set()]

    searcher.replace({1: [look(3)], 2: []})

    assert searcher.nearest(np.eye(D, dtype=np.float32)[:1], "m") == [{1}]
    assert len(searcher) == 2


def test_a_person_who_passed_once_takes_one_place_in_the_index() -> None:
    look = np.eye(D, dtype=np.float32)
    passed = [Prototype("mean", "door", "m", 2 * look[0], 2.0), Prototype("hard", "door", "m", look[0], 2.0, "one")]
    returned = [
        Prototype("mean", "door", "m", look[0], 3.0),
        *passed[1:],
        Prototype("hard", "door", "m", look[1], 1.0, "two"),
    ]
    searcher = Searcher(FlatIndex)

    searcher.replace({1: passed, 2: returned})

    assert len(searcher) == 1 + 3


def test_the_watch_counts_what_an_index_does_not_return(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gallery.recall.EVERY", 1)
    watch = RecallWatch()
    look = np.eye(D, dtype=np.float32)
    for place in range(4):
        watch.add(place, look[place])
    watch.remove(3)
    query = np.array([[0.6, 0.5, 0.4, *[0] * (D - 3)]], np.float32)

    # a search that returned the first and the third, but not the second
    watch.check(query, Hits(np.array([[0, 2]]), np.array([[0.6, 0.4]], np.float32)))

    assert (watch.expected, watch.missed) == (3, 1)


def test_the_sample_of_the_watch_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gallery.recall.EVERY", 1)
    watch = RecallWatch()
    look = np.eye(1, D, dtype=np.float32)
    for place in range(5_000):
        watch.add(place, look[0])

    watch.check(look, Hits(np.array([[0]]), np.array([[1.0]], np.float32)))

    assert WATCHED / 2 < watch.expected <= WATCHED
