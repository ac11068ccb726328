"""Surfaces of clothes: cut at a height, subdivided, widened, creased, and their normals."""

from dataclasses import dataclass

import numpy as np

from training.synthetic.jit import compiled
from training.synthetic.mesh import Floats, Ints
from training.synthetic.weave import noise3


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Triangles that bones move.

    Attributes:
        points: `(n, 3)` float32 metres in the rest pose.
        rest: `(n, 3)` float32, where textures see them.
        weights: `(n, BONES)` float32.
        triangles: `(m, 3)` int32.
    """

    points: Floats
    rest: Floats
    weights: Floats
    triangles: Ints


def part_of(surface: Surface, triangles: Ints) -> Surface:
    """Return some triangles of a surface, without the vertices that nothing uses."""
    used = np.zeros(len(surface.points), bool)
    used[triangles] = True
    number = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return Surface(surface.points[used], surface.rest[used], surface.weights[used], number[triangles])


def cut(surface: Surface, above: Floats) -> Surface:
    """Return the part where the heights `(n,)` above a hem are positive; vertices beyond it move onto the hem."""
    kept = (above > 0)[surface.triangles]
    points, rest = (np.column_stack([values, above]).astype(np.float32) for values in (surface.points, surface.rest))
    whole = part_of(Surface(points, rest, surface.weights, surface.triangles), surface.triangles[kept.any(1)])
    beyond = np.maximum(0.0, -whole.points[:, 3:])
    points, rest = whole.points[:, :3].copy(), whole.rest[:, :3].copy()
    points[:, 2:] += beyond
    rest[:, 2:] += beyond
    return Surface(points, rest, whole.weights, whole.triangles)


@dataclass(frozen=True, slots=True, eq=False)
class Finer:
    """Part of a mesh with each triangle cut into four.

    Attributes:
        rows: `(n,)` int32 vertices of the mesh that the part has.
        pairs: `(k, 2)` int32 of these, between which new vertices lie.
        triangles: `(4 m, 3)` int32.
    """

    rows: Ints
    pairs: Ints
    triangles: Ints

    def of(self, whole: Surface) -> Surface:
        """Return the finer part of the mesh's surface."""

        def halved(values: Floats) -> Floats:
            kept = values[self.rows]
            return np.concatenate([kept, 0.5 * (kept[self.pairs[:, 0]] + kept[self.pairs[:, 1]])])

        return Surface(halved(whole.points), halved(whole.rest), halved(whole.weights), self.triangles)


def finer(triangles: Ints) -> Finer:
    """Return the part of a mesh that has these triangles, each of them cut into four."""
    rows, flat = np.unique(triangles, return_inverse=True)
    a, b, c = flat.reshape(-1, 3).T
    edges = np.sort(np.stack([a, b, b, c, c, a], 1).reshape(-1, 2), 1)
    pairs, which = np.unique(edges, axis=0, return_inverse=True)
    ab, bc, ca = (which.reshape(-1, 3) + len(rows)).T
    quarters = [np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    return Finer(rows.astype(np.int32), pairs.astype(np.int32), np.concatenate(quarters).astype(np.int32))


@compiled
def normals(points: Floats, triangles: Ints) -> Floats:
    """Return `(n, 3)` unit normals, the mean of the triangles around each vertex, weighted by their areas."""
    out = np.zeros_like(points)
    for t in range(len(triangles)):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]
        bx, by, bz = points[k, 0] - points[i, 0], points[k, 1] - points[i, 1], points[k, 2] - points[i, 2]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for m in (i, j, k):
            out[m, 0] += nx
            out[m, 1] += ny
            out[m, 2] += nz
    for m in range(len(out)):
        length = np.sqrt(out[m, 0] ** 2 + out[m, 1] ** 2 + out[m, 2] ** 2) + 1e-12
        out[m, 0] /= length
        out[m, 1] /= length
        out[m, 2] /= length
    return out


@compiled
def creases(rest: Floats, seed: int) -> Floats:
    """Return `(n,)` heights of folds, about -1..1: steep and slanting, deepest at elbows, waist, crotch and knees."""
    out = np.empty(len(rest), np.float32)
    for n in range(len(rest)):
        x, y, z = rest[n, 0], rest[n, 1], rest[n, 2]
        ax = abs(x)
        if ax > 0.17 and 0.86 < z < 1.42:
            middles, widths = (1.14, 0.92, 1.3), (0.07, 0.05, 0.1)
        elif z > 0.84:
            middles, widths = (1.02, 1.36, 0.9), (0.09, 0.05, 0.05)
        else:
            middles, widths = (0.82, 0.48, 0.12), (0.06, 0.08, 0.07)
        depth = 0.45
        for k in range(3):
            t = (z - middles[k]) / widths[k]
            depth += 0.6 / (1.0 + t * t)
        slant = 5.0 * ax * (1.0 if seed & 1 else -1.0)
        large = noise3(7.0 * x + 3.0 * z, 6.0 * y, 11.0 * z + slant, seed) - 0.5
        fine = noise3(17.0 * x - 9.0 * z, 15.0 * y, 27.0 * z - 2.0 * slant, seed + 5) - 0.5
        out[n] = depth * (1.3 * large + 0.8 * fine - 1.2 * max(0.0, 0.1 - abs(large + 0.1)))
    return out


def displaced(surface: Surface, by: Floats) -> Surface:
    """Return the surface moved outwards by `(n,)` metres."""
    points = surface.points + normals(surface.points, surface.triangles) * by[:, None].astype(np.float32)
    return Surface(np.asarray(points, np.float32), surface.rest, surface.weights, surface.triangles)
