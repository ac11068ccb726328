"""Things that detectors take for people, and things that hide people: chairs, racks, trolleys, stands, and heaps.

Each maker returns a mesh on the floor at the origin, its front to +y, in metres, in rows of a table of materials.
"""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from training.detector.seats import office_chair, wheelchair, workplace
from training.detector.shapes import ROWS, ball, disc, rod
from training.synthetic.mesh import Mesh, Ring, box, join, loft, moved


def garment(rng: Generator, top: float, material: int) -> Mesh:
    """Return a coat or a shirt that hangs at a height, flat, with its sleeves down."""
    long, half = float(rng.uniform(0.55, 1.1)), float(rng.uniform(0.17, 0.24))
    deep = float(rng.uniform(0.03, 0.09))
    low = max(0.15, top - long)
    body = loft([Ring(low, half * float(rng.uniform(0.85, 1.3)), deep), Ring(top - 0.3, half, 1.1 * deep),
                 Ring(top - 0.08, half, deep), Ring(top, 0.06, 0.6 * deep), Ring(top + 0.01, 0.01, 0.01)],
                material, 12, 2.5)  # fmt: skip
    sleeves = [
        rod((x, 0, top - 0.1), (1.25 * x, 0, top - float(rng.uniform(0.35, 0.65))), 0.045, material)
        for x in (-half, half)
    ]
    return join([body, *(sleeves if rng.random() < 0.8 else [])])


def coat_stand(rng: Generator) -> Mesh:
    """Return a pole with coats, hats and bags on it, or only some of these."""
    top, parts = float(rng.uniform(1.5, 1.9)), []
    parts += [rod((0, 0, 0), (0, 0, top), 0.02, 1), disc((0, 0, 0.02), (0, 0, 1), 0.22, 0.015, 1)]
    for _ in range(int(rng.integers(0, 5))):
        turn, high = float(rng.uniform(0, 6.28)), top - float(rng.uniform(0.05, 0.4))
        parts.append(moved(moved(garment(rng, high, int(rng.integers(2, ROWS))), 0, 0.12, 0), 0, 0, turn))
    if rng.random() < 0.4:
        parts.append(ball(0, 0, top, float(rng.uniform(0.08, 0.16)), int(rng.integers(ROWS)), 0.8))
    return join(parts)


def clothes_rack(rng: Generator) -> Mesh:
    """Return a rail of clothes as shops and cloakrooms have them."""
    half, top = float(rng.uniform(0.4, 1.1)), float(rng.uniform(1.25, 1.75))
    parts = [rod((-half, 0, top), (half, 0, top), 0.015, 1)]
    parts += [rod((x, 0, 0), (x, 0, top), 0.015, 1) for x in (-half, half)]
    x, turn = -half + 0.1, float(rng.choice([0.0, np.pi / 2, rng.uniform(0, 3)]))
    while x < half - 0.05:
        parts.append(moved(garment(rng, top - 0.04, int(rng.integers(2, ROWS))), x, 0, turn + rng.normal(0, 0.15)))
        x += float(rng.uniform(0.05, 0.35))
    return join(parts)


def display(rng: Generator) -> Mesh:
    """Return a stand of a shop with slanted trays or hooks full of packages."""
    half, rows = float(rng.uniform(0.25, 0.9)), int(rng.integers(2, 6))
    step, slant = float(rng.uniform(0.2, 0.4)), float(rng.uniform(0.0, 0.25))
    parts = [box((-half, -0.05, 0), (half, 0.0, step * rows + 0.15), 1)]
    for row in range(rows):
        low, x = 0.1 + row * step, -half
        out = 0.1 + slant * (rows - row)
        parts.append(box((-half, 0, low - 0.03), (half, out + 0.05, low), 0))
        while x < half - 0.04:
            wide, high = float(rng.uniform(0.05, 0.22)), step * float(rng.uniform(0.4, 0.95))
            goods = int(rng.integers(2, ROWS))
            for _ in range(int(rng.integers(1, 5))):
                if x < half - 0.04:
                    parts.append(box((x, out - 0.08, low), (x + 0.92 * wide, out, low + high), goods))
                x += wide
    return join(parts)


def trolley(rng: Generator) -> Mesh:
    """Return a shopping trolley or a cage of bars on wheels, empty or full."""
    half, deep = float(rng.uniform(0.22, 0.4)), float(rng.uniform(0.3, 0.5))
    low, top = float(rng.uniform(0.15, 0.5)), float(rng.uniform(0.85, 1.7))
    corners = [(x, y) for x in (-half, half) for y in (-deep, deep)]
    parts = [rod((x, y, 0.05), (x, y, top), 0.012, 1) for x, y in corners]
    parts += [disc((x, y, 0.06), (1, 0, 0), 0.06, 0.015, 1) for x, y in corners]
    for z in np.linspace(low, top, int(rng.integers(3, 8))).tolist():
        for (ax, ay), (bx, by) in ((corners[0], corners[1]), (corners[1], corners[3]), (corners[3], corners[2])):
            parts.append(rod((ax, ay, z), (bx, by, z), 0.006, 1))
    parts.append(box((-half, -deep, low - 0.02), (half, deep, low), 1))
    for _ in range(int(rng.integers(0, 14))):
        x, y, s = rng.uniform(-half, half), rng.uniform(-deep, deep), float(rng.uniform(0.05, 0.2))
        z = low + float(rng.uniform(0, 0.6 * (top - low)))
        parts.append(box((x - s, y - s, z), (x + s, y + s, z + 1.5 * s), int(rng.integers(2, ROWS))))
    return join(parts)


def stand(rng: Generator) -> Mesh:
    """Return a lamp, tripod, sign, fan or umbrella on one leg or three: slender, with something like a head."""
    top, spread = float(rng.uniform(0.7, 2.1)), float(rng.uniform(0.1, 0.45))
    parts = [rod((0, 0, 0.35 * top if spread > 0.25 else 0), (0, 0, top), float(rng.uniform(0.01, 0.05)), 1)]
    if spread > 0.25:
        parts += [rod((0, 0, 0.6 * top), (spread * float(np.cos(a)), spread * float(np.sin(a)), 0), 0.013, 1)
                  for a in np.arange(3) * 2.094]  # fmt: skip
    else:
        parts.append(disc((0, 0, 0.02), (0, 0, 1), spread + 0.05, 0.02, 1))
    size, kind = float(rng.uniform(0.08, 0.3)), int(rng.integers(5))
    if kind == 0:
        parts.append(ball(0, 0, top, size, 2, float(rng.uniform(0.6, 1.6))))
    elif kind == 1:
        parts.append(loft([Ring(top - size, size, size), Ring(top + size, 0.6 * size, 0.6 * size)], 2, 12))
    elif kind == 2:
        parts.append(box((-size, -0.02, top - size), (size, 0.02, top + 1.5 * size), 2))
    elif kind == 3:
        parts.append(disc((0, 0.03, top), (0, 1, 0.2), size, 0.04, 2))
    else:
        wide = 3 * size
        canopy = [Ring(top - 0.3, wide, wide), Ring(top - 0.1, 0.6 * wide, 0.6 * wide), Ring(top, 0.02, 0.02)]
        parts.append(loft(canopy, 2))
    return join(parts)


def heap(rng: Generator) -> Mesh:
    """Return two to nine boxes, drums, balls and bars on and beside each other, some of them in pairs."""
    parts, top = [], 0.0
    half = float(rng.uniform(0.08, 0.4))
    for _ in range(int(rng.integers(2, 10))):
        w, d, h = (float(v) for v in rng.uniform((0.2 * half, 0.2 * half, 0.04), (1.2 * half, half, 0.6)))
        z = top if rng.random() < 0.6 else float(rng.uniform(0, max(0.05, top)))
        x, y = float(rng.normal(0, 0.35 * half)), float(rng.normal(0, 0.35 * half))
        material, kind = int(rng.integers(ROWS)), rng.random()
        if kind < 0.45:
            part = moved(box((-w, -d, z), (w, d, z + h), material), x, y, float(rng.normal(0, 0.2)))
        elif kind < 0.7:
            bulge = float(rng.uniform(0.8, 1.4))
            part = loft([Ring(z, 0.8 * w, 0.8 * d, x, y), Ring(z + 0.5 * h, bulge * w, bulge * d, x, y),
                         Ring(z + h, w, d, x, y), Ring(z + h + 0.01, 0.02, 0.02, x, y)], material, 12,
                        float(rng.uniform(2, 5)))  # fmt: skip
        elif kind < 0.85:
            part = ball(x, y, z + 0.5 * h, 0.5 * h, material, float(rng.uniform(0.6, 1.3)))
        else:
            tip = (x + float(rng.normal(0, half)), y + float(rng.normal(0, half)), z + h)
            part = rod((x, y, z), tip, float(rng.uniform(0.01, 0.05)), material)
        parts.append(part)
        if rng.random() < 0.25:
            parts.append(replace(part, vertices=part.vertices * np.array([-1, 1, 1], np.float32)))
        top = min(1.9, max(top, z + h))
    return join(parts)


def bars(rng: Generator) -> Mesh:
    """Return a framework: a ladder, a scaffold, a machine of a gym, a treadmill, a bicycle stand."""
    half, deep, top = float(rng.uniform(0.2, 0.6)), float(rng.uniform(0.05, 0.9)), float(rng.uniform(0.6, 2.1))
    nodes = rng.uniform((-half, -deep, 0), (half, deep, top), (int(rng.integers(3, 8)), 3))
    nodes[:2, 2] = 0
    thick, parts = float(rng.uniform(0.01, 0.05)), []
    for _ in range(int(rng.integers(4, 12))):
        a, b = rng.integers(len(nodes), size=2)
        if a != b:
            start, end = (tuple(nodes[k].tolist()) for k in (a, b))
            parts.append(rod(start, end, thick, int(rng.integers(3))))
    if rng.random() < 0.5:
        parts += [replace(p, vertices=p.vertices * np.array([-1, 1, 1], np.float32)) for p in parts]
    parts.append(box((-half, -deep, 0.0), (half, deep, float(rng.uniform(0.03, 0.2))), 3))
    return join(parts)


def plant(rng: Generator) -> Mesh:
    """Return leaves on stems out of a pot."""
    top = float(rng.uniform(0.6, 1.9))
    parts = [loft([Ring(0, 0.12, 0.12), Ring(0.3, 0.17, 0.17), Ring(0.31, 0.01, 0.01)], 1, 10)]
    for _ in range(int(rng.integers(8, 26))):
        turn, out = float(rng.uniform(0, 6.28)), float(rng.uniform(0.05, 0.45))
        z = float(rng.uniform(0.35, top))
        x, y, size = out * float(np.cos(turn)), out * float(np.sin(turn)), float(rng.uniform(0.04, 0.16))
        leaf = int(rng.integers(4, 7))
        parts.append(rod((0.1 * x, 0.1 * y, 0.3), (x, y, z), 0.006, leaf))
        parts.append(ball(x, y, z, size, leaf, float(rng.uniform(0.3, 2))))
    return join(parts)


MAKERS = (office_chair, office_chair, office_chair, coat_stand, clothes_rack, display, trolley, wheelchair, stand, heap,
          heap, heap, bars, plant, workplace, workplace)  # fmt: skip


def thing(rng: Generator) -> Mesh:
    """Return any of these things."""
    return MAKERS[int(rng.integers(len(MAKERS)))](rng)
