"""What a detector makes of a person's box: mostly tight, now and then wrong, and trembling from frame to frame."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

Box = tuple[float, float, float, float]  # left, top, right, bottom, pixels
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class BoxHabits:
    """How a detector errs, relative to the box.

    Attributes:
        margin: Mean and sigma of what is added on each side.
        legs, aside, large, head: Shares of tracklets with legs cut off, the box beside the person, the box too large,
            and the head cut off; `..._by` is how much.
        flutter: Largest sigma of the change from frame to frame.
        gain: Sigma of the log exposure of a tracklet.
        smeared: Share of tracklets with motion blur, of `smear_m` metres.
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
class Cut:
    """What the detector and the exposure do to a whole tracklet: margins relative to the box, and their flutter."""

    margin: Box
    flutter: float
    gain: float
    smear_m: float

    @classmethod
    def draw(cls, rng: Generator, habits: BoxHabits) -> "Cut":
        """Draw the margins of a tracklet, at most one thing wrong with them."""
        m = rng.normal(*habits.margin, 4)
        kind = rng.random()
        wrong = np.cumsum([habits.legs, habits.aside, habits.large, habits.head])
        if kind < wrong[0]:
            m[3] = -rng.uniform(*habits.legs_by)
        elif kind < wrong[1]:
            aside = rng.choice([-1, 1]) * rng.uniform(*habits.aside_by)
            m[0], m[2] = m[0] - aside, m[2] + aside
        elif kind < wrong[2]:
            m += rng.uniform(*habits.large_by, 4)
        elif kind < wrong[3]:
            m[1] = -rng.uniform(*habits.head_by)
        smear = rng.uniform(*habits.smear_m) if rng.random() < habits.smeared else 0.0
        return cls((float(m[0]), float(m[1]), float(m[2]), float(m[3])), float(rng.uniform(0.0, habits.flutter)),
                   float(np.exp(rng.normal(0, habits.gain))), float(smear))  # fmt: skip

    def apply(self, rng: Generator, box: Box) -> Box:
        """Return the box a detector would report for one whose truth is `box`."""
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
