"""The rounds in which a worker analyses its live cameras, as times.

The gallery decides what was found at one moment together, and waits until all cameras have got there. The chunks of two
cameras never end at the same moment, so by capture times alone everybody would wait for the next chunks of all others,
which a worker under load brings a second later. What it analysed together is of one moment; so it says so.
"""

from collections.abc import Sequence


class Rounds:
    """The rounds of one worker."""

    def __init__(self) -> None:
        self._last_ns = 0

    def next(self, times_ns: Sequence[int], now_ns: int) -> int:
        """Return the time of a round in which cameras were analysed up to these capture times; later than any before.

        A camera whose clock is ahead does not take the others along: other workers' cameras would wait for them.
        """
        self._last_ns = max(min(max(times_ns), now_ns), self._last_ns + 1)
        return self._last_ns
