"""Rooms to walk in: floor, walls, furniture and lamps, drawn from a random generator."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from training.synthetic.mesh import Floats, Mesh, Ring, box, join, loft, moved
from training.synthetic.shading import Light
from training.synthetic.texture import Colour, Material, Pattern
from training.synthetic.wardrobe import linear


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A disc on the floor where nobody can stand, metres."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """A furnished room, or a place outdoors, around the origin, |x| <= half_x, |y| <= half_y, floor at z = 0.

    Attributes:
        materials: `(n, k)` float32 rows.
        sky: Linear colour of the background behind everything.
        sun: Unit vector towards the sun, None without sunshine.
        seats: Whether the materials include those of `chair`.
        shadows: Whether people shade themselves and each other from the sun; places with a shadow map do not.
    """

    mesh: Mesh
    materials: Floats
    light: Light
    half_x: float
    half_y: float
    obstacles: tuple[Obstacle, ...]
    sky: Colour = (0.2, 0.2, 0.2)
    sun: Colour | None = None
    seats: bool = True
    shadows: bool = False

    def free(self, x: float, y: float, margin: float = 0.3) -> bool:
        """Return whether a person can stand at (x, y)."""
        if abs(x) > self.half_x - margin or abs(y) > self.half_y - margin:
            return False
        return all(np.hypot(x - o.x, y - o.y) > o.radius + margin for o in self.obstacles)


FLOOR, WALL, WALL_BELOW, CEILING, WOOD, METAL, DARK, SCREEN, SHELF, POSTER, PLANT, ACCENT, LAMP = range(13)


def build_room(rng: Generator, half_x: float, half_y: float, furniture: int) -> Room:
    """Furnish a room with about `furniture` pieces, most of them along the walls."""
    height = float(rng.uniform(2.7, 3.6))
    parts = _shell(half_x, half_y, height, panelled=bool(rng.random() < 0.3))
    obstacles: list[Obstacle] = []
    makers = (_cabinet, _shelf, _desk, _chair, _chair, _plant, _pillar, _sofa, _bin)
    for _ in range(furniture):
        maker = makers[int(rng.integers(len(makers)))]
        mesh, radius = maker(rng)
        x, y, turn = _placed(rng, half_x, half_y, radius, middle=bool(rng.random() < 0.22))
        if any(np.hypot(x - o.x, y - o.y) < 0.8 * (o.radius + radius) for o in obstacles):
            continue
        parts.append(moved(mesh, x, y, turn))
        obstacles.append(Obstacle(x, y, radius))
    parts += _wall_things(rng, half_x, half_y, height, 2 + furniture // 3)
    light = _light(rng, half_x, half_y, height)
    return Room(join(parts), np.stack([m.row() for m in _materials(rng)]), light, half_x, half_y, tuple(obstacles))


def _materials(rng: Generator) -> list[Material]:
    """Draw the surfaces of a room, in the order of the constants above."""

    def near(r: float, g: float, b: float, spread: float = 0.25, tint: float = 0.06) -> Colour:
        level = np.exp(rng.normal(0, spread)) * np.exp(rng.normal(0, tint, 3))
        return linear(*(float(min(245, c * k)) for c, k in zip((r, g, b), level, strict=True)))

    def seed() -> int:
        return int(rng.integers(1 << 16))

    floor = (Pattern.PLAIN, Pattern.TILES, Pattern.PLANKS, Pattern.SPECKLE)[int(rng.integers(4))]
    scale = {
        Pattern.TILES: rng.uniform(0.3, 1.0),
        Pattern.PLANKS: rng.uniform(0.1, 0.2),
        Pattern.SPECKLE: rng.uniform(0.02, 0.06),
    }
    base = near(140, 104, 74) if floor is Pattern.PLANKS else near(150, 148, 142, 0.35)
    second = (base[0] * 0.6, base[1] * 0.6, base[2] * 0.6)
    wall = near(200, 198, 190, 0.2)
    speckle, books = Pattern.SPECKLE, float(rng.uniform(0.05, 0.16))
    return [
        Material(base, second, pattern=floor, scale=float(scale.get(floor, 0.1)), relief=0.12, grain=0.5, seed=seed()),
        Material(wall, relief=0.06, grain=0.8, seed=seed()),
        Material(near(150, 140, 130, 0.4, 0.12), relief=0.06, grain=0.8, seed=seed()),
        Material(near(225, 225, 222, 0.05), relief=0.02, grain=1.0),
        Material(near(150, 112, 76), pattern=Pattern.PLAIN, relief=0.2, grain=0.12, seed=seed()),
        Material(near(165, 168, 172), relief=0.06, grain=0.3),
        Material(near(34, 34, 38), relief=0.15, grain=0.15, seed=seed()),
        Material(near(30, 36, 46), near(90, 130, 190), pattern=Pattern.CLUTTER, scale=0.12, relief=0.0, seed=seed()),
        Material(near(150, 130, 110, 0.3, 0.2), pattern=Pattern.CLUTTER, scale=books, relief=0.3, seed=seed()),
        Material(near(190, 180, 170, 0.2, 0.2), near(60, 80, 120, 0.4, 0.4), pattern=speckle, relief=0.2, seed=seed()),
        Material(near(50, 90, 40), near(20, 40, 15), pattern=speckle, scale=0.04, relief=0.5, grain=0.05, seed=seed()),
        Material(near(110, 95, 90, 0.5, 0.25), relief=0.15, grain=0.1, seed=seed()),
        Material((6.0, 6.0, 5.6)),
    ]  # fmt: skip


def _shell(hx: float, hy: float, height: float, *, panelled: bool) -> list[Mesh]:
    """Return floor, ceiling and four walls, finely cut so that perspective and clipping stay exact."""
    t = 0.05
    below = 1.1 if panelled else 0.12
    parts = [box((-hx, -hy, -t), (hx, hy, 0.0), FLOOR, 24), box((-hx, -hy, height), (hx, hy, height + t), CEILING, 12)]
    for low, high, material in ((0.0, below, WALL_BELOW), (below, height, WALL)):
        parts += [
            box((-hx - t, -hy, low), (-hx, hy, high), material, 10),
            box((hx, -hy, low), (hx + t, hy, high), material, 10),
            box((-hx, -hy - t, low), (hx, -hy, high), material, 10),
            box((-hx, hy, low), (hx, hy + t, high), material, 10),
        ]
    return parts


def _placed(rng: Generator, hx: float, hy: float, radius: float, *, middle: bool) -> tuple[float, float, float]:
    """Draw a position: along a wall with the back to it, or anywhere."""
    if middle:
        return float(rng.uniform(-hx, hx) * 0.7), float(rng.uniform(-hy, hy) * 0.7), float(rng.uniform(0, 6.28))
    wall, along = int(rng.integers(4)), float(rng.uniform(-1, 1))
    gap = radius * 0.75
    if wall < 2:
        sign = 1.0 if wall == 0 else -1.0
        return sign * (hx - gap), along * (hy - radius), sign * np.pi / 2
    sign = 1.0 if wall == 2 else -1.0
    return along * (hx - radius), sign * (hy - gap), np.pi if sign > 0 else 0.0


def _light(rng: Generator, hx: float, hy: float, height: float) -> Light:
    """Draw two to four lamps near the ceiling, or window light from one side, and the light reflected by walls."""
    warm = np.exp(rng.normal(0, 0.1) * np.array([1.0, 0.1, -1.0]))
    count = int(rng.integers(2, 5))
    lamps = np.zeros((count, 6), np.float32)
    for lamp in lamps:
        lamp[:3] = (rng.uniform(-hx, hx) * 0.8, rng.uniform(-hy, hy) * 0.8, height - rng.uniform(0.1, 0.9))
        lamp[3:] = warm * rng.uniform(1.5, 6.0)
    above = rng.uniform(0.25, 0.7) * warm
    return Light(lamps, np.stack([above, above * rng.uniform(0.35, 0.8)]).astype(np.float32))


def _cabinet(rng: Generator) -> tuple[Mesh, float]:
    w, d, h = rng.uniform(0.6, 1.4), rng.uniform(0.4, 0.6), rng.uniform(0.8, 2.1)
    material = int(rng.choice([WOOD, METAL, WALL_BELOW, ACCENT]))
    seam = box((-0.008, d / 2, 0.1), (0.008, d / 2 + 0.01, h - 0.05), DARK)
    return join([box((-w / 2, -d / 2, 0), (w / 2, d / 2, h), material), seam]), 0.55 * w


def _shelf(rng: Generator) -> tuple[Mesh, float]:
    w, d, h = rng.uniform(0.8, 2.2), 0.4, rng.uniform(1.2, 2.1)
    parts = [box((-w / 2, -d / 2, 0), (w / 2, d / 2 - 0.06, h), SHELF)]
    board = DARK if w > 1.5 else WOOD
    parts += [
        box((-w / 2, -d / 2, z - 0.02), (w / 2, d / 2, z + 0.02), board)
        for z in np.linspace(0.0, h, round(h / 0.4) + 1)
    ]
    return join(parts), 0.5 * w


def _desk(rng: Generator) -> tuple[Mesh, float]:
    w, d = rng.uniform(1.0, 1.8), rng.uniform(0.6, 0.8)
    top = int(rng.choice([WOOD, METAL, WALL]))
    parts = [box((-w / 2, -d / 2, 0.71), (w / 2, d / 2, 0.75), top)]
    parts += [box((x - 0.03, y - 0.03, 0), (x + 0.03, y + 0.03, 0.71), DARK) for x in (-w / 2 + 0.05, w / 2 - 0.05)
              for y in (-d / 2 + 0.05, d / 2 - 0.05)]  # fmt: skip
    for _ in range(int(rng.integers(0, 3))):
        x = rng.uniform(-w / 2 + 0.3, w / 2 - 0.3)
        monitor = [
            box((-0.28, -0.03, 0.85), (0.28, 0.0, 1.2), DARK),
            box((-0.26, 0.0, 0.87), (0.26, 0.005, 1.18), SCREEN),
            box((-0.04, -0.03, 0.75), (0.04, 0.0, 0.9), DARK),
        ]
        parts.append(moved(join(monitor), x, -0.1, 0.0))
    for _ in range(int(rng.integers(0, 5))):
        x, y, s = rng.uniform(-w / 2 + 0.1, w / 2 - 0.1), rng.uniform(-0.2, 0.25), rng.uniform(0.04, 0.14)
        parts.append(box((x - s, y - s, 0.75), (x + s, y + s, 0.75 + s), int(rng.choice([DARK, ACCENT, SHELF, WALL]))))
    return join(parts), 0.55 * w


def _chair(rng: Generator) -> tuple[Mesh, float]:
    """Return an office chair with a star base, or a plain one with four legs: detectors mistake both for people."""
    material = int(rng.choice([DARK, DARK, ACCENT, WOOD]))
    seat = loft(
        [
            Ring(0.42, 0.2, 0.2),
            Ring(0.45, 0.24, 0.24),
            Ring(0.49, 0.24, 0.24),
            Ring(0.51, 0.18, 0.18),
            Ring(0.512, 0.01, 0.01),
        ],
        material,
        12,
        3.5,
    )
    back = loft([Ring(0.6, 0.16, 0.03, 0, -0.24), Ring(0.7, 0.22, 0.035, 0, -0.25), Ring(0.95, 0.22, 0.035, 0, -0.28),
                 Ring(rng.uniform(1.0, 1.15), 0.15, 0.02, 0, -0.3)], material, 12, 3.0)  # fmt: skip
    spine = box((-0.025, -0.27, 0.45), (0.025, -0.24, 0.7), DARK)
    if rng.random() < 0.5:
        feet = [
            box((x - 0.015, y - 0.015, 0), (x + 0.015, y + 0.015, 0.44), METAL)
            for x in (-0.19, 0.19)
            for y in (-0.19, 0.19)
        ]
    else:
        feet = [loft([Ring(0.06, 0.03, 0.03), Ring(0.43, 0.03, 0.03)], DARK, 8)]
        feet += [moved(box((0, -0.02, 0.03), (0.3, 0.02, 0.09), DARK), 0, 0, a * 1.2566) for a in range(5)]
    arms = (
        [box((x - 0.03, -0.18, 0.62), (x + 0.03, 0.12, 0.66), material) for x in (-0.27, 0.27)]
        if rng.random() < 0.5
        else []
    )
    return join([seat, back, spine, *feet, *arms]), 0.35


def chair(rng: Generator) -> Mesh:
    """Return a chair to sit on, facing +y, in the materials of a room."""
    mesh = _chair(rng)[0]
    lower = mesh.vertices * np.array([1.0, 1.0, 0.84], np.float32)  # a seated figure's thighs are level with its knees
    return Mesh(lower, mesh.normals, mesh.rest, mesh.material, mesh.triangles)


def shelf_of_goods(rng: Generator) -> Mesh:
    """Return a free-standing shop shelf full of small coloured packages, in the materials of a room."""
    long, deep, boards = float(rng.uniform(0.8, 2.4)), float(rng.uniform(0.35, 0.7)), int(rng.integers(2, 6))
    parts = [box((-long, -0.03, 0.0), (long, 0.03, 0.4 * boards), DARK)]
    for z in np.arange(boards) * 0.4:
        parts.append(box((-long, -deep, z + 0.02), (long, deep, z + 0.06), METAL))
        for side in (-1.0, 1.0):
            x = -long
            while x < long:
                wide, high = float(rng.uniform(0.06, 0.3)), float(rng.uniform(0.1, 0.3))
                low, far = sorted((side * 0.05, side * deep * float(rng.uniform(0.6, 0.95))))
                goods = int(rng.choice([WOOD, METAL, SHELF, POSTER, PLANT, ACCENT, SCREEN, WALL, WALL_BELOW]))
                parts.append(box((x, low, z + 0.06), (x + 0.9 * wide, far, z + 0.06 + high), goods))
                x += wide
    return join(parts)


def _plant(rng: Generator) -> tuple[Mesh, float]:
    h = rng.uniform(0.7, 1.7)
    pot = loft([Ring(0.0, 0.13, 0.13), Ring(0.35, 0.18, 0.18)], ACCENT, 10)
    spots = rng.uniform((-0.15, -0.15, 0.5), (0.15, 0.15, h), (6, 3)).tolist()
    shape = ((-0.25, 0.05, 0.05), (0.0, 0.2, 0.16), (0.25, 0.03, 0.03))
    leaves = [loft([Ring(z + dz, rx, ry, x, y) for dz, rx, ry in shape], PLANT, 8) for x, y, z in spots]
    return join([pot, *leaves]), 0.3


def _pillar(rng: Generator) -> tuple[Mesh, float]:
    r = rng.uniform(0.15, 0.3)
    return box((-r, -r, 0), (r, r, 3.7), int(rng.choice([WALL, WALL_BELOW, METAL])), 4), 1.2 * r


def _sofa(rng: Generator) -> tuple[Mesh, float]:
    w, material = rng.uniform(0.5, 1.0), int(rng.choice([ACCENT, DARK, WOOD]))
    seat = box((-w, -0.4, 0.05), (w, 0.4, 0.42), material)
    back = box((-w, -0.45, 0.05), (w, -0.25, 0.8), material)
    sides = [box((x, -0.45, 0.05), (x + 0.15, 0.4, 0.6), material) for x in (-w - 0.15, w)]
    return join([seat, back, *sides]), w


def _bin(rng: Generator) -> tuple[Mesh, float]:
    h = rng.uniform(0.3, 0.9)
    return loft(
        [Ring(0.0, 0.13, 0.13), Ring(h, 0.18, 0.18), Ring(h + 0.01, 0.02, 0.02)],
        int(rng.choice([DARK, ACCENT, METAL])),
        12,
    ), 0.22


def _wall_things(rng: Generator, hx: float, hy: float, height: float, count: int) -> list[Mesh]:
    """Return doors, windows, boards and posters on the walls."""
    parts = []
    for _ in range(count):
        kind = int(rng.integers(4))
        w, low, high = ((0.45, 0.0, 2.05), (0.8, 0.9, 2.2), (1.1, 0.9, 2.1), (0.3, 1.2, 1.9))[kind]
        material = (int(rng.choice([WOOD, METAL, ACCENT])), LAMP if rng.random() < 0.3 else SCREEN, WALL, POSTER)[kind]
        frame = box(
            (-w - 0.05, 0, max(0.0, low - 0.05)), (w + 0.05, 0.03, min(high + 0.05, height)), DARK if kind else METAL
        )
        mesh = join([frame, box((-w, 0.03, low), (w, 0.045, high), material)])
        wall, along = int(rng.integers(4)), float(rng.uniform(-0.85, 0.85))
        spots = (
            (-hx, along * hy, -np.pi / 2),
            (hx, along * hy, np.pi / 2),
            (along * hx, -hy, 0.0),
            (along * hx, hy, np.pi),
        )
        parts.append(moved(mesh, *spots[wall]))
    return parts
