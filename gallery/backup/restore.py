"""Restore a backup of a site."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gallery.backup.file import Reader
from gallery.backup.ledger import Ledger, erase_again, ledger_of_backup, ledger_of_store
from gallery.backup.rename import renamed
from gallery.decision.rules import Rules
from gallery.errors import BackupError
from gallery.store.change import Change
from gallery.store.layout import LAYOUT
from gallery.store.placing import SitePlace
from gallery.store.redis import RedisStore
from gallery.store.server import free_memory

MB = 1e6
OVERHEAD = 1.2  # what Redis adds to what it stores


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored.

    Attributes:
        people: How many people there are.
        erased: How many of the backup's were erased again.
        completed: Whether this only completed a restore that had been interrupted.
    """

    people: int
    erased: int = 0
    completed: bool = False


def restore(
    client: Any, reader: Reader, site_id: str, rules: Rules, later: Sequence[Reader] = (), *, replace: bool = False
) -> Restored:
    """Put a backup into Redis as a site; nothing can be seen of it before all of it is there.

    Args:
        later: Later backups of the same site: whoever was erased in them stays erased. So does whoever was erased from
            a site that is replaced.
        replace: Whether a site that exists may be replaced.

    Raises:
        BackupError: The site exists, the backup is of a newer version, or another restore is going on.
        StoreUnavailable, StoreRefused: Redis cannot be used; what is stored is as before, or waits for the same command
            to be run again.
    """
    _check_layout(reader)
    ledgers = [ledger_of_backup(one) for one in later]
    place = SitePlace(client, site_id)
    with place.reserved():
        if interrupted := place.interrupted():
            place.complete()
            if interrupted == reader.digest:
                return Restored(_people(client, site_id), completed=True)
        if stored := place.stored():
            _check_replaced(site_id, stored, replace=replace)
            ledgers.append(ledger_of_store(RedisStore(client, site_id), *place.erasures(staged=False)))
        place.discard()
        _check_room(client, reader)
        try:
            place.stage(_changes(reader, site_id))
            erased = _erased(place, ledgers, rules)
            place.take_place(reader.digest, replace=replace)
        finally:
            if not place.interrupted():
                place.discard()
    return Restored(_people(client, site_id), erased)


def _check_layout(reader: Reader) -> None:
    if reader.tail.layout > LAYOUT:
        raise BackupError(
            f"the backup was made by climbtrack {reader.head.climbtrack}, whose layout in Redis is"
            f" {reader.tail.layout}; this version knows {LAYOUT}: upgrade before restoring it"
        )


def _check_replaced(site_id: str, stored: Sequence[str], *, replace: bool) -> None:
    if not replace:
        raise BackupError(
            f"site {site_id} has data ({', '.join(stored[:4])}{', …' if len(stored) > 4 else ''}): restore under"
            " another name with --site, or add --replace, which deletes what is there"
        )


def _check_room(client: Any, reader: Reader) -> None:
    needed, free = OVERHEAD * reader.tail.raw_bytes, free_memory(client)
    if needed > free:
        raise BackupError(
            f"the backup needs about {needed / MB:.0f} MB of Redis's memory, and {max(0.0, free) / MB:.0f} MB are free:"
            " raise maxmemory, or use another Redis"
        )


def _changes(reader: Reader, site_id: str) -> Iterator[Change]:
    changes = reader.changes()
    return changes if site_id == reader.head.site else renamed(changes, reader.head.site, site_id)


def _erased(place: SitePlace, ledgers: Sequence[Ledger], rules: Rules) -> int:
    return sum(erase_again(place, ledger, rules) for ledger in ledgers)


def _people(client: Any, site_id: str) -> int:
    return RedisStore(client, site_id).counts().identities
