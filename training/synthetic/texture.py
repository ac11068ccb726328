"""Colour of a surface as a function of its own coordinates, so that a person looks the same from every camera.

A material is one row of floats (numba reads it without objects); people write `Material`, `row` packs it.
Coordinates are metres in the rest pose: x to the person's left, y forward, z up. Colours are linear light, 0..1.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from math import floor

import numpy as np
from numpy.typing import NDArray

from training.synthetic.jit import compiled

Colour = tuple[float, float, float]


class Pattern(IntEnum):
    """How the second colour lies on the first."""

    PLAIN = 0
    STRIPES = 1
    CHECKS = 2
    FACE = 3
    TILES = 4
    PLANKS = 5
    SPECKLE = 6
    CLUTTER = 7
    PINSTRIPES = 8
    BLOCK = 9


# Steps through the table along x, y and z: odd, far from small multiples of each other, so that nothing repeats soon.
STEP_X, STEP_Y, STEP_Z = 1013, 2311, 3373
LATTICE = np.random.default_rng(7).random(4096).astype(np.float32)

PLAIN, STRIPES, CHECKS, FACE, TILES, PLANKS, SPECKLE, CLUTTER, PINSTRIPES, BLOCK = (int(p) for p in Pattern)


@dataclass(frozen=True, slots=True)
class Print:
    """A printed picture or lettering: a rectangle of the x-z plane, on the front (+1) or the back (-1)."""

    colour: Colour
    x: float
    z: float
    half_width: float
    half_height: float
    side: float
    lettering: bool


@dataclass(frozen=True, slots=True)
class Material:
    """One cloth, skin or wall.

    Attributes:
        pattern: How `second` lies on `base`, with period `scale` metres.
        relief: Amplitude 0..1 of wrinkles and dirt, `grain` metres in size.
        opening: Half width in metres of an open front that shows `third`; 0 is closed.
    """

    base: Colour
    second: Colour = (0.0, 0.0, 0.0)
    third: Colour = (0.0, 0.0, 0.0)
    pattern: Pattern = Pattern.PLAIN
    scale: float = 0.1
    relief: float = 0.1
    grain: float = 0.06
    seed: int = 0
    opening: float = 0.0
    prints: Print | None = field(default=None)

    def row(self) -> NDArray[np.float32]:
        """Pack into `(24,)` float32, the form the renderer reads."""
        p = self.prints
        printed = (
            (0.0,) * 9 if p is None else (*p.colour, p.x, p.z, p.half_width, p.half_height, p.side, 1.0 + p.lettering)
        )
        head = (*self.base, *self.second, *self.third, float(self.pattern), self.scale, self.relief, self.grain)
        return np.array((*head, float(self.seed % 65521), self.opening, *printed), np.float32)


@compiled
def hash3(i: int, j: int, k: int, seed: int) -> float:
    """Return a repeatable pseudo-random number in 0..1 for an integer cell."""
    h = (i * 73856093) ^ (j * 19349663) ^ (k * 83492791) ^ (seed * 2654435)
    h = (h ^ (h >> 13)) & 0x7FFFFFFF
    h = (h * 1274126177) & 0x7FFFFFFF
    return float((h ^ (h >> 15)) & 0xFFFF) / 65535.0


@compiled
def noise3(x: float, y: float, z: float, seed: int) -> float:
    """Return value noise in 0..1: a table of random numbers on the unit lattice, blended smoothly."""
    i, j, k = floor(x), floor(y), floor(z)
    u, v, w = x - i, y - j, z - k
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    n = i * STEP_X + j * STEP_Y + k * STEP_Z + seed * 977
    a = LATTICE[n & 4095] * (1 - u) + LATTICE[(n + STEP_X) & 4095] * u
    b = LATTICE[(n + STEP_Y) & 4095] * (1 - u) + LATTICE[(n + STEP_X + STEP_Y) & 4095] * u
    n += STEP_Z
    c = LATTICE[n & 4095] * (1 - u) + LATTICE[(n + STEP_X) & 4095] * u
    d = LATTICE[(n + STEP_Y) & 4095] * (1 - u) + LATTICE[(n + STEP_X + STEP_Y) & 4095] * u
    a, c = a * (1 - v) + b * v, c * (1 - v) + d * v
    return float(a * (1 - w) + c * w)


@compiled
def _wave(x: float, duty: float) -> float:
    """Return 1 in the first `duty` part of every unit, else 0, with slightly soft edges."""
    t = x - floor(x)
    return min(1.0, max(0.0, (duty - t) * 12 + 0.5)) if t < duty + 0.05 else min(1.0, max(0.0, (t - 1) * 12 + 0.5))


@compiled
def _weave(pattern: int, scale: float, seed: int, x: float, y: float, z: float) -> float:
    """Return the share 0..1 of the second colour at a point."""
    share = 0.0
    if pattern == STRIPES:
        share = _wave(z / scale, 0.35)
    elif pattern == CHECKS:
        share = 0.5 * _wave(z / scale, 0.5) + 0.5 * _wave((x + 0.6 * y) / scale, 0.5)
    elif pattern == PINSTRIPES:
        share = _wave((x - 0.5 * y) / scale, 0.25)
    elif pattern == TILES:
        share = max(_wave(x / scale, 0.04), _wave(y / scale, 0.04))
    elif pattern == PLANKS:
        row = floor(x / scale)
        share = max(_wave(x / scale, 0.06), 0.6 * hash3(row, floor(y / 1.3 + row * 0.37), 0, seed))
    elif pattern == SPECKLE:
        share = noise3(x / scale, y / scale, z / scale, seed)
    elif pattern == BLOCK:
        share = 1.0 if z > scale else 0.0
    return share


@compiled
def _print_share(m: NDArray[np.float32], x: float, y: float, z: float) -> float:
    """Return the share 0..1 of the print at a point: lines of letters, or a picture of random cells."""
    if m[23] == 0 or y * m[22] <= 0:
        return 0.0
    u, v = (x - m[18]) / m[20], (z - m[19]) / m[21]
    if abs(u) > 1 or abs(v) > 1:
        return 0.0
    seed = int(m[13])
    if m[23] > 1.5:
        line = floor(v * 2.5 + 0.5)
        ragged = 0.5 + 0.5 * hash3(line, 3, 1, seed)
        inside = abs(u) < ragged and _wave(v * 2.5 + 0.5, 0.55) > 0.5
        return 1.0 if inside and hash3(floor(u * 14), line, 2, seed) > 0.25 else 0.0
    if u * u + v * v > 1:
        return 0.0
    return 1.0 if noise3(u * 3 + 9, v * 3 + 9, 0.5, seed) > 0.42 else 0.0


@compiled
def _face(m: NDArray[np.float32], x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return the colour of a head with eyes, brows, beard (`second`, as strong as `third[0]`), glasses (`third[1]`)."""
    r, g, b = m[0], m[1], m[2]
    if y < 0.03:
        return r, g, b
    ax = abs(x)
    share = 0.0
    if abs(z - 1.655) < 0.006 and 0.012 < ax < 0.05:
        share = 0.75
    if abs(z - 1.636) < 0.008 and abs(ax - 0.032) < 0.014:
        share = 0.8
    if z < 1.60 - 0.25 * max(0.0, 0.05 - ax) and m[6] > 0:
        share = max(share, m[6])
    if m[7] > 0 and abs(z - 1.634) < 0.019 and (abs(ax - 0.033) > 0.021 or abs(z - 1.634) > 0.014):
        share = max(share, m[7])
    r, g, b = r + (m[3] - r) * share, g + (m[4] - g) * share, b + (m[5] - b) * share
    if abs(z - 1.567) < 0.007 and ax < 0.024:
        return r * 0.75, g * 0.5, b * 0.5
    return r, g, b


@compiled
def albedo(m: NDArray[np.float32], x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return the linear colour of material row `m` at rest coordinates in metres."""
    pattern, seed, scale = int(m[9]), int(m[13]), m[10]
    r, g, b = m[0], m[1], m[2]
    if pattern == FACE:
        r, g, b = _face(m, x, y, z)
    elif pattern == CLUTTER:
        i, j, k = floor(x / scale), floor(y / scale), floor(z / scale * 0.6)
        level = 0.15 + 1.7 * hash3(i, j, k, seed) ** 2
        r = r * level * (0.4 + 1.2 * hash3(i, j, k, seed + 1))
        g = g * level * (0.4 + 1.2 * hash3(i, j, k, seed + 2))
        b = b * level * (0.4 + 1.2 * hash3(i, j, k, seed + 3))
    elif pattern != PLAIN:
        share = _weave(pattern, scale, seed, x, y, z)
        r, g, b = r + (m[3] - r) * share, g + (m[4] - g) * share, b + (m[5] - b) * share
    if m[14] > 0 and y > 0 and abs(x) < m[14] * (1.0 + 1.2 * max(0.0, z - 1.2)):
        r, g, b = m[6], m[7], m[8]
    share = _print_share(m, x, y, z)
    if share > 0:
        r, g, b = r + (m[15] - r) * share, g + (m[16] - g) * share, b + (m[17] - b) * share
    if m[11] > 0:
        f = 1.0 / m[12]
        lump = noise3(x * f, y * f, z * f * 0.7, seed) + 0.5 * noise3(x * f * 3, y * f * 3, z * f * 3, seed + 7) - 0.75
        relief = 1.0 + 2.0 * m[11] * lump
        r, g, b = r * relief, g * relief, b * relief
    return r, g, b
