"""A working copy of a site that records the decisions of one window. No I/O."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from itertools import islice, takewhile

import numpy as np
from msgspec.structs import replace as changed_message
from numpy.typing import NDArray

from gallery.decision.calibrate import DEFAULT_PRIOR, Calibration
from gallery.decision.compare import PrototypeSet, similarity, united, with_tracklet, without_tracklet
from gallery.decision.events import event_about, expiry_of
from gallery.decision.rules import ALL_PARTS, Parts, Rules
from gallery.decision.scale_state import encode_scale
from gallery.decision.site import Site, bounded_apart
from gallery.decision.spaces import settled_row, views
from gallery.decision.together import Together
from gallery.store.store import EXPIRE_LIMIT, Identity, Prototype, StoredTracklet, Write
from gallery.store.why import Why
from wire.messages import MAX_PERSON_TAGS, EventKind, IdentityEvent, Tracklet

MAX_LATELY = 128  # more people than are in sight of all cameras of a busy site at once


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The outcome of one window: the resulting site, and the write that produces it."""

    site: Site
    write: Write


class Draft:
    """A working copy of a site; `finish` returns the resulting site and the write that produces it."""

    def __init__(self, site: Site, now_ns: int, parts: Parts = ALL_PARTS) -> None:
        self.site_id = site.site_id
        self.now_ns = max(now_ns, site.now_ns)
        self.calibrations = dict(site.calibrations)
        self.next_identity = site.next_identity
        self.identities = site.identities.copy()
        self.prototypes = site.prototypes.copy()
        self.rows = site.rows.copy()
        self.events: list[IdentityEvent] = []
        self.touched: set[int] = set()
        self.parts = parts
        self._version = site.version
        self._before = site.rows
        self._fresh: dict[str, Tracklet] = {}
        self._finished: dict[str, StoredTracklet] = {}
        self._revised: list[StoredTracklet] = []
        self._about: dict[str, IdentityEvent] = {}
        self._moved: dict[str, int] = {}
        self._merged: dict[int, int] = {}
        self._erased: list[Identity] = []
        self.why: dict[str, Why] = {}
        self.shifts = site.shifts
        self.coverage = site.coverage
        self._memo = site.memo
        self._vectors = site.vectors
        self.ended: list[Tracklet] = []
        self.holdings = site.holdings.copy()
        self._legs_erased, self._erased_as, self.spaces = site.erased, site.erased_as, site.spaces
        self._lookups = site.lookups.taken(site.rows, site.identities)
        self._lookups.visibility.advance(self.now_ns)

    def recall(self, older: Sequence[StoredTracklet]) -> None:
        """Take up rows from before the horizon for this window."""
        self._before = self._before.copy()
        for row in (settled_row(one, self.spaces) for one in older):
            self._before[row.tracklet.tracklet_id] = row
            self._put(row)

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
        return sorted(found, key=lambda t: (t.last_ns, t.tracklet_id))

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

    def excluded(self, tracklet: Tracklet) -> set[int | None]:
        """Return the identities a tracklet cannot have: those that were, or may have been, visible at the same time."""
        here = {row.identity_id for _, row in self.visible_with(tracklet)}
        elsewhere = {self.owner(key) for key in self.seen_elsewhere(tracklet)}
        return here | elsewhere | self.holdings.forbidden(tracklet.tracklet_id)

    def may_unite(self, one: int, other: int, leaving: Collection[str]) -> bool:
        """Return whether two identities may be one person without some legs, as far as people said something."""
        names = {self.identities[number].name for number in (one, other)} - {""}
        return len(names) < 2 and not self.holdings.are_apart(one, other, leaving)

    def seen_elsewhere(self, tracklet: Tracklet) -> list[str]:
        """Return the tracklets that show other people, as disjoint cameras saw them at the same time."""
        cameras = self.coverage.disjoint_from.get(tracklet.camera_id, ())
        return [key for other in cameras for key in self._lookups.visibility.simultaneous(tracklet, other)]

    def is_known_to(self, model_id: str, number: int) -> bool:
        """Return whether an identity has prototypes under a model."""
        return any(one.model_id == model_id for one in self.prototypes.get(number, ()))

    def prototype_set(self, number: int, model_id: str) -> PrototypeSet | None:
        """Return an identity's prototypes under one model; None if there are none."""
        return self._memo.prototype_set(number, self.prototypes.get(number, ()), model_id, self.shifts)

    def prototype_sets(self, numbers: Sequence[int], model_id: str) -> list[PrototypeSet | None]:
        """Return the prototypes under one model of several identities; None for those that have none."""
        people = {number: self.prototypes.get(number, ()) for number in numbers}
        return self._memo.prototype_sets(people, model_id, self.shifts)

    def vector(self, tracklet: Tracklet) -> NDArray[np.float32]:
        """Return the vector that represents a tracklet in comparisons: its embedding without camera shift."""
        return self._vectors.vector(tracklet, self.shifts)

    def refresh(self, tracklet: Tracklet) -> None:
        """Replace a tracklet's earlier revision, also in the prototypes of its identity."""
        self._adopt_prior(tracklet)
        key = tracklet.tracklet_id
        old = self.rows.get(key)
        number = None if old is None else old.identity_id
        if old is not None and number is not None:
            self._change(number, without_tracklet(self.prototypes[number], old.tracklet))
            self._change(number, with_tracklet(self.prototypes[number], tracklet))
            self._seen(number, tracklet)
        likely = 0.0 if old is None else old.probability
        self._put(
            StoredTracklet(changed_message(tracklet, crop=b"") if tracklet.crop else tracklet, number, likely, None)
        )
        self._fresh[key] = tracklet
        if tracklet.closed and (old is None or not old.tracklet.closed):
            self.ended.append(tracklet)

    def create(self) -> int:
        """Return the number of a new identity, which exists once it has a tracklet."""
        self.next_identity += 1
        return self.next_identity - 1

    def assign(self, tracklet: Tracklet, number: int, probability: float) -> None:
        """Assign a tracklet without an identity to one."""
        key = tracklet.tracklet_id
        assert self.rows[key].identity_id is None
        known = self.identities.get(number)
        if known is None:
            known = Identity(number, tracklet.first_ns, tracklet.last_ns, (), 0)
        self._set(changed(known, tracklets=known.tracklets + 1))
        self._change(number, with_tracklet(self.prototypes.get(number, ()), tracklet))
        self._seen(number, tracklet)
        self._put(StoredTracklet(self.rows[key].tracklet, number, probability, None))
        self._moved[key] = number

    def unassign(self, tracklet: Tracklet) -> None:
        """Remove a tracklet from its identity; it must be assigned to one again before `finish`."""
        key = tracklet.tracklet_id
        number = self.rows[key].identity_id
        assert number is not None
        self._change(number, without_tracklet(self.prototypes[number], self.rows[key].tracklet))
        self._put(StoredTracklet(self.rows[key].tracklet, None, 0.0, None))
        left, known = self.members(number), self.identities[number]
        if left and len(left) == known.tracklets - 1:  # else some are too old to be here, or none is left
            first_ns, last_ns = min(t.first_ns for t in left), max(t.last_ns for t in left)
            known = changed(known, first_ns=first_ns, last_ns=last_ns)
        self._set(changed(known, tracklets=known.tracklets - 1))

    def merge(self, gone: int, survivor: int) -> None:
        """Merge one identity into another."""
        one, other = self.identities[survivor], self._remove(gone)
        for key in list(self._lookups.members.get(gone, ())):
            self._put(changed(self.rows[key], identity_id=survivor))
        self._set(
            Identity(
                survivor,
                min(one.first_ns, other.first_ns),
                max(one.last_ns, other.last_ns),
                tuple(sorted({*one.cameras, *other.cameras})),
                one.tracklets + other.tracklets,
                tuple(sorted({*one.previous_ids, *other.previous_ids, gone})),
                bounded_apart({*one.apart, *other.apart} - {gone, survivor}),
                one.name or other.name,
                one.hidden or other.hidden,
                one.picture or other.picture,
                tuple(sorted({*one.tags, *other.tags})[:MAX_PERSON_TAGS]),
            )
        )
        self.holdings.merge(gone, survivor)
        self._change(survivor, united(self.prototypes.get(survivor, ()), self.prototypes.pop(gone, ())))
        self.touched.discard(gone)
        self._merged = {old: survivor if new == gone else new for old, new in self._merged.items()} | {gone: survivor}
        self._moved = {key: survivor if new == gone else new for key, new in self._moved.items()}

    def calibration(self, model_id: str) -> Calibration:
        """Return the site's current calibration for a model."""
        return self.calibrations.get(model_id) or Calibration(DEFAULT_PRIOR)

    def learn(self, model_id: str, vector: NDArray[np.float32], others: Sequence[int]) -> None:
        """Update a calibration with the vector of a tracklet, and identities that are known to be other people."""
        if not self.parts.scale:
            return
        known = [one for one in self.prototype_sets(others, model_id) if one is not None]
        self.calibrations[model_id] = self.calibration(model_id).observe([similarity(vector, one) for one in known])

    def _adopt_prior(self, tracklet: Tracklet) -> None:
        """Adopt the similarity prior of a tracklet's weights; what was learnt from the site is kept."""
        for view in views(tracklet):
            known = self.calibration(view.model_id)
            if view.prior is not None and view.prior != known.prior:
                self.calibrations[view.model_id] = changed(known, prior=view.prior)

    def record_event(
        self, kind: EventKind, tracklet: Tracklet, number: int, reason: str, previous: Sequence[int] = ()
    ) -> None:
        """Record an event about a tracklet and its identity."""
        row = self.rows[tracklet.tracklet_id]
        self._record(event_about(self.site_id, self._version, kind, row, number, reason, previous))

    def record_merge(self, tracklet: Tracklet, number: int, reason: str, gone: int, probability: float) -> None:
        """Record the merge of an identity into another, and how likely it is; a tracklet stands for all."""
        row = changed(self.rows[tracklet.tracklet_id], probability=probability)
        self._record(event_about(self.site_id, self._version, "merged", row, number, reason, (gone,)))

    def _record(self, event: IdentityEvent) -> None:
        self.events.append(event)
        self._about[event.tracklet_id] = event

    def _put(self, row: StoredTracklet) -> None:
        key = row.tracklet.tracklet_id
        self._lookups.put_row(self.rows.get(key), row)
        self.rows[key] = row
        self.holdings.put(key, row.identity_id)

    def _set(self, identity: Identity) -> None:
        self._lookups.put_identity(self.identities.get(identity.number), identity)
        self.identities[identity.number] = identity

    def _remove(self, number: int) -> Identity:
        removed = self.identities.pop(number)
        self._lookups.drop_identity(removed)
        return removed

    def _change(self, number: int, prototypes: tuple[Prototype, ...]) -> None:
        known, before = self.identities[number], {p.camera_id for p in self.prototypes.get(number, ())}
        self.prototypes[number] = prototypes  # cameras of prototypes that were forgotten earlier are kept
        cameras = sorted(({*known.cameras} - before) | {p.camera_id for p in prototypes})
        self._set(changed(known, cameras=tuple(cameras)))
        self.touched.add(number)

    def _seen(self, number: int, tracklet: Tracklet) -> None:
        one = self.identities[number]
        self._set(
            changed(one, first_ns=min(one.first_ns, tracklet.first_ns), last_ns=max(one.last_ns, tracklet.last_ns))
        )

    def finish(self, rules: Rules) -> Decision:
        """Drop what is too old or too much, and return the decision."""
        before_ns = self.now_ns - rules.retention_ns
        self._forget_rows(self.now_ns - rules.horizon_ns)
        most = rules.max_identities or len(self.identities)
        expired = self._erased + self._expire(before_ns, len(self.identities) - most)
        site = Site(
            self.site_id,
            self._version + 1,
            self.now_ns,
            self.next_identity,
            self.calibrations,
            self.identities,
            self.prototypes,
            self.rows,
            self._memo,
            self.shifts,
            self.coverage,
            self._vectors,
            self._lookups.reflecting(self.rows, self.identities),
            self.holdings,
            self._legs_erased,
            self._erased_as,
            self.spaces,
        )
        return Decision(site, self._write(expired, before_ns))

    def _write(self, expired: Sequence[Identity], before_ns: int) -> Write:
        changed_ones = [number for number in sorted(self.touched) if number in self.identities]
        return Write(
            version=self._version,
            now_ns=self.now_ns,
            next_identity=self.next_identity,
            calibration=encode_scale(self.calibrations, self.shifts, self.coverage, self.spaces),
            tracklets=[self._finished[key] for key in sorted(self._fresh)],
            crops={key: tracklet.crop for key, tracklet in self._fresh.items() if tracklet.crop},
            moved={key: number for key, number in self._moved.items() if key not in self._fresh},
            revised=self._revised,
            identities=[self.identities[number] for number in changed_ones],
            prototypes={number: self.prototypes[number] for number in changed_ones},
            merged=self._merged,
            expired=expired,
            expire_before_ns=before_ns,
            events=self.events,
            why=self.why,
        )

    def _forget_rows(self, before_ns: int) -> None:
        """Drop the rows beyond the horizon; identities that were visible at the same time stay marked as different."""
        for key, event in self._about.items():
            self.rows[key] = changed(self.rows[key], event=event)
        self._finished = {key: self.rows[key] for key in self._fresh}
        self._revised = [
            self.rows[key] for key in sorted({*self._moved, *self._about} - set(self._fresh)) if key in self.rows
        ]
        old = self._lookups.visibility.before(before_ns)
        for key in old:
            row = self.rows[key]
            if row.identity_id is not None:
                others = [other.identity_id for answer, other in self.visible_with(row.tracklet) if answer == "yes"]
                self._set_apart(row.identity_id, {other for other in others if other is not None})
        for key in old:
            self._lookups.drop_row(self.rows.pop(key))

    def _set_apart(self, number: int, others: set[int]) -> None:
        for one, other in ((one, other) for pair in others for one, other in ((number, pair), (pair, number))):
            known = self.identities.get(one)
            if known is not None and one != other and other not in known.apart:
                self._set(changed(known, apart=bounded_apart({*known.apart, other})))
                self.touched.add(one)

    def _expire(self, before_ns: int, too_many: int) -> list[Identity]:
        """Remove the identities last seen before a time, and `too_many` of those seen longest ago."""
        oldest = (self.identities[number] for number in islice(self._lookups.oldest(), EXPIRE_LIMIT))
        gone = takewhile(lambda one: one[0] < too_many or one[1].last_ns < before_ns, enumerate(oldest))
        expired = sorted((identity for _, identity in gone), key=lambda identity: identity.number)
        for identity in expired:
            self._remove(identity.number)
            for key in list(self._lookups.members.get(identity.number, ())):
                self._lookups.drop_row(self.rows.pop(key))
            self.prototypes.pop(identity.number, None)
            self.holdings.drop(identity.number)
            self.events.append(expiry_of(self.site_id, identity, aged=identity.last_ns < before_ns))
        return expired
