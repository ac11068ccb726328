"""Materials of outdoor places."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from training.synthetic.texture import Colour, Material, Pattern
from training.synthetic.wardrobe import linear

(GROUND, PATH, PAINT, FACADE, FACADE_BELOW, GLASS, WOOD, METAL, DARK, LEAF, LEAF_LIGHT, TRUNK, CAR, ACCENT, STONE,
 LAMP) = range(16)  # fmt: skip
Display = tuple[float, float, float]  # 0..255 as a camera shows it
Paving = tuple[Display, Pattern, float, float]  # colour, pattern, and the pattern's minimum and maximum period, metres

# Asphalt, dark asphalt, slabs, stones, gravel, grass, sand, brick paving.
GROUNDS: tuple[Paving, ...] = (
    ((118, 118, 120), Pattern.SPECKLE, 0.02, 0.08), ((84, 85, 90), Pattern.SPECKLE, 0.02, 0.1),
    ((168, 164, 156), Pattern.TILES, 0.3, 1.2), ((150, 142, 134), Pattern.TILES, 0.12, 0.25),
    ((160, 152, 138), Pattern.SPECKLE, 0.03, 0.1), ((98, 112, 62), Pattern.SPECKLE, 0.04, 0.15),
    ((196, 178, 144), Pattern.SPECKLE, 0.1, 0.5), ((160, 110, 92), Pattern.TILES, 0.1, 0.22),
)  # fmt: skip
GROUND_SHARES = (0.2, 0.12, 0.22, 0.12, 0.1, 0.1, 0.04, 0.1)
FACADES = ((205, 198, 184), (176, 120, 96), (222, 218, 210), (150, 146, 140), (196, 176, 134), (120, 124, 132))
CARS = ((190, 32, 36), (32, 60, 130), (205, 205, 208), (40, 92, 66), (210, 176, 60), (96, 100, 108), (70, 130, 190))


@dataclass(frozen=True, slots=True)
class Stock:
    """Available materials: grounds with their probabilities, and colours of walls, cars and small objects."""

    grounds: tuple[Paving, ...] = GROUNDS
    shares: tuple[float, ...] = GROUND_SHARES
    walls: tuple[Display, ...] = FACADES
    accents: tuple[Display, ...] = CARS


def draw_surfaces(rng: Generator, wetness: float, stock: Stock) -> list[Material]:
    """Draw the surfaces in the order of the constants above; wet ground reflects `wetness`, 0..1, times as much."""
    draw = _Draw(rng)
    ground, path = (
        draw.paved(stock.grounds[int(k)], wetness) for k in rng.choice(len(stock.grounds), 2, p=stock.shares)
    )
    wall = draw.near(stock.walls[int(rng.integers(len(stock.walls)))])
    pattern = (Pattern.PLAIN, Pattern.STRIPES, Pattern.CHECKS, Pattern.SPECKLE)
    brick = pattern[int(rng.choice(4, p=[0.5, 0.2, 0.15, 0.15]))]
    car, accent = (stock.accents[int(k)] for k in rng.integers(len(stock.accents), size=2))
    return [
        ground,
        path,
        draw.plain((215, 214, 205), 0.08, 0.2, 0.2),
        Material(wall, _times(wall, 0.75), pattern=brick, scale=float(rng.uniform(0.1, 0.6)), relief=0.1, grain=0.6),
        draw.plain((130, 126, 120), 0.3, 0.15, 0.4),
        draw.plain((60, 72, 86), 0.35, 0.3, 0.9),
        draw.plain((130, 98, 66), 0.2, 0.25, 0.1),
        draw.plain((150, 154, 158), 0.2, 0.08, 0.3),
        draw.plain((38, 38, 42), 0.2, 0.15, 0.2),
        draw.mottled((48, 74, 36), (22, 38, 16), 0.07, 0.5),
        draw.mottled((92, 110, 52), (48, 64, 28), 0.09, 0.5),
        draw.mottled((84, 68, 54), (50, 42, 36), 0.05, 0.3),
        draw.plain(car, 0.1, 0.04, 0.5),
        draw.plain(accent, 0.2, 0.1, 0.3),
        draw.mottled((168, 162, 150), (140, 136, 128), 0.05, 0.2),
        Material((6.0, 5.6, 4.6)),
    ]


@dataclass(frozen=True, slots=True)
class _Draw:
    """Draws materials close to a colour."""

    rng: Generator

    def near(self, colour: Display, spread: float = 0.2, tint: float = 0.025) -> Colour:
        """Return linear light near a display colour: brightness and tint vary by their sigmas, relative."""
        level = np.exp(self.rng.normal(0, spread)) * np.exp(self.rng.normal(0, tint, 3))
        return linear(*(float(min(240, c * k)) for c, k in zip(colour, level, strict=True)))

    def plain(self, colour: Display, spread: float, relief: float, grain: float) -> Material:
        """Return a material of one colour with dirt."""
        return Material(self.near(colour, spread), relief=relief, grain=grain, seed=self.seed())

    def mottled(self, colour: Display, other: Display, scale: float, relief: float) -> Material:
        """Return a material of two colours that vary from spot to spot: leaves, bark, stone."""
        return Material(self.near(colour, 0.2, 0.06), self.near(other), pattern=Pattern.SPECKLE, scale=scale,
                        relief=relief, grain=0.2, seed=self.seed())  # fmt: skip

    def paved(self, kind: Paving, wetness: float) -> Material:
        """Return a ground material."""
        base = _times(self.near(kind[0]), wetness)
        second = _times(base, float(self.rng.uniform(0.55, 0.9)))
        scale, relief, grain = (float(self.rng.uniform(*r)) for r in (kind[2:], (0.04, 0.2), (0.08, 1.2)))
        return Material(base, second, pattern=kind[1], scale=scale, relief=relief, grain=grain, seed=self.seed())

    def seed(self) -> int:
        """Return a seed for dirt."""
        return int(self.rng.integers(1 << 16))


def _times(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
