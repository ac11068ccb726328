"""Training crops: the same generated people, seen by many different cameras.

Every camera seed fixes a room, a view and a response to light; every identity seed a person. What transfers to real
cameras is variety between cameras with little inside one (PersonX, Sun and Zheng 2019; RandPerson, Wang et al. 2020),
so a tracklet changes only position, direction, gait, detector error and what stands in the way.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.company import Moments, draw_company
from training.synthetic.figure import Figure, build_figure
from training.synthetic.look import exposed, recorded
from training.synthetic.mesh import Mesh, moved
from training.synthetic.places import OPEN, Vantage, draw_vantage
from training.synthetic.population import person_of
from training.synthetic.pose import sample_manner
from training.synthetic.render import Window, owners
from training.synthetic.room import chair
from training.synthetic.scene import Actor, Thing, View, extent, shoot
from training.synthetic.stage import Sight, exposure

Image = NDArray[np.uint8]
Box = tuple[float, float, float, float]  # left, top, right, bottom, pixels

FIRST_SITE_IDENTITY = 1_000_000  # training identity seeds are below, sites' at or above
SIGHT = Sight(60, 280, above=0.05, below=0.05)
# People share their cameras in blocks, as on a real site: views are drawn once, and people are each other's negatives.
BLOCK = 24
# Shares of a person that furniture and the frame leave to be seen: few are half hidden, nobody is hidden more.
IN_FULL, HALF_HIDDEN = (OPEN, 1.0), (0.42, 0.68)
HIDDEN_SHARE = 0.08
TRIES = 24
CROWDED = 0.6  # somebody who would leave less than this of the person is not there
PASSERS_BY = 10_000_000  # identity seeds from here are people nobody asks for


@dataclass(frozen=True, slots=True, eq=False)
class Tracklet:
    """One person followed by one camera.

    Attributes:
        identity: Number of the person, 0-based.
        camera: Number of the camera, unique over the whole set.
        crops: `(frames, h, w, 3)` uint8 RGB.
    """

    identity: int
    camera: int
    crops: Image


@dataclass(frozen=True, slots=True)
class _Course:
    """Where and how a person goes during a tracklet, one actor a frame, and the chair they may sit on."""

    actors: tuple[Actor, ...]
    walking: bool
    chair: Mesh | None
    hidden: bool


@dataclass(slots=True)
class PeopleGenerator:
    """Draws tracklets; keeps the `keep` views used last, because a background costs as much as a tracklet."""

    keep: int = 48
    _vantages: OrderedDict[int, Vantage] = field(default_factory=OrderedDict)
    _figures: OrderedDict[int, Figure] = field(default_factory=OrderedDict)

    def tracklet(self, identity_seed: int, camera_seed: int, tracklet_seed: int, frames: int = 8,
                 size: tuple[int, int] = (256, 128)) -> Image:  # fmt: skip
        """Return `(frames, *size, 3)` uint8 RGB crops, as a detector would have cut them; the seeds decide everything.

        Raises:
            ValueError: When `frames` or `size` is not positive.
        """
        if frames < 1 or min(size) < 1:
            raise ValueError(f"frames and size must be positive, got frames={frames}, size={size}")
        rng = np.random.default_rng([identity_seed, camera_seed, tracklet_seed, 3])
        vantage = self._vantage(camera_seed)
        view = vantage.view
        course = _course(rng, vantage, self._figure(identity_seed), frames)
        others = () if course.hidden else draw_company(
            rng, course.actors, view.camera.position, lambda r: self._somebody(r, camera_seed))  # fmt: skip
        cut = _Cut.draw(rng)
        crops = [self._crop(rng, view, course, k, others, cut) for k in range(frames)]
        interpolation = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(rng.integers(2))]
        return np.stack([cv2.resize(c, (size[1], size[0]), interpolation=interpolation) for c in crops])

    def _vantage(self, seed: int) -> Vantage:
        if seed not in self._vantages:
            self._vantages[seed] = draw_vantage(seed, SIGHT)
        self._vantages.move_to_end(seed)
        while len(self._vantages) > self.keep:
            self._vantages.popitem(last=False)
        return self._vantages[seed]

    def _figure(self, seed: int) -> Figure:
        if seed not in self._figures:
            self._figures[seed] = build_figure(person_of(seed))
        self._figures.move_to_end(seed)
        while len(self._figures) > 4 * self.keep:
            self._figures.popitem(last=False)
        return self._figures[seed]

    def _somebody(self, rng: Generator, camera_seed: int) -> Figure:
        """Return one of a camera's few passers-by, who are never asked for as identities."""
        return self._figure(PASSERS_BY + 6 * (camera_seed % PASSERS_BY) + int(rng.integers(6)))

    def _crop(
        self, rng: Generator, view: View, course: _Course, k: int, others: tuple[Moments, ...], cut: "_Cut"
    ) -> Image:
        """Return one crop at the camera's own resolution."""
        actor = course.actors[k]
        mesh = actor.mesh()
        box = extent(view.camera, mesh)
        assert box is not None, "a course keeps away from the camera"
        window = _clipped(view, cut.apply(rng, (float(box[0]), float(box[1]), float(box[2]), float(box[3]))))
        window = window._replace(samples=2 if window.height < 100 else 1)
        things = [Thing(mesh, actor.figure.materials)]
        if course.chair is not None:
            things.append(Thing(moved(course.chair, actor.x, actor.y, actor.heading), view.room.materials))
        blockers: list[Mesh] = []
        for other in (moments[k] for moments in others):
            thing = Thing(other.mesh(), other.figure.materials)
            if extent(view.camera, thing.mesh) is None:
                continue
            if _shown(view, mesh, [*blockers, thing.mesh], window) > CROWDED:
                things.append(thing)
                blockers.append(thing.mesh)
        shot = shoot(view, things, window)
        picture = exposed(view.film, shot.rgb, view.gain * cut.gain, window.left, window.top)
        away = max(1.0, float(np.hypot(*(view.camera.position[:2] - (actor.x, actor.y)))))
        smear = cut.smear_m * view.camera.focal / away if course.walking else 0.0
        return recorded(view.film.look, picture, rng, smear)


@dataclass(frozen=True, slots=True)
class _Cut:
    """What the detector and the exposure do to a whole tracklet: margins relative to the box, and their flutter."""

    margin: Box
    flutter: float
    gain: float
    smear_m: float

    @classmethod
    def draw(cls, rng: Generator) -> "_Cut":
        """Draw tight margins around 3 %; sometimes legs or head cut off, a box beside the person, or far too large."""
        m = rng.normal(0.03, 0.025, 4)
        kind = rng.random()
        if kind < 0.08:
            m[3] = -rng.uniform(0.1, 0.4)
        elif kind < 0.14:
            aside = rng.choice([-1, 1]) * rng.uniform(0.1, 0.3)
            m[0], m[2] = m[0] - aside, m[2] + aside
        elif kind < 0.2:
            m += rng.uniform(0.08, 0.25, 4)
        elif kind < 0.22:
            m[1] = -rng.uniform(0.03, 0.1)
        smear = rng.uniform(0.004, 0.025) if rng.random() < 0.35 else 0.0
        return cls((float(m[0]), float(m[1]), float(m[2]), float(m[3])), float(rng.uniform(0.0, 0.025)),
                   float(np.exp(rng.normal(0, 0.12))), float(smear))  # fmt: skip

    def apply(self, rng: Generator, box: Box) -> Box:
        """Return the box a detector would report for one whose truth is `box`."""
        left, top, right, bottom = box
        w, h = right - left, bottom - top
        j = rng.normal(0, self.flutter, 4)
        m = self.margin
        return (
            left - (m[0] + j[0]) * w,
            top - (m[1] + j[1]) * h,
            right + (m[2] + j[2]) * w,
            bottom + (m[3] + j[3]) * h,
        )


def _shown(view: View, person: Mesh, blockers: list[Mesh], window: Window) -> float:
    """Return the share of a person that others leave visible in a window."""
    window = window._replace(samples=1)
    alone = (owners([person], view.camera, window) == 0).sum()
    return float((owners([person, *blockers], view.camera, window) == 0).sum()) / max(1, int(alone))


def _course(rng: Generator, vantage: Vantage, figure: Figure, frames: int) -> _Course:
    """Draw a walk, or somebody standing or sitting, around a point where the camera sees as much as wanted."""
    kind = rng.random()
    walking, seated = bool(kind < 0.8), bool(kind > 0.96 and vantage.view.room.seats)
    manner = sample_manner(rng, walking=walking, seated=seated)
    seat = chair(rng) if seated else None
    wanted = HALF_HIDDEN if rng.random() < HIDDEN_SHARE else IN_FULL
    fitting = np.flatnonzero((vantage.shares >= wanted[0]) & (vantage.shares <= wanted[1]))
    if not len(fitting):
        wanted, fitting = IN_FULL, np.flatnonzero(vantage.shares > OPEN)
    best, least = None, -1.0
    for _ in range(TRIES):
        x, y = vantage.spots[fitting[int(rng.integers(len(fitting)))]]
        start = Actor(figure, manner, float(x), float(y), float(rng.uniform(0, 2 * np.pi)), float(rng.random()))
        step = float(rng.uniform(0.06, 0.35)) if walking else 0.0
        course = _Course(_walk(rng, start, frames, step), walking, seat, wanted is HALF_HIDDEN)
        shares = exposure(vantage.view, np.array([(a.x, a.y) for a in course.actors]))
        fits = wanted[0] - 0.05 <= shares.min() and all(_usable(vantage.view, a) for a in course.actors)
        if fits and shares.max() <= wanted[1]:
            return course
        if fits and shares.min() > least:
            best, least = course, float(shares.min())
    return best or _Course(
        _walk(rng, start, frames, 0.0), walking, seat, wanted is HALF_HIDDEN
    )  # standing on a fitting spot always fits


def _walk(rng: Generator, start: Actor, frames: int, step: float) -> tuple[Actor, ...]:
    """Return a person's moments along a slightly bent line whose middle is `start`."""
    turn = float(rng.normal(0, 0.12 if step else 0.05))
    heading, phase = start.heading, start.phase
    x, y = start.x + 0.5 * frames * step * np.sin(heading), start.y - 0.5 * frames * step * np.cos(heading)
    actors = []
    for _ in range(frames):
        actors.append(replace(start, x=float(x), y=float(y), heading=heading, phase=phase))
        x, y = x - step * np.sin(heading), y + step * np.cos(heading)
        heading, phase = heading + turn, phase + (step / 1.4 if step else float(rng.uniform(0, 0.02)))
    return tuple(actors)


def _usable(view: View, actor: Actor) -> bool:
    """Say whether a person can stand where they are, at a usable distance and size."""
    if not view.room.free(actor.x, actor.y, 0.1):
        return False
    screen = view.camera.project(np.array([[actor.x, actor.y, 0.0], [actor.x, actor.y, 1.75 * actor.figure.scale]]))
    return bool(screen[:, 2].min() > 0.9 and 40 < screen[0, 1] - screen[1, 1] < 340)


def _clipped(view: View, box: Box) -> Window:
    """Return the part of a box inside the frame, at least 10 x 20 pixels."""
    width, height = view.camera.width, view.camera.height
    x0, y0 = int(np.clip(box[0], 0, width - 12)), int(np.clip(box[1], 0, height - 24))
    x1, y1 = int(np.clip(box[2], x0 + 10, width)), int(np.clip(box[3], y0 + 20, height))
    return Window(x0, y0, x1 - x0, y1 - y0)


def generate_people(identities: int, cameras_per_identity: int, tracklets_per_camera: int, frames: int, seed: int,
                    size: tuple[int, int] = (256, 128)) -> Iterator[Tracklet]:  # fmt: skip
    """Yield `identities * cameras_per_identity * tracklets_per_camera` tracklets, one block of people after another.

    Raises:
        ValueError: When a count is not positive, or identities reach the seeds kept for sites.
    """
    counts = {"identities": identities, "cameras_per_identity": cameras_per_identity,
              "tracklets_per_camera": tracklets_per_camera, "frames": frames}  # fmt: skip
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if identities > FIRST_SITE_IDENTITY // 2:
        raise ValueError(f"identities must be at most {FIRST_SITE_IDENTITY // 2}, got {identities}")
    rng = np.random.default_rng([seed, 4])
    first = int(rng.integers(FIRST_SITE_IDENTITY // 2 - identities + 1))
    generator = PeopleGenerator(keep=max(48, cameras_per_identity))
    for identity in range(identities):
        block = identity // BLOCK
        for c in range(cameras_per_identity):
            camera = block * cameras_per_identity + c
            for t in range(tracklets_per_camera):
                crops = generator.tracklet(first + identity, seed * 100_003 + camera, t, frames, size)
                yield Tracklet(identity, camera, crops)
