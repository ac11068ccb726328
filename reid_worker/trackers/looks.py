"""How people look: embeddings of single crops, made only when a decision needs them, and kept with their tracks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_worker import crops
from reid_worker.crops import Cutout
from reid_worker.detectors.detection import Detections, iou
from reid_worker.trackers.interface import View

KEPT = 0.7  # share of a look that remains when a new crop is learnt
CROWDED_IOU = 0.4  # a crop whose box overlaps another one by more may show mostly the neighbour


@dataclass(slots=True, eq=False)
class Look:
    """How the person of a track looks.

    Attributes:
        vector: Mean of embeddings, `(d,)` float16 of length 1; empty if none was needed yet.
        waiting: The latest crop that is not part of `vector` yet, if any.
        taken_s: When the latest crop was taken.
    """

    vector: NDArray[np.float16]
    waiting: Cutout | None = None
    taken_s: float = 0.0

    def learn(self, row: NDArray[np.float32]) -> None:
        """Take the embedding of another crop into the mean."""
        if len(self.vector) == len(row):
            row = KEPT * self.vector.astype(np.float32) + (1 - KEPT) * row
        self.vector = (row / max(float(np.linalg.norm(row)), 1e-6)).astype(np.float16)


class Looks:
    """The looks of the people found in one frame."""

    def __init__(self, found: Detections, view: View | None) -> None:
        self._boxes = found.boxes
        self._image = None if view is None else view.image
        self._describer = None if view is None else view.describer
        self._known: dict[int, NDArray[np.float32]] = {}

    def likeness(self, looks: Sequence[Look], people: Sequence[int]) -> NDArray[np.float64]:
        """Return how alike every look and each of these detections are, `(n, m)`; NaN where one is not known.

        On the scale of `Describer.likeness`.
        """
        self._embed_missing(looks, people)
        table = np.full((len(looks), len(people)), np.nan)
        if self._describer is None:
            return table
        for row, look in enumerate(looks):
            for column, person in enumerate(people):
                vector = self._known.get(person)
                if vector is not None and len(vector) == len(look.vector):
                    table[row, column] = self._describer.likeness(float(vector @ look.vector.astype(np.float32)))
        return table

    def remember(self, look: Look, person: int, time_s: float, *, every_s: float) -> None:
        """Let a look learn from a detection: at once if it was embedded, otherwise from time to time when needed.

        Somebody who is known already is not learnt anew from a crop that shows a neighbour, too.
        """
        if self._image is None or self._describer is None:
            return
        first = look.waiting is None and not len(look.vector)
        if not first and self._is_crowded(person):
            return
        if first or time_s - look.taken_s >= every_s:
            look.waiting = Cutout.of(crops.cut(self._image, self._boxes[person].tolist()))
            look.taken_s = time_s
        elif person in self._known:
            look.learn(self._known[person])
            look.taken_s = time_s

    def _is_crowded(self, person: int) -> bool:
        others = np.delete(self._boxes, person, axis=0)
        return bool((iou(self._boxes[[person]], others) > CROWDED_IOU).any())

    def _embed_missing(self, looks: Sequence[Look], people: Sequence[int]) -> None:
        if self._image is None or self._describer is None:
            return
        new = [person for person in people if person not in self._known]
        waiting = [(look, look.waiting) for look in looks if look.waiting is not None]
        images = [crops.cut(self._image, self._boxes[person].tolist())[..., ::-1] for person in new]
        images += [cutout.rgb() for _, cutout in waiting]
        if not images:
            return
        rows = self._describer.glance([np.ascontiguousarray(image) for image in images])
        self._known.update(zip(new, rows[: len(new)], strict=True))
        for (look, _), row in zip(waiting, rows[len(new) :], strict=True):
            look.learn(row)
            look.waiting = None
