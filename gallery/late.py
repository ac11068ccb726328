"""Which stored tracklets a window needs that are no longer in memory: tracklets may come hours after they were seen."""

from collections.abc import Mapping, Sequence

from gallery.decision.site import Site
from gallery.store.store import Store, StoredTracklet, TrackQuery
from wire.messages import Tracklet

MOST = 2_048  # rows; more people than are in sight of all cameras of a busy site within a few minutes


def rows_beyond_memory(
    store: Store, site: Site, updates: Sequence[Tracklet], stored: Mapping[str, StoredTracklet], horizon_ns: int
) -> list[StoredTracklet]:
    """Return earlier revisions of tracklets, and rows that overlap them in time, which a site does not hold.

    Without them, a late revision would count again, and nobody would know who was visible beside somebody who is late.

    Args:
        stored: Rows of the `updates`, as far as there are any.
        horizon_ns: How long rows are kept in memory.

    Raises:
        StoreUnavailable: The store cannot be read.
    """
    late = [tracklet for tracklet in updates if tracklet.first_ns < site.now_ns - horizon_ns]
    found = [stored[tracklet.tracklet_id] for tracklet in updates if tracklet.tracklet_id in stored]
    if late:
        first_ns, last_ns = min(t.first_ns for t in late), max(t.last_ns for t in late)
        found += store.find(TrackQuery(from_ns=first_ns, to_ns=last_ns, limit=MOST))
    missing = {row.tracklet.tracklet_id: row for row in found if row.tracklet.tracklet_id not in site.rows}
    return [row for row in missing.values() if _is_known(site, row.identity_id)]


def _is_known(site: Site, number: int | None) -> bool:
    return number is None or number in site.identities or number in site.faded
