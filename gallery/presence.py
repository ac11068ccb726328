"""When was somebody where: tracklets of one identity joined to sightings. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gallery.store import StoredTracklet

MAX_GAP_NS = 2_000_000_000  # a person behind a pillar has not left


@dataclass(frozen=True, slots=True)
class Sighting:
    """One presence of a person in a camera, without a gap longer than `MAX_GAP_NS`.

    Attributes:
        tracklets: Ids of what it was joined from, by their first box.
        live: Its last tracklet is not closed yet.
    """

    camera_id: str
    first_ns: int
    last_ns: int
    tracklets: tuple[str, ...]
    live: bool


def sightings(rows: Sequence[StoredTracklet]) -> list[Sighting]:
    """Return the sightings behind the tracklets of one identity, by their beginning, then by camera."""
    found: list[Sighting] = []
    for row in sorted(rows, key=lambda row: (row.tracklet.camera_id, row.tracklet.first_ns, row.tracklet.tracklet_id)):
        tracklet = row.tracklet
        new = Sighting(
            tracklet.camera_id, tracklet.first_ns, tracklet.last_ns, (tracklet.tracklet_id,), not tracklet.closed
        )
        if found and found[-1].camera_id == new.camera_id and new.first_ns - found[-1].last_ns <= MAX_GAP_NS:
            new = _joined(found.pop(), new)
        found.append(new)
    return sorted(found, key=lambda sighting: (sighting.first_ns, sighting.camera_id))


def _joined(one: Sighting, other: Sighting) -> Sighting:
    return Sighting(
        one.camera_id,
        one.first_ns,
        max(one.last_ns, other.last_ns),
        (*one.tracklets, *other.tracklets),
        one.live or other.live,
    )
