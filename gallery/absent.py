"""What of those who have faded a window needs: read from the store, in a bounded number of people."""

from collections.abc import Iterable, Mapping, Sequence

from gallery.decision.absence import NOBODY_ABSENT, Absent
from gallery.decision.decide import CONSOLIDATE_NS
from gallery.decision.rules import Rules
from gallery.decision.site import Site
from gallery.decision.sweep import page_of
from gallery.store.store import Store, StoredTracklet
from wire.messages import Tracklet

EXPIRING = 256  # people who have faded that may expire in one window


def absent_from(
    store: Store,
    site: Site,
    now_ns: int,
    updates: Sequence[Tracklet],
    stored: Mapping[str, StoredTracklet],
    rules: Rules,
) -> Absent:
    """Return those whom a window that ends at `now_ns` is about, is compared with, or may let expire.

    `stored` are rows of its tracklets, and of those around them, as far as they are not in memory or new.

    Raises:
        StoreUnavailable: The store cannot be read.
    """
    if not site.faded:
        return NOBODY_ABSENT
    named = _named(site, updates, stored.values())
    needed = sorted({number for number in named if number is not None and number in site.faded})
    known = len(site.identities) + len(site.faded)
    is_due = now_ns // CONSOLIDATE_NS > site.now_ns // CONSOLIDATE_NS
    longest = store.faded_longest(EXPIRING) if is_due or known > rules.max_identities > 0 else ()
    if not _is_anyone_sought(site, updates):
        return Absent(store.faded(needed), longest=longest)
    limit = page_of(len(site.faded))
    page = store.faded_after(site.sweep.after, limit)
    return Absent(store.faded(needed), page, is_last=len(page) < limit, longest=longest)


def _named(site: Site, updates: Sequence[Tracklet], stored: Iterable[StoredTracklet]) -> Iterable[int | None]:
    """Yield the people whose the tracklets of a window are, by earlier parts of them or as people said."""
    yield from (row.identity_id for row in stored)
    if site.holdings.said.groups:
        yield from (site.holdings.owner(tracklet.tracklet_id) for tracklet in updates)
        yield from (site.holdings.owner(key) for key, row in site.rows.items() if row.identity_id is None)


def _is_anyone_sought(site: Site, updates: Sequence[Tracklet]) -> bool:
    """Return whether somebody is new: a tracklet that is nobody's yet, or a person."""
    sweep = site.sweep
    if sweep.first < sweep.end or sweep.end < site.next_identity:
        return True
    rows = (site.rows.get(tracklet.tracklet_id) for tracklet in updates)
    return any(row is None or row.identity_id is None for row in rows)
