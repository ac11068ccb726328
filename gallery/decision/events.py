"""Events that report decisions. Pure; the same decision always gives the same event."""

from collections.abc import Sequence

from gallery.store.store import Identity, StoredTracklet
from wire import trace
from wire.messages import EventKind, IdentityEvent


def event_about(
    site_id: str,
    version: int,
    kind: EventKind,
    row: StoredTracklet,
    number: int,
    reason: str,
    previous: Sequence[int] = (),
) -> IdentityEvent:
    """Return the event that reports a decision about a tracklet and an identity.

    `version` is that of the site that was decided on: a tracklet may go to and fro between two people.
    """
    tracklet = row.tracklet
    parts = (site_id, tracklet.tracklet_id, tracklet.revision, kind, number, *previous, f"v{version}")
    event_id = "/".join(map(str, parts))
    return IdentityEvent(
        event_id=event_id,
        kind=kind,
        site_id=site_id,
        identity_id=number,
        previous_ids=tuple(previous),
        tracklet_id=tracklet.tracklet_id,
        camera_id=tracklet.camera_id,
        probability=row.probability,
        reason=reason,
        time_ns=tracklet.last_ns,
        traceparent=trace.continued(tracklet.traceparent, event_id),
    )


def version_of(event_id: str) -> int:
    """Return the version of the site that the event about a tracklet was decided on: the same for all of a decision."""
    return int(event_id.rpartition("/v")[2])


def expiry_of(site_id: str, identity: Identity, *, aged: bool) -> IdentityEvent:
    """Return the event that reports the expiry of an identity: by age, or else since there are too many."""
    return IdentityEvent(
        event_id=f"{site_id}/expired/{identity.number}",
        kind="expired",
        site_id=site_id,
        identity_id=identity.number,
        previous_ids=identity.previous_ids,
        tracklet_id="",
        camera_id="",
        probability=0.0,
        reason="not seen for longer than the retention" if aged else "seen longest ago of more people than are kept",
        time_ns=identity.last_ns,
    )
