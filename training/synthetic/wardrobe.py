"""Fabrics: the colours and patterns people wear, as frequent as on a street, and prints.

Most garments are dark, blue, grey or white and plain; some are vivid. What transfers from generated people to real
ones is variety of clothes in plausible combinations (ClonedPerson, Wang et al. 2022; UnrealPerson, Zhang et al. 2021).
"""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from training.synthetic.texture import Artwork, Colour, Material, Pattern, Print, Trim

Palette = tuple[tuple[float, int, int, int], ...]  # weight, then red, green, blue 0..255 as cameras show them

WARM_WEATHER: Palette = (
    (18, 232, 232, 230), (16, 38, 38, 42), (6, 70, 71, 76), (7, 150, 151, 154), (8, 40, 46, 78), (4, 60, 92, 150),
    (4, 140, 178, 214), (5, 180, 40, 46), (3, 224, 140, 156), (3, 234, 206, 92), (2, 214, 116, 44), (3, 52, 122, 84),
    (2, 142, 186, 120), (2, 46, 140, 146), (2, 122, 82, 156), (2, 188, 164, 206), (4, 214, 200, 172), (2, 150, 122, 90),
    (2, 104, 38, 50), (2, 92, 98, 66), (2, 196, 196, 190), (1, 224, 60, 120),
)  # fmt: skip
COLD_WEATHER: Palette = (
    (30, 34, 34, 38), (14, 62, 63, 68), (14, 36, 42, 66), (5, 48, 66, 110), (8, 112, 113, 118), (4, 164, 165, 168),
    (7, 222, 222, 218), (5, 78, 84, 62), (5, 164, 140, 106), (4, 98, 74, 56), (4, 152, 36, 42), (3, 96, 36, 48),
    (2, 42, 92, 66), (2, 40, 104, 116), (2, 208, 150, 160), (2, 214, 178, 60), (2, 46, 88, 176), (1, 206, 102, 40),
    (1, 100, 66, 126), (2, 200, 190, 172),
)  # fmt: skip
DARK_TROUSERS: Palette = (
    (30, 34, 34, 38), (10, 56, 57, 62), (10, 38, 44, 66), (5, 120, 120, 122), (7, 158, 140, 110), (5, 108, 96, 74),
    (4, 74, 78, 58), (3, 212, 208, 198), (2, 90, 66, 52), (1, 136, 44, 50), (1, 206, 180, 160),
)  # fmt: skip
DENIM: Palette = ((14, 44, 54, 86), (14, 62, 82, 122), (9, 104, 128, 164), (5, 146, 168, 194), (6, 42, 44, 52),
                  (3, 96, 100, 106), (2, 214, 214, 210))  # fmt: skip
SKIRTS: Palette = (
    (16, 36, 36, 40), (6, 42, 48, 80), (6, 226, 224, 220), (4, 66, 88, 130), (4, 150, 150, 152), (4, 176, 44, 56),
    (3, 216, 150, 164), (3, 206, 190, 160), (3, 116, 84, 62), (2, 60, 120, 92), (2, 226, 196, 90), (2, 136, 96, 160),
)  # fmt: skip
SHOES: Palette = (
    (32, 32, 32, 35), (10, 70, 70, 72), (24, 226, 226, 222), (9, 96, 68, 48), (6, 42, 48, 76), (4, 168, 44, 46),
    (5, 158, 158, 158), (3, 190, 160, 120), (2, 60, 110, 180), (1.5, 220, 120, 60), (1, 214, 110, 150),
)  # fmt: skip
BAGS: Palette = (
    (30, 34, 34, 37), (8, 74, 75, 80), (8, 42, 50, 84), (5, 122, 84, 56), (4, 172, 146, 108), (5, 170, 42, 46),
    (3, 56, 104, 172), (3, 66, 112, 80), (3, 218, 150, 166), (3, 218, 214, 206), (2, 214, 170, 60), (2, 112, 72, 132),
    (2, 210, 108, 46), (2, 92, 96, 68),
)  # fmt: skip
PAPER_AND_PLASTIC: Palette = (
    (12, 228, 228, 226), (5, 176, 140, 98), (3, 186, 44, 48), (3, 60, 120, 190), (2, 70, 140, 84), (4, 40, 40, 44),
    (2, 226, 196, 84), (1, 222, 150, 170),
)  # fmt: skip
HAIR: Palette = (
    (38, 30, 27, 26), (24, 52, 40, 33), (14, 86, 64, 48), (8, 136, 106, 72), (5, 184, 158, 114), (3, 116, 62, 42),
    (7, 142, 140, 138), (3, 204, 202, 198), (0.7, 150, 60, 90), (0.5, 60, 80, 140),
)  # fmt: skip
SKIN: Palette = (
    (26, 224, 192, 174), (24, 212, 174, 152), (17, 192, 152, 126), (11, 166, 126, 102), (9, 134, 100, 82),
    (6, 98, 74, 64),
)  # fmt: skip
HIGH_VISIBILITY: Palette = ((5, 216, 230, 60), (4, 240, 130, 40))
PATTERNS = (Pattern.STRIPES, Pattern.BANDS, Pattern.PINSTRIPES, Pattern.PLAID, Pattern.CHECKS, Pattern.DOTS,
            Pattern.FLORAL, Pattern.CAMOUFLAGE, Pattern.GRADIENT, Pattern.BLOCK, Pattern.DIAGONAL,
            Pattern.ARGYLE)  # fmt: skip
PATTERN_WEIGHTS = np.array([0.2, 0.1, 0.06, 0.16, 0.06, 0.06, 0.11, 0.05, 0.05, 0.11, 0.02, 0.02])
SCALES = {Pattern.CHECKS: (0.012, 0.05), Pattern.PINSTRIPES: (0.012, 0.06), Pattern.PLAID: (0.06, 0.16),
          Pattern.DOTS: (0.025, 0.09), Pattern.FLORAL: (0.03, 0.13), Pattern.CAMOUFLAGE: (0.05, 0.13),
          Pattern.GRADIENT: (0.9, 1.2), Pattern.BLOCK: (1.14, 1.36), Pattern.ARGYLE: (0.07, 0.14)}  # fmt: skip
DUTIES = {Pattern.PLAID: (0.3, 0.6), Pattern.DOTS: (0.15, 0.32), Pattern.FLORAL: (0.2, 0.5), Pattern.BANDS: (0.25, 0.6),
          Pattern.GRADIENT: (0.15, 0.5), Pattern.BLOCK: (0.08, 0.5)}  # fmt: skip


def linear(red: float, green: float, blue: float) -> Colour:
    """Return display values 0..255 as linear light 0..1."""
    r, g, b = (float((max(0.0, min(255.0, c)) / 255.0) ** 2.2) for c in (red, green, blue))
    return r, g, b


def pick(rng: Generator, palette: Palette, spread: float = 0.16) -> Colour:
    """Draw a colour: an entry by weight, then its brightness and tint varied by `spread` (relative, one sigma)."""
    weights = np.array([entry[0] for entry in palette])
    entry = palette[int(rng.choice(len(palette), p=weights / weights.sum()))]
    level = float(np.exp(rng.normal(0.0, spread)))
    tint = np.exp(rng.normal(0.0, spread * 0.4, 3))
    offset = rng.normal(0.0, 4.5)
    return linear(*(float(max(14.0, c * level * t + offset)) for c, t in zip(entry[1:], tint, strict=True)))


def plain(rng: Generator, palette: Palette, fold: float = 0.3) -> Material:
    """Draw a cloth of one colour; `fold` is the largest depth of its creases."""
    return Material(pick(rng, palette), relief=float(rng.uniform(0.03, 0.1)), grain=float(rng.uniform(0.01, 0.05)),
                    seed=int(rng.integers(1 << 16)), fold=fold * float(rng.uniform(0.4, 1.0)))  # fmt: skip


def cloth(rng: Generator, palette: Palette, patterned: float, fold: float = 0.3) -> Material:
    """Draw a cloth; with probability `patterned` it has one of the patterns, in two or three colours."""
    material = plain(rng, palette, fold)
    if rng.random() >= patterned:
        return replace(material, pattern=Pattern.MARL, second=_paler(material.base)) if rng.random() < 0.1 else material
    kind = PATTERNS[int(rng.choice(len(PATTERNS), p=PATTERN_WEIGHTS / PATTERN_WEIGHTS.sum()))]
    low, high = SCALES.get(kind, (0.02, 0.14))
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    duty = float(rng.uniform(*DUTIES.get(kind, (0.2, 0.6))))
    second, third = _contrasting(rng, palette, material.base), pick(rng, palette)
    if kind is Pattern.BLOCK and rng.random() < 0.5:
        third = material.base
    return replace(material, second=second, third=third, pattern=kind, scale=scale, duty=duty)


def denim(rng: Generator) -> Material:
    """Draw the cloth of jeans: fine grain, bleached where it is rubbed."""
    base = plain(rng, DENIM, 0.5)
    return replace(base, fade=float(rng.uniform(0.0, 0.9)), relief=float(rng.uniform(0.08, 0.2)), grain=0.012)


def trimmed(rng: Generator, material: Material, trim: Trim) -> Material:
    """Return the cloth with a trim in white, in black or in any colour of warm weather."""
    kind = rng.random()
    colour = linear(226, 226, 224) if kind < 0.35 else linear(34, 34, 38) if kind < 0.6 else pick(rng, WARM_WEATHER)
    return replace(material, trim=replace(trim, colour=colour))


def printed(rng: Generator, base: Colour, side: float) -> Print:
    """Draw a print that contrasts with `base`: logo, lettering, patch, number or picture on front (+1) or back (-1)."""
    dark = sum(base) < 0.6
    colour = pick(rng, ((4, 224, 224, 222), (1, 190, 60, 50), (1, 222, 190, 70), (1, 90, 140, 200), (1, 120, 190, 110))
                  if dark else ((3, 34, 34, 38), (1, 176, 44, 44), (1, 44, 66, 136), (1, 60, 130, 80)))  # fmt: skip
    kind = int(rng.choice(5, p=[0.25, 0.25, 0.12, 0.1, 0.28] if side > 0 else [0.08, 0.34, 0.12, 0.18, 0.28]))
    artwork = (Artwork.PATCH, Artwork.LETTERS, Artwork.PATCH, Artwork.NUMBER, Artwork.PICTURE)[kind]
    width = (0.025, 0.1, 0.1, 0.075, 0.1)[kind] * float(rng.uniform(0.8, 1.3))
    height = (0.02, 0.05, 0.045, 0.08, 0.11)[kind] * float(rng.uniform(0.7, 1.6))
    x = float(rng.choice([-0.07, 0.07])) if kind == 0 else 0.0
    return Print(colour, x, float(rng.uniform(1.22, 1.34)), width, height, side, artwork)


def prints(rng: Generator, base: Colour) -> tuple[Print, ...]:
    """Draw prints of different kind for front and back; one of them is often missing."""
    sides = ((1.0,), (-1.0,), (1.0, -1.0))[int(rng.choice(3, p=[0.55, 0.15, 0.3]))]
    return tuple(printed(rng, base, side) for side in sides)


def _paler(base: Colour) -> Colour:
    return 0.5 * base[0] + 0.25, 0.5 * base[1] + 0.25, 0.5 * base[2] + 0.25


def _contrasting(rng: Generator, palette: Palette, base: Colour) -> Colour:
    """Return the one of three colours that differs most from `base`, so that a pattern is visible."""
    drawn = np.sqrt([pick(rng, palette) for _ in range(3)])
    best = drawn[int(np.abs(drawn - np.sqrt(base)).sum(1).argmax())] ** 2
    return float(best[0]), float(best[1]), float(best[2])
