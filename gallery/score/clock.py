"""When a frame was, on a time shared by all cameras."""

import configparser
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_GAP_S = 2.0
_GAP_FRAMES = 50


@dataclass(frozen=True, slots=True)
class Clock:
    """Convert frame numbers to seconds, or keep them where the frame rate of a camera is unknown.

    Attributes:
        rates: Frames per second of every camera; empty if one of them is unknown, so that all share one unit.
        first: Number of the first frame, 0 or 1, which is at 0 s.
    """

    rates: Mapping[str, float]
    first: int = 1

    @property
    def in_seconds(self) -> bool:
        """Return whether times are in seconds; otherwise they are frame numbers."""
        return bool(self.rates)

    def times(self, camera: str, frames: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return when frames of a camera were, in seconds, or as frame numbers."""
        return (frames - self.first) / self.rates[camera] if self.rates else frames.astype(np.float64)

    @property
    def longest_gap(self) -> float:
        """Return how long somebody may be out of sight and still be on the same visit: 2 s, or 50 frames."""
        return _GAP_S if self.rates else _GAP_FRAMES

    def span(self, first: float, last: float) -> str:
        """Format a span of time.

        >>> Clock({}).span(3.0, 9.0), Clock({"door": 10.0}).span(3.14, 9.0)
        ('frames 3-9', '3.1-9.0 s')
        """
        return f"{first:.1f}-{last:.1f} s" if self.rates else f"frames {first:.0f}-{last:.0f}"


def make_clock(cameras: Iterable[str], given: float | None, found: Mapping[str, float], first: int) -> Clock:
    """Return the clock of a site: with the rate that the user gave, or else those found, if every camera has one."""
    rates = {name: given or found.get(name, 0.0) for name in cameras}
    return Clock(rates if all(rates.values()) else {}, first)


def frame_rate(truth: Path) -> float | None:
    """Return the `frameRate` of the `seqinfo.ini` that MOTChallenge keeps beside a `gt` folder; None without one."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(truth.parent.parent / "seqinfo.ini", encoding="utf-8-sig")
        rate = parser.getfloat("Sequence", "frameRate", fallback=0.0)
    except (configparser.Error, ValueError, OSError):
        return None
    return rate if 0 < rate < float("inf") else None
