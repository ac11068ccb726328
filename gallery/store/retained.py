"""What the bus retained of people who were erased, and what has become of it.

`MemoryRetainedNotes` is the reference; `redis_retained.RedisRetainedNotes` must behave the same.
"""

from typing import Protocol

import msgspec


class RetainedTopic(msgspec.Struct, frozen=True):
    """Records of one topic that may be about an erased person.

    Attributes:
        before: The first offset of each partition that is left alone.
        deleted: How many were deleted so far.
        kept: How many there still are, at most.
        waits_for: Why they are still there, in words; empty if there are none.
        until_ns: When they go at the latest, ns since the Unix epoch.
    """

    topic: str
    before: dict[int, int]
    deleted: int = 0
    kept: int = 0
    waits_for: str = ""
    until_ns: int = 0


class RetainedErased(msgspec.Struct, frozen=True):
    """What became of the records of the bus that may be about an erased person.

    Attributes:
        since_ns: Records that were stored until then are meant.
        done_ns: When the last of them was deleted; 0 while there are some.
        again: More of them have come since, which are to be deleted, too.
    """

    since_ns: int = 0
    done_ns: int = 0
    topics: tuple[RetainedTopic, ...] = ()
    again: bool = False


class RetainedNotes(Protocol):
    """The notes of a site, by the word that erased."""

    def put(self, word_id: str, note: RetainedErased) -> None:
        """Note what became of the records."""

    def of(self, word_id: str) -> RetainedErased | None:
        """Return what became of the records; None before anything did."""


class MemoryRetainedNotes:
    """The notes of a site in memory: the reference."""

    def __init__(self) -> None:
        self._notes: dict[str, RetainedErased] = {}

    def put(self, word_id: str, note: RetainedErased) -> None:
        """Note what became of the records."""
        self._notes[word_id] = note

    def of(self, word_id: str) -> RetainedErased | None:
        """Return what became of the records."""
        return self._notes.get(word_id)
