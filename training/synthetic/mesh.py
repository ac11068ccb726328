"""Triangles: stacks of rounded cross-sections for bodies and clothes, boxes for rooms."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.synthetic.jit import compiled

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


class Ring(NamedTuple):
    """One horizontal cross-section, metres: height, half widths along x and y, and the centre."""

    z: float
    rx: float
    ry: float
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles with their surface coordinates.

    Attributes:
        vertices: `(n, 3)` float32 metres.
        normals: `(n, 3)` float32, unit length.
        rest: `(n, 3)` float32 metres, the coordinates that textures are functions of.
        material: `(n,)` int32 row of the material table.
        triangles: `(m, 3)` int32.
    """

    vertices: Floats
    normals: Floats
    rest: Floats
    material: Ints
    triangles: Ints


def loft(rings: list[Ring], material: int = 0, sides: int = 12, power: float = 2.0) -> Mesh:
    """Join cross-sections from one height to the next; `power` 2 is an ellipse, higher values approach a rectangle."""
    turns = np.broadcast_to(np.arange(sides) * (2 * np.pi / sides), (len(rings), sides))
    grid, centre = _sections(rings, turns, power)
    closed = np.concatenate([grid[:, -1:], grid, grid[:, :1]], 1)
    around = closed[:, 2:] - closed[:, :-2]
    index = np.arange(grid.shape[0] * sides).reshape(-1, sides)
    return _skinned(grid, grid - centre, around, np.concatenate([index, index[:, :1]], 1), material)


def sheet(rings: list[Ring], gaps: list[float], sides: int = 12, power: float = 2.0, middle: float = 0.0) -> Mesh:
    """Join cross-sections that are open: `gaps` are half angles in radians around the direction `middle` (0: front)."""
    share = np.linspace(0.0, 1.0, sides)
    gap = np.array(gaps)[:, None]
    grid, centre = _sections(rings, middle + gap + share * (2 * np.pi - 2 * gap), power)
    index = np.arange(grid.shape[0] * sides).reshape(-1, sides)
    return _skinned(grid, grid - centre, _slope(grid.swapaxes(0, 1)).swapaxes(0, 1), index, 0)


def ribbon(points: NDArray[np.float64], width: float, out: tuple[float, float, float]) -> Mesh:
    """Return a strap of `width` metres along `(n, 3)` points, lying flat on a surface that faces `out`."""
    along = np.gradient(points, axis=0)
    across = np.cross(along, np.array(out))
    across *= 0.5 * width / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    grid = np.stack([points - across, points + across], 1)
    outward = np.broadcast_to(np.array(out), grid.shape)
    index = np.arange(grid.shape[0] * 2).reshape(-1, 2)
    return _skinned(grid, outward, _slope(grid.swapaxes(0, 1)).swapaxes(0, 1), index, 0)


def _sections(
    rings: list[Ring], turns: NDArray[np.float64], power: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `(rings, sides, 3)` points of the cross-sections and their centres; turn 0 is +y, growing towards +x."""
    c, s = np.sin(turns), np.cos(turns)
    norm = (np.abs(c) ** power + np.abs(s) ** power) ** (-1.0 / power)
    table = np.array(rings, np.float64)  # (rings, 5)
    x = table[:, 3:4] + table[:, 1:2] * (c * norm)
    y = table[:, 4:5] + table[:, 2:3] * (s * norm)
    z = np.repeat(table[:, :1], turns.shape[1], 1)
    return np.stack([x, y, z], 2), np.stack([table[:, 3], table[:, 4], table[:, 0]], 1)[:, None]


def _slope(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the differences along the first axis, central ones inside: `np.gradient`, without its generality."""
    out = np.empty_like(grid)
    out[1:-1] = (grid[2:] - grid[:-2]) / 2.0
    out[0], out[-1] = grid[1] - grid[0], grid[-1] - grid[-2]
    return out


def _skinned(
    grid: NDArray[np.float64], outward: NDArray[np.float64], around: NDArray[np.float64], index: NDArray[np.int_],
    material: int,
) -> Mesh:  # fmt: skip
    """Return the surface through a grid of points; `index` holds its vertex numbers, in columns to be joined."""
    along = _slope(grid)
    (ax, ay, az), (bx, by, bz) = np.moveaxis(around, 2, 0), np.moveaxis(along, 2, 0)
    normals = np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 2)
    normals *= np.where((normals * outward).sum(2, keepdims=True) < 0, -1.0, 1.0)
    normals /= np.maximum(np.sqrt((normals * normals).sum(2, keepdims=True)), 1e-9)
    a, b, d, e = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = np.concatenate([np.stack([a, b, d], 2).reshape(-1, 3), np.stack([b, e, d], 2).reshape(-1, 3)])
    flat = grid.reshape(-1, 3).astype(np.float32)
    return Mesh(flat, normals.reshape(-1, 3).astype(np.float32), flat.copy(), np.full(len(flat), material, np.int32),
                triangles.astype(np.int32))  # fmt: skip


def box(low: tuple[float, float, float], high: tuple[float, float, float], material: int, cells: int = 1) -> Mesh:
    """Return the six sides of an axis-aligned box, every side cut into `cells` x `cells` squares."""
    unit, normals, triangles = _unit_box(cells)
    lo, size = np.array(low), np.array(high) - np.array(low)
    points = (lo + unit * size).astype(np.float32)
    return Mesh(points, normals, points.copy(), np.full(len(unit), material, np.int32), triangles)


@lru_cache(maxsize=32)
def _unit_box(cells: int) -> tuple[NDArray[np.float64], Floats, Ints]:
    """Return vertices, normals and triangles of a box from 0 to 1; places have hundreds of them, with few `cells`."""
    steps = np.linspace(0.0, 1.0, cells + 1)
    u, v = (g.reshape(-1) for g in np.meshgrid(steps, steps, indexing="ij"))
    units, normals = np.zeros((6, len(u), 3)), np.zeros((6, len(u), 3), np.float32)
    for axis in range(3):
        for end in range(2):
            unit = units[2 * axis + end]
            unit[:, axis], unit[:, (axis + 1) % 3], unit[:, (axis + 2) % 3] = end, u, v
            normals[2 * axis + end, :, axis] = 1.0 if end else -1.0
    squares = _squares(cells)
    triangles = np.concatenate([squares + np.int32(side * len(u)) for side in range(6)])
    return units.reshape(-1, 3), normals.reshape(-1, 3), triangles


@compiled
def bounds(points: Floats) -> tuple[Floats, Floats]:
    """Return the least and greatest coordinates of `(n, d)` points; a reduction of numpy takes ten times as long."""
    low, high = points[0].copy(), points[0].copy()
    for n in range(len(points)):
        for k in range(points.shape[1]):
            low[k] = min(low[k], points[n, k])
            high[k] = max(high[k], points[n, k])
    return low, high


def relabelled(mesh: Mesh, material: int) -> Mesh:
    """Return the mesh with one material row everywhere."""
    return replace(mesh, material=np.full(len(mesh.vertices), material, np.int32))


def join(parts: list[Mesh]) -> Mesh:
    """Merge meshes into one."""
    starts = np.cumsum([0, *(len(p.vertices) for p in parts[:-1])])
    return Mesh(
        np.concatenate([p.vertices for p in parts]),
        np.concatenate([p.normals for p in parts]),
        np.concatenate([p.rest for p in parts]),
        np.concatenate([p.material for p in parts]),
        np.concatenate([p.triangles + int(s) for p, s in zip(parts, starts, strict=True)]).astype(np.int32),
    )


def moved(mesh: Mesh, x: float, y: float, turn: float, material: int = 0) -> Mesh:
    """Return the mesh turned by `turn` radians about z, then moved to (x, y); `material` is added to its rows."""
    c, s = np.cos(turn), np.sin(turn)
    rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
    vertices = mesh.vertices @ rotation.T + np.array([x, y, 0], np.float32)
    return Mesh(vertices, mesh.normals @ rotation.T, mesh.rest, mesh.material + np.int32(material), mesh.triangles)


def _squares(cells: int) -> Ints:
    index = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]
    return np.concatenate([np.stack([a, b, c], 2).reshape(-1, 3), np.stack([b, d, c], 2).reshape(-1, 3)]).astype(
        np.int32
    )
