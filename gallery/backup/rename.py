"""Give a site in a backup another name. Pure."""

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from gallery.store import records
from gallery.store.change import Change
from gallery.store.store import StoredTracklet


def renamed(changes: Iterable[Change], old: str, new: str) -> Iterator[Change]:
    """Yield changes under another name of the site, without the progress of its cameras, which belongs to the old one.

    Digests of erased tracklets keep the old name in them, so `meta` says which it is.
    """
    for change in changes:
        match change.key, change.kind:
            case "progress", _:
                continue
            case "meta", "hash":
                known = dict(zip(change.parts[::2], change.parts[1::2], strict=True))
                known.setdefault(b"erased_as", old.encode())
                yield replace(change, parts=tuple(part for pair in known.items() for part in pair))
            case "tracklets", "hash":
                yield replace(change, parts=_every(change.parts, 1, lambda row: _row(row, new)))
            case "journal", "zset":
                yield replace(change, parts=_every(change.parts, 0, lambda entry: _entry(entry, new)))
            case "journal", "without":
                yield replace(change, parts=(change.parts[0], *(_entry(entry, new) for entry in change.parts[1:])))
            case _:
                yield change


def _every(parts: tuple[bytes, ...], first: int, change: Callable[[bytes], bytes]) -> tuple[bytes, ...]:
    return tuple(change(part) if at % 2 == first else part for at, part in enumerate(parts))


def _row(data: bytes, site_id: str) -> bytes:
    row = records.decode_tracklet(data, None)
    event = None if row.event is None else replace(row.event, site_id=site_id)
    tracklet = replace(row.tracklet, site_id=site_id)
    return records.encode_tracklet(StoredTracklet(tracklet, None, row.probability, event))


def _entry(entry: bytes, site_id: str) -> bytes:
    seq, _, event = entry.partition(b"|")
    return seq + b"|" + records.encode_event(replace(records.decode_event(event), site_id=site_id))
