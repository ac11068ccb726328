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
from training.synthetic.texture import albedo

NEAR_M = 0.25


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
        """Return `(n, 3)`: x and y in pixels and depth in metres; x and y mean nothing where depth is not positive."""
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


class Light(NamedTuple):
    """Light of a place, linear: `(k, 6)` lamps (position, colour), and ambient colours from above and below, `(2, 3)`."""

    lamps: Floats
    ambient: Floats


class Window(NamedTuple):
    """The part of a frame that is drawn: left and top in pixels, size in pixels, and samples per pixel along an axis."""

    left: int
    top: int
    width: int
    height: int
    samples: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What was drawn in a window.

    Attributes:
        rgb: `(h, w, 3)` float32, linear, multiplied by `cover`.
        cover: `(h, w)` float32, share of the pixel that is covered.
        depth: `(h * samples, w * samples)` float32, one over metres; 0 is nothing.
        ident: `(h * samples, w * samples)` int32 triangle, -1 is nothing of this mesh.
    """

    rgb: Floats
    cover: Floats
    depth: Floats
    ident: Ints


def draw(mesh: Mesh, materials: Floats, camera: Camera, light: Light, window: Window, behind: Floats | None = None) -> Layer:
    """Draw a mesh; `behind` is the `(h, w)` inverse depth of what is already there."""
    s = window.samples
    screen = _screen(mesh, camera, window)
    if behind is None:
        depth = np.zeros((window.height * s, window.width * s), np.float32)
    else:
        depth = np.repeat(np.repeat(behind, s, 0), s, 1) if s > 1 else behind.copy()
    ident = np.full(depth.shape, -1, np.int32)
    _rasterise(screen, mesh.triangles, depth, ident)
    surface = Surface(screen, mesh.vertices, mesh.normals, mesh.rest, mesh.material, mesh.triangles, materials)
    rgb, cover = _shade(surface, ident, s, light, camera.position.astype(np.float32))
    return Layer(rgb, cover, depth, ident)


def silhouette(mesh: Mesh, camera: Camera, window: Window) -> int:
    """Return how many samples of a window a mesh covers when nothing hides it."""
    shape = (window.height * window.samples, window.width * window.samples)
    ident = np.full(shape, -1, np.int32)
    _rasterise(_screen(mesh, camera, window), mesh.triangles, np.zeros(shape, np.float32), ident)
    return int((ident >= 0).sum())


def _screen(mesh: Mesh, camera: Camera, window: Window) -> Floats:
    """Return `(n, 3)` float32: x, y in samples of the window, depth in metres."""
    screen = camera.project(mesh.vertices)
    screen[:, 0] = (screen[:, 0] - window.left) * window.samples
    screen[:, 1] = (screen[:, 1] - window.top) * window.samples
    return screen.astype(np.float32)


@compiled
def _rasterise(screen: Floats, triangles: Ints, depth: Floats, ident: Ints) -> None:
    """Keep the nearest triangle of every sample; triangles that reach behind the camera are left out."""
    height, width = depth.shape
    for t in range(len(triangles)):
        a, b, c = screen[triangles[t, 0]], screen[triangles[t, 1]], screen[triangles[t, 2]]
        if min(a[2], b[2], c[2]) < NEAR_M:
            continue
        x0, x1 = max(0, int(np.ceil(min(a[0], b[0], c[0]) - 0.5))), min(width - 1, int(np.floor(max(a[0], b[0], c[0]) - 0.5)))
        y0, y1 = max(0, int(np.ceil(min(a[1], b[1], c[1]) - 0.5))), min(height - 1, int(np.floor(max(a[1], b[1], c[1]) - 0.5)))
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        if x0 > x1 or y0 > y1 or abs(area) < 1e-9:
            continue
        flip = 1.0 / area
        ia, ib, ic = 1.0 / a[2], 1.0 / b[2], 1.0 / c[2]
        for y in range(y0, y1 + 1):
            py = y + 0.5
            for x in range(x0, x1 + 1):
                px = x + 0.5
                wb = ((px - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (py - a[1])) * flip
                wc = ((b[0] - a[0]) * (py - a[1]) - (px - a[0]) * (b[1] - a[1])) * flip
                wa = 1.0 - wb - wc
                if wa >= 0 and wb >= 0 and wc >= 0:
                    near = wa * ia + wb * ib + wc * ic
                    if near > depth[y, x]:
                        depth[y, x] = near
                        ident[y, x] = t


class Surface(NamedTuple):
    """A mesh on the screen, in the form the shading pass reads."""

    screen: Floats
    vertices: Floats
    normals: Floats
    rest: Floats
    material: Ints
    triangles: Ints
    materials: Floats


@compiled
def _weights(screen: Floats, triangle: Ints, px: float, py: float) -> tuple[float, float, float]:
    """Return the perspective-correct weights of a triangle's corners at a sample."""
    a, b, c = screen[triangle[0]], screen[triangle[1]], screen[triangle[2]]
    flip = 1.0 / ((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]))
    wb = ((px - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (py - a[1])) * flip
    wc = ((b[0] - a[0]) * (py - a[1]) - (px - a[0]) * (b[1] - a[1])) * flip
    wa, wb, wc = (1.0 - wb - wc) / a[2], wb / b[2], wc / c[2]
    total = 1.0 / (wa + wb + wc)
    return wa * total, wb * total, wc * total


@compiled
def _lit(light: Light, point: tuple[float, float, float], normal: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the light that falls on a point, red, green and blue: sky and floor, and soft lamps."""
    up = 0.5 + 0.5 * normal[2]
    low = 0.75 + 0.25 * min(1.0, max(0.0, point[2]))
    r = (light.ambient[0, 0] * up + light.ambient[1, 0] * (1 - up)) * low
    g = (light.ambient[0, 1] * up + light.ambient[1, 1] * (1 - up)) * low
    b = (light.ambient[0, 2] * up + light.ambient[1, 2] * (1 - up)) * low
    for k in range(len(light.lamps)):
        lamp = light.lamps[k]
        x, y, z = lamp[0] - point[0], lamp[1] - point[1], lamp[2] - point[2]
        square = x * x + y * y + z * z
        facing = (x * normal[0] + y * normal[1] + z * normal[2]) / np.sqrt(square)
        strength = max(0.0, (facing + 0.25) / 1.25) / (square + 0.5)
        r, g, b = r + lamp[3] * strength, g + lamp[4] * strength, b + lamp[5] * strength
    return r, g, b


@compiled
def _sample(surface: Surface, t: int, at: tuple[float, float], light: Light, eye: Floats) -> tuple[float, float, float]:
    """Return the colour of triangle `t` at a sample."""
    tri = surface.triangles[t]
    wa, wb, wc = _weights(surface.screen, tri, at[0], at[1])
    p, n, q = surface.vertices, surface.normals, surface.rest
    i, j, k = tri[0], tri[1], tri[2]
    px, py, pz = (wa * p[i, 0] + wb * p[j, 0] + wc * p[k, 0], wa * p[i, 1] + wb * p[j, 1] + wc * p[k, 1],
                  wa * p[i, 2] + wb * p[j, 2] + wc * p[k, 2])  # fmt: skip
    nx, ny, nz = (wa * n[i, 0] + wb * n[j, 0] + wc * n[k, 0], wa * n[i, 1] + wb * n[j, 1] + wc * n[k, 1],
                  wa * n[i, 2] + wb * n[j, 2] + wc * n[k, 2])  # fmt: skip
    facing = nx * (eye[0] - px) + ny * (eye[1] - py) + nz * (eye[2] - pz)
    length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    length = -length if facing < 0 else length
    r, g, b = albedo(
        surface.materials[surface.material[i]],
        wa * q[i, 0] + wb * q[j, 0] + wc * q[k, 0],
        wa * q[i, 1] + wb * q[j, 1] + wc * q[k, 1],
        wa * q[i, 2] + wb * q[j, 2] + wc * q[k, 2],
    )
    lr, lg, lb = _lit(light, (px, py, pz), (nx / length, ny / length, nz / length))
    return r * lr, g * lg, b * lb


@compiled
def _shade(surface: Surface, ident: Ints, samples: int, light: Light, eye: Floats) -> tuple[Floats, Floats]:
    """Return `(h, w, 3)` colour and `(h, w)` cover, averaged over the samples of each pixel."""
    height, width = ident.shape[0] // samples, ident.shape[1] // samples
    rgb, cover = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    share = 1.0 / (samples * samples)
    for y in range(height * samples):
        for x in range(width * samples):
            t = ident[y, x]
            if t < 0:
                continue
            r, g, b = _sample(surface, t, (x + 0.5, y + 0.5), light, eye)
            i, j = y // samples, x // samples
            rgb[i, j, 0] += share * r
            rgb[i, j, 1] += share * g
            rgb[i, j, 2] += share * b
            cover[i, j] += share
    return rgb, cover
