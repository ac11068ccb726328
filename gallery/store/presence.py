"""Sightings: the tracklets of one identity joined into uninterrupted presences. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gallery.store.store import StoredProgress, StoredTracklet, microseconds

LIVE_NS = 10_000_000_000  # an open tracklet is sent again after at most 8 s; one that was not has no end, but is over
MAX_GAP_US = 2_000_000  # a person hidden by a pillar has not left


@dataclass(frozen=True, slots=True)
class Sighting:
    """One presence of a person in a camera, without a gap longer than `MAX_GAP_US`.

    Attributes:
        tracklets: Ids of the joined tracklets, in the order of their first boxes.
        live: Whether one of its tracklets is open: see `going_on`.
    """

    camera_id: str
    first_ns: int
    last_ns: int
    tracklets: tuple[str, ...]
    live: bool


def sightings(rows: Iterable[StoredTracklet]) -> list[Sighting]:
    """Return the sightings of one identity from its tracklets, sorted by start, then camera."""
    return joined(map(sighting_of, rows))


def sighting_of(row: StoredTracklet) -> Sighting:
    """Return the presence that one tracklet shows."""
    tracklet = row.tracklet
    return Sighting(
        tracklet.camera_id, tracklet.first_ns, tracklet.last_ns, (tracklet.tracklet_id,), not tracklet.closed
    )


def is_here(row: StoredTracklet, progress: Mapping[str, StoredProgress]) -> bool:
    """Return whether somebody is still visible, by their tracklet and how far its camera has been analysed."""
    return not row.tracklet.closed and _goes_on(row.tracklet.camera_id, row.tracklet.last_ns, progress)


def going_on(sighting: Sighting, progress: Mapping[str, StoredProgress]) -> Sighting:
    """Return a sighting that is live only if it goes on: what a run that ended left open is no presence of today."""
    return replace(sighting, live=sighting.live and _goes_on(sighting.camera_id, sighting.last_ns, progress))


def _goes_on(camera_id: str, last_ns: int, progress: Mapping[str, StoredProgress]) -> bool:
    stored = progress.get(camera_id)
    return stored is not None and not stored.progress.ended and last_ns >= stored.progress.time_ns - LIVE_NS


def joined(parts: Iterable[Sighting]) -> list[Sighting]:
    """Join presences of one identity that continue each other; returned in the order of `sightings`."""
    found: list[Sighting] = []
    for new in sorted(parts, key=lambda part: (part.camera_id, part.first_ns, part.tracklets)):
        if found and found[-1].camera_id == new.camera_id and _continues(found[-1], new):
            found[-1] = _merged(found[-1], new)
        else:
            found.append(new)
    return sorted(found, key=lambda sighting: (sighting.first_ns, sighting.camera_id))


def _continues(one: Sighting, other: Sighting) -> bool:
    return microseconds(other.first_ns) - microseconds(one.last_ns) <= MAX_GAP_US


def _merged(one: Sighting, other: Sighting) -> Sighting:
    return Sighting(
        one.camera_id,
        one.first_ns,
        max(one.last_ns, other.last_ns),
        (*one.tracklets, *other.tracklets),
        one.live or other.live,
    )
