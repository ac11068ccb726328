"""Outdoor places: ground and paths, their borders, the objects on them, and daylight."""

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from training.synthetic.daylight import Climate, draw_day
from training.synthetic.mesh import Mesh, Ring, box, join, loft, moved
from training.synthetic.room import Obstacle, Room
from training.synthetic.surfaces import (
    ACCENT,
    CAR,
    DARK,
    FACADE,
    FACADE_BELOW,
    GLASS,
    GROUND,
    LEAF,
    LEAF_LIGHT,
    METAL,
    PAINT,
    PATH,
    STONE,
    TRUNK,
    WOOD,
    Stock,
    draw_surfaces,
)  # fmt: skip

REACH_M = 34.0  # the ground extends this far


@dataclass(frozen=True, slots=True)
class Yard:
    """Distribution of outdoor places.

    Attributes:
        half: Half the size of the ground, metres.
        borders: Probabilities of building fronts, streets, hedges, fences, open sides, platforms and stalls.
        standing: Upper limit, exclusive, on the number of objects on the ground.
    """

    half: tuple[float, float] = (4.0, 11.0)
    borders: tuple[float, ...] = (0.34, 0.18, 0.12, 0.16, 0.2, 0.0, 0.0)
    standing: int = 9
    stock: Stock = field(default_factory=Stock)
    climate: Climate = field(default_factory=Climate)


def build_yard(rng: Generator, yard: Yard) -> Room:
    """Draw a street, square, park or campus: four borders around a ground, and objects on it."""
    hx, hy = float(rng.uniform(*yard.half)), float(rng.uniform(*yard.half))
    parts = [sheet(-REACH_M, -REACH_M, REACH_M, REACH_M, 0.0, GROUND, 44), *_paths(rng, hx, hy)]
    obstacles: list[Obstacle] = []
    for side in range(4):
        out, along = (hx, hy) if side % 2 == 0 else (hy, hx)
        kind = BORDERS[int(rng.choice(len(BORDERS), p=yard.borders))]
        parts.append(_beside(kind(rng, along + 3.0), side, out))
    for _ in range(int(rng.integers(0, yard.standing))):
        maker = STANDING[int(rng.integers(len(STANDING)))]
        mesh, radius = maker(rng)
        x, y = float(rng.uniform(-hx, hx)), float(rng.uniform(-hy, hy))
        if np.hypot(x / hx, y / hy) < 0.45 or any(np.hypot(x - o.x, y - o.y) < o.radius + radius for o in obstacles):
            continue
        parts.append(moved(mesh, x, y, float(rng.uniform(0, 2 * np.pi))))
        obstacles.append(Obstacle(x, y, radius))
    mesh = join(parts)
    day = draw_day(rng, mesh, hx, hy, yard.climate)
    materials = np.stack([m.row() for m in draw_surfaces(rng, day.wetness, yard.stock)])
    return Room(mesh, materials, day.light, hx, hy, tuple(obstacles), day.sky, day.sun, seats=False)


def sheet(x0: float, y0: float, x1: float, y1: float, z: float, material: int, cells: int = 1) -> Mesh:
    """Return a level rectangle of `cells` x `cells` squares."""
    steps = np.linspace(0.0, 1.0, cells + 1)
    u, v = (g.reshape(-1) for g in np.meshgrid(steps, steps, indexing="ij"))
    points = np.stack([x0 + u * (x1 - x0), y0 + v * (y1 - y0), np.full(len(u), z)], 1).astype(np.float32)
    normals = np.tile(np.array([0, 0, 1], np.float32), (len(u), 1))
    index = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = (i.reshape(-1) for i in (index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]))
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)]).astype(np.int32)
    return Mesh(points, normals, points.copy(), np.full(len(u), material, np.int32), triangles)


def _beside(mesh: Mesh, side: int, out: float) -> Mesh:
    """Move a mesh built along x, its front at y = 0 facing -y, to one side of the ground."""
    return moved(moved(mesh, 0.0, out + 0.6, 0.0), 0.0, 0.0, side * np.pi / 2 - np.pi / 2)


def _paths(rng: Generator, hx: float, hy: float) -> list[Mesh]:
    """Return strips of different paving, sometimes with painted lines or a crossing."""
    parts: list[Mesh] = []
    for _ in range(int(rng.integers(0, 3))):
        wide, turn = float(rng.uniform(0.8, 3.0)), float(rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)]))
        x, y = float(rng.uniform(-0.6, 0.6) * hx), float(rng.uniform(-0.6, 0.6) * hy)
        strip = [sheet(-REACH_M, -wide, REACH_M, wide, 0.008 + 0.004 * len(parts), PATH, 40)]
        if rng.random() < 0.35:
            strip += [box((-REACH_M, y - 0.08, 0), (REACH_M, y + 0.08, 0.1), STONE, 12) for y in (-wide, wide)]
        parts.append(moved(join(strip), x, y, turn))
    kind = rng.random()
    if kind < 0.2:
        step = float(rng.uniform(0.8, 1.2))
        bars = [sheet(k * step, -1.6, k * step + 0.5 * step, 1.6, 0.02, PAINT, 3) for k in range(-4, 4)]
        parts.append(moved(join(bars), float(rng.uniform(-2, 2)), float(rng.uniform(-2, 2)), float(rng.uniform(0, 3))))
    elif kind < 0.4:
        line = sheet(-REACH_M, -0.06, REACH_M, 0.06, 0.02, PAINT, 30)
        lines = [moved(line, 0.0, k * 2.6, 0.0) for k in range(int(rng.integers(1, 4)))]
        parts.append(moved(join(lines), 0.0, float(rng.uniform(-3, 3)), float(rng.uniform(0, 3.1))))
    return parts


def _building(rng: Generator, half: float) -> Mesh:
    """Return a building front: rows of windows and doors, a plinth, sometimes a shop front or an arcade of columns."""
    height, half = float(rng.uniform(3.5, 11.0)), half + float(rng.uniform(-2.0, 8.0))
    plinth = float(rng.choice([0.4, 0.9, 3.0]))
    parts = [box((-half, 0.0, plinth), (half, 4.0, height), FACADE, 8),
             box((-half - 0.04, -0.04, 0.0), (half + 0.04, 4.0, plinth), FACADE_BELOW, 8)]  # fmt: skip
    step, wide = float(rng.uniform(1.6, 3.6)), float(rng.uniform(0.45, 0.75))
    low = float(rng.uniform(0.3, 1.2))
    for floor in np.arange(0.0, height - 2.6, 3.1).tolist():
        for x in np.arange(-half + 1.0, half - 1.0, step).tolist():
            door = floor == 0.0 and rng.random() < 0.2
            bottom = 0.0 if door else floor + low
            material = int(rng.choice([WOOD, METAL, ACCENT])) if door else GLASS
            parts.append(box((x, -0.07, bottom), (x + step * wide, 0.1, floor + 2.4), material))
    if rng.random() < 0.2:
        parts += [box((x, -0.5, 0.0), (x + 0.35, -0.15, height), STONE, 3) for x in np.arange(-half, half, 2.8)]
    return join(parts)


def _hedge(rng: Generator, half: float) -> Mesh:
    high, deep = float(rng.uniform(0.6, 2.0)), float(rng.uniform(0.5, 1.2))
    return box((-half, 0.0, 0.0), (half, deep, high), int(rng.choice([LEAF, LEAF_LIGHT])), 10)


def _fence(rng: Generator, half: float) -> Mesh:
    """Return rails on posts, or a low wall, with grass or trees behind."""
    high, material = float(rng.uniform(0.8, 1.8)), int(rng.choice([METAL, WOOD, DARK]))
    if rng.random() < 0.4:
        return join([box((-half, 0.0, 0.0), (half, 0.3, high * 0.7), STONE, 8), *_trees(rng, half, 2.0)])
    rails = [box((-half, 0.0, z), (half, 0.05, z + 0.06), material, 6) for z in (0.25, 0.6 * high, high)]
    posts = [box((x, -0.03, 0.0), (x + 0.07, 0.06, high), material) for x in np.arange(-half, half, 1.6)]
    return join([*rails, *posts, *_trees(rng, half, 2.5)])


def _trees(rng: Generator, half: float, away: float) -> list[Mesh]:
    return [moved(_tree(rng)[0], float(rng.uniform(-half, half)), away + float(rng.uniform(0, 4)), 0.0)
            for _ in range(int(rng.integers(1, 5)))]  # fmt: skip


def _street(rng: Generator, half: float) -> Mesh:
    """Return a lane with parked cars behind a kerb, and a front across it."""
    parts = [sheet(-REACH_M, 0.2, REACH_M, 6.5, 0.015, PATH, 24), box((-half, 0.0, 0.0), (half, 0.2, 0.12), STONE, 8)]
    x = -half + float(rng.uniform(0, 2))
    while x < half:
        parts.append(moved(_car(rng)[0], x + 2.2, 1.4 + float(rng.uniform(0, 0.3)), 0.0))
        x += float(rng.uniform(5.0, 9.0))
    if rng.random() < 0.7:
        parts.append(moved(_building(rng, half), 0.0, 7.5, 0.0))
    return join(parts)


def _open(rng: Generator, half: float) -> Mesh:
    """Return trees and lamps scattered over the ground that continues beyond."""
    return join([*_trees(rng, half, 1.0), moved(_pole(rng)[0], float(rng.uniform(-half, half)), 0.5, 0.0)])


def _platform(rng: Generator, half: float) -> Mesh:
    """Return the edge of a platform with a train behind it."""
    parts = [sheet(-REACH_M, -1.0, REACH_M, -0.8, 0.02, PAINT, 16)]
    for low, high, material in ((0.0, 1.0, CAR), (1.0, 2.0, GLASS), (2.0, 2.9, CAR)):
        parts.append(box((-REACH_M, 0.0, low), (REACH_M, 3.0, high), material, 12))
    step = float(rng.uniform(3.0, 5.0))
    parts += [box((x, -0.04, 0.1), (x + 1.3, 0.0, 2.1), ACCENT) for x in np.arange(-half, half, step).tolist()]
    return join(parts)


def _stalls(rng: Generator, half: float) -> Mesh:
    """Return market stalls with goods under canopies."""
    parts = []
    for x in np.arange(-half, half, float(rng.uniform(2.6, 3.6))).tolist():
        cover = int(rng.choice([PAINT, CAR, ACCENT, LEAF]))
        parts.append(box((x, 0.0, 0.0), (x + 2.2, 1.2, 0.9), int(rng.choice([WOOD, ACCENT, METAL]))))
        parts.append(box((x - 0.1, -0.5, 2.2), (x + 2.4, 1.6, 2.35), cover))
        parts.append(box((x, 1.2, 0.0), (x + 2.2, 1.3, 2.2), cover))
        parts += [box((p, -0.4, 0.0), (p + 0.05, -0.35, 2.2), METAL) for p in (x, x + 2.15)]
    return join(parts)


def _tree(rng: Generator) -> tuple[Mesh, float]:
    tall, thick, leaf = (
        float(rng.uniform(1.8, 3.2)),
        float(rng.uniform(0.08, 0.22)),
        int(rng.choice([LEAF, LEAF_LIGHT])),
    )
    widths = ((0.0, 1.3), (0.4, 1.0), (tall + 0.8, 0.7))
    trunk = loft([Ring(z, thick * w, thick * w) for z, w in widths], TRUNK, 8)
    crown = []
    for _ in range(int(rng.integers(4, 9))):
        r, x, y = float(rng.uniform(0.5, 1.1)), float(rng.normal(0, 0.8)), float(rng.normal(0, 0.8))
        z = tall + float(rng.uniform(0.4, 2.2))
        crown.append(loft([Ring(z + h * r, r * w, r * w, x, y) for h, w in
                           ((-0.9, 0.1), (-0.5, 0.8), (0.1, 1.0), (0.6, 0.7), (0.9, 0.1))], leaf, 8))  # fmt: skip
    return join([trunk, *crown]), 0.4


def _pole(rng: Generator) -> tuple[Mesh, float]:
    r, high = float(rng.uniform(0.04, 0.09)), float(rng.uniform(2.2, 5.5))
    head = box((-0.3, -0.3, high), (0.3, 0.3, high + 0.12), METAL)
    pole = loft([Ring(0.0, 2 * r, 2 * r), Ring(0.3, r, r), Ring(high, r, r)], int(rng.choice([METAL, DARK])), 8)
    sign = box((-0.3, -0.05, high - 0.7), (0.3, -0.02, high - 0.1), int(rng.choice([PAINT, ACCENT])))
    return join([pole, head if rng.random() < 0.5 else sign]), 0.25


def _bench(rng: Generator) -> tuple[Mesh, float]:
    material = int(rng.choice([WOOD, WOOD, STONE, METAL]))
    parts = [box((-0.8, -0.25, 0.4), (0.8, 0.2, 0.46), material)]
    parts += [box((x, -0.2, 0.0), (x + 0.08, 0.15, 0.4), DARK) for x in (-0.7, 0.62)]
    if rng.random() < 0.6:
        parts.append(box((-0.8, -0.3, 0.55), (0.8, -0.25, 0.9), material))
    return join(parts), 0.8


def _bollard(rng: Generator) -> tuple[Mesh, float]:
    r, high = float(rng.uniform(0.06, 0.14)), float(rng.uniform(0.6, 1.0))
    rings = [Ring(0.0, r, r), Ring(high, r, r), Ring(high + 0.03, 0.3 * r, 0.3 * r)]
    return loft(rings, int(rng.choice([METAL, STONE, DARK, ACCENT])), 10), 0.2


def _planter(rng: Generator) -> tuple[Mesh, float]:
    w, high = float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.3, 0.6))
    pot = box((-w, -w, 0.0), (w, w, high), int(rng.choice([STONE, WOOD, ACCENT])))
    bush = loft([Ring(high, 0.8 * w, 0.8 * w), Ring(high + 0.3, w, w), Ring(high + 0.6, 0.2, 0.2)], LEAF, 8)
    return join([pot, bush]), 1.3 * w


def _bin(rng: Generator) -> tuple[Mesh, float]:
    high = float(rng.uniform(0.7, 1.1))
    return loft([Ring(0.0, 0.2, 0.2), Ring(high, 0.26, 0.26), Ring(high + 0.02, 0.05, 0.05)],
                int(rng.choice([DARK, ACCENT, METAL, LEAF])), 12, 3.0), 0.35  # fmt: skip


def _car(rng: Generator) -> tuple[Mesh, float]:
    """Return a car along x: body, cabin with windows, wheels."""
    paint, long, high = int(rng.choice([CAR, CAR, PAINT, DARK, METAL])), float(rng.uniform(1.9, 2.3)), 0.85
    body = loft([Ring(0.25, long, 0.8), Ring(0.5, long + 0.05, 0.86), Ring(high, long, 0.82)], paint, 16, 6.0)
    cabin = loft([Ring(high, 0.66 * long, 0.78, -0.1), Ring(1.3, 0.46 * long, 0.66, -0.15)], GLASS, 12, 5.0)
    roof = loft([Ring(1.3, 0.47 * long, 0.68, -0.15), Ring(1.42, 0.4 * long, 0.6, -0.15), Ring(1.43, 0.02, 0.02)],
                paint, 12, 5.0)  # fmt: skip
    wheels = [box((x - 0.3, y - 0.1, 0.0), (x + 0.3, y + 0.1, 0.6), DARK) for x in (-0.6 * long, 0.6 * long)
              for y in (-0.75, 0.75)]  # fmt: skip
    return join([body, cabin, roof, *wheels]), 2.3


BORDERS = (_building, _street, _hedge, _fence, _open, _platform, _stalls)
STANDING = (_tree, _tree, _pole, _bench, _bollard, _bollard, _planter, _bin, _car)
