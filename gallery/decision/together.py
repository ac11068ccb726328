"""Whether two tracklets were visible at the same time. Pure."""

from typing import Literal

from gallery.decision.parts import is_part_of
from wire.messages import Tracklet
from wire.tracklet_id import TrackletId

HANDOVER_NS = 1_000_000_000  # a tracker that loses a person may keep the old box this long next to the new one
STALE_NS = 12_000_000_000  # an open tracklet not updated for this long has ended: the worker reports every 8 s

Together = Literal["no", "maybe", "yes"]


def is_same_leg(one: Tracklet, other: Tracklet) -> bool:
    """Return whether two tracklets are parts of one leg of a track; only those are one person by construction."""
    return TrackletId.parse(one.tracklet_id).is_same_leg(TrackletId.parse(other.tracklet_id))


def together(one: Tracklet, other: Tracklet, now_ns: int, *, never_touch: bool = False) -> Together:
    """Return whether two tracklets show two people at the same time in one camera.

    `maybe`: one is still open and the other began around or after its last known box; the next revision decides.
    If their boxes are known to `never_touch`, none is part of the other.
    """
    if one.camera_id != other.camera_id:
        return "no"
    in_order = (one.last_ns, one.first_ns) <= (other.last_ns, other.first_ns)
    first, second = (one, other) if in_order else (other, one)
    overlap = second.first_ns < first.last_ns - HANDOVER_NS
    if (not overlap and is_over(first, now_ns)) or is_same_leg(one, other):  # in the order of what they cost
        return "no"
    if overlap:
        return "no" if not never_touch and is_part_of(one, other) else "yes"
    return "maybe"


def is_over(tracklet: Tracklet, now_ns: int) -> bool:
    """Return whether a tracklet has no boxes after its last known one."""
    return tracklet.closed or tracklet.last_ns < now_ns - STALE_NS
