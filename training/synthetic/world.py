"""A site: rooms with one camera each, and people who walk from room to room on a timetable."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.body import sample_person
from training.synthetic.figure import Figure, build_figure
from training.synthetic.look import Look, sample_look
from training.synthetic.mesh import box, join, moved
from training.synthetic.people import FIRST_SITE_IDENTITY
from training.synthetic.pose import Manner, sample_manner
from training.synthetic.room import DARK, WOOD, Room, build_room
from training.synthetic.scene import Actor, View, open_view, place_camera
from training.synthetic.stage import VisibilityLimits, standing_spots

Points = NDArray[np.float64]

FRAME_SIZE = (640, 360)
NAMES = ("lobby", "corridor", "office", "kitchen", "workshop", "library", "gate", "garage")
PEOPLE = VisibilityLimits(95.0, 245.0)  # heights in pixels at which a small detector works; people stay in between
STRIDE_M = 1.4  # two steps of a person 1.75 m tall


@dataclass(frozen=True, slots=True, eq=False)
class Station:
    """One camera of the site.

    Attributes:
        name: Name of the camera and its files.
        doors: `(2, 2)` metres, points just behind a wall, where a person is hidden.
        spots: `(n, 2)` metres, floor points where people are fully visible at a useful size.
    """

    name: str
    view: View
    doors: Points
    spots: Points


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """One person's path through one room: straight lines between timed points.

    Attributes:
        station: Index of the room.
        times_s: `(n,)` float64, increasing.
        points: `(n, 2)` float64 metres; two equal consecutive points are a pause.
    """

    station: int
    times_s: NDArray[np.float64]
    points: Points


@dataclass(frozen=True, slots=True, eq=False)
class Resident:
    """A person of the site and all their visits."""

    figure: Figure
    walk: Manner
    stand: Manner
    visits: tuple[Visit, ...]

    def at(self, time_s: float) -> tuple[int, Actor] | None:
        """Return the person's station and actor at a time; None while they are between rooms."""
        for visit in self.visits:
            if visit.times_s[0] <= time_s <= visit.times_s[-1]:
                return visit.station, self._actor(visit, time_s)
        return None

    def _actor(self, visit: Visit, time_s: float) -> Actor:
        def position(t: float) -> Points:
            return np.array([np.interp(t, visit.times_s, visit.points[:, k]) for k in range(2)])

        here, ahead = position(time_s), position(time_s + 0.3) - position(time_s - 0.3)
        moving = bool(np.hypot(*ahead) > 0.25)
        steps = np.diff(visit.points, axis=0)
        lengths = np.hypot(steps[:, 0], steps[:, 1])
        if not moving:
            done = int(np.searchsorted(visit.times_s, time_s, side="right")) - 1
            walked = np.flatnonzero(lengths[: done + 1] > 0.01)
            ahead = steps[walked[-1]] if len(walked) else steps[np.flatnonzero(lengths > 0.01)[0]]
        way = float(np.interp(time_s, visit.times_s, np.concatenate([[0.0], np.cumsum(lengths)])))
        phase = way / (STRIDE_M * self.figure.scale) if moving else 0.02 * float(np.sin(time_s))
        manner = self.walk if moving else self.stand
        return Actor(self.figure, manner, float(here[0]), float(here[1]), float(np.arctan2(-ahead[0], ahead[1])), phase)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A whole site."""

    stations: tuple[Station, ...]
    residents: tuple[Resident, ...]


def build_world(seed: int, cameras: int, people: int, seconds: float) -> World:
    """Build a site of `cameras` rooms in which `people` move for `seconds`; the arguments determine everything."""
    rng = np.random.default_rng([seed, 5])
    stations = tuple(_station(rng, NAMES[k] if k < len(NAMES) else f"camera{k + 1}") for k in range(cameras))
    residents = tuple(_resident(rng, stations, FIRST_SITE_IDENTITY + 1000 * seed + k, seconds) for k in range(people))
    return World(stations, residents)


def _station(rng: Generator, name: str) -> Station:
    """Draw a room with two doors and a camera that sees enough of its floor."""
    while True:
        room = build_room(rng, float(rng.uniform(3.5, 5.0)), float(rng.uniform(3.0, 4.5)), int(rng.integers(5, 12)))
        doors = _doors(rng, room)
        room = _with_doors(room, doors)
        camera = place_camera(rng, room, FRAME_SIZE)
        spots = standing_spots(rng, room, camera, PEOPLE)
        if len(spots) >= 50 and camera.position[2] > 1.6:
            return Station(name, open_view(room, camera, _site_look(rng)), doors, spots[:, :2])


def _site_look(rng: Generator) -> Look:
    """Draw a camera of usable quality: extremes are for training only."""
    look = sample_look(rng, FRAME_SIZE[1])
    return replace(
        look,
        level=float(np.clip(look.level, 0.1, 0.3)),
        saturation=max(look.saturation, 0.6),
        blur_px=float(np.clip(look.blur_px, 0.5, 0.8)),
        noise=min(look.noise, 2.5),
    )


def _doors(rng: Generator, room: Room) -> Points:
    """Draw two doors on different walls: points 0.5 m behind the wall."""
    walls = rng.permutation(4)[:2]
    along = rng.uniform(-0.7, 0.7, 2)
    out_x, out_y = room.half_x + 0.5, room.half_y + 0.5
    sides = [
        ((out_x, a * room.half_y), (-out_x, a * room.half_y), (a * room.half_x, out_y), (a * room.half_x, -out_y))
        for a in along
    ]
    return np.array([sides[k][wall] for k, wall in enumerate(walls)])


def _with_doors(room: Room, doors: Points) -> Room:
    """Put dark openings with wooden frames on the walls at the doors, and remove obstacles in front of them."""
    parts = [room.mesh]
    for x, y in doors:
        wall = np.clip([x, y], (-room.half_x, -room.half_y), (room.half_x, room.half_y))
        turn = 0.0 if abs(y) > room.half_y else np.pi / 2
        door = join(
            [box((-0.55, -0.04, 0.0), (0.55, 0.04, 2.15), WOOD), box((-0.47, -0.05, 0.0), (0.47, 0.05, 2.07), DARK)]
        )
        parts.append(moved(door, float(wall[0]), float(wall[1]), turn))
    return replace(room, mesh=join(parts))


def _resident(rng: Generator, stations: tuple[Station, ...], identity: int, seconds: float) -> Resident:
    """Draw a person's day: rooms one after another, with time between them, until the recording ends."""
    figure = build_figure(sample_person(np.random.default_rng([identity, 1])))
    walk, stand = sample_manner(rng, walking=True), sample_manner(rng, walking=False)
    speed = float(rng.uniform(0.9, 1.45))
    time_s = float(rng.uniform(-10.0, 0.55 * seconds))
    order = rng.permutation(len(stations))
    visits: list[Visit] = []
    for step in range(int(rng.integers(2, max(3, len(stations)) + 2))):
        station = int(order[step % len(stations)])
        visit = _visit(rng, stations[station], station, time_s, speed)
        time_s = float(visit.times_s[-1]) + float(rng.uniform(1.5, 6.0))
        visits.append(visit)
        if time_s > seconds:
            break
    return Resident(figure, walk, stand, tuple(visits))


def _visit(rng: Generator, station: Station, index: int, start_s: float, speed: float) -> Visit:
    """Draw a path from one door to another through two to four spots, pausing at some."""
    first = int(rng.integers(2))
    last = 1 - first if rng.random() < 0.8 else first
    points = [station.doors[first]]
    for _ in range(int(rng.integers(2, 5))):
        points.append(_next_spot(rng, station, points[-1]))
        if rng.random() < 0.3:
            points.append(points[-1].copy())
    points.append(station.doors[last])
    way = np.array(points)
    lengths = np.hypot(*np.diff(way, axis=0).T)
    waits = np.where(lengths < 0.01, rng.uniform(1.0, 3.5, len(lengths)), lengths / speed)
    return Visit(index, start_s + np.concatenate([[0.0], np.cumsum(waits)]), way)


def _next_spot(rng: Generator, station: Station, here: Points) -> Points:
    """Draw a spot at least a metre away reached in a straight line free of furniture, or the freest of a dozen."""
    best, least = station.spots[0], 10_000
    for spot in station.spots[rng.integers(len(station.spots), size=12)]:
        if np.hypot(*(spot - here)) < 1.0:
            continue
        room = station.view.room
        line = [here + (spot - here) * t for t in np.linspace(0.15, 1.0, 12)]
        blocked = sum(not room.free(float(p[0]), float(p[1]), 0.15) for p in line)
        if blocked < least:
            best, least = spot, blocked
        if blocked == 0:
            break
    return np.asarray(best, np.float64)
