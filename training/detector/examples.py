"""Training pictures: rendered frames zoomed, put together, crowded, covered and recorded by worse cameras.

Whatever is done to the pixels is done to the map of who is at each of them, so that a person's box stays exactly what
is visible of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reid_worker.detectors.yolox import PADDING
from training.detector.clutter import dead_leaves
from training.detector.degrade import degrade
from training.detector.frames import NOBODY, LabelledFrame, boxes_of
from training.detector.lens import barrel_distorted

Image = NDArray[np.uint8]

MIN_VISIBLE = 0.3  # of a person that must be visible for the person to count
MIN_HEIGHT_PX = 14.0  # height of who counts, at the network's input
CUTOUTS, BACKDROPS = 96, 48  # kept, one of each is exchanged now and then
MOST_PEOPLE = 40


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


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """One person without what was around: `(h, w, 3)` uint8 RGB and `(h, w)` uint8 cover, 0..255."""

    image: Image
    cover: Image


@dataclass(slots=True)
class ExampleMaker:
    """Makes examples out of frames that `draw` returns.

    Attributes:
        rng: Decides everything, with the frames.
        draw: Returns any frame.
    """

    rng: Generator
    draw: Callable[[Generator], LabelledFrame]
    _cutouts: list[Cutout] = field(default_factory=list)
    _backdrops: list[Image] = field(default_factory=list)

    def example(self, height: int, width: int) -> Example:
        """Return the next example, of this size in pixels."""
        kind = self.rng.random()
        if kind < 0.68:
            scene = self._single(height, width)
        elif kind < 0.9:
            scene = self._mosaic(height, width)
        else:
            scene = self._clutter_only(height, width)
        if kind >= 0.9 or self.rng.random() < 0.3:
            scene = self._with_pasted_people(scene, int(self.rng.integers(1, 7)))
        if self.rng.random() < 0.3:
            scene = self._with_occluders(scene)
        if self.rng.random() < 0.08:
            scene = barrel_distorted(scene, float(self.rng.uniform(0.1, 1.0)))
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

    def _single(self, height: int, width: int) -> LabelledFrame:
        """Return one frame, zoomed, shifted, mirrored, a little turned."""
        frame = self.draw(self.rng)
        self._keep(frame)
        if self.rng.random() < 0.1:
            frame = self._on_other_background(frame)
        return self._randomly_zoomed(frame, height, width, float(np.exp(self.rng.uniform(-0.35, 0.75))))

    def _mosaic(self, height: int, width: int) -> LabelledFrame:
        """Return four frames side by side: many people, small ones too, and borders in the middle of the picture."""
        middle = (int(height * self.rng.uniform(0.3, 0.7)), int(width * self.rng.uniform(0.3, 0.7)))
        image = np.empty((height, width, 3), np.uint8)
        owners, whole = np.zeros((height, width), np.uint8), np.empty(0)
        for rows in (slice(0, middle[0]), slice(middle[0], height)):
            for columns in (slice(0, middle[1]), slice(middle[1], width)):
                h, w = owners[rows, columns].shape
                frame = self._randomly_zoomed(self.draw(self.rng), h, w, float(np.exp(self.rng.uniform(0.0, 0.9))))
                image[rows, columns] = frame.image
                owners[rows, columns] = np.where(frame.owners > 0, frame.owners + len(whole), NOBODY)
                whole = np.concatenate([whole, frame.whole])
        return LabelledFrame(image, owners, whole)

    def _clutter_only(self, height: int, width: int) -> LabelledFrame:
        """Return a picture of nothing, for people to be put into."""
        return LabelledFrame(self._backdrop(height, width), np.zeros((height, width), np.uint8), np.empty(0))

    def _on_other_background(self, frame: LabelledFrame) -> LabelledFrame:
        """Replace what is behind the people, wholly or in part."""
        share = float(self.rng.uniform(0.3, 1.0))
        behind = self._backdrop(*frame.owners.shape)
        cover = cv2.GaussianBlur((frame.owners == NOBODY).astype(np.float32), (3, 3), 0)[..., None] * share
        return replace(frame, image=(frame.image * (1 - cover) + behind * cover).astype(np.uint8))

    def _randomly_zoomed(self, frame: LabelledFrame, height: int, width: int, zoom: float) -> LabelledFrame:
        """Return a part of a frame, or the frame with something around it, at this size."""
        rng = self.rng
        fit = min(height / frame.image.shape[0], width / frame.image.shape[1])
        scale = fit * zoom
        room = (width - frame.image.shape[1] * scale, height - frame.image.shape[0] * scale)
        shift = [float(rng.uniform(min(0.0, free), max(0.0, free))) for free in room]
        wide = float(np.exp(rng.normal(0, 0.06)))
        move = np.array([[scale * wide, 0, shift[0]], [0, scale, shift[1]]], np.float64)
        if rng.random() < 0.3:
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.normal(0, 4)), 1.0)
            move = turn @ np.vstack([move, (0, 0, 1)])
        smooth = frame.image
        if scale < 0.8 and rng.random() < 0.6:  # else as coarse as a detector's own resizing
            smooth = np.asarray(cv2.GaussianBlur(frame.image, (0, 0), 0.45 / scale), np.uint8)
        empty = (PADDING,) * 3 if rng.random() < 0.5 else tuple(rng.uniform(0, 255, 3).tolist())
        image = cv2.warpAffine(smooth, move, (width, height), flags=cv2.INTER_LINEAR, borderValue=empty)
        owners = cv2.warpAffine(frame.owners, move, (width, height), flags=cv2.INTER_NEAREST, borderValue=NOBODY)
        if rng.random() < 0.5:
            image, owners = image[:, ::-1], owners[:, ::-1]
        return LabelledFrame(
            np.ascontiguousarray(image, np.uint8),
            np.ascontiguousarray(owners, np.uint8),
            frame.whole * (scale * scale * wide),
        )

    def _with_pasted_people(self, scene: LabelledFrame, count: int) -> LabelledFrame:
        """Put more people into a picture, anywhere and of any size, in front of who is there."""
        image, owners, whole = scene.image.copy(), scene.owners.copy(), list(scene.whole)
        height, width = owners.shape
        while not self._cutouts:
            self._keep(self.draw(self.rng))
        tall = float(np.exp(self.rng.uniform(np.log(22), np.log(1.2 * height))))
        for _ in range(count):
            person = self._cutouts[int(self.rng.integers(len(self._cutouts)))]
            if self.rng.random() < 0.4:
                tall = float(np.exp(self.rng.uniform(np.log(22), np.log(1.2 * height))))
            size = tall * float(np.exp(self.rng.normal(0, 0.12)))
            scale = min(size / person.cover.shape[0], 2.5)
            person = _resized(self.rng, person, scale)
            h, w = person.cover.shape
            left = int(self.rng.uniform(-0.4 * w, width - 0.6 * w))
            top = int(self.rng.uniform(-0.3 * h, height - 0.5 * h))
            if len(whole) < MOST_PEOPLE:
                whole.append(float(np.count_nonzero(person.cover > 127)))
                _paste(image, owners, person, (left, top), len(whole))
        return LabelledFrame(image, owners, np.array(whole))

    def _with_occluders(self, scene: LabelledFrame) -> LabelledFrame:
        """Hide parts of some people behind things."""
        image, owners = scene.image.copy(), scene.owners.copy()
        boxes, seen = boxes_of(owners, len(scene.whole))
        things = self._backdrop(*owners.shape)
        for left, top, right, bottom in boxes[seen > 0].astype(int):
            if self.rng.random() < 0.5:
                continue
            h, w = bottom - top, right - left
            if self.rng.random() < 0.6:  # a counter, a table, a car
                cut = (left - int(w * self.rng.uniform(0, 1)), top + int(h * self.rng.uniform(0.4, 0.95)),
                       right + int(w * self.rng.uniform(0, 1)), bottom + 8)  # fmt: skip
            else:  # a pillar, a door
                side = left + int(w * self.rng.uniform(-0.3, 0.8))
                cut = (side, top - int(0.3 * h), side + max(2, int(w * self.rng.uniform(0.15, 0.8))), bottom + 8)
            rows, columns = slice(max(0, cut[1]), max(0, cut[3])), slice(max(0, cut[0]), max(0, cut[2]))
            image[rows, columns], owners[rows, columns] = things[rows, columns], NOBODY
        return replace(scene, image=image, owners=owners)

    def _backdrop(self, height: int, width: int) -> Image:
        """Return part of a picture of nothing, at any zoom."""
        rng = self.rng
        if len(self._backdrops) < BACKDROPS or rng.random() < 0.1:
            self._backdrops.append(dead_leaves(rng, 360, 640))
            if len(self._backdrops) > BACKDROPS:
                self._backdrops.pop(int(rng.integers(BACKDROPS)))
        whole = self._backdrops[int(rng.integers(len(self._backdrops)))]
        part = float(rng.uniform(0.3, 1.0))
        h, w = int(360 * part), int(640 * part)
        top, left = int(rng.integers(0, 361 - h)), int(rng.integers(0, 641 - w))
        cut = whole[top : top + h, left : left + w]
        return np.asarray(cv2.resize(cut, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)

    def _keep(self, frame: LabelledFrame) -> None:
        """Cut somebody out who is seen whole, for other pictures."""
        boxes, seen = boxes_of(frame.owners, len(frame.whole))
        open_ = (seen > 0.93 * frame.whole) & (boxes[:, 3] - boxes[:, 1] >= 50)
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


def _resized(rng: Generator, person: Cutout, scale: float) -> Cutout:
    """Return a person at another size, mirrored or not, in other light."""
    h, w = person.cover.shape
    size = (max(2, round(w * scale)), max(2, round(h * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image, cover = (cv2.resize(part, size, interpolation=how) for part in (person.image, person.cover))
    if rng.random() < 0.5:
        image, cover = image[:, ::-1], cover[:, ::-1]
    gain = np.exp(rng.normal(0, 0.3) + rng.normal(0, 0.06, 3))
    return Cutout(np.clip(image * gain, 0, 255).astype(np.uint8), np.ascontiguousarray(cover, np.uint8))


def _paste(image: Image, owners: NDArray[np.uint8], person: Cutout, at: tuple[int, int], number: int) -> None:
    """Put a person into a picture at (left, top), which may lie outside."""
    (left, top), (h, w) = at, person.cover.shape
    x0, y0, x1, y1 = max(0, left), max(0, top), min(image.shape[1], left + w), min(image.shape[0], top + h)
    if x0 >= x1 or y0 >= y1:
        return
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    soft = cv2.GaussianBlur(person.cover, (3, 3), 0)[part][..., None] / np.float32(255)
    here = image[y0:y1, x0:x1]
    here[:] = (here * (1 - soft) + person.image[part] * soft).astype(np.uint8)
    owners[y0:y1, x0:x1][person.cover[part] > 127] = number
