"""Training crops: the same generated people, seen by many different cameras.

A camera seed fixes a room, a view and a camera response; an identity seed fixes a person. Training transfers to real
cameras if variety is large between cameras and small within one (PersonX, Sun and Zheng 2019; RandPerson, Wang et al.
2020), so a tracklet seed varies only position, direction, gait, detector errors and occluders.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.boxes import Box, CropDistortion
from training.synthetic.bystanders import Trajectory, draw_bystanders
from training.synthetic.course import Course, draw_course
from training.synthetic.figure import Figure, build_figure
from training.synthetic.look import exposed, recorded
from training.synthetic.mesh import Mesh, moved
from training.synthetic.person import Person
from training.synthetic.places import Vantage, draw_vantage
from training.synthetic.population import person_of
from training.synthetic.render import Window, owners
from training.synthetic.restyle import Fashion
from training.synthetic.scene import Thing, View, extent, shoot
from training.synthetic.settings import DEFAULT, Setting
from training.synthetic.stage import VisibilityLimits

Image = NDArray[np.uint8]
FIRST_SITE_IDENTITY = 1_000_000  # training identity seeds are below this, those of sites at or above it
SIGHT = VisibilityLimits(60, 280, above=0.05, below=0.05)
CROWDED = 0.6  # others that would leave less than this fraction of the person visible are left out
BYSTANDERS = 10_000_000  # identity seeds from here on are bystanders, never requested as identities


def _of_our_own(person: Person, _seed: int) -> Figure:
    return build_figure(person)


def _own_place(seed: int, setting: Setting) -> Vantage:
    return draw_vantage(seed, SIGHT, setting.places)


@dataclass(slots=True)
class PeopleGenerator:
    """Renders tracklets of one setting; caches the last `keep` views, as a background costs as much as many crops.

    `person` says whom an identity seed means in a fashion, `build` what a person with a seed looks like, and `place`
    what a camera seed means.
    """

    keep: int = 48
    setting: Setting = DEFAULT
    person: Callable[[int, Fashion | None], Person] = person_of
    build: Callable[[Person, int], Figure] = _of_our_own
    place: Callable[[int, Setting], Vantage] = _own_place
    _vantages: OrderedDict[int, Vantage] = field(default_factory=OrderedDict)
    _figures: OrderedDict[int, Figure] = field(default_factory=OrderedDict)

    def tracklet(self, identity_seed: int, camera_seed: int, tracklet_seed: int, frames: int = 8,
                 size: tuple[int, int] = (256, 128)) -> Image:  # fmt: skip
        """Return `(frames, *size, 3)` uint8 RGB crops, as a detector would cut them; the seeds determine all.

        Raises:
            ValueError: `frames` or `size` is not positive.
        """
        if frames < 1 or min(size) < 1:
            raise ValueError(f"frames and size must be positive, got frames={frames}, size={size}")
        rng = np.random.default_rng([identity_seed, camera_seed, tracklet_seed, 3])
        vantage = self._vantage(camera_seed)
        view = vantage.view
        course = draw_course(rng, vantage, self._figure(identity_seed), frames)
        others = () if course.hidden else draw_bystanders(
            rng, course.actors, view.camera.position, lambda r: self._bystander(r, camera_seed))  # fmt: skip
        cut = CropDistortion.draw(rng, self.setting.boxes)
        crops = [self._crop(rng, view, course, k, others, cut) for k in range(frames)]
        interpolation = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(rng.integers(2))]
        return np.stack([cv2.resize(c, (size[1], size[0]), interpolation=interpolation) for c in crops])

    def _vantage(self, seed: int) -> Vantage:
        if seed not in self._vantages:
            self._vantages[seed] = self.place(seed, self.setting)
        self._vantages.move_to_end(seed)
        while len(self._vantages) > self.keep:
            self._vantages.popitem(last=False)
        return self._vantages[seed]

    def _figure(self, seed: int) -> Figure:
        if seed not in self._figures:
            self._figures[seed] = self.build(self.person(seed, self.setting.fashion), seed)
        self._figures.move_to_end(seed)
        while len(self._figures) > 4 * self.keep:
            self._figures.popitem(last=False)
        return self._figures[seed]

    def _bystander(self, rng: Generator, camera_seed: int) -> Figure:
        """Return one of a camera's few bystanders, who are never requested as identities."""
        return self._figure(BYSTANDERS + 6 * (camera_seed % BYSTANDERS) + int(rng.integers(6)))

    def _crop(
        self, rng: Generator, view: View, course: Course, k: int, others: tuple[Trajectory, ...], cut: CropDistortion
    ) -> Image:
        """Return one crop at the camera's resolution."""
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


def _shown(view: View, person: Mesh, blockers: list[Mesh], window: Window) -> float:
    """Return the fraction of a person that blockers leave visible in a window."""
    window = window._replace(samples=1)
    alone = (owners([person], view.camera, window) == 0).sum()
    return float((owners([person, *blockers], view.camera, window) == 0).sum()) / max(1, int(alone))


def _clipped(view: View, box: Box) -> Window:
    """Return the part of a box inside the frame, at least 10 x 20 pixels."""
    width, height = view.camera.width, view.camera.height
    x0, y0 = int(np.clip(box[0], 0, width - 12)), int(np.clip(box[1], 0, height - 24))
    x1, y1 = int(np.clip(box[2], x0 + 10, width)), int(np.clip(box[3], y0 + 20, height))
    return Window(x0, y0, x1 - x0, y1 - y0)
