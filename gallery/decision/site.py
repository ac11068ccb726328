"""The state of a site in memory. No I/O."""

from dataclasses import dataclass, field

from gallery.decision.calibrate import Calibration
from gallery.decision.coverage import NO_COVERAGE, Coverage
from gallery.decision.holdings import Holdings, holdings_of
from gallery.decision.lookups import Lookups
from gallery.decision.normalise import NO_SHIFTS, Shifts
from gallery.decision.scale_state import decode_scale, decode_spaces, decode_sweep
from gallery.decision.shortlist import PrototypeSetCache, VectorCache
from gallery.decision.spaces import NOTHING_CHOSEN, Spaces, settled_row
from gallery.decision.sweep import NOT_BEGUN, Sweep
from gallery.decision.table import Table
from gallery.store.said import digests_of
from gallery.store.store import Identity, Prototype, Snapshot, StoredTracklet
from gallery.words.said import said_of
from wire.messages import MAX_PERSON_TAGS, Tracklet

MAX_APART = 64  # identities known to be different people


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """One site as of `version`; fields as in `store.Snapshot`, `rows` within the horizon only.

    `calibrations` are by `model_id`; `shifts` are the offsets that cameras add to embeddings; `coverage` tells which
    cameras are disjoint; `holdings` are what people said, and which identities have the legs it mentions; `erased` are
    digests of tracklets that are not decided again, by the word that erased them; `spaces` say which weights decide;
    `faded` are the numbers of those who have faded, and `sweep` is how far they were looked through.
    `memo`, `vectors` and `lookups` are derived from the rest and do not affect decisions.
    """

    site_id: str
    version: int
    now_ns: int
    next_identity: int
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    identities: Table[int, Identity] = field(default_factory=Table)
    prototypes: Table[int, tuple[Prototype, ...]] = field(default_factory=Table)
    rows: Table[str, StoredTracklet] = field(default_factory=Table)
    memo: PrototypeSetCache = field(default_factory=PrototypeSetCache)
    shifts: Shifts = NO_SHIFTS
    coverage: Coverage = NO_COVERAGE
    vectors: VectorCache = field(default_factory=VectorCache)
    lookups: Lookups = field(default_factory=Lookups)
    holdings: Holdings = field(default_factory=Holdings)
    erased: Table[str, str] = field(default_factory=Table)
    erased_as: str = ""
    spaces: Spaces = NOTHING_CHOSEN
    faded: Table[int, None] = field(default_factory=Table)
    sweep: Sweep = NOT_BEGUN

    def digests_of(self, tracklet: Tracklet) -> tuple[str, str]:
        """Return the digests by which a tracklet would be found in `erased`."""
        return digests_of(self.erased_as or self.site_id, tracklet)

    def erased_by(self, tracklet: Tracklet) -> str:
        """Return the word that erased whom a tracklet shows, and who must not come back; empty if none did."""
        found = (self.erased.get(digest) for digest in self.digests_of(tracklet)) if self.erased else ()
        return next(filter(None, found), "")


def site_of(site_id: str, snapshot: Snapshot) -> Site:
    """Return the site of a snapshot that a store loaded; rows of identities that it lacks are pending again."""
    calibrations, shifts, coverage = decode_scale(snapshot.calibration)
    spaces = decode_spaces(snapshot.calibration)
    away = frozenset(snapshot.faded)  # a longer horizon than when they faded reaches their rows
    rows = {row.tracklet.tracklet_id: row for row in snapshot.tracklets if row.identity_id not in away}
    orphans = {row.tracklet.tracklet_id: StoredTracklet(row.tracklet, None, 0.0, None) for row in orphans_of(snapshot)}
    return Site(
        site_id,
        snapshot.version,
        snapshot.now_ns,
        snapshot.next_identity,
        calibrations,
        Table({identity.number: identity for identity in snapshot.identities}),
        Table({number: tuple(prototypes) for number, prototypes in snapshot.prototypes.items()}),
        Table({key: settled_row(row, spaces) for key, row in (rows | orphans).items()}),
        shifts=shifts,
        coverage=coverage,
        holdings=holdings_of(said_of(snapshot.words), snapshot.holders),
        erased=Table(snapshot.erased),
        erased_as=snapshot.erased_as,
        spaces=spaces,
        faded=Table(dict.fromkeys(snapshot.faded)),
        sweep=decode_sweep(snapshot.calibration),
    )


def bounded_apart(apart: set[int]) -> tuple[int, ...]:
    """Return the identities known to be different from one as they are kept."""
    return tuple(sorted(apart)[-MAX_APART:])


def both_of(one: Identity, other: Identity) -> Identity:
    """Return one identity with everything of another, whose number is gone."""
    return Identity(
        one.number,
        min(one.first_ns, other.first_ns),
        max(one.last_ns, other.last_ns),
        tuple(sorted({*one.cameras, *other.cameras})),
        one.tracklets + other.tracklets,
        tuple(sorted({*one.previous_ids, *other.previous_ids, other.number})),
        bounded_apart({*one.apart, *other.apart} - {one.number, other.number}),
        one.name or other.name,
        one.hidden or other.hidden,
        one.picture or other.picture,
        tuple(sorted({*one.tags, *other.tags})[:MAX_PERSON_TAGS]),
    )


def orphans_of(snapshot: Snapshot) -> list[StoredTracklet]:
    """Return the rows whose identity, or its prototypes, a snapshot lacks; none unless somebody changed the store."""
    whole = {identity.number for identity in snapshot.identities if snapshot.prototypes.get(identity.number)}
    whole.update(snapshot.faded)
    return [row for row in snapshot.tracklets if row.identity_id is not None and row.identity_id not in whole]
