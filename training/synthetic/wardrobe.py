"""What people wear: mostly dark, so that telling two of them apart needs shade, print, hair, sleeves and build."""

import numpy as np
from numpy.random import Generator

from training.synthetic.texture import Colour, Material, Pattern, Print

Palette = tuple[tuple[float, int, int, int], ...]  # weight, then red, green, blue 0..255 as cameras show them

UPPER: Palette = (
    (20, 24, 24, 28), (9, 52, 53, 57), (14, 27, 33, 56), (4, 40, 58, 98), (6, 104, 106, 110), (5, 165, 166, 168),
    (11, 226, 226, 224), (4, 80, 105, 145), (3, 66, 72, 50), (4, 160, 144, 112), (3, 92, 68, 50), (4, 158, 32, 40),
    (2, 96, 28, 40), (2, 35, 92, 62), (2, 30, 110, 120), (2, 214, 150, 160), (2, 222, 186, 64), (2, 44, 86, 178),
    (1, 214, 110, 40), (1.5, 104, 62, 130), (2, 150, 190, 220), (1, 150, 200, 150),
)  # fmt: skip
LOWER: Palette = (
    (22, 24, 24, 28), (10, 50, 51, 56), (12, 30, 36, 58), (18, 48, 66, 104), (8, 104, 126, 160), (10, 150, 132, 102),
    (6, 100, 88, 66), (4, 64, 68, 50), (5, 120, 120, 122), (3, 214, 210, 200), (2, 84, 60, 46), (1, 140, 40, 46),
)  # fmt: skip
SHOES: Palette = (
    (30, 20, 20, 22), (14, 60, 60, 62), (18, 222, 222, 220), (10, 84, 60, 42), (8, 36, 42, 66), (3, 160, 40, 40),
    (3, 150, 150, 150),
)  # fmt: skip
HAIR: Palette = (
    (34, 22, 19, 18), (26, 48, 36, 29), (16, 84, 62, 45), (9, 140, 108, 70), (5, 186, 158, 110), (3, 120, 62, 38),
    (7, 140, 138, 136), (2, 200, 198, 194),
)  # fmt: skip
SKIN: Palette = (
    (24, 228, 190, 165), (22, 214, 170, 142), (16, 196, 148, 116), (13, 168, 118, 86), (12, 128, 86, 62),
    (8, 88, 60, 46),
)  # fmt: skip


def linear(red: float, green: float, blue: float) -> Colour:
    """Return display values 0..255 as linear light 0..1."""
    r, g, b = (float((max(0.0, min(255.0, c)) / 255.0) ** 2.2) for c in (red, green, blue))
    return r, g, b


def pick(rng: Generator, palette: Palette, spread: float = 0.16) -> Colour:
    """Draw a colour: an entry by weight, then its brightness and tint varied by `spread` (relative, one sigma)."""
    weights = np.array([entry[0] for entry in palette])
    entry = palette[int(rng.choice(len(palette), p=weights / weights.sum()))]
    level = float(np.exp(rng.normal(0.0, spread)))
    tint = np.exp(rng.normal(0.0, spread * 0.35, 3))
    offset = rng.normal(0.0, 3.5)
    return linear(*(float(c * level * t + offset) for c, t in zip(entry[1:], tint, strict=True)))


def cloth(rng: Generator, palette: Palette, patterned: float) -> Material:
    """Draw a cloth; with probability `patterned` it is striped or checked in a second colour."""
    base = pick(rng, palette)
    relief, grain = float(rng.uniform(0.06, 0.28)), float(rng.uniform(0.04, 0.12))
    seed = int(rng.integers(1 << 16))
    if rng.random() >= patterned:
        return Material(base, relief=relief, grain=grain, seed=seed)
    kind = (Pattern.STRIPES, Pattern.CHECKS, Pattern.PINSTRIPES, Pattern.BLOCK)[
        int(rng.choice(4, p=[0.4, 0.3, 0.1, 0.2]))
    ]
    scale = float(rng.uniform(1.18, 1.36)) if kind is Pattern.BLOCK else float(rng.uniform(0.025, 0.12))
    return Material(base, pick(rng, palette), pattern=kind, scale=scale, relief=relief, grain=grain, seed=seed)


def printed(rng: Generator, base: Colour) -> Print:
    """Draw a print that contrasts with `base`: a small logo, chest lettering, or a large picture, front or back."""
    dark = sum(base) < 0.6
    colour = pick(rng, ((3, 220, 220, 220), (1, 190, 60, 50), (1, 220, 190, 70), (1, 90, 140, 200)) if dark
                  else ((3, 30, 30, 34), (1, 170, 40, 40), (1, 40, 60, 130)))  # fmt: skip
    kind = int(rng.integers(3))
    width = (0.025, 0.09, 0.11)[kind] * float(rng.uniform(0.8, 1.3))
    height = (0.025, 0.035, 0.12)[kind] * float(rng.uniform(0.8, 1.4))
    x = float(rng.choice([-0.07, 0.07])) if kind == 0 else 0.0
    return Print(
        colour, x, float(rng.uniform(1.24, 1.34)), width, height, float(rng.choice([1.0, 1.0, -1.0])), kind == 1
    )
