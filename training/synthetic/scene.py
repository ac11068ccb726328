"""People in front of a camera: one view with its fixed background, and the visible parts of people."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.figure import Figure, posed
from training.synthetic.jit import compiled
from training.synthetic.look import Film, Look, load_film
from training.synthetic.mesh import Floats, Ints, Mesh, bounds, join, moved
from training.synthetic.pose import Manner, pose_bones
from training.synthetic.render import Camera, Window, draw, draw_depth, look_at, owners, projected
from training.synthetic.room import Room
from training.synthetic.shading import Light, Shade, sunlit


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A camera in a room: its background is rendered once.

    Attributes:
        background: `(h, w, 3)` float32 linear light.
        inverse_depth: `(h, w)` float32, one over metres.
        gain: Automatic exposure: brings the mean of the background to the look's level.
    """

    room: Room
    camera: Camera
    film: Film
    background: Floats
    inverse_depth: Floats
    gain: float


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A person at one moment: feet at (x, y) metres, facing `heading` (radians, 0 is +y), gait phase in turns."""

    figure: Figure
    manner: Manner
    x: float
    y: float
    heading: float
    phase: float

    def mesh(self) -> Mesh:
        """Return the posed surface in the world."""
        figure = self.figure
        bones = pose_bones(self.manner, self.phase, figure.holds, figure.pivots)
        return moved(posed(figure, bones), self.x, self.y, self.heading)


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """A surface in the world and the `(n, WIDTH)` materials its rows refer to."""

    mesh: Mesh
    materials: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A rendered window of a view.

    Attributes:
        rgb: `(h, w, 3)` float32 linear light.
        owner: `(h * samples, w * samples)` int32, index of the thing at every sample, -1 where none.
    """

    rgb: Floats
    owner: Ints


def open_view(room: Room, camera: Camera, look: Look) -> View:
    """Draw a camera's background."""
    layer = draw(room.mesh, room.materials, camera, room.light, Window(0, 0, camera.width, camera.height))
    empty = 1.0 - layer.cover[..., None]
    background = np.asarray(layer.rgb + empty * np.array(room.sky, np.float32), np.float32)
    gain = look.level / float(np.minimum(background, 1.5).mean() + 1e-4)
    return View(room, camera, load_film(look, camera.width, camera.height), background, layer.depth, gain)


def place_camera(rng: Generator, room: Room, size: tuple[int, int]) -> Camera:
    """Draw a camera near a wall, mostly high and looking down into the room, sometimes at eye level."""
    side, along = int(rng.integers(4)), float(rng.uniform(-0.85, 0.85))
    hx, hy = room.half_x - 0.15, room.half_y - 0.15
    x, y = ((hx, along * hy), (-hx, along * hy), (along * hx, hy), (along * hx, -hy))[side]
    height = float(rng.uniform(2.1, 2.65)) if rng.random() < 0.75 else float(rng.uniform(1.2, 2.1))
    target = np.array([rng.uniform(-0.4, 0.4) * hx, rng.uniform(-0.4, 0.4) * hy, rng.uniform(0.6, 1.1)])
    focal = size[0] * float(rng.uniform(0.5, 1.05))
    return look_at(np.array([x, y, height]), target, focal, size)


def shoot(view: View, things: list[Thing], window: Window) -> Shot:
    """Render people and their belongings over the background of a window."""
    rows, columns = slice(window.top, window.top + window.height), slice(window.left, window.left + window.width)
    rgb = view.background[rows, columns].copy()
    behind = np.ascontiguousarray(view.inverse_depth[rows, columns])
    if not things:
        return Shot(rgb, np.full((window.height * window.samples, window.width * window.samples), -1, np.int32))
    feet = np.array([t.mesh.vertices[:, :2].mean(0) for t in things], np.float32)
    _contact_shadow(rgb, behind, feet, _rays(view.camera, window))
    if view.room.sun is not None:
        cast = _cast(view, things, window._replace(samples=1), view.room.sun)
        _sun_shadow(rgb, behind, cast, _unlit(view.room.light), view.room.light.shade, _rays(view.camera, window))
    offsets = np.cumsum([0, *(len(t.materials) for t in things)])
    mesh = join([moved(t.mesh, 0.0, 0.0, 0.0, int(o)) for t, o in zip(things, offsets, strict=False)])
    light = view.room.light
    if view.room.shadows and view.room.sun is not None:
        light = light._replace(shade=_shade_of(mesh, view.room.sun))
    layer = draw(mesh, np.concatenate([t.materials for t in things]), view.camera, light, window, behind)
    rgb = rgb * (1.0 - layer.cover[..., None]) + layer.rgb
    owners = np.append(np.repeat(np.arange(len(things)), [len(t.mesh.triangles) for t in things]), -1).astype(np.int32)
    return Shot(np.asarray(rgb, np.float32), owners[layer.ident])  # ident -1 (nobody) selects the last entry


def extent(camera: Camera, mesh: Mesh) -> NDArray[np.float64] | None:
    """Return a mesh's box, left, top, right, bottom in pixels, not clipped; None where it reaches behind the camera."""
    screen = projected(mesh, camera, Window(0, 0, camera.width, camera.height))
    low, high = bounds(screen)
    if low[2] < 0.3:
        return None
    return np.concatenate([low[:2], high[:2]]).astype(np.float64)


def unhidden(view: View, mesh: Mesh) -> float:
    """Return the fraction of a mesh's points that are in the frame and not behind furniture."""
    screen = view.camera.project(mesh.vertices)
    inside = (
        (screen[:, 2] > 0.3)
        & (screen[:, :2] >= 0).all(1)
        & (screen[:, :2] < (view.camera.width, view.camera.height)).all(1)
    )
    x, y = screen[inside, :2].astype(int).T
    return float((view.inverse_depth[y, x] * screen[inside, 2] < 1.02).sum()) / len(screen)


SHADE_PX, SUN_M = 160, 40.0


def _shade_of(mesh: Mesh, sun: tuple[float, float, float]) -> Shade:
    """Return the shadow map of people from far away in the direction of the sun."""
    low, high = bounds(mesh.vertices)
    middle = (0.5 * (low + high)).astype(np.float64)
    focal = SHADE_PX * SUN_M / (float(np.linalg.norm(high - low)) + 0.1)
    eye = look_at(middle + SUN_M * np.array(sun), middle, focal, (SHADE_PX, SHADE_PX))
    nearest = draw_depth(mesh, eye, Window(0, 0, SHADE_PX, SHADE_PX))
    return Shade(np.concatenate([eye.position, eye.axes.reshape(-1)]).astype(np.float32), focal, nearest)


def _rays(camera: Camera, window: Window) -> Floats:
    """Return what maps a pixel and its depth to a point: camera position and axes, centre and focal, `(15,)`."""
    centre = (camera.width / 2 - window.left, camera.height / 2 - window.top)
    return np.array([*camera.position, *camera.axes.reshape(-1), *centre, camera.focal], np.float32)


def _cast(view: View, things: list[Thing], window: Window, sun: tuple[float, float, float]) -> Floats:
    """Return the fraction 0..1, `(h, w)`, of the sun that people block from the ground, soft at the edges."""
    along = np.array([sun[0] / sun[2], sun[1] / sun[2], 1.0], np.float32)
    flat = [replace(t.mesh, vertices=t.mesh.vertices - t.mesh.vertices[:, 2:] * along) for t in things]
    hit = (owners(flat, view.camera, window) >= 0).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(hit, (0, 0), 0.8 + 0.006 * window.height), np.float32)


def _unlit(light: Light) -> Floats:
    """Return the `(3,)` fractions of the ground's light that remain without the sun, which is the first lamp."""
    sun = light.lamps[0]
    square = float((sun[:3] ** 2).sum())
    direct = sun[3:] * (sun[2] / np.sqrt(square) + 0.25) / 1.25 / (square + 0.5)
    rest = 0.75 * light.ambient[0]
    return np.asarray(rest / (rest + direct), np.float32)


@compiled
def _ground(rays: Floats, u: int, v: int, d: float) -> tuple[float, float, float]:
    """Return the point that a pixel sees at depth `d`, metres."""
    a, b = (u + 0.5 - rays[12]) / rays[14] * d, (v + 0.5 - rays[13]) / rays[14] * d
    return (
        rays[0] + rays[3] * a + rays[6] * b + rays[9] * d,
        rays[1] + rays[4] * a + rays[7] * b + rays[10] * d,
        rays[2] + rays[5] * a + rays[8] * b + rays[11] * d,
    )


@compiled
def _sun_shadow(rgb: Floats, inverse_depth: Floats, cast: Floats, unlit: Floats, shade: Shade, rays: Floats) -> None:
    """Remove sunlight from the ground where people block it and nothing else already does."""
    height, width = inverse_depth.shape
    for v in range(height):
        for u in range(width):
            if cast[v, u] < 0.01 or inverse_depth[v, u] <= 0:
                continue
            x, y, z = _ground(rays, u, v, 1.0 / inverse_depth[v, u])
            if z < 0.12:
                share = cast[v, u] * sunlit(shade, x, y, z)
                for c in range(3):
                    rgb[v, u, c] *= 1.0 - share * (1.0 - unlit[c])


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
