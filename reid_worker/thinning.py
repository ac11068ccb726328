"""At which rates live cameras are analysed, so that all of them keep up, and none at another's cost."""

from collections.abc import Callable, Sequence

from reid_worker.costly import Costly
from reid_worker.pace import Pace, PaceOptions
from reid_worker.waiting import Item


class Thinning:
    """Decides about the live chunks that a worker analyses together, a wave."""

    def __init__(self, options: PaceOptions, time_ns: Callable[[], int]) -> None:
        self._pace = Pace(options)
        self._costly = Costly()
        self._time_ns = time_ns
        self._waited_s = 0.0

    @property
    def share(self) -> float:
        """Share of the wanted frames that is analysed, of a camera of priority 1."""
        return self._pace.share

    def nothing_waits(self) -> None:
        """Take note that no live camera has anything to analyse."""
        self._pace.waited(0.0)

    def begin(self, items: Sequence[Item]) -> None:
        """Look at the live chunks of the next wave; replays are not thinned out, and left out here.

        All cameras are thinned out by one wait, the shortest: by their own ones, whose chunks come a moment earlier
        than the others', or who was late once, would be analysed at a lower rate for good.
        """
        if items:
            self._waited_s = self._since_s(max(item.record.time_ns for item in items))
            self._pace.waited(self._since_s(max(item.newest.time_ns for item in items)))

    def fps(self, item: Item) -> float:
        """Return the rate at which to analyse a chunk of the wave that has begun; 0 if it is too old."""
        if self._pace.is_hopeless(self._since_s(item.record.time_ns)):
            return 0.0
        return self._pace.fps(item.chunk.analysed_fps, item.chunk.priority, self._waited_s)

    def is_held(self, camera_id: str) -> bool:
        """Tell whether a camera takes so long to decode that only its keyframes are analysed."""
        return self._costly.is_held(camera_id)

    def spent(self, camera_id: str, decode_s: float) -> None:
        """Take note of the processor time that decoding took for a live camera."""
        self._costly.spent(camera_id, decode_s)

    def update(self, now_s: float) -> dict[str, float] | None:
        """Adapt the rates to what was seen since the last time, if that is long enough ago.

        Returns:
            The cameras that are held to their keyframes from now on, and how many times the usual their decoding took;
            None if nothing was adapted.
        """
        if not self._pace.update(now_s):
            return None
        return self._costly.update(now_s, strained=self._pace.share < 1)

    def _since_s(self, time_ns: int) -> float:
        return max(self._time_ns() - time_ns, 0) / 1e9
