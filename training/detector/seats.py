"""Where people sit, and what is mistaken for somebody who does: office chairs, wheelchairs, desks with monitors.

Each maker returns a mesh on the floor at the origin, its front to +y, in metres.
"""

import numpy as np
from numpy.random import Generator

from training.detector.shapes import ROWS, ball, disc, rod
from training.synthetic.mesh import Mesh, Ring, box, join, loft


def office_chair(rng: Generator) -> Mesh:
    """Return a chair on a star of castors, low or with a high back and a headrest, a coat over it now and then."""
    cloth, frame, pad = 0, 1, int(rng.integers(0, 2))
    half, high = float(rng.uniform(0.19, 0.28)), float(rng.uniform(0.85, 1.25))
    seat = float(rng.uniform(0.4, 0.52))
    low, wide, lean = seat + float(rng.uniform(0.05, 0.22)), float(rng.uniform(0.16, 0.27)), float(rng.uniform(0, 0.14))
    square = float(rng.uniform(2.2, 6.0))
    parts = [loft([Ring(seat - 0.06, 0.8 * half, 0.8 * half), Ring(seat - 0.03, half, half), Ring(seat, half, half),
                   Ring(seat + 0.01, 0.02, 0.02)], cloth, 12, 3.5),
             loft([Ring(low, 0.7 * wide, 0.03, 0, -half), Ring(low + 0.1, wide, 0.05, 0, -half - 0.02),
                   Ring(0.5 * (low + high), wide, 0.045, 0, -half - 0.5 * lean),
                   Ring(high - 0.06, 0.95 * wide, 0.035, 0, -half - lean),
                   Ring(high, 0.7 * wide, 0.02, 0, -half - lean)], cloth, 12, square),
             rod((0, -half, seat - 0.05), (0, -half - 0.02, low + 0.15), 0.025, frame),
             rod((0, 0, 0.08), (0, 0, seat - 0.05), 0.03, frame)]  # fmt: skip
    for turn in np.arange(5) * 1.2566 + rng.uniform(0, 1.2):
        tip = (0.3 * float(np.cos(turn)), 0.3 * float(np.sin(turn)), 0.06)
        parts += [rod((0, 0, 0.1), tip, 0.022, frame), ball(tip[0], tip[1], 0.03, 0.03, frame)]
    if rng.random() < 0.6:
        for x in (-half - 0.04, half + 0.04):
            parts += [rod((x, -0.05, seat - 0.04), (x, -0.05, seat + 0.19), 0.018, frame),
                      box((x - 0.035, -0.17, seat + 0.18), (x + 0.035, 0.12, seat + 0.22), pad)]  # fmt: skip
    if rng.random() < 0.4:
        y = -half - lean - 0.01
        parts += [loft([Ring(high + 0.05, 0.1, 0.03, 0, y), Ring(high + 0.1, 0.14, 0.045, 0, y),
                        Ring(high + 0.2, 0.12, 0.035, 0, y), Ring(high + 0.21, 0.02, 0.01, 0, y)], cloth, 10, 3.0),
                  rod((0, y, high - 0.1), (0, y, high + 0.1), 0.02, frame)]  # fmt: skip
    if rng.random() < 0.25:
        parts.append(_draped(rng, high, wide, -half - lean))
    return join(parts)


def _draped(rng: Generator, high: float, wide: float, y: float) -> Mesh:
    """Return a jacket over the back of a chair."""
    low, cloth = float(rng.uniform(0.25, 0.6)), int(rng.integers(2, 6))
    coat = loft([Ring(low, 0.9 * wide, 0.09, 0, y), Ring(0.5 * (low + high), 1.05 * wide, 0.1, 0, y),
                 Ring(high - 0.03, wide + 0.04, 0.09, 0, y), Ring(high + 0.03, 0.8 * wide, 0.05, 0, y),
                 Ring(high + 0.04, 0.03, 0.02, 0, y)], cloth, 14, 2.6)  # fmt: skip
    sleeves = [rod((x, y, high), (1.15 * x, y - 0.02, low + 0.1), 0.045, cloth) for x in (-wide - 0.03, wide + 0.03)]
    return join([coat, *sleeves])


def wheelchair(rng: Generator) -> Mesh:
    """Return a wheelchair whose seat fits a seated figure."""
    half, top = float(rng.uniform(0.22, 0.28)), float(rng.uniform(0.85, 1.0))
    parts = [box((-half, -0.25, 0.38), (half, 0.2, 0.42), 0), box((-half, -0.28, 0.42), (half, -0.25, top), 0)]
    for x in (-half - 0.04, half + 0.04):
        parts += [disc((x, -0.15, 0.3), (1, 0, 0), 0.3, 0.02, 1), disc((x, 0.28, 0.09), (1, 0, 0), 0.09, 0.02, 1),
                  box((x - 0.03, -0.25, 0.6), (x + 0.03, 0.1, 0.64), 0),
                  rod((x, -0.27, top), (x, -0.42, top), 0.018, 1),
                  rod((x, 0.2, 0.4), (x, 0.4, 0.1), 0.015, 1)]  # fmt: skip
    return join(parts)


def workplace(rng: Generator) -> Mesh:
    """Return a desk, its user's side to +y, with monitors, a computer and small things."""
    half, deep, top = float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.28, 0.4)), float(rng.uniform(0.68, 0.78))
    parts = [box((-half, -deep, top - 0.04), (half, deep, top), 0)]
    parts += [rod((x, y, 0), (x, y, top), 0.025, 1) for x in (-half + 0.05, half - 0.05) for y in (-deep, deep)]
    if rng.random() < 0.4:
        parts.append(box((-half, -deep - 0.02, 0.2), (half, -deep, top + float(rng.uniform(0, 0.45))), 2))
    for x in np.arange(-half + 0.3, half - 0.2, 0.6).tolist():
        if rng.random() < 0.75:
            parts += [box((x - 0.27, -0.16, top + 0.1), (x + 0.27, -0.12, top + 0.44), 3),
                      box((x - 0.25, -0.12, top + 0.12), (x + 0.25, -0.115, top + 0.42), 4),
                      rod((x, -0.15, top), (x, -0.15, top + 0.12), 0.03, 3)]  # fmt: skip
    for _ in range(int(rng.integers(0, 8))):
        x, y, s = rng.uniform(-half, half), rng.uniform(-deep, deep), float(rng.uniform(0.03, 0.12))
        parts.append(box((x - s, y - s, top), (x + s, y + s, top + s), int(rng.integers(ROWS))))
    if rng.random() < 0.5:
        parts.append(box((half - 0.3, -0.2, 0), (half - 0.1, 0.25, 0.45), 3))
    return join(parts)
