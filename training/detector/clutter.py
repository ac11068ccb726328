"""Pictures of nothing in particular: what to put behind, beside and in front of people so that only they matter.

Overlapping shapes of all sizes have the statistics of natural pictures (dead leaves: Lee, Mumford and Huang, IJCV
2001), and networks learn from them (Baradad et al., "Learning to See by Looking at Noise", NeurIPS 2021).
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def dead_leaves(rng: Generator, height: int, width: int) -> Image:
    """Return `(height, width, 3)` uint8: overlapping shapes, large ones first, shaded and a little noisy."""
    palette = rng.uniform(0, 255, (int(rng.integers(2, 12)), 3)) * rng.uniform(0.2, 1.0)
    grey = palette.mean(1, keepdims=True)
    palette = grey + (palette - grey) * rng.uniform(0.05, 1.0)  # most places are not colourful
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
