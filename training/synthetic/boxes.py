"""A model of detector errors: boxes are mostly tight, sometimes wrong, and jitter from frame to frame."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

Box = tuple[float, float, float, float]  # left, top, right, bottom, pixels
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class DetectorErrors:
    """How often and how far a detector errs, relative to the box.

    Attributes:
        margin: Mean and sigma of the margin added on each side.
        legs, aside, large, head: Fractions of tracklets with the legs cut off, the box beside the person, the box
            too large, and the head cut off; `..._by` is by how much.
        flutter: Largest sigma of the jitter from frame to frame.
        gain: Sigma of the log exposure of a tracklet.
        smeared: Fraction of tracklets with motion blur, of `smear_m` metres.
    """

    margin: Range = (0.03, 0.04)
    legs: float = 0.12
    legs_by: Range = (0.1, 0.4)
    aside: float = 0.08
    aside_by: Range = (0.1, 0.3)
    large: float = 0.1
    large_by: Range = (0.08, 0.25)
    head: float = 0.04
    head_by: Range = (0.03, 0.1)
    flutter: float = 0.035
    gain: float = 0.17
    smeared: float = 0.4
    smear_m: Range = (0.004, 0.025)


@dataclass(frozen=True, slots=True)
class CropDistortion:
    """Errors of detector and exposure over a whole tracklet: margins relative to the box, and their jitter."""

    margin: Box
    flutter: float
    gain: float
    smear_m: float

    @classmethod
    def draw(cls, rng: Generator, errors: DetectorErrors) -> "CropDistortion":
        """Draw the margins of a tracklet, with at most one error."""
        m = rng.normal(*errors.margin, 4)
        kind = rng.random()
        wrong = np.cumsum([errors.legs, errors.aside, errors.large, errors.head])
        if kind < wrong[0]:
            m[3] = -rng.uniform(*errors.legs_by)
        elif kind < wrong[1]:
            aside = rng.choice([-1, 1]) * rng.uniform(*errors.aside_by)
            m[0], m[2] = m[0] - aside, m[2] + aside
        elif kind < wrong[2]:
            m += rng.uniform(*errors.large_by, 4)
        elif kind < wrong[3]:
            m[1] = -rng.uniform(*errors.head_by)
        smear = rng.uniform(*errors.smear_m) if rng.random() < errors.smeared else 0.0
        return cls((float(m[0]), float(m[1]), float(m[2]), float(m[3])), float(rng.uniform(0.0, errors.flutter)),
                   float(np.exp(rng.normal(0, errors.gain))), float(smear))  # fmt: skip

    def apply(self, rng: Generator, box: Box) -> Box:
        """Return the box a detector would report where the true one is `box`."""
        left, top, right, bottom = box
        w, h = right - left, bottom - top
        j = rng.normal(0, self.flutter, 4)
        m = self.margin
        return (
            left - (m[0] + j[0]) * w,
            top - (m[1] + j[1]) * h,
            right + (m[2] + j[2]) * w,
            bottom + (m[3] + j[3]) * h,
        )
