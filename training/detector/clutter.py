"""Pictures of nothing in particular: what to put behind, beside and in front of people so that only they matter.

Overlapping shapes of all sizes have the statistics of natural pictures (dead leaves: Lee, Mumford and Huang, IJCV
2001), and networks learn from them (Baradad et al., "Learning to See by Looking at Noise", NeurIPS 2021).
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.detector.patterns import coloured_noise, palette_of, rows_of_goods, stripes

Image = NDArray[np.uint8]


def backdrop(rng: Generator, height: int, width: int) -> Image:
    """Return `(height, width, 3)` uint8 RGB without anybody: one kind of picture, or two put together."""
    makers = (dead_leaves, dead_leaves, coloured_noise, stripes, rows_of_goods)
    first, second = (makers[int(k)](rng, height, width) for k in rng.integers(len(makers), size=2))
    kind = rng.random()
    if kind < 0.4:
        return first
    if kind < 0.6:  # one lies on the other in patches
        mask = coloured_noise(rng, height, width)[..., :1] > rng.uniform(60, 160)
        return np.asarray(np.where(mask, first, second), np.uint8)
    if kind < 0.8:
        return textured(first, second, float(rng.uniform(0.2, 1.0)))
    share = float(rng.uniform(0.2, 0.8))
    return np.asarray(cv2.addWeighted(first, share, second, 1 - share, 0), np.uint8)


def textured(image: Image, texture: Image, strength: float) -> Image:
    """Return an RGB picture whose light and dark vary as another one's do; `strength` 0 changes nothing."""
    grey = cv2.cvtColor(texture, cv2.COLOR_RGB2GRAY).astype(np.float32) + 8
    gain = (grey / grey.mean()) ** np.float32(strength)
    return np.asarray(np.clip(image * gain[..., None], 0, 255), np.uint8)


def dead_leaves(rng: Generator, height: int, width: int) -> Image:
    """Return `(height, width, 3)` uint8: overlapping shapes, large ones first, shaded and a little noisy."""
    palette = palette_of(rng, int(rng.integers(2, 12)))
    image = np.full((height, width, 3), palette[0], np.float64).astype(np.uint8)
    sizes = np.sort(height * rng.uniform(0.015, 0.5) * rng.pareto(1.5, int(rng.integers(40, 260))).clip(0.05, 3))[::-1]
    for size in sizes:
        colour = np.clip(palette[int(rng.integers(len(palette)))] + rng.normal(0, 18, 3), 0, 255).tolist()
        _leaf(rng, image, float(size), colour)
    shade = cv2.resize(rng.uniform(0.55, 1.35, (3, 4, 1)), (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    return np.asarray(np.clip(image * shade + rng.normal(0, rng.uniform(0, 6), image.shape), 0, 255), np.uint8)


def _leaf(rng: Generator, image: Image, size: float, colour: list[float]) -> None:
    """Draw one shape: ellipse, upright or turned rectangle, polygon, or a pole."""
    height, width = image.shape[:2]
    x, y = int(rng.integers(width)), int(rng.integers(height))
    long, turn = max(1.0, size * float(rng.uniform(0.3, 2.0))), float(rng.uniform(0, 180))
    kind = int(rng.integers(5))
    if kind == 0:
        cv2.ellipse(image, (x, y), (int(size), int(long)), turn, 0, 360, colour, -1, cv2.LINE_AA)
    elif kind == 1:
        cv2.rectangle(image, (x, y), (x + int(size), y + int(long)), colour, -1)
    elif kind == 2:
        corners = cv2.boxPoints(((x, y), (size, long), turn)).astype(np.int32)
        cv2.fillConvexPoly(image, corners, colour, cv2.LINE_AA)
    elif kind == 3:
        corners = (np.array([x, y]) + rng.normal(0, size, (int(rng.integers(3, 8)), 2))).astype(np.int32)
        cv2.fillPoly(image, [corners], colour, cv2.LINE_AA)
    else:
        along = (int(x + 3 * size * np.cos(turn)), int(y + 3 * size * np.sin(turn)))
        cv2.line(image, (x, y), along, colour, max(1, int(size * 0.15)), cv2.LINE_AA)
