"""Triangles: stacks of rounded cross-sections for bodies and clothes, boxes for rooms."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


def loft(rings: list[Ring], material: int, sides: int = 12, power: float = 2.0) -> Mesh:
    """Join cross-sections from one height to the next; `power` 2 is an ellipse, more is nearer to a rectangle."""
    turn = np.arange(sides) * (2 * np.pi / sides)
    c, s = np.sin(turn), np.cos(turn)
    norm = (np.abs(c) ** power + np.abs(s) ** power) ** (-1.0 / power)
    table = np.array(rings, np.float64)  # (rings, 5)
    x = table[:, 3:4] + table[:, 1:2] * (c * norm)
    y = table[:, 4:5] + table[:, 2:3] * (s * norm)
    z = np.repeat(table[:, :1], sides, 1)
    grid = np.stack([x, y, z], 2)  # (rings, sides, 3)
    along = np.gradient(grid, axis=0)
    around = np.roll(grid, -1, 1) - np.roll(grid, 1, 1)
    normals = np.cross(around, along)
    outward = grid - np.stack([table[:, 3], table[:, 4], table[:, 0]], 1)[:, None]
    normals *= np.where((normals * outward).sum(2, keepdims=True) < 0, -1.0, 1.0)
    normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)
    n, index = len(rings), np.arange(len(rings) * sides).reshape(len(rings), sides)
    a, b = index[:-1], np.roll(index, -1, 1)[:-1]
    d, e = index[1:], np.roll(index, -1, 1)[1:]
    triangles = np.concatenate([np.stack([a, b, d], 2).reshape(-1, 3), np.stack([b, e, d], 2).reshape(-1, 3)])
    flat = grid.reshape(-1, 3).astype(np.float32)
    return Mesh(flat, normals.reshape(-1, 3).astype(np.float32), flat.copy(), np.full(n * sides, material, np.int32),
                triangles.astype(np.int32))  # fmt: skip


def box(low: tuple[float, float, float], high: tuple[float, float, float], material: int, cells: int = 1) -> Mesh:
    """Return the six sides of an axis-aligned box, every side cut into `cells` x `cells` squares."""
    parts = []
    lo, size = np.array(low), np.array(high) - np.array(low)
    steps = np.linspace(0.0, 1.0, cells + 1)
    u, v = (g.reshape(-1) for g in np.meshgrid(steps, steps, indexing="ij"))
    for axis in range(3):
        for end in (0.0, 1.0):
            unit = np.zeros((len(u), 3))
            unit[:, axis], unit[:, (axis + 1) % 3], unit[:, (axis + 2) % 3] = end, u, v
            normal = np.zeros((len(u), 3), np.float32)
            normal[:, axis] = 1.0 if end else -1.0
            points = (lo + unit * size).astype(np.float32)
            parts.append(Mesh(points, normal, points.copy(), np.full(len(u), material, np.int32), _squares(cells)))
    return join(parts)


def join(parts: list[Mesh]) -> Mesh:
    """Put meshes into one."""
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
