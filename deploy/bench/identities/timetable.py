"""Who walks past which camera, and when: the timetables of generated sites. Pure; kind and seed determine everything.

Each kind is one difficulty. People are seeds of the generator of training crops, and so are the looks of cameras, so
that embeddings are those of the shipped weights on people and cameras which they were not trained on.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
BROKEN = 0.25  # share of visits in which the tracker loses the person once
LOST_S = 0.8  # for how long
FIRST_PERSON, LAST_PERSON = 2_000_000, 9_000_000  # generator seeds; those of training are lower
ALIKE = 4  # the generator makes seeds 4n to 4n + 3 look alike now and then


@dataclass(frozen=True, slots=True)
class Seen:
    """One track of a person on a camera.

    Attributes:
        person: Number of the person, from 0.
        clothes: 0, or 1 after changing.
        camera: Number of the camera, from 0.
        first_s, last_s: Since the site was opened.
    """

    person: int
    clothes: int
    camera: int
    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class Timetable:
    """A site.

    Attributes:
        cameras: How many there are.
        people: Generator seed of each person.
        seen: All tracks, in order of time.
        uniform: Everybody wears the same above and below the waist.
        cast: Sigma of the logarithmic gain of each colour of a camera.
    """

    cameras: int
    people: tuple[int, ...]
    seen: tuple[Seen, ...]
    uniform: bool = False
    cast: float = 0.0


@dataclass(frozen=True, slots=True)
class Way:
    """How people walk: past how many cameras, how long they stay, and the time to the next one; ranges in seconds."""

    stops: tuple[int, int]
    stay_s: tuple[float, float]
    gap_s: tuple[float, float]
    overlap_s: tuple[float, float] | None = None


ROOMS = Way((2, 3), (4.0, 12.0), (5.0, 20.0))


def timetable(kind: str, seed: int) -> Timetable:
    """Return the site of a kind and seed."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind), 41])
    return KINDS[kind](rng)


def _disjoint(rng: Generator) -> Timetable:
    people = _people(rng, 24)
    walks = [_walk(rng, 2, person, rng.uniform(0, 240), Way((2, 3), (4, 12), (6, 20))) for person in range(24)]
    return Timetable(2, people, _in_time(rng, walks))


def _overlapping(rng: Generator) -> Timetable:
    """Cameras 0 and 1, 2 and 3, ... see one place from two sides; people walk along them in either direction."""
    way = Way((3, 7), (5, 12), (3, 10), overlap_s=(2.0, 5.0))
    walks = [_walk(rng, 8, person, rng.uniform(0, 180), way) for person in range(24)]
    return Timetable(8, _people(rng, 24), _in_time(rng, walks))


def _crowd(rng: Generator) -> Timetable:
    walks = [_walk(rng, 4, person, rng.uniform(0, 60), ROOMS) for person in range(60)]
    return Timetable(4, _people(rng, 60), _in_time(rng, walks))


def _uniforms(rng: Generator) -> Timetable:
    walks = [_walk(rng, 3, person, rng.uniform(0, 200), ROOMS) for person in range(20)]
    return Timetable(3, _people(rng, 20), _in_time(rng, walks), uniform=True)


def _returning(rng: Generator) -> Timetable:
    """Two thirds of the people come back after an hour, together with a dozen others."""
    first = [_walk(rng, 3, person, rng.uniform(0, 200), ROOMS) for person in range(24)]
    later = [_walk(rng, 3, person, HOUR_S + rng.uniform(0, 200), ROOMS) for person in (*range(16), *range(24, 36))]
    return Timetable(3, _people(rng, 36), _in_time(rng, first + later))


def _changed(rng: Generator) -> Timetable:
    """Everybody comes twice; half of the people have changed what they wear above and below the waist."""
    first = [_walk(rng, 3, person, rng.uniform(0, 150), ROOMS) for person in range(20)]
    later = [_walk(rng, 3, person, rng.uniform(250, 400), ROOMS, clothes=person % 2) for person in range(20)]
    return Timetable(3, _people(rng, 20), _in_time(rng, first + later))


def _days(rng: Generator) -> Timetable:
    """Four days: 16 people come every day, and 8 others each day who are never seen again."""
    days = [(*range(16), *range(16 + 8 * day, 24 + 8 * day)) for day in range(4)]
    walks = [_walk(rng, 3, one, day * DAY_S + rng.uniform(0, 200), ROOMS) for day in range(4) for one in days[day]]
    return Timetable(3, _people(rng, 48), _in_time(rng, walks))


def _few(rng: Generator) -> Timetable:
    """Two to four people in a room that four cameras see, in uniform or not; trackers lose each every few seconds."""
    count = int(rng.integers(2, 5))
    tracks: list[Seen] = []
    for person in range(count):
        came_s = float(rng.uniform(0, 10))
        left_s = came_s + float(rng.uniform(70, 100))
        for camera in range(4):
            at_s = came_s + float(rng.uniform(0, 6))
            while at_s < left_s - 3.0:
                last_s = min(left_s, at_s + float(rng.uniform(3, 25)))
                tracks.append(Seen(person, 0, camera, at_s, last_s))
                at_s = last_s + float(rng.uniform(2 * LOST_S, 6))
    tracks.sort(key=lambda one: (one.first_s, one.person))
    return Timetable(4, _people(rng, count), tuple(tracks), uniform=bool(rng.random() < 0.5))


def _colours(rng: Generator) -> Timetable:
    walks = [_walk(rng, 4, person, rng.uniform(0, 200), ROOMS) for person in range(24)]
    return Timetable(4, _people(rng, 24), _in_time(rng, walks), cast=0.35)


KINDS: Mapping[str, Callable[[Generator], Timetable]] = {
    "two disjoint cameras": _disjoint,
    "eight partly overlapping": _overlapping,
    "a crowd of 60": _crowd,
    "uniforms": _uniforms,
    "returning after an hour": _returning,
    "changed clothes": _changed,
    "cameras of different colour": _colours,
    "four days": _days,
    "few people in one room": _few,
}


def _people(rng: Generator, count: int) -> tuple[int, ...]:
    """Return consecutive seeds, so that some of the people look alike."""
    first = ALIKE * int(rng.integers(FIRST_PERSON // ALIKE, LAST_PERSON // ALIKE))
    return tuple(range(first, first + count))


def _walk(rng: Generator, cameras: int, person: int, start_s: float, way: Way, clothes: int = 0) -> list[Seen]:
    """Return the visits of a person to neighbouring cameras, from one end or the other."""
    count = int(rng.integers(way.stops[0], way.stops[1] + 1))
    at, step = int(rng.integers(cameras)), int(rng.choice([-1, 1]))
    found: list[Seen] = []
    for _ in range(count):
        last_s = start_s + float(rng.uniform(*way.stay_s))
        found.append(Seen(person, clothes, at, start_s, last_s))
        if not 0 <= at + step < cameras:
            step = -step
        paired = at // 2 == (at + step) // 2
        start_s = last_s + float(rng.uniform(*way.gap_s))
        if way.overlap_s is not None and paired:
            start_s = max(last_s - float(rng.uniform(*way.overlap_s)), found[-1].first_s + 1.0)
        at += step
        before_s = max((seen.last_s for seen in found if seen.camera == at), default=-math.inf)
        start_s = max(start_s, before_s + LOST_S)  # a person who turns round is still in the picture
    return found


def _in_time(rng: Generator, walks: list[list[Seen]]) -> tuple[Seen, ...]:
    """Return all tracks in order; in some visits the tracker loses the person once, which makes two tracks."""
    tracks: list[Seen] = []
    for seen in (seen for walk in walks for seen in walk):
        cut_s = float(rng.uniform(seen.first_s + 1.5, seen.last_s - LOST_S - 1.0))
        if rng.random() >= BROKEN:
            tracks.append(seen)
            continue
        before = Seen(seen.person, seen.clothes, seen.camera, seen.first_s, cut_s)
        tracks += [before, Seen(seen.person, seen.clothes, seen.camera, cut_s + LOST_S, seen.last_s)]
    return tuple(sorted(tracks, key=lambda one: (one.first_s, one.person)))
