"""Find the tracklets of a camera that were, or may have been, visible at the same time. No I/O."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gallery.decision.site import STALE_NS, Together, together
from wire.messages import Tracklet


@dataclass(frozen=True, slots=True, eq=False)
class _Times:
    """Times of the tracklets of one camera, by id.

    Attributes:
        ids: n ids, sorted.
        first_ns, last_ns: `(n,)` int64.
        over: `(n,)` bool; the tracklet has no boxes after `last_ns`.
    """

    ids: tuple[str, ...]
    first_ns: NDArray[np.int64]
    last_ns: NDArray[np.int64]
    over: NDArray[np.bool_]


class Visibility:
    """Caches which tracklets overlap in time, so that each is compared with those of its camera only once."""

    def __init__(self, tracklets: Iterable[Tracklet], now_ns: int) -> None:
        self._now_ns = now_ns
        self._tracklets: dict[str, dict[str, Tracklet]] = defaultdict(dict)  # by camera, then by id
        self._times: dict[str, _Times] = {}
        self._together: dict[str, dict[str, tuple[tuple[Together, str], ...]]] = defaultdict(dict)
        for tracklet in tracklets:
            self._tracklets[tracklet.camera_id][tracklet.tracklet_id] = tracklet

    def put(self, tracklet: Tracklet) -> None:
        """Add a tracklet, replacing its earlier revision."""
        self._tracklets[tracklet.camera_id][tracklet.tracklet_id] = tracklet
        self._forget_answers(tracklet.camera_id)

    def drop(self, tracklets: Iterable[Tracklet]) -> None:
        """Remove tracklets."""
        for tracklet in tracklets:
            del self._tracklets[tracklet.camera_id][tracklet.tracklet_id]
            self._forget_answers(tracklet.camera_id)

    def in_camera(self, camera_id: str) -> Iterable[Tracklet]:
        """Return the tracklets of a camera."""
        return self._tracklets[camera_id].values()

    def together_with(self, tracklet: Tracklet) -> tuple[tuple[Together, str], ...]:
        """Return `yes` or `maybe` and the id for each other tracklet visible at the same time, sorted by id."""
        answers = self._together[tracklet.camera_id]
        if tracklet.tracklet_id not in answers:
            answers[tracklet.tracklet_id] = tuple(self._compare(tracklet))
        return answers[tracklet.tracklet_id]

    def _compare(self, tracklet: Tracklet) -> Iterable[tuple[Together, str]]:
        others = self._tracklets[tracklet.camera_id]
        for other_id in self._near(tracklet):
            answer = together(tracklet, others[other_id], self._now_ns)
            if answer != "no" and other_id != tracklet.tracklet_id:
                yield answer, other_id

    def _near(self, tracklet: Tracklet) -> Iterable[str]:
        """Return the ids for which `together` may not be `no`: they overlap, or the earlier one may continue."""
        times = self._times.get(tracklet.camera_id) or self._times_of(tracklet.camera_id)
        near = (times.first_ns < tracklet.last_ns) & (times.last_ns > tracklet.first_ns)
        near |= ~times.over & (times.last_ns <= tracklet.last_ns)
        if not self._is_over(tracklet):
            near |= times.last_ns >= tracklet.last_ns
        return (times.ids[place] for place in np.flatnonzero(near))

    def _times_of(self, camera_id: str) -> _Times:
        found = sorted(self._tracklets[camera_id].items())
        self._times[camera_id] = _Times(
            tuple(tracklet_id for tracklet_id, _ in found),
            np.array([tracklet.first_ns for _, tracklet in found], np.int64),
            np.array([tracklet.last_ns for _, tracklet in found], np.int64),
            np.array([self._is_over(tracklet) for _, tracklet in found], np.bool_),
        )
        return self._times[camera_id]

    def _is_over(self, tracklet: Tracklet) -> bool:
        return tracklet.closed or tracklet.last_ns < self._now_ns - STALE_NS

    def _forget_answers(self, camera_id: str) -> None:
        self._times.pop(camera_id, None)
        self._together.pop(camera_id, None)
