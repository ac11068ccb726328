"""Which cameras never see one person at the same time, learnt without labels. Pure.

Of two cameras that see the same place, tracklets of one person are often simultaneous; of cameras in different rooms,
never. Pairs of tracklets that are clearly alike are mostly one person, so they are compared with all pairs: if far
fewer of them are simultaneous than chance would make them, the cameras are disjoint, and whoever is visible in both at
one time is two people. Clocks that differ make the ratio one, and nothing is concluded.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from gallery.decision.ground import NO_GROUND, Cameras, Ground
from gallery.decision.transit import NO_TRANSIT, Transit
from wire.messages import Tracklet

SIMULTANEOUS_NS = 1_000_000_000  # tracklets that overlap longer are simultaneous: clocks and last boxes are inexact
ALIKE = 4.0  # log odds from which on two tracklets are clearly alike
MAX_RATIO = 0.33  # of observed to expected simultaneous pairs of disjoint cameras; needs at least two expected ones
MAX_PAIRS = 4_000.0  # effective number of pairs of each two cameras; older ones fade


class Meetings(msgspec.Struct, frozen=True, array_like=True):
    """Numbers of pairs of tracklets of two cameras: all, simultaneous ones, clearly alike ones, and both."""

    pairs: float = 0.0
    simultaneous: float = 0.0
    alike: float = 0.0
    both: float = 0.0

    def __add__(self, other: "Meetings") -> "Meetings":
        """Return the sums."""
        return Meetings(
            self.pairs + other.pairs,
            self.simultaneous + other.simultaneous,
            self.alike + other.alike,
            self.both + other.both,
        )

    def is_rare(self) -> bool:
        """Return whether far fewer alike pairs are simultaneous than chance would make them."""
        expected = self.alike * self.simultaneous / max(self.pairs, 1.0)
        return (self.both + 1) / (expected + 1) <= MAX_RATIO

    def faded(self) -> "Meetings":
        """Return the numbers scaled down to `MAX_PAIRS`."""
        share = min(1.0, MAX_PAIRS / max(self.pairs, 1.0))
        return Meetings(self.pairs * share, self.simultaneous * share, self.alike * share, self.both * share)


@dataclass(frozen=True)
class Coverage:
    """Meetings of each two cameras, how people get from one to the other, and the ground both see; immutable."""

    meetings: Mapping[Cameras, Meetings] = field(default_factory=dict)
    transit: Transit = NO_TRANSIT
    ground: Ground = NO_GROUND

    @property
    def bound(self) -> float:
        """Return the largest log odds that times and places can add or take."""
        return self.transit.bound + self.ground.bound

    def observe(self, found: Mapping[Cameras, Meetings]) -> "Coverage":
        """Return the coverage updated with further meetings."""
        new = {cameras: (self.of(*cameras) + more).faded() for cameras, more in found.items()}
        return replace(self, meetings={**self.meetings, **new}) if new else self

    def observe_instead(self, found: Mapping[Cameras, Meetings]) -> "Coverage":
        """Return the coverage with these meetings instead of the earlier ones of two cameras, unless those are more."""
        more = {cameras: new for cameras, new in found.items() if new.faded().pairs >= self.of(*cameras).pairs}
        return replace(self, meetings={**self.meetings, **{cameras: new.faded() for cameras, new in more.items()}})

    def of(self, one: str, other: str) -> Meetings:
        """Return the meetings of two cameras."""
        return self.meetings.get(cameras_of(one, other), Meetings())

    @cached_property
    def disjoint_from(self) -> Mapping[str, tuple[str, ...]]:
        """The cameras that are disjoint from each camera, sorted; cameras that have none are left out."""
        found: dict[str, list[str]] = defaultdict(list)
        for one, other in (cameras for cameras, known in self.meetings.items() if known.is_rare()):
            found[one].append(other)
            found[other].append(one)
        return {camera_id: tuple(sorted(others)) for camera_id, others in found.items()}

    def told_apart(self, tracklets: Sequence[Tracklet]) -> NDArray[np.bool_]:
        """Return `(n, n)` which pairs of tracklets disjoint cameras saw at the same time: these are two people."""
        cameras, places = np.unique([t.camera_id for t in tracklets], return_inverse=True)
        disjoint = np.array([[other in self.disjoint_from.get(one, ()) for other in cameras] for one in cameras])
        first_ns, last_ns = np.array([t.first_ns for t in tracklets]), np.array([t.last_ns for t in tracklets])
        common_ns = np.minimum.outer(last_ns, last_ns) - np.maximum.outer(first_ns, first_ns)
        return np.asarray((common_ns > SIMULTANEOUS_NS) & disjoint[np.ix_(places, places)])


NO_COVERAGE = Coverage()


def cameras_of(one: str, other: str) -> Cameras:
    """Return two cameras in alphabetical order."""
    return (one, other) if one <= other else (other, one)
