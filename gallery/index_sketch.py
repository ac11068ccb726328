"""Exact nearest neighbours among many vectors: sketches bound every score, and few vectors are compared in full.

Of each vector, the projection on the directions in which vectors vary most is kept, and the length of the rest. By the
inequality of Cauchy and Schwarz, two vectors score at most the product of their projections plus that of these
lengths. The vectors with the highest bounds are compared in full, and then all others whose bound reaches the k-th
best score found: the optimal multi-step search of Seidl and Kriegel (SIGMOD 1998), section 4. So the directions decide
what a search costs and not what it finds, which is the same in whatever order vectors were added.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gallery.index import FlatIndex, Hits, best, check_dimension
from gallery.nominees import Nominees

MAX_FLAT = 8_192  # vectors, of about 4 000 people; comparing the 34 queries of a busy second takes 6 ms on one core
BLOCK = 8_192  # vectors; none is ever copied to make room for more, and a block's products fit a processor's cache
SAMPLE = 2_048  # vectors from which directions are learnt, in a tenth of a second
LOST = 0.02  # mean squared length of unit vectors outside the directions
MAX_DIRECTIONS = 128  # embeddings of the shipped weights need 64
ROUNDS = 2  # of subspace iteration; the spectrum of embeddings falls fast
FIRST = 2  # times k: how many vectors are compared in full at first
QUERIES = 128  # at once
ROOM = 16_384  # vectors compared in full for which memory is kept, 50 MB at 512 numbers; a busy second needs 4 000
ROUNDING = 1e-5  # of scores in float32

Vectors = NDArray[np.float32]
Whole = NDArray[np.int64]


class ScalingIndex:
    """A flat index of up to `MAX_FLAT` vectors, and sketches of more; see `index.VectorIndex`."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._index: FlatIndex | SketchIndex = FlatIndex(dimension)

    def add(self, ids: Whole, vectors: Vectors) -> None:
        """Add vectors; the index changes its form when there are many."""
        check_dimension(vectors, self._dimension)
        if isinstance(self._index, FlatIndex) and len(self) + len(ids) > MAX_FLAT:
            before = self._index.all()
            self._index = SketchIndex(self._dimension)
            self._index.add(*before)
        self._index.add(ids, vectors)

    def remove(self, ids: Whole) -> None:
        """Remove vectors."""
        self._index.remove(ids)

    def purge(self) -> None:
        """Leave nothing of removed vectors in memory."""
        self._index.purge()

    def search(self, queries: Vectors, k: int) -> Hits:
        """Return the k best for each query."""
        return self._index.search(queries, k)

    def __len__(self) -> int:
        return len(self._index)


class SketchIndex:
    """Vectors in blocks with their sketches; see `index.VectorIndex`.

    Vectors are kept as float16, and scores are those of the rounded vectors. Directions are learnt again when vectors
    have come to vary in others; blocks are sketched anew one by one, with the next additions.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._sketch: Sketch | None = None
        self._blocks: list[_Block] = []
        self._rows: dict[int, int] = {}
        self._free: list[int] = []
        self._lost: list[Vectors] = []  # squared lengths outside the directions, of the vectors added last
        self._scratch = _Scratch(dimension)

    def add(self, ids: Whole, vectors: Vectors) -> None:
        """Put vectors into free rows."""
        check_dimension(vectors, self._dimension)
        for start in range(0, len(ids), BLOCK):
            self._add(ids[start : start + BLOCK], vectors[start : start + BLOCK])

    def _add(self, ids: Whole, vectors: Vectors) -> None:
        self._sketch = self._sketch or Sketch(np.asarray(_some(vectors), np.float32))
        while len(self._free) < len(ids):
            start = len(self._blocks) * BLOCK
            self._blocks.append(_Block(self._dimension, self._sketch))
            self._free += range(start + BLOCK - 1, start - 1, -1)
        rows = np.array([self._free.pop() for _ in ids], np.int64)
        for number in np.unique(rows // BLOCK).tolist():
            inside = rows // BLOCK == number
            block, places = self._blocks[number], rows[inside] % BLOCK
            block.put(places, ids[inside], vectors[inside])
            self._lost.append(block.rests[places] ** 2)
        self._rows.update(zip(ids.tolist(), rows.tolist(), strict=True))
        self._follow(self._sketch)

    def _follow(self, sketch: "Sketch") -> None:
        """Sketch one block by the current directions, and learn these again if they lose more than they did."""
        old = next((block for block in self._blocks if block.sketch is not sketch), None)
        if old is not None:
            old.sketch_by(sketch)
        elif sum(map(len, self._lost)) >= SAMPLE:
            if float(np.concatenate(self._lost).mean()) > 2 * max(LOST, sketch.lost):
                some = [block.sample(len(self._blocks)) for block in self._blocks]
                self._sketch = Sketch(np.concatenate(some))
            self._lost = []

    def remove(self, ids: Whole) -> None:
        """Free the rows of vectors."""
        for row in [self._rows.pop(one) for one in ids.tolist() if one in self._rows]:
            self._blocks[row // BLOCK].drop(row % BLOCK)
            self._free.append(row)

    def purge(self) -> None:
        """Leave nothing of removed vectors in memory; their rows were overwritten when they were freed."""
        self._scratch = _Scratch(self._dimension)

    def search(self, queries: Vectors, k: int) -> Hits:
        """Return the k best for each query."""
        if not len(queries) or not self._rows:
            return best(np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32), k)
        found = [one for at in range(0, len(queries), QUERIES) for one in self._searched(queries[at : at + QUERIES], k)]
        return Hits(np.concatenate([one.ids for one in found]), np.concatenate([one.scores for one in found]))

    def _searched(self, queries: Vectors, k: int) -> list[Hits]:
        rows, bounds = self._nominated(queries, k)
        found = self._compared(queries, [some[: FIRST * k] for some in rows], k)
        least = [hits.scores[0, -1] - ROUNDING for hits in found]
        reach = [np.searchsorted(-some, -score, "right") for some, score in zip(bounds, least, strict=True)]
        short = [place for place, count in enumerate(reach) if count > FIRST * k]
        again = self._compared(queries[short], [rows[place][: reach[place]] for place in short], k)
        for place, hits in zip(short, again, strict=True):
            found[place] = hits
        return found

    def _nominated(self, queries: Vectors, k: int) -> tuple[list[Whole], list[Vectors]]:
        """Return for each query the rows that may be among the k best, and their bounds, the highest first."""
        sketched = {sketch: sketch.of(queries) for sketch in {block.sketch for block in self._blocks}}
        nominees, bounds = Nominees(len(queries), k), np.empty((BLOCK, len(queries)), np.float32)
        for number, block in enumerate(self._blocks):
            block.bounds(sketched[block.sketch], out=bounds)
            nominees.read(bounds, block.rests, sketched[block.sketch][:, -1], number * BLOCK)
        return nominees.by_query()

    def _compared(self, queries: Vectors, rows: Sequence[Whole], k: int) -> list[Hits]:
        """Return the k best for each query of the vectors in some rows."""
        together = np.concatenate([np.empty(0, np.int64), *rows])
        order = np.argsort(together)
        numbers, places = np.divmod(together[order], BLOCK)
        ids, (halves, vectors) = np.empty(len(together), np.int64), self._scratch.room(len(together))
        starts = np.searchsorted(numbers, np.arange(len(self._blocks) + 1))
        for block, (start, end) in zip(self._blocks, pairwise(starts), strict=True):
            ids[order[start:end]] = block.ids[places[start:end]]
            halves[order[start:end]] = block.full[places[start:end]]
        vectors[:] = halves
        ends = np.cumsum([0, *map(len, rows)])
        parts = [slice(start, end) for start, end in pairwise(ends)]
        scores = [vectors[part] @ query for part, query in zip(parts, queries, strict=True)]
        return [best(ids[None, part], one[None], k) for part, one in zip(parts, scores, strict=True)]

    def __len__(self) -> int:
        return len(self._rows)


class Sketch:
    """The directions in which `(n, d)` vectors vary most, as many as needed to lose little of them.

    Attributes:
        lost: Mean squared length of these vectors outside the directions.
    """

    def __init__(self, vectors: Vectors) -> None:
        width = min(vectors.shape[1], MAX_DIRECTIONS + 8)
        basis = np.random.default_rng(0).normal(size=(vectors.shape[1], width)).astype(np.float32)
        for _ in range(ROUNDS):
            basis = np.linalg.qr(vectors.T @ (vectors @ basis))[0]
        projected = vectors @ basis
        values, turned = np.linalg.eigh(projected.T @ projected / len(vectors))
        kept = np.cumsum(values[::-1])
        whole = float(np.square(vectors).sum() / len(vectors))
        count = min(int(np.searchsorted(kept, whole - LOST)) + 1, width, MAX_DIRECTIONS)
        self._directions = np.ascontiguousarray(basis @ turned[:, ::-1][:, :count], np.float32)
        self.lost = whole - float(kept[count - 1])

    @property
    def width(self) -> int:
        """Return the length of a sketch."""
        return int(self._directions.shape[1]) + 1

    def of(self, vectors: Vectors) -> Vectors:
        """Return the sketches of `(n, d)` vectors, whose inner products are not below those of the vectors."""
        projected = vectors @ self._directions
        rest = np.square(vectors).sum(1) - np.square(projected).sum(1)
        return np.concatenate([projected, np.sqrt(np.maximum(rest, 0.0))[:, None]], 1)


class _Scratch:
    """Room for the vectors that a search compares in full: new memory takes longer to get than to fill."""

    def __init__(self, dimension: int) -> None:
        self._halves, self._full = _room(0, dimension)

    def room(self, count: int) -> tuple[NDArray[np.float16], Vectors]:
        """Return `(count, d)` arrays with anything in them, which the next call returns again unless they are large."""
        dimension = self._full.shape[1]
        if count > ROOM:
            return _room(count, dimension)
        if count > len(self._full):
            self._halves, self._full = _room(min(2 * count, ROOM), dimension)
        return self._halves[:count], self._full[:count]


def _room(count: int, dimension: int) -> tuple[NDArray[np.float16], Vectors]:
    return np.empty((count, dimension), np.float16), np.empty((count, dimension), np.float32)


class _Block:
    """`BLOCK` rows, of which those with the id -1 are free."""

    def __init__(self, dimension: int, sketch: Sketch) -> None:
        self.ids = np.full(BLOCK, -1, np.int64)
        self.free = BLOCK
        self.full = np.zeros((BLOCK, dimension), np.float16)
        self.sketch = sketch
        self._sketches = np.zeros((BLOCK, sketch.width), np.float32)

    def put(self, rows: Whole, ids: Whole, vectors: Vectors) -> None:
        """Put vectors into rows."""
        self.ids[rows], self.full[rows] = ids, vectors
        self.free -= len(rows)
        self._sketches[rows] = self.sketch.of(self.full[rows].astype(np.float32))

    @property
    def rests(self) -> Vectors:
        """Return the length outside the directions of the vector in each row."""
        return np.asarray(self._sketches[:, -1])

    def drop(self, row: int) -> None:
        """Free a row, and overwrite it: somebody who is erased must not stay in memory."""
        self.ids[row] = -1
        self.full[row], self._sketches[row] = 0.0, 0.0
        self.free += 1

    def sample(self, blocks: int) -> Vectors:
        """Return the vectors of some rows in use, about `SAMPLE` from this many blocks."""
        return np.asarray(self.full[_some(np.flatnonzero(self.ids >= 0), blocks)], np.float32)

    def sketch_by(self, sketch: Sketch) -> None:
        """Replace the sketches by others."""
        self.sketch = sketch
        self._sketches = np.zeros((BLOCK, sketch.width), np.float32)
        self._sketches[self.ids >= 0] = sketch.of(self.full[self.ids >= 0].astype(np.float32))

    def bounds(self, queries: Vectors, out: Vectors) -> None:
        """Put upper bounds of the scores of m sketched queries into `(BLOCK, m)`; -inf in free rows."""
        np.dot(self._sketches, queries.T, out=out)
        if self.free:
            out[self.ids < 0] = -np.inf


def _some(rows: NDArray[np.generic], share: int = 1) -> NDArray[np.generic]:
    """Return every n-th row, so that there are about `SAMPLE` / share."""
    return rows[:: max(1, len(rows) * share // SAMPLE)]
