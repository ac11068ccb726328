"""Patterns of cloth and rooms as functions of surface coordinates, compiled for the renderer's inner loop.

Every function takes a point in metres and returns fractions 0..1 of a material's other colours, or its shading.
"""

from enum import IntEnum
from math import floor

import numpy as np

from training.synthetic.jit import compiled

Shares = tuple[float, float]  # of the second and of the third colour


class Pattern(IntEnum):
    """How the second and third colours are laid over the first."""

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
    PLAID = 10
    DOTS = 11
    CAMOUFLAGE = 12
    FLORAL = 13
    GRADIENT = 14
    BANDS = 15
    DIAGONAL = 16
    QUILT = 17
    MARL = 18
    ARGYLE = 19


(PLAIN, STRIPES, CHECKS, FACE, TILES, PLANKS, SPECKLE, CLUTTER, PINSTRIPES, BLOCK, PLAID, DOTS, CAMOUFLAGE, FLORAL,
 GRADIENT, BANDS, DIAGONAL, QUILT, MARL, ARGYLE) = (int(p) for p in Pattern)  # fmt: skip

# Steps through the table along x, y and z: odd, far from small multiples of each other, so that nothing repeats soon.
STEP_X, STEP_Y, STEP_Z = 1013, 2311, 3373
LATTICE = np.random.default_rng(7).random(4096).astype(np.float32)


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
def wave(x: float, duty: float) -> float:
    """Return 1 in the first `duty` part of every unit, else 0, with slightly soft edges."""
    t = x - floor(x)
    return min(1.0, max(0.0, (duty - t) * 12 + 0.5)) if t < duty + 0.05 else min(1.0, max(0.0, (t - 1) * 12 + 0.5))


@compiled
def scattered_shares(pattern: int, scale: float, duty: float, seed: int, at: tuple[float, float, float]) -> Shares:
    """Return the shares of the second and third colour of patterns without straight lines."""
    x, y, z = at
    u = x + 0.6 * y
    if pattern == CAMOUFLAGE:
        near = noise3(x / scale, y / scale, z / scale, seed)
        return (1.0 if near > 0.45 else 0.0), (1.0 if noise3(x / scale, y / scale, z / scale, seed + 9) > 0.6 else 0.0)
    if pattern in (DOTS, FLORAL):
        i, k = floor(u / scale), floor(z / scale)
        jitter = 0.0 if pattern == DOTS else 0.6
        a = u / scale - i - 0.5 + jitter * (hash3(i, k, 1, seed) - 0.5)
        b = z / scale - k - 0.5 + jitter * (hash3(i, k, 2, seed) - 0.5)
        size = duty if pattern == DOTS else duty * (0.5 + hash3(i, k, 3, seed))
        inside = 1.0 if a * a + b * b < size * size else 0.0
        third = inside if pattern == FLORAL and hash3(i, k, 4, seed) > 0.5 else 0.0
        return inside, third
    if pattern == ARGYLE:
        i, k = floor((u + 0.6 * z) / scale), floor((u - 0.6 * z) / scale)
        return (1.0 if (i + k) % 2 == 0 else 0.0), 0.6 * max(wave((u + 0.6 * z) / scale + 0.5, 0.1), 0.0)
    if pattern == MARL:
        return 0.7 * hash3(floor(x * 260), floor(y * 260), floor(z * 130), seed), 0.0
    if pattern == QUILT:
        t = z / scale - floor(z / scale)
        return 1.0 - min(1.0, 9.0 * t * (1.0 - t)), 0.0
    return 0.0, 0.0


@compiled
def cloth_shares(pattern: int, scale: float, duty: float, seed: int, at: tuple[float, float, float]) -> Shares:
    """Return the shares of the second and third colour of a woven or printed cloth."""
    second, third = 0.0, 0.0
    x, y, z = at
    u = x + 0.6 * y
    if pattern == STRIPES:
        second = wave(z / scale, duty)
    elif pattern == PINSTRIPES:
        second = wave(u / scale, 0.6 * duty)
    elif pattern == DIAGONAL:
        second = wave((u + z) / scale, duty)
    elif pattern == CHECKS:
        second = 0.5 * wave(z / scale, 0.5) + 0.5 * wave(u / scale, 0.5)
    elif pattern == PLAID:
        second = 0.5 * wave(z / scale, duty) + 0.5 * wave(u / scale, duty)
        third = 0.7 * max(wave(z / scale + 0.3, 0.12), wave(u / scale + 0.3, 0.12))
    elif pattern == BANDS:
        level = hash3(floor(z / scale + 0.35 * hash3(floor(z / scale), 1, 0, seed)), 0, 0, seed)
        second, third = 1.0 if level < duty else 0.0, 1.0 if level > max(0.82, duty) else 0.0
    elif pattern == GRADIENT:
        second = min(1.0, max(0.0, (z - scale) / max(0.05, duty)))
    elif pattern == BLOCK:
        second, third = 1.0 if z > scale else 0.0, 1.0 if z < scale - duty else 0.0
    else:
        second, third = scattered_shares(pattern, scale, duty, seed, (x, y, z))
    return second, third


@compiled
def room_share(pattern: int, scale: float, seed: int, at: tuple[float, float, float]) -> float:
    """Return the share of the second colour of floors, walls and leaves."""
    x, y, z = at
    if pattern == TILES:
        return max(wave(x / scale, 0.04), wave(y / scale, 0.04))
    if pattern == PLANKS:
        row = floor(x / scale)
        return max(wave(x / scale, 0.06), 0.6 * hash3(row, floor(y / 1.3 + row * 0.37), 0, seed))
    return noise3(x / scale, y / scale, z / scale, seed)


@compiled
def _bump(z: float, middle: float, width: float) -> float:
    """Return 1 at `middle`, a half `width` metres away, towards 0 beyond."""
    t = (z - middle) / width
    return 1.0 / (1.0 + t * t)


@compiled
def fold_shade(strength: float, seed: int, at: tuple[float, float, float]) -> float:
    """Return the brightness of worn cloth with creases: deepest at elbows, waist, crotch, knees and ankles."""
    x, y, z = at
    ax = abs(x)
    if ax > 0.17 and 0.86 < z < 1.42:
        depth = 0.45 + 0.9 * _bump(z, 1.14, 0.06) + 0.6 * _bump(z, 0.9, 0.04)
    elif z > 0.84:
        depth = 0.5 + 0.6 * _bump(z, 1.03, 0.07) + 0.5 * _bump(z, 1.38, 0.04)
    else:
        depth = 0.35 + 0.8 * _bump(z, 0.83, 0.05) + 0.8 * _bump(z, 0.48, 0.07) + 0.9 * _bump(z, 0.1, 0.06)
    slant = 5.0 * ax * (1.0 if seed & 1 else -1.0)
    n = noise3(7.0 * x + 3.0 * z, 6.0 * y, 15.0 * z + slant, seed) - 0.5
    fine = noise3(16.0 * x - 9.0 * z, 14.0 * y, 34.0 * z - 2.0 * slant, seed + 5) - 0.5
    crease = n + 0.7 * fine - 0.9 * max(0.0, 0.14 - abs(n + 0.1)) - 0.6 * max(0.0, 0.1 - abs(fine))
    return max(0.35, 1.0 + 2.2 * strength * depth * (crease + 0.05))


@compiled
def hollow_shade(x: float, y: float, z: float) -> float:
    """Return how much ambient light reaches a body: less between legs, beside arms and under the chin."""
    ax = abs(x)
    if z < 0.86:
        return 0.72 + 0.28 * min(1.0, ax / 0.09)
    if z > 1.455:
        return 0.78 if z < 1.545 and ax < 0.075 else 1.0
    if 0.9 < z < 1.38 and ax > 0.12:
        inner = 0.185 + 0.12 * (1.44 - z) - ax  # distance from the arm's middle line towards the body
        beside = min(1.0, max(0.0, inner / 0.03)) if abs(y) < 0.09 else 0.0
        return 1.0 - 0.3 * beside
    return 1.0
