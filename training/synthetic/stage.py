"""Floor points where a camera can see people, and the view they belong to."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.render import Camera
from training.synthetic.room import Room
from training.synthetic.scene import View

TALL_M = 1.75


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A camera's view, and `(n, 3)` floor points where it sees a person: x, y in metres, their height in pixels."""

    view: View
    spots: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VisibilityLimits:
    """Which people count as visible: their height in pixels, and how much of it may be cut off above and below."""

    low_px: float
    high_px: float
    above: float = 0.0
    below: float = 0.0


def seen_shares(view: View, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the visible fraction `(n,)`, 0..1, of a person standing on each of the floor points `(n, 2)`."""
    body = np.array([(x, z) for z in np.linspace(0.1, 1.7, 9) for x in (-0.18, 0.0, 0.18)])
    right = view.camera.axes[0]  # level by construction
    world = np.repeat(np.pad(points, ((0, 0), (0, 1)))[:, None], len(body), 1)
    world = world + body[:, :1] * right + np.pad(body[:, 1:], ((0, 0), (2, 0)))
    screen = view.camera.project(world.reshape(-1, 3))
    x, y = screen[:, 0].astype(int), screen[:, 1].astype(int)
    inside = (screen[:, 2] > 0.3) & (x >= 0) & (x < view.camera.width) & (y >= 0) & (y < view.camera.height)
    depth = view.inverse_depth[np.clip(y, 0, view.camera.height - 1), np.clip(x, 0, view.camera.width - 1)]
    return np.asarray((inside & (depth * screen[:, 2] < 1.02)).reshape(len(points), -1).mean(1), np.float64)


def standing_spots(rng: Generator, room: Room, camera: Camera, sight: VisibilityLimits) -> NDArray[np.float64]:
    """Return `(n, 3)` free floor points, x, y and height in pixels, where the camera sees a person."""
    corner = (room.half_x, room.half_y)
    points = rng.uniform((-corner[0], -corner[1]), corner, (400, 2))
    points = points[[room.free(float(x), float(y)) for x, y in points]]
    feet, head = _ends(camera, points)
    height = feet[:, 1] - head[:, 1]
    seen = (feet[:, 2] > 1.0) & (head[:, 2] > 1.0) & (height > sight.low_px) & (height < sight.high_px)
    seen &= (head[:, 1] > -sight.above * height) & (feet[:, 1] < camera.height + sight.below * height)
    seen &= (feet[:, 0] > 0.03 * camera.width) & (feet[:, 0] < 0.97 * camera.width)
    return np.column_stack([points, height])[seen]


def heights_px(camera: Camera, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the heights `(n,)` in pixels of people who stand on floor points `(n, 2)`."""
    feet, head = _ends(camera, points)
    return np.asarray(feet[:, 1] - head[:, 1])


def _ends(camera: Camera, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where feet and crown of people on floor points are in the picture, `(n, 3)` each."""
    feet = camera.project(np.pad(points, ((0, 0), (0, 1))))
    return feet, camera.project(np.pad(points, ((0, 0), (0, 1)), constant_values=TALL_M))
