"""Bars, wheels, balls and the materials that objects of detector frames are made of."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.mesh import Floats, Mesh, Ring, box, loft
from training.synthetic.texture import Material, Pattern
from training.synthetic.wardrobe import linear

Point = tuple[float, float, float]
ROWS = 12  # of a table of materials: an object's parts are rows 0 to 11 of any table

PATTERNS = (Pattern.SPECKLE, Pattern.TILES, Pattern.CLUTTER, Pattern.STRIPES, Pattern.CHECKS, Pattern.PLANKS,
            Pattern.DOTS, Pattern.BANDS, Pattern.FLORAL, Pattern.CAMOUFLAGE)  # fmt: skip


def sample_materials(rng: Generator) -> Floats:
    """Return `(ROWS, k)` materials: most dark, pale or woody, some colourful, a third with a pattern."""
    return np.stack([_material(rng).row() for _ in range(ROWS)])


def _material(rng: Generator) -> Material:
    first, second = (linear(*_colour(rng)) for _ in range(2))
    pattern = PATTERNS[int(rng.integers(len(PATTERNS)))] if rng.random() < 0.35 else Pattern.PLAIN
    grain = float(np.exp(rng.uniform(np.log(0.04), np.log(1.0))))
    scale = float(np.exp(rng.uniform(np.log(0.02), np.log(0.4))))
    return Material(first, second, pattern=pattern, scale=scale, relief=float(rng.uniform(0, 0.35)), grain=grain,
                    seed=int(rng.integers(1 << 16)))  # fmt: skip


def _colour(rng: Generator) -> tuple[float, float, float]:
    kind = rng.random()
    if kind < 0.4:
        level = rng.uniform(12, 70)
        return tuple((level * np.exp(rng.normal(0, 0.06, 3))).tolist())
    if kind < 0.6:
        return tuple((rng.uniform(170, 240) * np.exp(rng.normal(0, 0.04, 3))).clip(0, 245).tolist())
    if kind < 0.72:
        return tuple((np.array([150, 112, 76]) * np.exp(rng.normal(0, 0.3))).clip(0, 245).tolist())
    return tuple(rng.uniform(10, 240, 3).tolist())


def rod(start: Point, end: Point, radius: float, material: int) -> Mesh:
    """Return a square bar from one point to another."""
    a, b = np.array(start), np.array(end)
    length = float(np.linalg.norm(b - a))
    bar = box((-radius, -radius, 0.0), (radius, radius, length), material)
    return _along(bar, a, (b - a) / max(length, 1e-9))


def disc(centre: Point, axis: Point, radius: float, thick: float, material: int) -> Mesh:
    """Return a wheel or a plate."""
    flat = loft([Ring(-thick, 0.01, 0.01), Ring(-thick, radius, radius), Ring(thick, radius, radius),
                 Ring(thick + 1e-3, 0.01, 0.01)], material, 14)  # fmt: skip
    return _along(flat, np.array(centre), np.array(axis) / np.linalg.norm(axis))


def _along(mesh: Mesh, start: NDArray[np.float64], axis: NDArray[np.float64]) -> Mesh:
    """Turn a mesh whose length lies along +z to an axis, and move it to a point."""
    side = np.cross(axis, (0.0, 0.0, 1.0) if abs(axis[2]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    turn = np.stack([side, np.cross(axis, side), axis]).astype(np.float32)
    return replace(mesh, vertices=mesh.vertices @ turn + start.astype(np.float32), normals=mesh.normals @ turn)


def lifted(mesh: Mesh, by: float) -> Mesh:
    """Return the mesh higher by some metres."""
    return replace(mesh, vertices=mesh.vertices + np.array([0, 0, by], np.float32))


def ball(x: float, y: float, z: float, radius: float, material: int, stretch: float = 1.0) -> Mesh:
    """Return an upright ellipsoid."""
    turns = np.linspace(-1.45, 1.45, 7)
    rings = [
        Ring(z + stretch * radius * float(np.sin(t)), radius * float(np.cos(t)), radius * float(np.cos(t)), x, y)
        for t in turns
    ]
    return loft(rings, material, 10)
