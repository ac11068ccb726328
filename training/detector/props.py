"""What training pictures are put together from besides frames: people cut out of them, and backdrops."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.detector.clutter import backdrop
from training.detector.cutouts import Cutout
from training.detector.frames import LabelledFrame, boxes_of

Image = NDArray[np.uint8]

CUTOUTS, BACKDROPS = 96, 64  # kept, one of each is exchanged now and then
SIZE = (360, 640)  # of a backdrop, before a part of it is taken
OPEN = 0.93  # share of somebody that must be seen for a cutout
LOW_PX = 50


@dataclass(slots=True)
class Props:
    """A changing stock of cutouts and backdrops."""

    rng: Generator
    _cutouts: list[Cutout] = field(default_factory=list)
    _backdrops: list[Image] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Return whether nobody was cut out yet."""
        return not self._cutouts

    def keep(self, frame: LabelledFrame) -> None:
        """Cut somebody out who is seen whole, for other pictures."""
        boxes, seen = boxes_of(frame.owners, len(frame.whole))
        open_ = (seen > OPEN * frame.whole) & (boxes[:, 3] - boxes[:, 1] >= LOW_PX)
        if not open_.any():
            return
        number = int(self.rng.choice(np.flatnonzero(open_)))
        left, top, right, bottom = boxes[number].astype(int)
        mask = (frame.owners[top:bottom, left:right] == number + 1).astype(np.uint8) * 255
        cutout = Cutout(frame.image[top:bottom, left:right].copy(), mask)
        if len(self._cutouts) < CUTOUTS:
            self._cutouts.append(cutout)
        else:
            self._cutouts[int(self.rng.integers(CUTOUTS))] = cutout

    def person(self) -> Cutout:
        """Return somebody who was kept."""
        return self._cutouts[int(self.rng.integers(len(self._cutouts)))]

    def backdrop(self, height: int, width: int) -> Image:
        """Return part of a picture of nothing, at any zoom."""
        rng = self.rng
        if len(self._backdrops) < BACKDROPS or rng.random() < 0.03:
            self._backdrops.append(backdrop(rng, *SIZE))
            if len(self._backdrops) > BACKDROPS:
                self._backdrops.pop(int(rng.integers(BACKDROPS)))
        whole = self._backdrops[int(rng.integers(len(self._backdrops)))]
        part = float(rng.uniform(0.3, 1.0))
        h, w = int(SIZE[0] * part), int(SIZE[1] * part)
        top, left = int(rng.integers(0, SIZE[0] + 1 - h)), int(rng.integers(0, SIZE[1] + 1 - w))
        cut = whole[top : top + h, left : left + w]
        return np.asarray(cv2.resize(cut, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
