"""Erased people in recordings: when they may be visible, and whose recordings are still to be deleted."""

from gallery.store.said import MAX_WORDS, Seen, StoredWord
from gallery.store.store import Store

MARGIN_NS = 5 * 10**9  # around the boxes of an erased person: they are visible before and after they are found


def erasures_of(store: Store) -> list[StoredWord]:
    """Return the erasures of a site that hold."""
    return [
        entry.said
        for entry in store.words(0, MAX_WORDS)
        if entry.said.word.kind == "erase" and entry.said.holds and entry.said.erasure is not None
    ]


def not_deleted_yet(store: Store) -> list[Seen]:
    """Return when cameras saw erased people whose recordings the recorder has not deleted yet."""
    waiting = [said for said in erasures_of(store) if store.recordings.erased(said.word.word_id) is None]
    return [seen for said in waiting if said.erasure is not None for seen in said.erasure.seen]


def may_show(seen: Seen, camera_id: str, first_ns: int, last_ns: int) -> bool:
    """Tell whether a time of a camera may show an erased person."""
    return seen.camera_id == camera_id and seen.first_ns - MARGIN_NS <= last_ns and seen.last_ns + MARGIN_NS >= first_ns
