"""Everything a gallery process knows of a site, and who can have been visible together. No I/O."""

from dataclasses import dataclass, field
from typing import Literal

from gallery.decision.calibrate import Calibration, decode
from gallery.decision.shortlist import PrototypeSetCache
from gallery.store.store import Identity, Prototype, Snapshot, StoredTracklet
from wire.messages import Tracklet
from wire.tracklet_id import TrackletId

MAX_APART = 64  # people remembered as certainly somebody else
HANDOVER_NS = 1_000_000_000  # a tracker that loses somebody may hold on to the old box for so long beside the new one
STALE_NS = 12_000_000_000  # an open tracklet without news for so long is over: the worker speaks every 8 s

Together = Literal["no", "maybe", "yes"]


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """One site as of `version`; fields as in `store.Snapshot`, `rows` of the horizon only.

    `calibrations` are those of each model, by `model_id`.
    `memo` is derived from `prototypes` and only saves work: a site without one decides the same.
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


def site_of(site_id: str, snapshot: Snapshot) -> Site:
    """Return the site that a store loaded."""
    return Site(
        site_id,
        snapshot.version,
        snapshot.now_ns,
        snapshot.next_identity,
        decode(snapshot.calibration),
        {identity.number: identity for identity in snapshot.identities},
        {number: tuple(prototypes) for number, prototypes in snapshot.prototypes.items()},
        {row.tracklet.tracklet_id: row for row in snapshot.tracklets},
    )


def is_same_leg(one: Tracklet, other: Tracklet) -> bool:
    """Tell whether two tracklets are parts of one leg of a track: one person by construction, which legs are not."""
    return TrackletId.parse(one.tracklet_id).is_same_leg(TrackletId.parse(other.tracklet_id))


def together(one: Tracklet, other: Tracklet, now_ns: int) -> Together:
    """Tell whether two tracklets show two people at one time in one camera.

    `maybe`: one is still open and the other began at or after its last known boxes; the next revision will tell.
    """
    if one.camera_id != other.camera_id or is_same_leg(one, other):
        return "no"
    first, second = sorted((one, other), key=lambda t: (t.last_ns, t.first_ns))
    if second.first_ns < first.last_ns - HANDOVER_NS:
        return "yes"
    return "no" if first.closed or first.last_ns < now_ns - STALE_NS else "maybe"
