"""A draft in which people's corrections are made, also to tracklets that are no longer in memory. No I/O."""

from collections.abc import Collection, Sequence
from dataclasses import replace as changed

from gallery.decision.compare import with_tracklet, without_tracklet
from gallery.decision.draft import Draft
from gallery.decision.spaces import settled_row
from gallery.store.said import leg_of
from gallery.store.store import Identity, StoredTracklet
from wire.messages import Tracklet


class CorrectedDraft(Draft):
    """A working copy of a site that a person corrects; see `Draft`."""

    def describe(
        self,
        number: int,
        *,
        name: str | None = None,
        hidden: bool | None = None,
        picture: str | None = None,
        tags: tuple[str, ...] | None = None,
    ) -> None:
        """Change what people said of an identity; None leaves something as it is."""
        known = self.identities[number]
        self._set(
            changed(
                known,
                name=known.name if name is None else name,
                hidden=known.hidden if hidden is None else hidden,
                picture=known.picture if picture is None else picture,
                tags=known.tags if tags is None else tags,
            )
        )
        self.touched.add(number)

    def transfer(self, row: StoredTracklet, number: int) -> None:
        """Move a tracklet, as it is stored, to an identity, which may be new."""
        key = row.tracklet.tracklet_id
        if key in self.rows:
            if self.rows[key].identity_id is not None:
                self.unassign(self.rows[key].tracklet)
            self.assign(self.rows[key].tracklet, number, 1.0)
            return
        row = settled_row(row, self.spaces)
        if row.identity_id is not None:
            source = self.identities[row.identity_id]
            self._change(source.number, without_tracklet(self.prototypes[source.number], row.tracklet))
            known = self.identities[source.number]
            self._set(changed(known, tracklets=known.tracklets - 1))
        first_ns, last_ns = row.tracklet.first_ns, row.tracklet.last_ns
        target = self.identities.get(number) or Identity(number, first_ns, last_ns, (), 0)
        self._set(changed(target, tracklets=target.tracklets + 1))
        self._change(number, with_tracklet(self.prototypes.get(number, ()), row.tracklet))
        self._seen(number, row.tracklet)
        self.holdings.put(key, number)
        self._moved[key] = number

    def set_span(self, number: int, tracklets: Sequence[Tracklet]) -> None:
        """Set when an identity was seen first and last, if these are all of its tracklets."""
        known = self.identities[number]
        if tracklets and len(tracklets) == known.tracklets:
            first_ns, last_ns = min(t.first_ns for t in tracklets), max(t.last_ns for t in tracklets)
            self._set(changed(known, first_ns=first_ns, last_ns=last_ns))

    def separate(self, put: int, number: int, previous_ids: Sequence[int]) -> None:
        """Give a number that was merged into another, with its own previous ones, back to a person of its own."""
        own = {number, *previous_ids}
        known = self.identities[put]
        self._set(changed(known, previous_ids=tuple(one for one in known.previous_ids if one not in own)))
        self._set(changed(self.identities[number], previous_ids=tuple(previous_ids)))

    def remove(self, number: int, legs: Collection[str]) -> None:
        """Delete an identity with its tracklets, and the pending tracklets of some legs."""
        for tracklet in self.pending():
            if leg_of(tracklet.tracklet_id) in legs:
                self.assign(tracklet, number, 1.0)
        gone = list(self._lookups.members.get(number, ()))
        self._vectors.forget(gone)
        for key in gone:
            self._lookups.drop_row(self.rows.pop(key))
        self.prototypes.pop(number, None)
        self._memo.forget(number)
        self.holdings.drop(number)
        self.touched.discard(number)
        self._erased.append(self._remove(number))

    def moved_to(self, tracklet_id: str, before: int | None) -> int | None:
        """Return the identity of a tracklet that had one before."""
        return self._moved.get(tracklet_id, before if before is None else self._merged.get(before, before))
