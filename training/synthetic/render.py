"""A software renderer: pinhole camera, z-buffer, and one shading pass over what is visible.

Textures and light are evaluated once for every visible sample (deferred shading), so overdraw costs only depth tests.
World coordinates are metres, z up; images are linear light until a camera's look is applied.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.synthetic.jit import compiled
from training.synthetic.mesh import Floats, Ints, Mesh
from training.synthetic.shading import Light, shade_surface

NEAR_M = 0.25
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera.

    Attributes:
        position: `(3,)` float64 metres.
        axes: `(3, 3)` float64, rows right, down and forward in world coordinates.
        focal: Pixels.
        width: Pixels.
        height: Pixels.
    """

    position: NDArray[np.float64]
    axes: NDArray[np.float64]
    focal: float
    width: int
    height: int

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return `(n, 3)`: x and y in pixels and depth in metres; x and y are undefined where depth is not positive."""
        local = (points - self.position) @ self.axes.T
        depth = np.maximum(local[:, 2], 1e-3)
        xy = local[:, :2] * (self.focal / depth)[:, None] + (self.width / 2, self.height / 2)
        return np.concatenate([xy, local[:, 2:]], 1)


def look_at(position: NDArray[np.float64], target: NDArray[np.float64], focal: float, size: tuple[int, int]) -> Camera:
    """Return a level camera at `position` that looks at `target`; `size` is (width, height)."""
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
    right /= np.linalg.norm(right)
    return Camera(position, np.stack([right, np.cross(forward, right), forward]), focal, *size)


class Window(NamedTuple):
    """The part of a frame that is drawn: left, top and size in pixels, and samples per pixel along an axis."""

    left: int
    top: int
    width: int
    height: int
    samples: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """The pixels drawn in a window.

    Attributes:
        rgb: `(h, w, 3)` float32, linear, multiplied by `cover`.
        cover: `(h, w)` float32, fraction of the pixel that is covered.
        depth: `(h * samples, w * samples)` float32, one over metres; 0 is nothing.
        ident: `(h * samples, w * samples)` int32 triangle, -1 where this mesh is not visible.
    """

    rgb: Floats
    cover: Floats
    depth: Floats
    ident: Ints


def draw(
    mesh: Mesh, materials: Floats, camera: Camera, light: Light, window: Window, behind: Floats | None = None
) -> Layer:
    """Draw a mesh; `behind` is the `(h, w)` inverse depth of what is already there."""
    s = window.samples
    screen = projected(mesh, camera, window)
    if behind is None:
        depth = np.zeros((window.height * s, window.width * s), np.float32)
    else:
        depth = np.repeat(np.repeat(behind, s, 0), s, 1) if s > 1 else behind.copy()
    ident = np.full(depth.shape, -1, np.int32)
    _rasterise(screen, mesh.triangles, depth, ident)
    points = np.concatenate([mesh.vertices, mesh.normals, mesh.rest], 1)
    surface = (screen, points, mesh.triangles, mesh.material, materials)
    rgb, cover = shade_surface(surface, ident, s, light, camera.position.astype(np.float32))
    return Layer(rgb, cover, depth, ident)


def draw_depth(mesh: Mesh, camera: Camera, window: Window) -> Floats:
    """Return `(h, w)` float32, one over metres to the nearest surface in each pixel, 0 where there is none."""
    depth = np.zeros((window.height, window.width), np.float32)
    _rasterise(projected(mesh, camera, window), mesh.triangles, depth, np.full(depth.shape, -1, np.int32))
    return depth


def owners(meshes: list[Mesh], camera: Camera, window: Window, behind: Floats | None = None) -> Ints:
    """Return the index of the mesh visible at every sample of a window, -1 where none, without shading."""
    shape = (window.height * window.samples, window.width * window.samples)
    depth = np.zeros(shape, np.float32) if behind is None else np.array(behind, np.float32)
    found = np.full(shape, -1, np.int32)
    for number, mesh in enumerate(meshes):
        ident = np.full(shape, -1, np.int32)
        _rasterise(projected(mesh, camera, window), mesh.triangles, depth, ident)
        found[ident >= 0] = number
    return found


def projected(mesh: Mesh, camera: Camera, window: Window) -> Floats:
    """Return `(n, 3)` float32: x, y in samples of the window, depth in metres."""
    centre = (camera.width / 2 - window.left, camera.height / 2 - window.top)
    return _onto(mesh.vertices, camera.position, camera.axes, camera.focal, centre, window.samples)


@compiled
def _onto(vertices: Floats, position: Points, axes: Points, focal: float, centre: tuple[float, float],
               samples: int) -> Floats:  # fmt: skip
    """Return `(n, 3)` float32 as `projected` does."""
    out = np.empty_like(vertices)
    for n in range(len(vertices)):
        x, y, z = vertices[n, 0] - position[0], vertices[n, 1] - position[1], vertices[n, 2] - position[2]
        depth = x * axes[2, 0] + y * axes[2, 1] + z * axes[2, 2]
        scale = focal / max(depth, 1e-3)
        out[n, 0] = ((x * axes[0, 0] + y * axes[0, 1] + z * axes[0, 2]) * scale + centre[0]) * samples
        out[n, 1] = ((x * axes[1, 0] + y * axes[1, 1] + z * axes[1, 2]) * scale + centre[1]) * samples
        out[n, 2] = depth
    return out


@compiled
def _rasterise(screen: Floats, triangles: Ints, depth: Floats, ident: Ints) -> None:
    """Keep the nearest triangle of every sample; triangles that reach behind the camera are left out."""
    height, width = depth.shape
    for t in range(len(triangles)):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = screen[i, 0], screen[i, 1], screen[i, 2]
        bx, by, bz = screen[j, 0] - ax, screen[j, 1] - ay, screen[j, 2]
        cx, cy, cz = screen[k, 0] - ax, screen[k, 1] - ay, screen[k, 2]
        area = bx * cy - cx * by
        if min(az, bz, cz) < NEAR_M or abs(area) < 1e-9:
            continue
        x0, x1 = (
            max(0, int(np.ceil(ax + min(0, bx, cx) - 0.5))),
            min(width - 1, int(np.floor(ax + max(0, bx, cx) - 0.5))),
        )
        y0, y1 = (
            max(0, int(np.ceil(ay + min(0, by, cy) - 0.5))),
            min(height - 1, int(np.floor(ay + max(0, by, cy) - 0.5))),
        )
        ia, ib, ic = 1.0 / az, 1.0 / bz, 1.0 / cz
        for y in range(y0, y1 + 1):
            py = y + 0.5 - ay
            for x in range(x0, x1 + 1):
                px = x + 0.5 - ax
                wb, wc = (px * cy - cx * py) / area, (bx * py - px * by) / area
                if wb >= 0 and wc >= 0 and wb + wc <= 1:
                    near = ia + wb * (ib - ia) + wc * (ic - ia)
                    if near > depth[y, x]:
                        depth[y, x] = near
                        ident[y, x] = t
