"""Frames to train a person detector on: rooms and streets with nobody to a crowd in them, and who is at every pixel."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.detector.cast import Cast, generated_cast
from training.detector.furnish import around_somebody, furnished
from training.detector.postures import posture
from training.detector.stage import SAMPLES
from training.synthetic.figure import Figure
from training.synthetic.look import exposed, recorded
from training.synthetic.mesh import moved
from training.synthetic.people import FIRST_SITE_IDENTITY
from training.synthetic.render import Camera, Window, owners
from training.synthetic.scene import Thing, View, extent, shoot
from training.synthetic.stage import Stage

FRAMES_PER_CAMERA = 10
CROWD = 32  # people dressed at a time; one is exchanged every frame
NOBODY = 0  # in `LabelledFrame.owners`


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFrame:
    """A picture and who is at each of its pixels.

    Attributes:
        image: `(h, w, 3)` uint8 RGB.
        owners: `(h, w)` uint8; 0 is nobody, k is person k.
        whole: `(n,)` float64, pixels that person 1 to n would cover with nothing in front and no border around.
    """

    image: NDArray[np.uint8]
    owners: NDArray[np.uint8]
    whole: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.owners.shape != self.image.shape[:2]:
            raise ValueError(f"owners must be {self.image.shape[:2]}, got {self.owners.shape}")
        if len(self.whole) < self.owners.max(initial=0):
            raise ValueError(f"{self.owners.max()} people in the picture, {len(self.whole)} described")


def detector_frames(count: int, seed: int, cast: Cast | None = None) -> Iterator[LabelledFrame]:
    """Yield `count` frames, `FRAMES_PER_CAMERA` from each camera in turn; the people are training identities.

    `cast` draws people and places; None is our own.

    Raises:
        ValueError: When `count` is negative.
    """
    if count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    rng = np.random.default_rng([seed, 7])
    cast = cast or generated_cast()
    crowd = [cast.figure(rng) for _ in range(CROWD)]
    stage = None
    for number in range(count):
        if stage is None or number % FRAMES_PER_CAMERA == 0:
            stage = cast.stage(np.random.default_rng([int(rng.integers(FIRST_SITE_IDENTITY)), 2]))
        crowd[int(rng.integers(len(crowd)))] = cast.figure(rng)
        yield _frame(rng, stage, crowd)


def _frame(rng: Generator, stage: Stage, crowd: list[Figure]) -> LabelledFrame:
    """Put people on free floor points, and things that are mistaken for people, and take a picture."""
    view, people, things = stage.view, [], []
    for x, y in _places(rng, stage):
        seated, heading = bool(rng.random() < 0.25), float(rng.uniform(0, 2 * np.pi))
        figure = crowd[int(rng.integers(len(crowd)))]
        person = Thing(moved(posture(rng, figure, seated=seated), x, y, heading), figure.materials)
        if extent(view.camera, person.mesh) is not None:
            people.append(person)
            things += around_somebody(rng, stage, x, y, heading, seated=seated)
    things += furnished(rng, stage, crowd)
    things = [thing for thing in things if extent(view.camera, thing.mesh) is not None]
    shot = shoot(view, [*people, *things], Window(0, 0, view.camera.width, view.camera.height, SAMPLES))
    picture = exposed(view.film, shot.rgb, view.gain * float(np.exp(rng.normal(0, 0.25))))
    smear = float(rng.uniform(0, 6)) if rng.random() < 0.12 else 0.0
    image = np.ascontiguousarray(recorded(view.film.look, picture, rng, smear))
    return LabelledFrame(image, *_owned(view, people, shot.owner[::SAMPLES, ::SAMPLES]))


def _places(rng: Generator, stage: Stage) -> list[tuple[float, float]]:
    """Draw where people are: alone, or in groups whose members hide each other."""
    count = int(rng.choice([0, 1, 2, 3, 4, 6, 9, 14], p=[0.1, 0.13, 0.16, 0.17, 0.16, 0.14, 0.09, 0.05]))
    spots: list[tuple[float, float]] = []
    while len(spots) < count:
        x, y, _ = stage.spots[int(rng.integers(len(stage.spots)))]
        spots.append((float(x), float(y)))
        while len(spots) < count and rng.random() < 0.4:
            around, away = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.4, 1.1))
            beside = (float(x) + away * float(np.cos(around)), float(y) + away * float(np.sin(around)))
            if stage.view.room.free(*beside, margin=0.1):
                spots.append(beside)
    return spots


def _owned(view: View, people: list[Thing], owner: NDArray[np.int32]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return who is at each pixel, and how many pixels each person would cover if nothing hid them."""
    mine = np.where((owner >= 0) & (owner < len(people)), owner + 1, NOBODY).astype(np.uint8)
    whole = np.zeros(len(people))
    for number, thing in enumerate(people):
        box = extent(view.camera, thing.mesh)
        assert box is not None, "people with a part behind the camera were left out"
        left, top, right, bottom = (int(v) for v in np.clip(box, -1500, 2500))
        shrink = max(1.0, np.sqrt((right - left + 2) * (bottom - top + 2) / 60_000))  # an area needs no more samples
        whole[number] = _area(thing, view.camera, (left, top, right, bottom), shrink)
    return mine, whole


def _area(thing: Thing, camera: Camera, box: tuple[int, int, int, int], shrink: float) -> float:
    """Return the pixels that a surface covers, counted on a picture `shrink` times smaller."""
    left, top, right, bottom = (int(v / shrink) for v in box)
    small = replace(
        camera, focal=camera.focal / shrink, width=round(camera.width / shrink), height=round(camera.height / shrink)
    )
    window = Window(left - 1, top - 1, right - left + 3, bottom - top + 3)
    return float(np.count_nonzero(owners([thing.mesh], small, window) == 0)) * shrink**2


def boxes_of(owners_: NDArray[np.uint8], people: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the visible extent of person 1 to `people`, `(n, 4)` float32 xyxy px, and their visible pixels, `(n,)`.

    Somebody who is nowhere has an empty box.
    """
    boxes, seen = np.zeros((people, 4), np.float32), np.zeros(people)
    for number in range(people):
        mask = (owners_ == number + 1).view(np.uint8)
        count = cv2.countNonZero(mask)
        if count:
            x, y, w, h = cv2.boundingRect(mask)
            boxes[number], seen[number] = (x, y, x + w, y + h), count
    return boxes, seen
