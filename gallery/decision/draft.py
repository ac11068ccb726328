"""A working copy of a site that records the decisions of one window. No I/O."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from itertools import islice

import numpy as np
from msgspec.structs import replace as changed_message
from numpy.typing import NDArray

from gallery.decision.absence import Absence, leaving, recalled
from gallery.decision.calibrate import DEFAULT_PRIOR, Calibration
from gallery.decision.compare import PrototypeSet, similarity, united, with_tracklet, without_tracklet
from gallery.decision.draft_view import DraftView
from gallery.decision.events import event_about, expiry_of
from gallery.decision.rules import ALL_PARTS, Parts, Rules
from gallery.decision.scale_state import encode_scale
from gallery.decision.shortlist import Bounds
from gallery.decision.site import Site, both_of, bounded_apart
from gallery.decision.spaces import settled_row, views
from gallery.decision.staying import staying
from gallery.store.store import EXPIRE_LIMIT, Faded, Identity, Prototype, StoredTracklet, Write
from gallery.store.why import Why
from wire.messages import EventKind, IdentityEvent, Tracklet


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The outcome of one window: the resulting site, and the write that produces it."""

    site: Site
    write: Write


class Draft(DraftView):
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
        self._bounds: dict[str, Bounds] = defaultdict(Bounds)  # by model; cameras keep their shifts until a window ends
        self.ended: list[Tracklet] = []
        self.holdings = site.holdings.copy()
        self._legs_erased, self._erased_as, self.spaces = site.erased, site.erased_as, site.spaces
        self.absence = Absence(site.faded, site.sweep)
        self._lookups = site.lookups.taken(site.rows, site.identities)
        self._lookups.visibility.advance(self.now_ns)
        self._staying = staying(self._lookups.visibility.presences()) if parts.staying else math.inf

    def recall(self, older: Sequence[StoredTracklet]) -> None:
        """Take up rows from before the horizon for this window."""
        self._before = self._before.copy()
        for row in (settled_row(one, self.spaces) for one in older):
            self._before[row.tracklet.tracklet_id] = row
            self._put(row)

    def remember(self, people: Iterable[Faded]) -> None:
        """Take up people who have faded; those whom nothing changes by `finish` go again."""
        for identity, prototypes in (recalled(one, self.spaces) for one in people):
            if identity.number not in self.identities:
                self._set(identity)
                self.prototypes[identity.number] = prototypes
                self.absence.taken.add(identity.number)

    def may_unite(self, one: int, other: int, leaving: Collection[str]) -> bool:
        """Return whether two identities may be one person without some legs, as far as people said something."""
        names = {self.identities[number].name for number in (one, other)} - {""}
        return len(names) < 2 and not self.holdings.are_apart(one, other, leaving)

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

    def bounds(self, tracklets: Sequence[Tracklet], numbers: Sequence[int], model_id: str) -> NDArray[np.float32]:
        """Return `(m, n)` upper bounds of the similarities of tracklets of a model to identities; -inf without any."""
        vectors = {tracklet.tracklet_id: self.vector(tracklet) for tracklet in tracklets}
        people = {number: self.prototypes.get(number, ()) for number in numbers}
        return self._bounds[model_id].of(vectors, people, lambda stale: self.prototype_sets(stale, model_id))

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
        self._set(both_of(one, other))
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
        self._forget_rows(self.now_ns - rules.horizon_ns)
        expired = self._erased + self._leave(rules)
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
            self.absence.faded,
            self.absence.sweep,
        )
        return Decision(site, self._write(expired, self.now_ns - rules.retention_ns))

    def _write(self, expired: Sequence[Identity], before_ns: int) -> Write:
        kept = [(n, self.identities[n], self.prototypes[n]) for n in self.touched if n in self.identities]
        people = sorted(kept + [(one.identity.number, one.identity, one.prototypes) for one in self.absence.fading])
        return Write(
            version=self._version,
            now_ns=self.now_ns,
            next_identity=self.next_identity,
            calibration=encode_scale(self.calibrations, self.shifts, self.coverage, self.spaces, self.absence.sweep),
            tracklets=[self._finished[key] for key in sorted(self._fresh)],
            crops={key: tracklet.crop for key, tracklet in self._fresh.items() if tracklet.crop},
            moved={key: number for key, number in self._moved.items() if key not in self._fresh},
            revised=self._revised,
            identities=[identity for _, identity, _ in people],
            prototypes={number: prototypes for number, _, prototypes in people},
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

    def _leave(self, rules: Rules) -> list[Identity]:
        """Remove those who fade and those who expire, and return the latter."""
        absence = self.absence
        for number in absence.settled(self.touched, self.identities):
            self._forget(number)
        oldest = (self.identities[number] for number in islice(self._lookups.oldest(), EXPIRE_LIMIT))
        gone = leaving(oldest, len(self.identities), absence, self.now_ns, rules)
        for identity in gone.fading:
            absence.fade(identity, self.prototypes[identity.number], self.next_identity)
            self._forget(identity.number)
        for identity in gone.expired:
            if identity.number in absence.faded:
                del absence.faded[identity.number]
            else:
                self._forget(identity.number)
            self.holdings.drop(identity.number)
            aged = identity.last_ns < self.now_ns - rules.retention_ns
            self.events.append(expiry_of(self.site_id, identity, aged=aged))
        return gone.expired

    def _forget(self, number: int) -> None:
        self._remove(number)
        for key in list(self._lookups.members.get(number, ())):
            self._lookups.drop_row(self.rows.pop(key))
        self.prototypes.pop(number, None)
