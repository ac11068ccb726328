"""What a draft of a site knows of its people and tracklets: lookups that change nothing. No I/O."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from gallery.decision.coverage import Coverage
from gallery.decision.holdings import Holdings
from gallery.decision.lookups import Lookups
from gallery.decision.rules import Parts
from gallery.decision.table import Table
from gallery.decision.together import Together
from gallery.store.store import Identity, StoredTracklet
from wire.messages import Tracklet

MAX_LATELY = 128  # more people than are in sight of all cameras of a busy site at once


class DraftView:
    """The part of `draft.Draft` that only reads."""

    identities: Table[int, Identity]
    rows: Table[str, StoredTracklet]
    touched: set[int]
    parts: Parts
    coverage: Coverage
    holdings: Holdings
    _before: Table[str, StoredTracklet]
    _lookups: Lookups
    _staying: float

    def owner(self, tracklet_id: str) -> int | None:
        """Return the identity of a tracklet; None if it is unknown or pending."""
        row = self.rows.get(tracklet_id)
        return None if row is None else row.identity_id

    def had_before(self, tracklet_id: str, number: int) -> bool:
        """Return whether a tracklet belonged to an identity before this window."""
        row = self._before.get(tracklet_id)
        return row is not None and row.identity_id == number

    def members(self, number: int) -> list[Tracklet]:
        """Return the recent tracklets of an identity, oldest first."""
        found = (self.rows[key].tracklet for key in self._lookups.members.get(number, ()))
        return sorted(found, key=_ended)

    def latest(self, number: int, besides: Tracklet) -> Tracklet | None:
        """Return the latest recent tracklet of an identity, besides one; None without another."""
        others = [key for key in self._lookups.members.get(number, ()) if key != besides.tracklet_id]
        return max((self.rows[key].tracklet for key in others), key=_ended, default=None)

    def pending(self) -> list[Tracklet]:
        """Return the recent tracklets without an identity."""
        return [self.rows[key].tracklet for key in self._lookups.pending]

    def is_anyone_in_sight(self) -> bool:
        """Return whether a tracklet may still get boxes."""
        return self._lookups.visibility.is_anyone_in_sight()

    def closed(self, model_id: str) -> Iterator[Tracklet]:
        """Yield the recent closed tracklets of a model, those with the latest boxes first."""
        return (self.rows[key].tracklet for key in self._lookups.closed(model_id))

    def models(self) -> list[str]:
        """Return the models of the recent tracklets, sorted."""
        return self._lookups.models

    def recent(self) -> Iterator[int]:
        """Yield the identities that have recent tracklets, those seen last first, then by number."""
        return self._lookups.recent()

    def is_recent(self, number: int) -> bool:
        """Return whether an identity has recent tracklets."""
        return number in self._lookups.members

    def staying(self) -> float:
        """Return how many people stay before the cameras; infinity where people pass."""
        return self._staying

    def recent_count(self) -> int:
        """Return the number of identities that have recent tracklets."""
        return len(self._lookups.members)

    def seen_lately(self) -> set[int]:
        """Return the identities to compare with whatever the index finds: this window's, and others seen just before.

        The index does not have this window's changes yet. The others are those standing in front of the cameras now;
        they are few, so that a window costs the same however many people came before.
        """
        return {*islice(self._lookups.recent(), MAX_LATELY), *(n for n in self.touched if n in self.identities)}

    def seen_last(self, count: int) -> dict[int, Identity]:
        """Return the identities seen last: `count`, and all seen at the same moment as the last of them."""
        return {number: self.identities[number] for number in self._lookups.latest(count)}

    def of_track(self, tracklet: Tracklet) -> int | None:
        """Return the identity of the latest decided other part of the same leg of a track."""
        parts = [(part.last_ns, self.owner(part.tracklet_id)) for part in self._lookups.visibility.of_leg(tracklet)]
        return max(((last, owner) for last, owner in parts if owner is not None), default=(0, None))[1]

    def visible_with(self, tracklet: Tracklet) -> Iterable[tuple[Together, StoredTracklet]]:
        """Yield the rows of the same camera that were, or may have been, visible at the same time."""
        return ((answer, self.rows[key]) for answer, key in self._together_with(tracklet))

    def seen_with(self, tracklet: Tracklet) -> Iterable[str]:
        """Yield the ids of the rows of `visible_with`."""
        return (key for _, key in self._together_with(tracklet))

    def _together_with(self, tracklet: Tracklet) -> Iterable[tuple[Together, str]]:
        return self._lookups.visibility.together_with(tracklet) if self.parts.exclusivity else ()

    def labelled(self, tracklet: Tracklet) -> Iterable[str]:
        """Return the ids of rows that are certainly the same person, as parts of one leg, or were visible with it."""
        visibility = self._lookups.visibility
        return chain((part.tracklet_id for part in visibility.of_leg(tracklet)), visibility.overlapping(tracklet))

    def excluded(self, tracklet: Tracklet) -> set[int | None]:
        """Return the identities a tracklet cannot have: those that were, or may have been, visible at the same time."""
        here = {row.identity_id for _, row in self.visible_with(tracklet)}
        elsewhere = {self.owner(key) for key in self.seen_elsewhere(tracklet)}
        return here | elsewhere | self.holdings.forbidden(tracklet.tracklet_id)

    def may_be_somebody_lost(self, tracklet: Tracklet) -> bool:
        """Return whether the camera lost somebody just before who was not visible beside this one."""
        lost = {self.owner(key) for key in self._lookups.visibility.lost_before(tracklet)} - {None}
        return bool(lost) and not lost <= self.excluded(tracklet)

    def seen_elsewhere(self, tracklet: Tracklet) -> list[str]:
        """Return the tracklets that show other people, as disjoint cameras saw them at the same time."""
        cameras = self.coverage.disjoint_from.get(tracklet.camera_id, ())
        return [key for other in cameras for key in self._lookups.visibility.simultaneous(tracklet, other)]


def _ended(tracklet: Tracklet) -> tuple[int, str]:
    return tracklet.last_ns, tracklet.tracklet_id
