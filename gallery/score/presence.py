"""Who was where and when, and under which number the results showed them there."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gallery.score.clock import Clock
from gallery.score.overlap import Rows
from gallery.score.scene import Scene


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """One camera: its scene, and the boxes of truth and results that are matched in it, as rows of pairs.

    Attributes:
        scene: The boxes of the camera.
        rows: Rows of the scene's pairs; one box is in at most one of them.
    """

    scene: Scene
    rows: Rows

    @property
    def people(self) -> NDArray[np.int64]:
        """Return the person of each match."""
        return np.asarray(self.scene.truth.ids[self.scene.true[self.rows]])

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Return the number that the results gave each match."""
        return np.asarray(self.scene.found.ids[self.scene.other[self.rows]])

    @property
    def frames(self) -> NDArray[np.int64]:
        """Return the frame number of each match."""
        return np.asarray(self.scene.frames[self.scene.truth.places[self.scene.true[self.rows]]])


@dataclass(frozen=True, slots=True)
class Visit:
    """A time in which a camera saw a person without a longer gap.

    Attributes:
        camera: Name of the camera.
        person: Number of the person in the truth.
        first, last: Times of the first and the last box, see `Clock`.
        boxes: How many boxes there are.
    """

    camera: str
    person: int
    first: float
    last: float
    boxes: int


@dataclass(frozen=True, slots=True)
class Shown(Visit):
    """A time in which the results showed a person under one number.

    Attributes:
        number: Number in the results.
    """

    number: int


def visits(cameras: Mapping[str, Matched], clock: Clock) -> tuple[Visit, ...]:
    """Return the visits of everyone to every camera, from the truth, in order of time."""
    found = []
    for camera, matched in cameras.items():
        truth = matched.scene.truth
        times = clock.times(camera, matched.scene.frames[truth.places])
        found += [
            Visit(camera, int(truth.ids[rows[0]]), float(times[rows[0]]), float(times[rows[-1]]), len(rows))
            for rows in _runs(truth.ids[:, None], times, clock.longest_gap)
        ]
    places = {camera: place for place, camera in enumerate(cameras)}
    return tuple(sorted(found, key=lambda one: (one.first, places[one.camera], one.person)))


def shown(cameras: Mapping[str, Matched], clock: Clock) -> tuple[Shown, ...]:
    """Return when every person was shown under which number, by camera and person."""
    found = []
    for camera, matched in cameras.items():
        ids = np.stack([matched.people, matched.numbers], axis=1)
        times = clock.times(camera, matched.frames)
        for rows in _runs(ids, times, clock.longest_gap):
            person, number = ids[rows[0]].tolist()
            found.append(Shown(camera, person, float(times[rows[0]]), float(times[rows[-1]]), len(rows), number))
    return tuple(found)


def _runs(ids: NDArray[np.int64], times: NDArray[np.float64], gap: float) -> list[Rows]:
    """Return the rows of the same ids whose times follow each other within a gap."""
    order = np.lexsort((times, *reversed(ids.T)))
    breaks = (np.diff(ids[order], axis=0) != 0).any(axis=1) | (np.diff(times[order]) > gap)
    return np.split(order, np.flatnonzero(breaks) + 1) if len(order) else []
