"""How much faster than this machine's clock a camera's runs, measured over minutes."""

from collections import deque
from statistics import linear_regression

from ingest.clock import NS

SAMPLE_NS = 10 * NS
SAMPLES = 30  # five minutes: a delay that varies by 10 ms is then an error of 0.03 ms a second
ENOUGH = 6  # a minute
SET_NS = NS // 2  # no clock drifts that far from one sample to the next: it was set, or this machine's was
UNSTEADY = 1e-3  # of a second in a second: crystals are wrong by 0.0001, and NTP corrects clocks by at most 0.0005
STEADY = UNSTEADY / 2


class Drift:
    """The drift of one camera's clock against this machine's; that of two cameras is the difference of their ratios.

    Attributes:
        ratio: Seconds that the camera's clock gains in a second of this machine's; None before a minute is known.
    """

    def __init__(self) -> None:
        self.ratio: float | None = None
        self._samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)
        self._began_ns = 0
        self._most_ns: int | None = None  # of the sample that is being taken

    def add(self, arrival_ns: int, ahead_ns: int) -> bool:
        """Take how far a packet's time is ahead of its arrival; tell whether `ratio` was computed anew.

        The largest of ten seconds is a sample: it had the shortest delay.
        """
        if self._most_ns is None:
            self._began_ns, self._most_ns = arrival_ns, ahead_ns
        if 0 <= arrival_ns - self._began_ns < SAMPLE_NS:
            self._most_ns = max(self._most_ns, ahead_ns)
            return False
        self._take(self._began_ns, self._most_ns)
        self._began_ns, self._most_ns = arrival_ns, ahead_ns
        return len(self._samples) >= ENOUGH

    def clear(self) -> None:
        """Start afresh: one of the clocks was set."""
        self.ratio, self._most_ns = None, None
        self._samples.clear()

    def _take(self, began_ns: int, most_ns: int) -> None:
        if self._samples and abs(most_ns - self._samples[-1][1]) > SET_NS:
            self.ratio = None
            self._samples.clear()
        self._samples.append((began_ns, most_ns))
        if len(self._samples) < ENOUGH:
            return
        first_ns, first = self._samples[0]  # subtracted as integers, since floats of such numbers are not exact
        passed, gained = zip(*((at - first_ns, most - first) for at, most in self._samples), strict=True)
        self.ratio = linear_regression(passed, gained).slope
