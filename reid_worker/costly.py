"""Which live cameras take so long to decode that the others would have to give way to them.

Every frame of H.264 and HEVC must be decoded, analysed or not, so that one camera of 8K or 120 fps can take the time of
eight. While a worker cannot keep up, only the keyframes of such a camera are decoded. Pure; the clock is an argument.
"""

import statistics

TIMES = 4.0  # the median of all live cameras, from which on a camera is costly
LEAST_SHARE = 0.15  # of one core: a camera that takes less is never costly
HOLD_S = 30.0  # how long a costly camera is held to its keyframes before it is tried again


class Costly:
    """Watches the processor time that decoding takes, by camera; elapsed time would blame whoever was waiting."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._held_until_s: dict[str, float] = {}
        self._since_s: float | None = None

    def spent(self, camera_id: str, seconds: float) -> None:
        """Take note of the processor time that decoding took for a live camera."""
        self._seconds[camera_id] = self._seconds.get(camera_id, 0.0) + seconds

    def is_held(self, camera_id: str) -> bool:
        """Tell whether only keyframes of a camera are to be decoded, as far as was known at the last update."""
        return camera_id in self._held_until_s

    def update(self, now_s: float, *, strained: bool) -> dict[str, float]:
        """Decide about the time since the last call; return the cameras that are held from now on.

        Args:
            strained: Whether the worker cannot analyse all that is wanted.

        Returns:
            How many times the median of all live cameras each one took.
        """
        period_s = now_s - (now_s if self._since_s is None else self._since_s)
        seconds, self._seconds, self._since_s = self._seconds, {}, now_s
        self._held_until_s = {name: until_s for name, until_s in self._held_until_s.items() if now_s < until_s}
        if not strained or len(seconds) < 2:
            return {}
        median_s = max(statistics.median(seconds.values()), 1e-6)
        limit_s = max(TIMES * median_s, LEAST_SHARE * period_s)
        free = seconds.keys() - self._held_until_s.keys()
        costly = {name: seconds[name] / median_s for name in sorted(free) if seconds[name] > limit_s}
        self._held_until_s |= dict.fromkeys(costly, now_s + HOLD_S)
        return costly
