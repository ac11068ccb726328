"""The rate at which the frames of a camera are analysed."""

import msgspec

SPAN_NS = 5_000_000_000


class RateMeter(msgspec.Struct, array_like=True):
    """Measures over the last five seconds of capture time; part of a stream's state.

    Attributes:
        began_ns: Capture time of the first frame.
        times_ns: Those of the later frames, of the last seconds.
    """

    began_ns: int | None = None
    times_ns: list[int] = []

    def analysed(self, time_ns: int) -> None:
        """Count a frame; times increase."""
        if self.began_ns is None:
            self.began_ns = time_ns
        else:
            self.times_ns = [*(one for one in self.times_ns if one > time_ns - SPAN_NS), time_ns]

    def fps(self, now_ns: int) -> float:
        """Return the frames per second up to a capture time, 0 before the second frame."""
        span_ns = 0 if self.began_ns is None else min(now_ns - self.began_ns, SPAN_NS)
        return sum(one > now_ns - SPAN_NS for one in self.times_ns) * 1e9 / span_ns if span_ns > 0 else 0.0
