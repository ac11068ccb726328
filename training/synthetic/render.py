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
    """Light of a place: `(k, 6)` lamps (position, linear colour), and ambient light from above and below, `(2, 3)`."""

    lamps: Floats
    ambient: Floats


class Window(NamedTuple):
    """The part of a frame that is drawn: left, top and size in pixels, and samples per pixel along an axis."""

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


def draw(
    mesh: Mesh, materials: Floats, camera: Camera, light: Light, window: Window, behind: Floats | None = None
) -> Layer:
    """Draw a mesh; `behind` is the `(h, w)` inverse depth of what is already there."""
    s = window.samples
    screen = _screen(mesh, camera, window)
    if behind is None:
        depth = np.zeros((window.height * s, window.width * s), np.float32)
    else:
        depth = np.repeat(np.repeat(behind, s, 0), s, 1) if s > 1 else behind.copy()
    ident = np.full(depth.shape, -1, np.int32)
    _rasterise(screen, mesh.triangles, depth, ident)
    points = np.concatenate([mesh.vertices, mesh.normals, mesh.rest], 1)
    surface = (screen, points, mesh.triangles, mesh.material, materials)
    rgb, cover = _shade(surface, ident, s, light, camera.position.astype(np.float32))
    return Layer(rgb, cover, depth, ident)


def owners(meshes: list[Mesh], camera: Camera, window: Window, behind: Floats | None = None) -> Ints:
    """Return which mesh is seen at every sample of a window, -1 where none, without shading anything."""
    shape = (window.height * window.samples, window.width * window.samples)
    depth = np.zeros(shape, np.float32) if behind is None else np.array(behind, np.float32)
    found = np.full(shape, -1, np.int32)
    for number, mesh in enumerate(meshes):
        ident = np.full(shape, -1, np.int32)
        _rasterise(_screen(mesh, camera, window), mesh.triangles, depth, ident)
        found[ident >= 0] = number
    return found


def _screen(mesh: Mesh, camera: Camera, window: Window) -> Floats:
    """Return `(n, 3)` float32: x, y in samples of the window, depth in metres."""
    screen = camera.project(mesh.vertices)
    screen[:, 0] = (screen[:, 0] - window.left) * window.samples
    screen[:, 1] = (screen[:, 1] - window.top) * window.samples
    return screen.astype(np.float32)


# A mesh on the screen: samples and depth (n, 3), position + normal + rest (n, 9), triangles, and their materials.
Surface = tuple[Floats, Floats, Ints, Ints, Floats]


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


@compiled
def _blend(screen: Floats, corners: tuple[int, int, int], px: float, py: float) -> tuple[float, float, float]:
    """Return the perspective-correct weights of a triangle's corners at a sample."""
    i, j, k = corners
    abx, aby = screen[j, 0] - screen[i, 0], screen[j, 1] - screen[i, 1]
    acx, acy = screen[k, 0] - screen[i, 0], screen[k, 1] - screen[i, 1]
    px, py = px - screen[i, 0], py - screen[i, 1]
    flip = 1.0 / (abx * acy - acx * aby)
    wb, wc = (px * acy - acx * py) * flip, (abx * py - px * aby) * flip
    wa, wb, wc = (1.0 - wb - wc) / screen[i, 2], wb / screen[j, 2], wc / screen[k, 2]
    total = 1.0 / (wa + wb + wc)
    return wa * total, wb * total, wc * total


@compiled
def _lit(
    light: Light, point: tuple[float, float, float], normal: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Return the light that falls on a point, red, green and blue: sky and floor, and soft lamps."""
    lamps = light.lamps
    up = 0.5 + 0.5 * normal[2]
    low = 0.75 + 0.25 * min(1.0, max(0.0, point[2]))
    r = (light.ambient[0, 0] * up + light.ambient[1, 0] * (1 - up)) * low
    g = (light.ambient[0, 1] * up + light.ambient[1, 1] * (1 - up)) * low
    b = (light.ambient[0, 2] * up + light.ambient[1, 2] * (1 - up)) * low
    for k in range(len(lamps)):
        x, y, z = lamps[k, 0] - point[0], lamps[k, 1] - point[1], lamps[k, 2] - point[2]
        square = x * x + y * y + z * z
        facing = (x * normal[0] + y * normal[1] + z * normal[2]) / np.sqrt(square)
        strength = max(0.0, (facing + 0.25) / 1.25) / (square + 0.5)
        r, g, b = r + lamps[k, 3] * strength, g + lamps[k, 4] * strength, b + lamps[k, 5] * strength
    return r, g, b


@compiled
def _shade(surface: Surface, ident: Ints, samples: int, light: Light, eye: Floats) -> tuple[Floats, Floats]:
    """Return `(h, w, 3)` colour and `(h, w)` cover, averaged over the samples of each pixel."""
    screen, points, triangles, material, materials = surface
    height, width = ident.shape[0] // samples, ident.shape[1] // samples
    rgb, cover = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    share = 1.0 / (samples * samples)
    a = np.empty(9)  # position, normal and rest coordinates at the sample
    for y in range(height * samples):
        for x in range(width * samples):
            t = ident[y, x]
            if t < 0:
                continue
            i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            wa, wb, wc = _blend(screen, (i, j, k), x + 0.5, y + 0.5)
            for n in range(9):
                a[n] = wa * points[i, n] + wb * points[j, n] + wc * points[k, n]
            length = np.sqrt(a[3] * a[3] + a[4] * a[4] + a[5] * a[5]) + 1e-9
            if a[3] * (eye[0] - a[0]) + a[4] * (eye[1] - a[1]) + a[5] * (eye[2] - a[2]) < 0:
                length = -length
            r, g, b = albedo(materials[material[i]], a[6], a[7], a[8])
            lr, lg, lb = _lit(light, (a[0], a[1], a[2]), (a[3] / length, a[4] / length, a[5] / length))
            v, u = y // samples, x // samples
            rgb[v, u, 0] += share * r * lr
            rgb[v, u, 1] += share * g * lg
            rgb[v, u, 2] += share * b * lb
            cover[v, u] += share
    return rgb, cover
