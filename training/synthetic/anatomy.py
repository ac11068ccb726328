"""Cross-sections of the naked body at a height of 1.75 m, and how a build modifies them."""

from typing import NamedTuple

import numpy as np

from training.synthetic.mesh import Mesh, Ring
from training.synthetic.person import Build
from training.synthetic.texture import Material

TORSO = [
    Ring(0.83, 0.155, 0.105, 0, -0.006), Ring(0.88, 0.166, 0.118, 0, -0.012), Ring(0.95, 0.170, 0.118, 0, -0.01),
    Ring(1.02, 0.156, 0.106), Ring(1.09, 0.145, 0.100), Ring(1.18, 0.152, 0.106), Ring(1.28, 0.166, 0.114),
    Ring(1.36, 0.174, 0.108, 0, -0.006), Ring(1.41, 0.166, 0.094, 0, -0.012), Ring(1.445, 0.132, 0.078, 0, -0.016),
    Ring(1.47, 0.088, 0.066, 0, -0.016), Ring(1.495, 0.064, 0.058, 0, -0.012),
]  # fmt: skip
LEG = [
    Ring(0.93, 0.085, 0.100), Ring(0.82, 0.086, 0.092, 0, 0.004), Ring(0.70, 0.076, 0.082, 0, 0.006),
    Ring(0.58, 0.062, 0.068), Ring(0.49, 0.055, 0.060), Ring(0.43, 0.052, 0.056, 0, -0.006),
    Ring(0.34, 0.054, 0.060, 0, -0.014), Ring(0.22, 0.041, 0.046, 0, -0.006), Ring(0.12, 0.034, 0.038),
    Ring(0.06, 0.034, 0.04),
]  # fmt: skip
ARM_RINGS = [
    Ring(1.462, 0.022, 0.034, 0.140, -0.012), Ring(1.435, 0.042, 0.046, 0.166, -0.01), Ring(1.37, 0.047, 0.051, 0.188),
    Ring(1.26, 0.044, 0.047, 0.207), Ring(1.17, 0.040, 0.042, 0.219), Ring(1.11, 0.038, 0.041, 0.226),
    Ring(1.02, 0.037, 0.039, 0.235, 0.006), Ring(0.93, 0.029, 0.032, 0.243, 0.01),
    Ring(0.865, 0.024, 0.028, 0.247, 0.012),
]  # fmt: skip
HAND = [
    Ring(0.875, 0.022, 0.026, 0.247, 0.012), Ring(0.82, 0.019, 0.038, 0.248, 0.016),
    Ring(0.76, 0.020, 0.040, 0.246, 0.02),
    Ring(0.71, 0.017, 0.028, 0.243, 0.024), Ring(0.69, 0.008, 0.012, 0.242, 0.026),
]  # fmt: skip
SHOE = [
    Ring(0.0, 0.043, 0.125, 0, 0.055), Ring(0.024, 0.046, 0.132, 0, 0.055), Ring(0.05, 0.044, 0.120, 0, 0.048),
    Ring(0.075, 0.040, 0.080, 0, 0.018), Ring(0.11, 0.038, 0.050, 0, -0.002),
]  # fmt: skip
LEG_X = 0.09
SKIRT = -1  # chain of cloth that hangs from the waist around both thighs; others are bone numbers


class Part(NamedTuple):
    """One surface of a figure: its mesh and material, the bone chain it follows, and its side (0 left, 1 right)."""

    mesh: Mesh
    cloth: Material
    limb: int
    side: int = 0


def grown(rings: list[Ring], by: float, wide: float = 1.0, low: float = 0.0, high: float = 9.0) -> list[Ring]:
    """Return rings between two heights, enlarged by `by` metres all round, `wide` times as broad, cut at the ends."""
    table = np.array(sorted(rings), np.float64)
    low, high = max(low, table[0, 0]), min(high, table[-1, 0])
    heights = [low, *(z for z in table[:, 0] if low + 0.01 < z < high - 0.01), high]
    columns = [np.interp(heights, table[:, 0], table[:, k]) for k in range(1, 5)]
    return [Ring(z, rx * wide + by, ry * wide + by, x, y) for z, rx, ry, x, y in zip(heights, *columns, strict=True)]


def trunk(build: Build, by: float, low: float, high: float) -> list[Ring]:
    """Return the torso of a build between two heights, enlarged by `by` metres all round."""
    widths = [build.hips, build.hips, 0.5 + 0.5 * build.shoulders, build.shoulders]
    belly = max(0.0, build.girth - 1.0) * 0.14
    rings = []
    for r in grown(TORSO, 0.0, 1.0, low, high):
        wide = build.girth * float(np.interp(r.z, [0.83, 0.97, 1.1, 1.36], widths))
        out = belly * float(np.exp(-(((r.z - 1.08) / 0.13) ** 2)))
        chest = build.bust * float(np.exp(-(((r.z - 1.27) / 0.06) ** 2)))
        deep = r.ry * build.girth + by + 0.5 * (chest + out)
        rings.append(Ring(r.z, r.rx * wide + by, deep, r.x, r.y + 0.5 * (chest + out)))
    return rings


def surface_y(build: Build, by: float, x: float, z: float, side: float) -> float:
    """Return y of the torso's front (+1) or back (-1) surface at (x, z)."""
    low = min(1.49, max(0.83, z))
    ring = trunk(build, by, low, low + 0.001)[0]  # one section is enough
    share = min(1.0, abs(x) / ring.rx)
    return ring.y + side * ring.ry * float(max(0.0, 1.0 - share**2.4) ** (1 / 2.4))


def arm_out(build: Build) -> float:
    """Return how much farther from the body than average the arms hang, metres."""
    return 0.175 * (build.shoulders * float(build.girth**0.7) - 1.0)


def arm_rings(build: Build, sign: float) -> list[Ring]:
    """Return the arm of one side (+1 left, -1 right)."""
    return [r._replace(x=sign * (r.x + arm_out(build))) for r in ARM_RINGS]


def limb_width(build: Build) -> float:
    """Return the width of arms and legs relative to the average."""
    return 0.45 + 0.55 * build.girth
