"""The state of a site in memory, and whether two tracklets were visible at the same time. No I/O."""

from dataclasses import dataclass, field
from typing import Literal

from gallery.decision.calibrate import Calibration
from gallery.decision.normalise import NO_SHIFTS, Shifts
from gallery.decision.parts import is_part_of
from gallery.decision.scale_state import decode_scale
from gallery.decision.shortlist import PrototypeSetCache
from gallery.store.store import Identity, Prototype, Snapshot, StoredTracklet
from wire.messages import Tracklet
from wire.tracklet_id import TrackletId

MAX_APART = 64  # identities known to be different people
HANDOVER_NS = 1_000_000_000  # a tracker that loses a person may keep the old box this long next to the new one
STALE_NS = 12_000_000_000  # an open tracklet not updated for this long has ended: the worker reports every 8 s

Together = Literal["no", "maybe", "yes"]


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """One site as of `version`; fields as in `store.Snapshot`, `rows` within the horizon only.

    `calibrations` are by `model_id`; `shifts` are the offsets that cameras add to embeddings. `memo` is a cache derived
    from `prototypes`; it does not affect decisions.
    """

    site_id: str
    version: int
    now_ns: int
    next_identity: int
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    identities: dict[int, Identity] = field(default_factory=dict)
    prototypes: dict[int, tuple[Prototype, ...]] = field(default_factory=dict)
    rows: dict[str, StoredTracklet] = field(default_factory=dict)
    memo: PrototypeSetCache = field(default_factory=PrototypeSetCache)
    shifts: Shifts = NO_SHIFTS


def site_of(site_id: str, snapshot: Snapshot) -> Site:
    """Return the site of a snapshot that a store loaded."""
    calibrations, shifts = decode_scale(snapshot.calibration)
    return Site(
        site_id,
        snapshot.version,
        snapshot.now_ns,
        snapshot.next_identity,
        calibrations,
        {identity.number: identity for identity in snapshot.identities},
        {number: tuple(prototypes) for number, prototypes in snapshot.prototypes.items()},
        {row.tracklet.tracklet_id: row for row in snapshot.tracklets},
        shifts=shifts,
    )


def is_same_leg(one: Tracklet, other: Tracklet) -> bool:
    """Return whether two tracklets are parts of one leg of a track; only those are one person by construction."""
    return TrackletId.parse(one.tracklet_id).is_same_leg(TrackletId.parse(other.tracklet_id))


def together(one: Tracklet, other: Tracklet, now_ns: int) -> Together:
    """Return whether two tracklets show two people at the same time in one camera.

    `maybe`: one is still open and the other began around or after its last known box; the next revision decides.
    """
    if one.camera_id != other.camera_id or is_same_leg(one, other):
        return "no"
    first, second = sorted((one, other), key=lambda t: (t.last_ns, t.first_ns))
    if second.first_ns < first.last_ns - HANDOVER_NS:
        return "no" if is_part_of(one, other) else "yes"
    return "no" if first.closed or first.last_ns < now_ns - STALE_NS else "maybe"
