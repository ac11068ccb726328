"""People in front of a camera: one view with its fixed background, and what it sees of the people in it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.figure import Figure, posed
from training.synthetic.jit import compiled
from training.synthetic.look import Look, vignette
from training.synthetic.mesh import Floats, Ints, Mesh, join, moved
from training.synthetic.pose import Manner, pose_bones
from training.synthetic.render import Camera, Light, Window, draw, look_at, silhouette
from training.synthetic.room import Room


@dataclass(frozen=True, eq=False)
class View:
    """A camera in a room: its background is drawn once.

    Attributes:
        background: `(h, w, 3)` float32 linear light.
        inverse_depth: `(h, w)` float32, one over metres.
        gain: Automatic exposure: what makes the background's mean the look's level.
    """

    camera: Camera
    light: Light
    look: Look
    background: Floats
    inverse_depth: Floats
    gain: float

    @cached_property
    def shade(self) -> Floats:
        """Return the vignette, `(h, w)` float32."""
        return vignette(self.look, self.camera.width, self.camera.height)


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A person at one moment: feet at (x, y) metres, walking towards `heading` (radians, 0 is +y), gait phase in turns."""

    figure: Figure
    manner: Manner
    x: float
    y: float
    heading: float
    phase: float

    def mesh(self) -> Mesh:
        """Return the posed surface in the world."""
        return moved(posed(self.figure, pose_bones(self.manner, self.phase)), self.x, self.y, self.heading)


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """What a view saw in a window.

    Attributes:
        rgb: `(h, w, 3)` float32 linear light.
        owner: `(h * samples, w * samples)` int32, the actor's number at every sample, -1 where none.
    """

    rgb: Floats
    owner: Ints


def open_view(room: Room, camera: Camera, look: Look) -> View:
    """Draw a camera's background."""
    layer = draw(room.mesh, room.materials, camera, room.light, Window(0, 0, camera.width, camera.height))
    empty = 1.0 - layer.cover[..., None]
    background = np.asarray(layer.rgb + empty * 0.2, np.float32)
    gain = look.level / float(np.minimum(background, 1.5).mean() + 1e-4)
    return View(camera, room.light, look, background, layer.depth, gain)


def place_camera(rng: Generator, room: Room, size: tuple[int, int]) -> Camera:
    """Draw a camera near a wall, mostly high and looking down into the room, sometimes at eye level."""
    side, along = int(rng.integers(4)), float(rng.uniform(-0.85, 0.85))
    hx, hy = room.half_x - 0.15, room.half_y - 0.15
    x, y = ((hx, along * hy), (-hx, along * hy), (along * hx, hy), (along * hx, -hy))[side]
    height = float(rng.uniform(2.1, 2.65)) if rng.random() < 0.75 else float(rng.uniform(1.2, 2.1))
    target = np.array([rng.uniform(-0.4, 0.4) * hx, rng.uniform(-0.4, 0.4) * hy, rng.uniform(0.6, 1.1)])
    focal = size[0] * float(rng.uniform(0.5, 1.05))
    return look_at(np.array([x, y, height]), target, focal, size)


def shoot(view: View, actors: list[Mesh], figures: list[Figure], window: Window) -> Shot:
    """Draw people, one posed mesh for each figure, over the background of a window."""
    rows, columns = slice(window.top, window.top + window.height), slice(window.left, window.left + window.width)
    rgb = view.background[rows, columns].copy()
    behind = np.ascontiguousarray(view.inverse_depth[rows, columns])
    if not actors:
        return Shot(rgb, np.full((window.height * window.samples, window.width * window.samples), -1, np.int32))
    feet = np.array([(*m.vertices.mean(0)[:2],) for m in actors], np.float32)
    _contact_shadow(rgb, behind, feet, _rays(view.camera, window))
    offsets = np.cumsum([0, *(len(f.materials) for f in figures)])
    mesh = join([Mesh(m.vertices, m.normals, m.rest, m.material + np.int32(o), m.triangles) for m, o in zip(actors, offsets, strict=False)])
    layer = draw(mesh, np.concatenate([f.materials for f in figures]), view.camera, view.light, window, behind)
    rgb = rgb * (1.0 - layer.cover[..., None]) + layer.rgb
    first = np.cumsum([0, *(len(m.triangles) for m in actors)])
    owner = np.where(layer.ident >= 0, np.searchsorted(first, layer.ident, side="right") - 1, -1).astype(np.int32)
    return Shot(np.asarray(rgb, np.float32), owner)


def extent(camera: Camera, mesh: Mesh) -> NDArray[np.float64] | None:
    """Return a mesh's box, left, top, right, bottom in pixels, not clipped; None where part of it is behind the camera."""
    screen = camera.project(mesh.vertices)
    if screen[:, 2].min() < 0.3:
        return None
    return np.concatenate([screen[:, :2].min(0), screen[:, :2].max(0)])


def full_size(camera: Camera, mesh: Mesh, samples: int = 1) -> int:
    """Return how many samples a mesh would cover with nothing in front of it and no frame around it."""
    box = extent(camera, mesh)
    if box is None:
        return 0
    left, top, right, bottom = (int(v) for v in np.floor(box))
    return silhouette(mesh, camera, Window(left, top, min(right - left + 1, 4096), min(bottom - top + 1, 4096), samples))


def _rays(camera: Camera, window: Window) -> Floats:
    """Return what turns a pixel and its depth into a floor point: camera position and axes, focal and centre, `(14,)`."""
    centre = (camera.width / 2 - window.left, camera.height / 2 - window.top)
    return np.array([*camera.position, *camera.axes.reshape(-1), *centre, camera.focal], np.float32)


@compiled
def _contact_shadow(rgb: Floats, inverse_depth: Floats, feet: Floats, rays: Floats) -> None:
    """Darken the floor softly around each pair of feet."""
    height, width = inverse_depth.shape
    for v in range(height):
        for u in range(width):
            if inverse_depth[v, u] <= 0:
                continue
            d = 1.0 / inverse_depth[v, u]
            a, b = (u + 0.5 - rays[12]) / rays[14] * d, (v + 0.5 - rays[13]) / rays[14] * d
            if rays[2] + rays[5] * a + rays[8] * b + rays[11] * d > 0.06:
                continue
            x, y = rays[0] + rays[3] * a + rays[6] * b + rays[9] * d, rays[1] + rays[4] * a + rays[7] * b + rays[10] * d
            for k in range(len(feet)):
                square = (x - feet[k, 0]) ** 2 + (y - feet[k, 1]) ** 2
                if square < 0.8:
                    dark = 1.0 - 0.5 * np.exp(-square / 0.09)
                    rgb[v, u, 0] *= dark
                    rgb[v, u, 1] *= dark
                    rgb[v, u, 2] *= dark
