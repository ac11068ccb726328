"""Migrate a site in Redis from an earlier version to the current layout, which `write.lua` documents."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from redis.exceptions import WatchError

from gallery.errors import StoreRefused, StoreUnavailable
from gallery.store import records
from gallery.store.names import name_entry
from gallery.store.presence import Sighting, joined, sighting_of
from gallery.store.store import StoredTracklet, microseconds

# Layout 1 had no sightings, and no times in `heads`; layout 2 no order of identities by their last box; layout 3 no
# texts of names that the server searches; layout 4 nobody who had faded.
LAYOUT = 5
SIGHTINGS, NAMES = 2, 4  # the layouts that brought them
PAGE = 256


def owner_of(head: bytes) -> int | None:
    """Return the identity of a row from its entry in `heads`, in any layout."""
    return int(head.split(b"|", 2)[1]) or None


def has_layout(client: Any, prefix: str, least: int = LAYOUT) -> bool:
    """Return whether a site has a layout from `least` to the current one; true for a site that was never written."""
    version, layout = client.hmget(f"{prefix}meta", "version", "layout")
    return version is None or least <= int(layout or 1) <= LAYOUT


def check_whole(client: Any, prefix: str) -> None:
    """Raise StoreUnavailable while a backup takes the place of a site."""
    if client.exists(f"{prefix}restoring"):
        raise being_restored(prefix)


def being_restored(prefix: str) -> StoreUnavailable:
    """Return the error about a site that cannot be used until a backup is restored."""
    return StoreUnavailable(
        f"site {_site_of(prefix)} is being restored from a backup; if no restore is running, it was interrupted: run"
        " the same `climbtrack gallery restore` again, which completes it"
    )


def bring_up_to_date(client: Any, prefix: str) -> None:
    """Add what the current layout requires; an interrupted call can be repeated.

    A gallery of an earlier version may write meanwhile: then it begins again, as what was added may be of people who
    are erased by now. Once the layout is current, that gallery writes no more.

    Raises:
        StoreRefused: The site has the layout of a later version.
    """
    while not has_layout(client, prefix) and not _brought_up_to_date(client, prefix):
        pass


def _brought_up_to_date(client: Any, prefix: str) -> bool:
    """Add what the current layout requires; return False if the site was written meanwhile."""
    version, known = client.hmget(f"{prefix}meta", "version", "layout")
    layout = int(known or 1)
    if layout > LAYOUT:
        raise StoreRefused(
            f"site {_site_of(prefix)} was written by a newer climbtrack: its layout in Redis is {layout}, and this"
            f" version knows {LAYOUT}. Upgrade this gallery; to go back, restore a backup from before the upgrade"
        )
    if layout == 1:
        _add_sightings(client, prefix)
    if layout < NAMES - 1:
        _add_last(client, prefix)
    if layout < NAMES:
        _add_names(client, prefix)
    with client.pipeline() as transaction:
        transaction.watch(f"{prefix}meta")
        if transaction.hget(f"{prefix}meta", "version") != version:
            return False
        transaction.multi()
        transaction.hset(f"{prefix}meta", "layout", LAYOUT)
        try:
            transaction.execute()
        except WatchError:
            return False
    return True


def _site_of(prefix: str) -> str:
    return prefix.partition("{")[2].partition("}")[0]


def _add_last(client: Any, prefix: str) -> None:
    client.delete(f"{prefix}by-last")
    for number, blob in client.hscan_iter(f"{prefix}identities", count=PAGE):
        client.zadd(f"{prefix}by-last", {number: microseconds(records.decode_identity(blob).last_ns)})


def _add_names(client: Any, prefix: str) -> None:
    client.delete(f"{prefix}names")
    for number, blob in client.hscan_iter(f"{prefix}identities", count=PAGE):
        if entry := name_entry(records.decode_identity(blob)):
            client.zadd(f"{prefix}names", {entry: int(number)})


def _add_sightings(client: Any, prefix: str) -> None:
    seen: dict[int, list[Sighting]] = defaultdict(list)
    for row, head in rows_of(client, prefix):
        if row.identity_id is not None:
            seen[row.identity_id].append(sighting_of(row))
        client.hset(f"{prefix}heads", row.tracklet.tracklet_id, _with_first(head, row))
    for number, parts in seen.items():
        whole = joined(parts)
        for one in whole:
            times = {str(microseconds(one.first_ns)): microseconds(one.last_ns)}
            client.zadd(f"{prefix}sightings:{number}:{one.camera_id}", times)
        client.hset(f"{prefix}sightings", str(number), len(whole))


def rows_of(client: Any, prefix: str) -> Iterator[tuple[StoredTracklet, bytes]]:
    """Yield every row of a site, with its entry in `heads`."""
    ids = client.hkeys(f"{prefix}heads")
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        blobs, heads = client.hmget(f"{prefix}tracklets", page), client.hmget(f"{prefix}heads", page)
        for blob, head in zip(blobs, heads, strict=True):
            yield records.decode_tracklet(blob, owner_of(head)), head


def _with_first(head: bytes, row: StoredTracklet) -> bytes:
    revision, owner, *_, camera = head.split(b"|")
    return b"|".join((revision, owner, b"%d" % microseconds(row.tracklet.first_ns), camera))
