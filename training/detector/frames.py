"""Frames to train a person detector on: rooms with nobody to seven people, and where each of them is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.body import sample_person
from training.synthetic.figure import Figure, build_figure
from training.synthetic.look import exposed, recorded
from training.synthetic.mesh import moved
from training.synthetic.people import FIRST_SITE_IDENTITY
from training.synthetic.pose import sample_manner
from training.synthetic.render import Window, owners
from training.synthetic.room import chair
from training.synthetic.scene import Actor, Thing, View, extent, shoot
from training.synthetic.stage import Sight, Stage, draw_stage

SIGHT = Sight(34.0, 420.0, above=0.25, below=0.5)
FRAMES_PER_CAMERA = 8


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFrame:
    """A picture and the people in it.

    Attributes:
        image: `(h, w, 3)` uint8 RGB.
        boxes: `(n, 4)` float32 pixels, left, top, right, bottom of what is visible.
        counted: `(n,)` bool; the others are mostly hidden, and neither found nor missed.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    counted: NDArray[np.bool_]


def detector_frames(count: int, seed: int) -> Iterator[LabelledFrame]:
    """Yield `count` frames, `FRAMES_PER_CAMERA` from each camera in turn; the people are training identities.

    Raises:
        ValueError: When `count` is negative.
    """
    if count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    rng = np.random.default_rng([seed, 7])
    crowd = [build_figure(sample_person(rng)) for _ in range(24)]
    for number in range(count):
        if number % FRAMES_PER_CAMERA == 0:
            stage = draw_stage(int(rng.integers(FIRST_SITE_IDENTITY)), SIGHT)
            crowd[int(rng.integers(len(crowd)))] = build_figure(sample_person(rng))
        crowd[int(rng.integers(len(crowd)))] = build_figure(sample_person(rng))
        yield _frame(rng, stage, crowd)


def _frame(rng: Generator, stage: Stage, crowd: list[Figure]) -> LabelledFrame:
    """Put people on free floor points and take a picture."""
    view = stage.view
    people, furniture = [], []
    for _ in range(int(rng.choice([0, 1, 2, 3, 4, 7], p=[0.08, 0.22, 0.25, 0.2, 0.15, 0.1]))):
        seated = bool(rng.random() < 0.12)
        actor = _actor(rng, stage, crowd[int(rng.integers(len(crowd)))], seated=seated)
        thing = Thing(actor.mesh(), actor.figure.materials)
        if extent(view.camera, thing.mesh) is None:
            continue
        people.append(thing)
        if seated:
            furniture.append(Thing(moved(chair(rng), actor.x, actor.y, actor.heading), view.room.materials))
    window = Window(0, 0, view.camera.width, view.camera.height)
    shot = shoot(view, [*people, *furniture], window)
    picture = exposed(view.film, shot.rgb, view.gain * float(np.exp(rng.normal(0, 0.2))))
    boxes, counted = _labels(view, people, shot.owner)
    return LabelledFrame(recorded(view.film.look, picture, rng), boxes, counted)


def _actor(rng: Generator, stage: Stage, figure: Figure, *, seated: bool) -> Actor:
    x, y, _ = stage.spots[int(rng.integers(len(stage.spots)))]
    manner = sample_manner(rng, walking=bool(rng.random() < 0.6), seated=seated)
    return Actor(figure, manner, float(x), float(y), float(rng.uniform(0, 2 * np.pi)), float(rng.random()))


def _labels(view: View, people: list[Thing], owner: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the visible extents, and which of them show at least 35 % of the person."""
    boxes, counted = [], []
    for number, thing in enumerate(people):
        mine = owner == number
        count = int(np.count_nonzero(mine))
        box = extent(view.camera, thing.mesh)
        if count < 20 or box is None:
            continue
        columns, rows = np.flatnonzero(mine.any(0)), np.flatnonzero(mine.any(1))
        left, top, right, bottom = (int(v) for v in np.clip(box, -2000, 3000))
        whole = Window(left, top, right - left + 2, bottom - top + 2)
        boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        counted.append(count >= 0.35 * np.count_nonzero(owners([thing.mesh], view.camera, whole) == 0))
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(counted, bool)
