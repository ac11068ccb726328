"""Surfaces of carried items, and how each constrains the arm that holds it."""

import numpy as np

from training.synthetic.anatomy import Part, arm_out, surface_y, trunk
from training.synthetic.mesh import Ring, box, loft, ribbon
from training.synthetic.person import Carried, Luggage, Person
from training.synthetic.pose import CHEST, FOREARM, PELVIS, Hold
from training.synthetic.texture import Material

POLE = Material((0.25, 0.25, 0.27), relief=0.05)


def carry(person: Person) -> list[Part]:
    """Return the surfaces of everything carried."""
    parts: list[Part] = []
    for thing in person.carried:
        parts += _BUILDERS[thing.kind](person, thing)
    return parts


def holds(person: Person) -> tuple[Hold | None, Hold | None]:
    """Return how carried items constrain the left and the right arm; None leaves the arm free."""
    found: list[Hold | None] = [None, None]
    for thing in person.carried:
        hold = _HOLDS.get(thing.kind)
        if hold is not None:
            found[0 if thing.side > 0 else 1] = hold
    return found[0], found[1]


_HOLDS = {
    Luggage.TOTE: Hold(0.0, 0.06, 0.12, 0.35),
    Luggage.TROLLEY: Hold(-0.3, 0.12, 0.1, 0.1),
    Luggage.UMBRELLA: Hold(0.3, 0.05, 1.7, 0.05),
    Luggage.BOOK: Hold(0.0, 0.02, 1.25, 0.1),
}


def _strap(person: Person, start: tuple[float, float], end: tuple[float, float], side: float, width: float) -> Part:
    """Return a strap over the clothes from one (x, z) to another, in front (+1) or behind (-1)."""
    by = person.layers[-1].looseness + 0.01
    xs, zs = np.linspace(start[0], end[0], 7), np.linspace(start[1], end[1], 7)
    ys = [surface_y(person.build, by, float(x), float(z), side) for x, z in zip(xs, zs, strict=True)]
    cloth = person.carried[0].cloth
    return Part(ribbon(np.column_stack([xs, ys, zs]), width, (0.0, side, 0.2)), cloth, CHEST)


def _backpack(person: Person, thing: Carried) -> list[Part]:
    by = trunk(person.build, person.layers[-1].looseness, 1.2, 1.495)[0]
    back = by.y - by.ry
    s, deep = thing.size, 0.085 * thing.size
    low = 1.42 - 0.42 * s
    rings = [Ring(low, 0.12 * s, 0.7 * deep, 0, back - 0.8 * deep), Ring(low + 0.04, 0.145 * s, deep, 0, back - deep),
             Ring(low + 0.2, 0.15 * s, 1.05 * deep, 0, back - deep),
             Ring(1.36, 0.135 * s, 0.8 * deep, 0, back - 0.7 * deep),
             Ring(1.43, 0.08 * s, 0.4 * deep, 0, back - 0.5 * deep)]  # fmt: skip
    parts = [Part(loft(rings, 0, 14, 3.5), thing.cloth, CHEST)]
    plain = _untrimmed(thing.cloth)
    for x in (-0.1, 0.1):
        for front in (1.0, -1.0):
            strap = _strap(person, (1.25 * x, 1.12), (x, 1.455), front, 0.042)
            parts.append(strap._replace(cloth=plain))
    return parts


def _sling(person: Person, thing: Carried) -> list[Part]:
    build, s, side = person.build, thing.size, thing.side
    x = side * (0.18 * build.girth * build.hips + person.layers[-1].looseness + 0.03)
    rings = [Ring(0.82, 0.04, 0.13 * s, x), Ring(0.85, 0.045, 0.14 * s, x), Ring(0.85 + 0.2 * s, 0.035, 0.13 * s, x)]
    plain = _untrimmed(thing.cloth)
    straps = [
        _strap(person, (0.8 * x, 1.0), (-0.5 * x, 1.46), front, 0.032)._replace(cloth=plain) for front in (1.0, -1.0)
    ]
    return [Part(loft(rings, 0, 10, 4.0), thing.cloth, CHEST), *straps]


def _handbag(person: Person, thing: Carried) -> list[Part]:
    s = thing.size
    x = thing.side * (0.235 + arm_out(person.build) + 0.03)
    rings = [Ring(0.98, 0.035, 0.13 * s, x, -0.03), Ring(1.0, 0.05, 0.15 * s, x, -0.03),
             Ring(1.0 + 0.17 * s, 0.03, 0.13 * s, x, -0.03)]  # fmt: skip
    top = 1.0 + 0.15 * s
    xs = np.array([x, x, 0.93 * x, thing.side * 0.15])
    parts = [Part(loft(rings, 0, 10, 4.0), thing.cloth, CHEST)]
    for y in (-0.1, 0.05):
        points = np.column_stack([xs, np.full(4, y), np.array([top, 1.3, 1.44, 1.475])])
        parts.append(Part(ribbon(points, 0.02, (thing.side, 0.0, 0.1)), _untrimmed(thing.cloth), CHEST))
    return parts


def _tote(person: Person, thing: Carried) -> list[Part]:
    s, side = thing.size, 0 if thing.side > 0 else 1
    x = thing.side * (0.25 + arm_out(person.build))
    rings = [Ring(0.66 - 0.34 * s, 0.04, 0.12 * s, x, 0.02), Ring(0.66 - 0.3 * s, 0.06, 0.15 * s, x, 0.02),
             Ring(0.6, 0.045, 0.15 * s, x, 0.02), Ring(0.63, 0.02, 0.13 * s, x, 0.02)]  # fmt: skip
    handle = box((x - 0.008, 0.0, 0.62), (x + 0.008, 0.04, 0.72), 0)
    return [
        Part(loft(rings, 0, 10, 3.0), thing.cloth, FOREARM, side),
        Part(handle, _untrimmed(thing.cloth), FOREARM, side),
    ]


def _trolley(_: Person, thing: Carried) -> list[Part]:
    s = thing.size
    x, y = thing.side * 0.27, -0.42
    rings = [Ring(0.05, 0.16 * s, 0.1 * s, x, y), Ring(0.07, 0.18 * s, 0.115 * s, x, y),
             Ring(0.07 + 0.48 * s, 0.18 * s, 0.115 * s, x, y),
             Ring(0.09 + 0.48 * s, 0.15 * s, 0.09 * s, x, y)]  # fmt: skip
    parts = [Part(loft(rings, 0, 12, 5.0), thing.cloth, PELVIS)]
    for dx in (-0.06, 0.06):
        low = np.array([x + dx, y + 0.08, 0.5 * s])
        points = np.linspace(low, (x + 0.3 * dx, -0.12, 0.84), 3)
        parts.append(Part(ribbon(points, 0.018, (0.0, 1.0, 0.2)), POLE, PELVIS))
    return parts


def _umbrella(_: Person, thing: Carried) -> list[Part]:
    x, y, r = thing.side * 0.2, 0.3, 0.5 * thing.size
    canopy = [Ring(1.86, r, r, x, y), Ring(1.97, 0.72 * r, 0.72 * r, x, y), Ring(2.04, 0.35 * r, 0.35 * r, x, y),
              Ring(2.06, 0.02, 0.02, x, y)]  # fmt: skip
    pole = box((x - 0.008, y - 0.008, 1.15), (x + 0.008, y + 0.008, 2.05), 0)
    return [Part(loft(canopy, 0, 12), thing.cloth, CHEST), Part(pole, POLE, CHEST)]


def _book(person: Person, thing: Carried) -> list[Part]:
    side = 0 if thing.side > 0 else 1
    x = thing.side * (0.2 + arm_out(person.build))
    low, high = min(x, x + thing.side * 0.03), max(x, x + thing.side * 0.03)
    return [Part(box((low, -0.03, 0.78), (high, 0.18, 1.04), 0), thing.cloth, FOREARM, side)]


def _untrimmed(cloth: Material) -> Material:
    return Material(cloth.base, relief=cloth.relief, grain=cloth.grain, seed=cloth.seed, fold=0.1)


_BUILDERS = {
    Luggage.BACKPACK: _backpack,
    Luggage.SLING: _sling,
    Luggage.HANDBAG: _handbag,
    Luggage.TOTE: _tote,
    Luggage.TROLLEY: _trolley,
    Luggage.UMBRELLA: _umbrella,
    Luggage.BOOK: _book,
}
