"""Colour of a surface as a function of surface coordinates, so that a person looks the same from every camera.

A material is one row of floats, which numba reads without objects; code writes `Material`, and `row` packs it.
Coordinates are metres in the rest pose: x to the person's left, y forward, z up. Colours are linear light, 0..1.
"""

from dataclasses import dataclass
from enum import IntEnum
from math import floor

import numpy as np
from numpy.typing import NDArray

from training.synthetic.jit import compiled
from training.synthetic.weave import (
    CLUTTER,
    FACE,
    PLAIN,
    PLANKS,
    SPECKLE,
    TILES,
    Pattern,
    cloth_shares,
    fold_shade,
    hash3,
    hollow_shade,
    noise3,
    room_share,
    wave,
)

__all__ = ["WIDTH", "Artwork", "Colour", "Material", "Pattern", "Print", "Trim", "albedo"]

Colour = tuple[float, float, float]


class Artwork(IntEnum):
    """What a print shows."""

    PICTURE = 1
    LETTERS = 2
    PATCH = 3
    NUMBER = 4


# Offsets of a row's groups: the two prints, and the trims. Numba treats them as constants.
FRONT_PRINT, BACK_PRINT, TRIM = 15, 24, 33
FOLD, FADE, DUTY = 41, 42, 14
WIDTH = 43
NO_PRINT = (0.0,) * 9
PICTURE, LETTERS, PATCH, NUMBER = (int(a) for a in Artwork)


@dataclass(frozen=True, slots=True)
class Print:
    """A printed picture or lettering: a rectangle of the x-z plane, on the front (+1) or the back (-1)."""

    colour: Colour
    x: float
    z: float
    half_width: float
    half_height: float
    side: float
    artwork: Artwork = Artwork.PICTURE

    def values(self) -> tuple[float, ...]:
        """Return the nine numbers of a row."""
        return (*self.colour, self.x, self.z, self.half_width, self.half_height, self.side, float(self.artwork))


@dataclass(frozen=True, slots=True)
class Trim:
    """Where a garment has an additional plain colour.

    Attributes:
        below, above: Heights in metres beyond which there is trim: hem and cuffs, yoke and waistband.
        front: Half width of a strip down the front: zip, placket or tie.
        side: Half width of a strip down the outer side of sleeves or legs.
    """

    colour: Colour
    below: float = -1.0
    above: float = 9.0
    front: float = 0.0
    side: float = 0.0


@dataclass(frozen=True, slots=True)
class Material:
    """One cloth, skin or wall.

    Attributes:
        pattern: How `second` and `third` alternate with `base`, with period `scale` metres and duty cycle `duty`.
        relief: Amplitude 0..1 of wear and dirt, `grain` metres in size.
        fold: Depth 0..1 of the creases of a worn cloth; above 0, areas that the body shades are darkened too.
        fade: 0..1, how far denim is bleached on thighs, knees and seat.
        prints: On the front, on the back, or both.
    """

    base: Colour
    second: Colour = (0.0, 0.0, 0.0)
    third: Colour = (0.0, 0.0, 0.0)
    pattern: Pattern = Pattern.PLAIN
    scale: float = 0.1
    relief: float = 0.1
    grain: float = 0.06
    seed: int = 0
    duty: float = 0.35
    fold: float = 0.0
    fade: float = 0.0
    prints: tuple[Print, ...] = ()
    trim: Trim | None = None

    def row(self) -> NDArray[np.float32]:
        """Pack into `(WIDTH,)` float32, the form the renderer reads."""
        front = next((p.values() for p in self.prints if p.side > 0), NO_PRINT)
        back = next((p.values() for p in self.prints if p.side < 0), NO_PRINT)
        head = (*self.base, *self.second, *self.third, float(self.pattern), self.scale, self.relief, self.grain)
        t = self.trim
        trim = (0.0,) * 8 if t is None else (*t.colour, 1.0, t.below, t.above, t.front, t.side)
        values = (*head, float(self.seed % 65521), self.duty, *front, *back, *trim, self.fold, self.fade)
        return np.array(values, np.float32)


@compiled
def _print_share(m: NDArray[np.float32], at: int, x: float, z: float) -> float:
    """Return the fraction 0..1 of the print that begins at column `at` of a row."""
    u, v = (x - m[at + 3]) / m[at + 5], (z - m[at + 4]) / m[at + 6]
    if abs(u) > 1 or abs(v) > 1:
        return 0.0
    seed, artwork = int(m[13]) + at, int(m[at + 8])
    if artwork == LETTERS:
        lines = 0.5 + floor(m[at + 6] / 0.045)
        line = floor(v * lines + 0.5)
        ragged = 0.5 + 0.5 * hash3(line, 3, 1, seed)
        inside = abs(u) < ragged and wave(v * lines + 0.5, 0.6) > 0.5
        return 1.0 if inside and hash3(floor(u * m[at + 5] * 110), line, 2, seed) > 0.3 else 0.0
    if artwork == NUMBER:
        cell = hash3(floor(u * 2.4 + 7.2), floor(v * 2.5 + 0.5), 4, seed)
        return 0.0 if abs(u) < 0.12 or cell < 0.3 else 1.0
    if artwork == PATCH:
        return 1.0 if abs(v) > 0.5 or hash3(floor(u * m[at + 5] * 90), 1, 2, seed) > 0.35 else 0.3
    if u * u + v * v > 1:
        return 0.0
    return 1.0 if noise3(u * 3 + 9, v * 3 + 9, 0.5, seed) > 0.42 else 0.25


@compiled
def _trimmed(m: NDArray[np.float32], x: float, y: float, z: float) -> bool:
    """Return whether a point has the colour of the trim."""
    if z < m[TRIM + 4] or z > m[TRIM + 5]:
        return True
    ax = abs(x)
    if y > 0 and ax < m[TRIM + 6]:
        return True
    middle = 0.09 if z < 0.86 else 0.185 + 0.12 * (1.44 - z)
    return bool(m[TRIM + 7] > 0 and ax > middle and abs(y) < m[TRIM + 7])


@compiled
def _face(m: NDArray[np.float32], x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return the colour of a head: eyes, brows and beard are `second`, glasses `third[1]` strong, a mask is the trim.

    `third[0]` is the strength of the beard; the mask covers mouth and nose where the row has a trim.
    """
    r, g, b = m[0], m[1], m[2]
    if y < 0.03 or z < 1.53:
        return r, g, b
    ax = abs(x)
    if m[TRIM + 3] > 0 and z < 1.624 - 0.3 * ax:
        return m[TRIM], m[TRIM + 1], m[TRIM + 2]
    share = 0.0
    if abs(z - 1.655) < 0.005 and 0.012 < ax < 0.048:
        share = 0.55
    if abs(z - 1.636) < 0.008 and abs(ax - 0.032) < 0.014:
        share = 0.6
    if z < 1.60 - 0.25 * max(0.0, 0.05 - ax) and m[6] > 0:
        share = max(share, m[6])
    if m[7] > 0 and abs(z - 1.634) < 0.019 and (abs(ax - 0.033) > 0.021 or abs(z - 1.634) > 0.014):
        share = max(share, m[7])
    r, g, b = r + (m[3] - r) * share, g + (m[4] - g) * share, b + (m[5] - b) * share
    if abs(z - 1.567) < 0.006 and ax < 0.024:
        return r * 0.8, g * 0.62, b * 0.62
    return r, g, b


@compiled
def _clutter(m: NDArray[np.float32], x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return the colour of a shelf of many small objects."""
    seed, scale = int(m[13]), m[10]
    i, j, k = floor(x / scale), floor(y / scale), floor(z / scale * 0.6)
    level = 0.15 + 1.7 * hash3(i, j, k, seed) ** 2
    return (
        m[0] * level * (0.4 + 1.2 * hash3(i, j, k, seed + 1)),
        m[1] * level * (0.4 + 1.2 * hash3(i, j, k, seed + 2)),
        m[2] * level * (0.4 + 1.2 * hash3(i, j, k, seed + 3)),
    )


@compiled
def _woven(m: NDArray[np.float32], x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return the colour of a pattern of up to three colours."""
    pattern = int(m[9])
    if pattern in (TILES, PLANKS, SPECKLE):
        second, third = room_share(pattern, m[10], int(m[13]), (x, y, z)), 0.0
    else:
        second, third = cloth_shares(pattern, m[10], m[DUTY], int(m[13]), (x, y, z))
    r, g, b = m[0] + (m[3] - m[0]) * second, m[1] + (m[4] - m[1]) * second, m[2] + (m[5] - m[2]) * second
    return r + (m[6] - r) * third, g + (m[7] - g) * third, b + (m[8] - b) * third


@compiled
def _decorated(
    m: NDArray[np.float32], at: tuple[float, float, float], rgb: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Return a garment's colour with its trim, bleaching and print."""
    x, y, z = at
    r, g, b = rgb
    if m[TRIM + 3] > 0 and _trimmed(m, x, y, z):
        r, g, b = m[TRIM], m[TRIM + 1], m[TRIM + 2]
    if m[FADE] > 0:
        thigh = max(0.0, 1.0 - ((z - 0.62) / 0.26) ** 2) * max(0.0, 1.0 - ((abs(x) - 0.09) / 0.075) ** 2)
        pale = m[FADE] * (thigh if y > 0 else 0.5 * max(0.0, 1.0 - ((z - 0.88) / 0.1) ** 2))
        r, g, b = r + (0.55 - r) * 0.4 * pale, g + (0.6 - g) * 0.4 * pale, b + (0.66 - b) * 0.4 * pale
    column = FRONT_PRINT if y > 0 else BACK_PRINT
    if m[column + 8] > 0:
        share = _print_share(m, column, x, z)
        r, g, b = r + (m[column] - r) * share, g + (m[column + 1] - g) * share, b + (m[column + 2] - b) * share
    return r, g, b


@compiled
def albedo(m: NDArray[np.float32], x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return the linear colour of material row `m` at rest coordinates in metres."""
    pattern, seed = int(m[9]), int(m[13])
    r, g, b = m[0], m[1], m[2]
    if pattern == FACE:
        r, g, b = _face(m, x, y, z)
    elif pattern == CLUTTER:
        r, g, b = _clutter(m, x, y, z)
    elif pattern != PLAIN:
        r, g, b = _woven(m, x, y, z)
    if m[FOLD] > 0:
        if pattern != FACE:
            r, g, b = _decorated(m, (x, y, z), (r, g, b))
        shade = fold_shade(m[FOLD], seed, (x, y, z)) * hollow_shade(x, y, z)
        if m[11] > 0.09:
            f = 1.0 / m[12]
            shade *= 1.0 + 2.0 * m[11] * (noise3(x * f, y * f, z * f, seed + 7) - 0.5)
        return r * shade, g * shade, b * shade
    if m[11] > 0:
        f = 1.0 / m[12]
        lump = noise3(x * f, y * f, z * f * 0.7, seed) + 0.5 * noise3(x * f * 3, y * f * 3, z * f * 3, seed + 7) - 0.75
        relief = 1.0 + 2.0 * m[11] * lump
        r, g, b = r * relief, g * relief, b * relief
    return r, g, b
