"""Who is where now, by decided tracklets. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gallery.alerts.geometry import feet_of, inside
from gallery.store.presence import LIVE_NS
from gallery.store.store import Store, StoredProgress, StoredTracklet, TrackQuery
from gallery.zones.zone import Zone
from wire.messages import Tracklet

S = 1_000_000_000
CLOSED_NS = 2 * S
MAX_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The people who are here now, by number: at all, and in each zone by its id."""

    people: frozenset[int]
    zones: Mapping[str, frozenset[int]]


def occupancy_of(store: Store) -> Occupancy:
    """Return who is in a site now; who is hidden does not count."""
    progress = store.progress()
    since_ns = min((stored.progress.time_ns for stored in progress.values()), default=0) - LIVE_NS
    rows = store.find(TrackQuery(from_ns=since_ns, limit=MAX_ROWS)) if progress else []
    numbers = {row.identity_id for row in rows if row.identity_id is not None}
    hidden = {n for n in numbers if (found := store.identity(n)) is None or found.hidden}
    return occupancy(rows, store.alerting.zones(), progress, hidden)


def occupancy(
    rows: Sequence[StoredTracklet],
    zones: Sequence[Zone],
    progress: Mapping[str, StoredProgress],
    hidden: Collection[int],
) -> Occupancy:
    """Return who is where, of the latest boxes of people on cameras whose streams go on."""
    people: set[int] = set()
    within: dict[str, set[int]] = {zone.zone_id: set() for zone in zones if zone.kind == "area"}
    for row in rows:
        number, tracklet = row.identity_id, row.tracklet
        if number is None or number in hidden or not _is_here(tracklet, progress.get(tracklet.camera_id)):
            continue
        people.add(number)
        feet = feet_of(tracklet.boxes[-1:], tracklet.width, tracklet.height)
        for zone in zones:
            if zone.zone_id in within and zone.camera_id == tracklet.camera_id and inside(zone.points, feet)[0]:
                within[zone.zone_id].add(number)
    return Occupancy(frozenset(people), {zone_id: frozenset(found) for zone_id, found in within.items()})


def _is_here(tracklet: Tracklet, stored: StoredProgress | None) -> bool:
    if stored is None or stored.progress.ended:
        return False
    return tracklet.last_ns >= stored.progress.time_ns - (CLOSED_NS if tracklet.closed else LIVE_NS)
