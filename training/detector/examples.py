"""Training pictures: rendered frames zoomed, put together, crowded, covered and recorded by worse cameras.

Whatever is done to the pixels is done to the map of who is at each of them, so that a person's box stays exactly what
is visible of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.detector.compose import (
    MOST_PEOPLE,
    on_other_background,
    with_occluders,
    with_people,
    with_people_relit,
    with_things,
)
from training.detector.degrade import degrade
from training.detector.frames import NOBODY, LabelledFrame, boxes_of
from training.detector.lens import barrel_distorted
from training.detector.props import Props
from training.detector.zoom import randomly_zoomed

Image = NDArray[np.uint8]

MIN_VISIBLE = 0.3  # of a person that must be visible for the person to count
MIN_HEIGHT_PX = 14.0  # height of who counts, at the network's input


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One training picture.

    Attributes:
        image: `(3, h, w)` uint8 BGR.
        boxes: `(n, 4)` float32 xyxy px, what is visible of everybody of whom something is.
        counted: `(n,)` bool; the others are neither found nor missed.
    """

    image: Image
    boxes: NDArray[np.float32]
    counted: NDArray[np.bool_]


@dataclass(slots=True)
class ExampleMaker:
    """Makes examples out of frames that `draw` returns.

    Attributes:
        rng: Decides everything, with the frames.
        draw: Returns any frame.
    """

    rng: Generator
    draw: Callable[[Generator], LabelledFrame]
    _props: Props = field(init=False)

    def __post_init__(self) -> None:
        self._props = Props(self.rng)

    def example(self, height: int, width: int) -> Example:
        """Return the next example, of this size in pixels."""
        scene = self._composed(height, width)
        image = degrade(self.rng, scene.image)
        boxes, seen = boxes_of(scene.owners, len(scene.whole))
        shown = seen >= 10
        tall = boxes[:, 3] - boxes[:, 1] >= MIN_HEIGHT_PX
        counted = (seen >= MIN_VISIBLE * scene.whole) & tall
        return Example(
            np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)),
            boxes[shown][:MOST_PEOPLE],
            counted[shown][:MOST_PEOPLE],
        )

    def _composed(self, height: int, width: int) -> LabelledFrame:
        """Return frames put together, with more people and things than they had."""
        rng, props = self.rng, self._props
        kind = rng.random()
        scene = (
            self._single(height, width)
            if kind < 0.7
            else self._mosaic(height, width)
            if kind < 0.88
            else self._nothing(height, width)
        )
        if rng.random() < 0.35:
            scene = with_things(rng, props, scene, int(rng.integers(1, 9)))
        if (kind >= 0.88 and rng.random() < 0.8) or rng.random() < 0.3:
            self._keep_somebody()
            scene = with_people(rng, props, scene, int(rng.integers(1, 7)))
        if rng.random() < 0.3:
            scene = with_occluders(rng, props, scene)
        if rng.random() < 0.15:
            scene = with_people_relit(rng, scene)
        if rng.random() < 0.08:
            scene = barrel_distorted(scene, float(rng.uniform(0.1, 1.0)))
        return scene

    def _single(self, height: int, width: int) -> LabelledFrame:
        """Return one frame, zoomed, shifted, mirrored, a little turned."""
        frame = self.draw(self.rng)
        self._props.keep(frame)
        if self.rng.random() < 0.25:
            frame = on_other_background(self.rng, self._props, frame)
        return self._zoomed(frame, height, width, float(np.exp(self.rng.uniform(-0.3, 0.75))))

    def _mosaic(self, height: int, width: int) -> LabelledFrame:
        """Return four frames side by side: many people, small ones too, and borders in the middle of the picture."""
        middle = (int(height * self.rng.uniform(0.3, 0.7)), int(width * self.rng.uniform(0.3, 0.7)))
        image = np.empty((height, width, 3), np.uint8)
        owners, whole = np.zeros((height, width), np.uint8), np.empty(0)
        for rows in (slice(0, middle[0]), slice(middle[0], height)):
            for columns in (slice(0, middle[1]), slice(middle[1], width)):
                h, w = owners[rows, columns].shape
                frame = self._zoomed(self.draw(self.rng), h, w, float(np.exp(self.rng.uniform(0.0, 0.7))))
                image[rows, columns] = frame.image
                owners[rows, columns] = np.where(frame.owners > 0, frame.owners + len(whole), NOBODY)
                whole = np.concatenate([whole, frame.whole])
        return LabelledFrame(image, owners, whole)

    def _nothing(self, height: int, width: int) -> LabelledFrame:
        """Return a picture of nothing, for people to be put into."""
        return LabelledFrame(self._props.backdrop(height, width), np.zeros((height, width), np.uint8), np.empty(0))

    def _zoomed(self, frame: LabelledFrame, height: int, width: int, zoom: float) -> LabelledFrame:
        return randomly_zoomed(self.rng, frame, height, width, zoom, self._props.backdrop)

    def _keep_somebody(self) -> None:
        """See to it that there is somebody to put into pictures."""
        while self._props.empty:
            self._props.keep(self.draw(self.rng))
