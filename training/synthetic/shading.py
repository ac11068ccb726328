"""Shading of surfaces: visible samples are gathered first, then coloured and lit in separate loops.

Each loop does little, which makes it fast. Passing arrays between numba functions has a cost, so it is paid once per
picture instead of once per sample.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.synthetic.jit import compiled
from training.synthetic.mesh import Floats, Ints
from training.synthetic.texture import albedo

Points = NDArray[np.float64]
SHADED = 2  # shaded samples per pixel: coverage of edges needs more, the surface between does not


class Shade(NamedTuple):
    """A shadow map: the place as seen from the sun.

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

    If there is a shadow map, the first lamp is the sun.
    """

    lamps: Floats
    ambient: Floats
    shade: Shade = NO_SHADE


# A mesh on the screen: samples and depth (n, 3), position + normal + rest (n, 9), triangles, and their materials.
Surface = tuple[Floats, Floats, Ints, Ints, Floats]


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
    """Return the fraction 0..1 of the sun that reaches a point, blended from four neighbours in the shadow map."""
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
    limit, a, b = 1.0 / (away - 0.1), u - column, v - row  # 0.1 m, so that nothing shadows itself
    total = 0.0
    for i in range(2):
        for j in range(2):
            if shade.nearest[row + i, column + j] < limit:
                total += (b if i else 1 - b) * (a if j else 1 - a)
    return total


@compiled
def _lit(light: Light, points: Points, out: Points) -> None:
    """Multiply `(n, 3)` colours by the light that falls on `(n, 6)` points with normals: sky, floor and soft lamps."""
    lamps, ambient, shade = light.lamps, light.ambient, light.shade
    for n in range(len(points)):
        px, py, pz, nx, ny, nz = points[n, 0], points[n, 1], points[n, 2], points[n, 3], points[n, 4], points[n, 5]
        up = 0.5 + 0.5 * nz
        low = 0.75 + 0.25 * min(1.0, max(0.0, pz))
        r = (ambient[0, 0] * up + ambient[1, 0] * (1 - up)) * low
        g = (ambient[0, 1] * up + ambient[1, 1] * (1 - up)) * low
        b = (ambient[0, 2] * up + ambient[1, 2] * (1 - up)) * low
        for k in range(len(lamps)):
            x, y, z = lamps[k, 0] - px, lamps[k, 1] - py, lamps[k, 2] - pz
            square = x * x + y * y + z * z
            facing = (x * nx + y * ny + z * nz) / np.sqrt(square)
            strength = max(0.0, (facing + 0.25) / 1.25) / (square + 0.5)
            if k == 0 and strength > 0:
                strength *= sunlit(shade, px, py, pz)
            r, g, b = r + lamps[k, 3] * strength, g + lamps[k, 4] * strength, b + lamps[k, 5] * strength
        out[n, 0] *= r
        out[n, 1] *= g
        out[n, 2] *= b


@compiled
def _gather(surface: Surface, ident: Ints, samples: int) -> tuple[Points, Ints, Floats]:
    """Return the samples: `(n, 9)` position, normal and rest point, `(n, 3)` pixel and material, and the cover."""
    screen, points, triangles, material, _ = surface
    height, width = ident.shape[0] // samples, ident.shape[1] // samples
    cover = np.zeros((height, width), np.float32)
    most = height * width * min(SHADED, samples * samples)
    found, where = np.empty((most, 9)), np.empty((most, 3), np.int32)
    share, count = 1.0 / (samples * samples), 0
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
                if shaded == SHADED:
                    continue
                shaded += 1
                i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                wa, wb, wc = _blend(screen, (i, j, k), x + 0.5, y + 0.5)
                for m in range(9):
                    found[count, m] = wa * points[i, m] + wb * points[j, m] + wc * points[k, m]
                where[count, 0], where[count, 1], where[count, 2] = v, u, material[i]
                count += 1
    return found[:count], where[:count], cover


@compiled
def _face_eye(found: Points, eye: Floats) -> None:
    """Scale normals to unit length and turn them towards the eye."""
    for n in range(len(found)):
        nx, ny, nz = found[n, 3], found[n, 4], found[n, 5]
        length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
        if nx * (eye[0] - found[n, 0]) + ny * (eye[1] - found[n, 1]) + nz * (eye[2] - found[n, 2]) < 0:
            length = -length
        found[n, 3], found[n, 4], found[n, 5] = nx / length, ny / length, nz / length


@compiled
def _albedos(materials: Floats, found: Points, where: Ints, out: Points) -> None:
    """Write the colours of the surface at rest points."""
    for n in range(len(found)):
        out[n, 0], out[n, 1], out[n, 2] = albedo(materials[where[n, 2]], found[n, 6], found[n, 7], found[n, 8])


@compiled
def shade_surface(surface: Surface, ident: Ints, samples: int, light: Light, eye: Floats) -> tuple[Floats, Floats]:
    """Return `(h, w, 3)` colour and `(h, w)` cover; a pixel's colour is the mean of at most `SHADED` of its samples."""
    found, where, cover = _gather(surface, ident, samples)
    _face_eye(found, eye)
    colours = np.empty((len(found), 3))
    _albedos(surface[4], found, where, colours)
    _lit(light, found, colours)
    return _averaged(colours, where, cover), cover


@compiled
def _averaged(colours: Points, where: Ints, cover: Floats) -> Floats:
    """Return `(h, w, 3)`: the mean of a pixel's samples, which are consecutive, times its cover."""
    rgb = np.zeros((cover.shape[0], cover.shape[1], 3), np.float32)
    n = 0
    while n < len(where):
        v, u = where[n, 0], where[n, 1]
        last = n + 1
        while last < len(where) and where[last, 0] == v and where[last, 1] == u:
            last += 1
        for m in range(n, last):
            for c in range(3):
                rgb[v, u, c] += colours[m, c]
        for c in range(3):
            rgb[v, u, c] *= cover[v, u] / (last - n)
        n = last
    return rgb
