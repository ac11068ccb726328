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
SHADED = 2  # edges need samples, the surface between them less
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


class Shade(NamedTuple):
    """Where the sun does not reach: the place as the sun sees it.

    Attributes:
        eye: `(12,)` float32, position of the sun's camera, then its axes.
        focal: Pixels.
        nearest: `(n, n)` float32, one over metres; a single pixel means that nothing casts a shadow.
    """

    eye: Floats
    focal: float
    nearest: Floats


NO_SHADE = Shade(np.zeros(12, np.float32), 1.0, np.zeros((1, 1), np.float32))


class Light(NamedTuple):
    """Light of a place: `(k, 6)` lamps (position, linear colour), and ambient light from above and below, `(2, 3)`.

    Where there is shade, the first lamp is the sun.
    """

    lamps: Floats
    ambient: Floats
    shade: Shade = NO_SHADE


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
    screen = projected(mesh, camera, window)
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


def draw_depth(mesh: Mesh, camera: Camera, window: Window) -> Floats:
    """Return `(h, w)` float32, one over metres to what is nearest in each pixel, 0 where nothing is."""
    depth = np.zeros((window.height, window.width), np.float32)
    _rasterise(projected(mesh, camera, window), mesh.triangles, depth, np.full(depth.shape, -1, np.int32))
    return depth


def owners(meshes: list[Mesh], camera: Camera, window: Window, behind: Floats | None = None) -> Ints:
    """Return which mesh is seen at every sample of a window, -1 where none, without shading anything."""
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
def sunlit(shade: Shade, x: float, y: float, z: float) -> float:
    """Return the share 0..1 of the sun that reaches a point: four neighbours of its shadow map, blended."""
    eye, size = shade.eye, shade.nearest.shape[0]
    if size == 1:
        return 1.0
    x, y, z = x - eye[0], y - eye[1], z - eye[2]
    away = x * eye[9] + y * eye[10] + z * eye[11]
    u = (x * eye[3] + y * eye[4] + z * eye[5]) / away * shade.focal + 0.5 * size - 0.5
    v = (x * eye[6] + y * eye[7] + z * eye[8]) / away * shade.focal + 0.5 * size - 0.5
    column, row = int(np.floor(u)), int(np.floor(v))
    if column < 0 or row < 0 or column > size - 2 or row > size - 2:
        return 1.0
    limit, a, b = 1.0 / (away - 0.1), u - column, v - row  # 0.1 m: nothing shades itself
    total = 0.0
    for i in range(2):
        for j in range(2):
            if shade.nearest[row + i, column + j] < limit:
                total += (b if i else 1 - b) * (a if j else 1 - a)
    return total


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
        if k == 0 and strength > 0:
            strength *= sunlit(light.shade, point[0], point[1], point[2])
        r, g, b = r + lamps[k, 3] * strength, g + lamps[k, 4] * strength, b + lamps[k, 5] * strength
    return r, g, b


@compiled
def _sample(points: Floats, corners: Ints, weights: tuple[float, float, float], material: Floats, light: Light,
            eye: Floats) -> tuple[float, float, float]:  # fmt: skip
    """Return the light that a sample of a triangle sends to the eye."""
    i, j, k = corners[0], corners[1], corners[2]
    wa, wb, wc = weights
    px = wa * points[i, 0] + wb * points[j, 0] + wc * points[k, 0]
    py = wa * points[i, 1] + wb * points[j, 1] + wc * points[k, 1]
    pz = wa * points[i, 2] + wb * points[j, 2] + wc * points[k, 2]
    nx = wa * points[i, 3] + wb * points[j, 3] + wc * points[k, 3]
    ny = wa * points[i, 4] + wb * points[j, 4] + wc * points[k, 4]
    nz = wa * points[i, 5] + wb * points[j, 5] + wc * points[k, 5]
    length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    if nx * (eye[0] - px) + ny * (eye[1] - py) + nz * (eye[2] - pz) < 0:
        length = -length
    r, g, b = albedo(
        material,
        wa * points[i, 6] + wb * points[j, 6] + wc * points[k, 6],
        wa * points[i, 7] + wb * points[j, 7] + wc * points[k, 7],
        wa * points[i, 8] + wb * points[j, 8] + wc * points[k, 8],
    )
    lr, lg, lb = _lit(light, (px, py, pz), (nx / length, ny / length, nz / length))
    return r * lr, g * lg, b * lb


@compiled
def _shade(surface: Surface, ident: Ints, samples: int, light: Light, eye: Floats) -> tuple[Floats, Floats]:
    """Return `(h, w, 3)` colour and `(h, w)` cover; a pixel's colour is the mean of at most `SHADED` of its samples."""
    screen, points, triangles, material, materials = surface
    height, width = ident.shape[0] // samples, ident.shape[1] // samples
    rgb, cover = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    share = 1.0 / (samples * samples)
    for v in range(height):
        for u in range(width):
            shaded = 0
            for n in range(samples * samples):  # from the corners inwards: the first two are far apart
                row, column = (n // samples, n % samples) if n != 1 else (samples - 1, samples - 1)
                if n == samples * samples - 1 and n > 0:
                    row, column = 0, 1
                y, x = v * samples + row, u * samples + column
                t = ident[y, x]
                if t < 0:
                    continue
                cover[v, u] += share
                if shaded < SHADED:
                    shaded += 1
                    weights = _blend(screen, (triangles[t, 0], triangles[t, 1], triangles[t, 2]), x + 0.5, y + 0.5)
                    r, g, b = _sample(points, triangles[t], weights, materials[material[triangles[t, 0]]], light, eye)
                    rgb[v, u, 0] += r
                    rgb[v, u, 1] += g
                    rgb[v, u, 2] += b
            if shaded:
                for c in range(3):
                    rgb[v, u, c] *= cover[v, u] / shaded
    return rgb, cover
