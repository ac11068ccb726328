"""What a running gallery writes again when its store has forgotten writes that it had confirmed. Pure."""

from collections.abc import Iterator, Sequence

from gallery.decision.scale_state import encode_scale
from gallery.decision.site import Site
from gallery.store.store import Identity, Snapshot, Write
from wire.messages import IdentityEvent

AT_ONCE = 256  # people in a write, so that none blocks the server for long


def writes_to_put_back(
    site: Site, snapshot: Snapshot, faded: Sequence[Identity], unpublished: Sequence[IdentityEvent]
) -> Iterator[Write]:
    """Yield the writes that make a store hold what a site in memory holds, its unpublished events included.

    Tracklets older than the horizon, pictures, published events, people who have faded and what undoing words needs are
    not in memory, so they stay lost.

    Args:
        faded: Those whom the store has as faded, and the site does not: they came back, or are gone.
    """
    calibration = encode_scale(site.calibrations, site.shifts, site.coverage, site.spaces)
    merged = {old: one.number for one in site.identities.values() for old in one.previous_ids}
    stored = {identity.number for identity in (*snapshot.identities, *faded)}
    rest = {
        "merged": {old: survivor for old, survivor in merged.items() if old in stored},
        "expired": [
            one
            for one in (*snapshot.identities, *faded)
            if one.number not in site.identities and one.number not in site.faded and one.number not in merged
        ],
        "events": unpublished,
        "words": site.holdings.said.words,
        "erased": dict(site.erased),
    }
    revisions = {row.tracklet.tracklet_id: row.tracklet.revision for row in snapshot.tracklets}
    numbers = sorted(site.identities)
    owned: dict[int | None, list[str]] = {}
    for key, row in site.rows.items():
        owned.setdefault(row.identity_id, []).append(key)
    for version, start in enumerate(range(0, max(1, len(numbers)), AT_ONCE), snapshot.version):
        some = numbers[start : start + AT_ONCE]
        owners = [*some, None] if start == 0 else some
        rows = [site.rows[key] for number in owners for key in sorted(owned.get(number, ()))]
        older = [row for row in rows if revisions.get(row.tracklet.tracklet_id, -1) >= row.tracklet.revision]
        yield Write(
            version=version,
            now_ns=site.now_ns,
            next_identity=site.next_identity,
            calibration=calibration,
            tracklets=[row for row in rows if row not in older],
            revised=older,
            moved={row.tracklet.tracklet_id: row.identity_id for row in older if row.identity_id is not None},
            identities=[site.identities[number] for number in some],
            prototypes={number: site.prototypes[number] for number in some},
            **(rest if start == 0 else {}),  # type: ignore[arg-type]
        )
