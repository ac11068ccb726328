"""Training crops: the same generated people, seen by many different cameras.

Every camera seed fixes a room, a view and a response to light; every identity seed a person. What transfers to real cameras is
variety between cameras with little variety inside one (PersonX, Sun and Zheng 2019, section 4; RandPerson, Wang et al. 2020,
section 4.3), so a tracklet changes only position, direction, gait, detector error and what stands in the way.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.body import sample_person
from training.synthetic.figure import Figure, build_figure
from training.synthetic.look import exposed, recorded, sample_look
from training.synthetic.mesh import Mesh
from training.synthetic.pose import sample_manner
from training.synthetic.render import Window
from training.synthetic.room import build_room
from training.synthetic.scene import Actor, View, extent, full_size, open_view, place_camera, shoot

Image = NDArray[np.uint8]
Box = tuple[float, float, float, float]  # left, top, right, bottom, pixels

FIRST_SITE_IDENTITY = 1_000_000  # training identity seeds are below, sites' at or above
FRAME_SIZES = ((480, 270), (640, 360), (640, 360), (768, 432))
# People share their cameras in blocks, as on a real site: a block's views are drawn once and its people are each other's negatives.
BLOCK = 24


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
    """Where and how a person goes during a tracklet; one actor a frame."""

    actors: tuple[Actor, ...]
    step_m: float


@dataclass(slots=True)
class PeopleGenerator:
    """Draws tracklets; keeps the `keep` views and figures used last, because a background costs more than a tracklet."""

    keep: int = 48
    _views: OrderedDict[int, tuple[View, NDArray[np.float64]]] = field(default_factory=OrderedDict)
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
        view, spots = self._view(camera_seed)
        figure = self._figure(identity_seed)
        course = _course(rng, view, spots, figure, frames)
        others = self._others(rng, view, course)
        cut = _Cut.draw(rng)
        crops = [self._crop(rng, view, course, k, others, cut) for k in range(frames)]
        interpolation = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA)[int(rng.integers(3))]
        return np.stack([cv2.resize(c, (size[1], size[0]), interpolation=interpolation) for c in crops])

    def _view(self, seed: int) -> tuple[View, NDArray[np.float64]]:
        """Return a camera's view, and floor points from which a whole person is seen, `(n, 3)`: x, y, height in pixels."""
        if seed not in self._views:
            self._views[seed] = _draw_view(seed)
        self._views.move_to_end(seed)
        while len(self._views) > self.keep:
            self._views.popitem(last=False)
        return self._views[seed]

    def _figure(self, seed: int) -> Figure:
        if seed not in self._figures:
            self._figures[seed] = build_figure(sample_person(np.random.default_rng([seed, 1])))
        self._figures.move_to_end(seed)
        while len(self._figures) > 4 * self.keep:
            self._figures.popitem(last=False)
        return self._figures[seed]

    def _others(self, rng: Generator, view: View, course: _Course) -> list[Actor]:
        """Return nobody, or somebody else near the person, sometimes between them and the camera."""
        if rng.random() > 0.22:
            return []
        figure = self._figure(int(rng.integers(FIRST_SITE_IDENTITY // 2, FIRST_SITE_IDENTITY)))
        at = course.actors[len(course.actors) // 2]
        towards = view.camera.position[:2] - (at.x, at.y)
        towards /= np.linalg.norm(towards)
        depth, aside = rng.uniform(-1.0, 1.2), rng.choice([-1, 1]) * rng.uniform(0.15, 0.8)
        x, y = np.array([at.x, at.y]) + depth * towards + aside * np.array([-towards[1], towards[0]])
        walking = bool(rng.random() < 0.6)
        return [Actor(figure, sample_manner(rng, walking=walking), float(x), float(y), float(rng.uniform(0, 6.28)), float(rng.random()))]

    def _crop(self, rng: Generator, view: View, course: _Course, k: int, others: list[Actor], cut: "_Cut") -> Image:
        """Return one crop at the camera's own resolution."""
        actor = course.actors[k]
        mesh = actor.mesh()
        box = extent(view.camera, mesh)
        assert box is not None, "a course keeps away from the camera"
        left, top, right, bottom = cut.apply(rng, (float(box[0]), float(box[1]), float(box[2]), float(box[3])))
        frame = view.camera
        x0, y0 = int(np.clip(left, 0, frame.width - 12)), int(np.clip(top, 0, frame.height - 24))
        x1, y1 = int(np.clip(right, x0 + 10, frame.width)), int(np.clip(bottom, y0 + 20, frame.height))
        window = Window(x0, y0, x1 - x0, y1 - y0, 2 if y1 - y0 < 150 else 1)
        meshes, figures = [mesh], [actor.figure]
        for other in others:
            other_mesh = other.mesh()
            if extent(frame, other_mesh) is not None and _leaves_enough(view, mesh, other_mesh, actor.figure, other.figure, window):
                meshes, figures = [*meshes, other_mesh], [*figures, other.figure]
        shot = shoot(view, meshes, figures, window)
        shade = view.shade[y0:y1, x0:x1]
        picture = exposed(view.look, shot.rgb[None], view.gain * cut.gain, shade)[0]
        smear = course.step_m * view.camera.focal / max(1.0, float(np.hypot(*(frame.position[:2] - (actor.x, actor.y))))) * cut.shutter
        return recorded(view.look, picture, rng, smear)


@dataclass(frozen=True, slots=True)
class _Cut:
    """What the detector and the exposure do to a whole tracklet: margins relative to the box, and their flutter."""

    margin: Box
    flutter: float
    gain: float
    shutter: float

    @classmethod
    def draw(cls, rng: Generator) -> "_Cut":
        """Draw margins around -2..8 %, and sometimes legs, a side or the head cut off."""
        m = rng.normal(0.02, 0.035, 4)
        kind = rng.random()
        if kind < 0.14:
            m[3] = -rng.uniform(0.1, 0.5)
        elif kind < 0.2:
            m[int(rng.choice([0, 2]))] = -rng.uniform(0.1, 0.4)
        elif kind < 0.23:
            m[1] = -rng.uniform(0.03, 0.12)
        return cls((float(m[0]), float(m[1]), float(m[2]), float(m[3])), float(rng.uniform(0.0, 0.035)),
                   float(np.exp(rng.normal(0, 0.15))), float(rng.choice([0.0, rng.uniform(0.0, 0.35)])))  # fmt: skip

    def apply(self, rng: Generator, box: Box) -> Box:
        """Return the box a detector would report for one whose truth is `box`."""
        left, top, right, bottom = box
        w, h = right - left, bottom - top
        j = rng.normal(0, self.flutter, 4)
        m = self.margin
        return (left - (m[0] + j[0]) * w, top - (m[1] + j[1]) * h, right + (m[2] + j[2]) * w, bottom + (m[3] + j[3]) * h)


def _leaves_enough(view: View, mesh: Mesh, other: Mesh, figure: Figure, blocker: Figure, window: Window) -> bool:
    """Say whether at least 45 % of a person stays visible behind another one."""
    coarse = window._replace(samples=1)
    owner = shoot(view, [mesh, other], [figure, blocker], coarse).owner
    return float((owner == 0).sum()) > 0.45 * full_size(view.camera, mesh)


def _draw_view(seed: int) -> tuple[View, NDArray[np.float64]]:
    """Draw a camera: room, place, response; again where it hardly sees the floor."""
    rng = np.random.default_rng([seed, 2])
    while True:
        room = build_room(rng, float(rng.uniform(3.0, 7.0)), float(rng.uniform(2.5, 6.0)), int(rng.integers(2, 16)))
        size = FRAME_SIZES[int(rng.integers(len(FRAME_SIZES)))]
        camera = place_camera(rng, room, size)
        points = rng.uniform((-room.half_x, -room.half_y), (room.half_x, room.half_y), (400, 2))
        points = np.array([p for p in points if room.free(p[0], p[1])]).reshape(-1, 2)
        feet = camera.project(np.pad(points, ((0, 0), (0, 1))))
        head = camera.project(np.pad(points, ((0, 0), (0, 1)), constant_values=1.75))
        height = feet[:, 1] - head[:, 1]
        seen = (feet[:, 2] > 1.0) & (head[:, 2] > 1.0) & (head[:, 1] > -0.1 * height) & (feet[:, 1] < size[1] + 0.3 * height)
        seen &= (feet[:, 0] > 0.03 * size[0]) & (feet[:, 0] < 0.97 * size[0]) & (height > 42) & (height < 300)
        if seen.sum() >= 12:
            return open_view(room, camera, sample_look(rng)), np.column_stack([points[seen], height[seen]])


def _course(rng: Generator, view: View, spots: NDArray[np.float64], figure: Figure, frames: int) -> _Course:
    """Draw a straight or slowly turning walk, or somebody standing or sitting, around a point the camera sees."""
    kind = rng.random()
    walking, seated = bool(kind < 0.74), bool(kind > 0.94)
    manner = sample_manner(rng, walking=walking, seated=seated)
    for _ in range(12):
        x, y, _ = spots[int(rng.integers(len(spots)))]
        heading, phase = float(rng.uniform(0, 2 * np.pi)), float(rng.random())
        turn = float(rng.normal(0, 0.12)) if walking else float(rng.normal(0, 0.06))
        step = float(rng.uniform(0.06, 0.35)) if walking else 0.0
        x, y = x + 0.5 * frames * step * np.sin(heading), y - 0.5 * frames * step * np.cos(heading)
        actors = []
        for _ in range(frames):
            actors.append(Actor(figure, manner, float(x), float(y), heading, phase))
            x, y = x - step * np.sin(heading), y + step * np.cos(heading)
            heading, phase = heading + turn, phase + (step / 1.4 if walking else float(rng.uniform(0, 0.02)))
        if all(_whole(view, actor) for actor in actors):
            return _Course(tuple(actors), step)
    x, y, _ = spots[np.argsort(spots[:, 2])[len(spots) // 2]]  # nowhere to walk: stay at a spot of middle distance
    return _Course((Actor(figure, manner, float(x), float(y), heading, phase),) * frames, 0.0)


def _whole(view: View, actor: Actor) -> bool:
    """Say whether most of a person's box lies in the frame, at a usable size."""
    box = extent(view.camera, actor.mesh())
    if box is None:
        return False
    inside = np.clip(box, 0, (view.camera.width, view.camera.height) * 2)
    share = (inside[2] - inside[0]) * (inside[3] - inside[1]) / ((box[2] - box[0]) * (box[3] - box[1]))
    return bool(share > 0.6 and 40 < box[3] - box[1] < 380)


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
