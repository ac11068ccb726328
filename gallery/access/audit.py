"""The audit log: who looked at or changed which person, and when."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from gallery.store.accounts import Accounts, Audited, Deed

AGAIN_NS = 300 * 10**9  # a look that is repeated within this time is not recorded again
MAX_LOOKS = 10_000  # remembered for that
PAGE = 500
DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Conditions for entries; None, or an empty value, omits a condition.

    Attributes:
        identities: Any of these people.
        what: Part of what was done.
        before: Entries with a smaller `seq`.
    """

    who: str = ""
    identities: Collection[int] = ()
    what: str = ""
    since_ns: int | None = None
    until_ns: int | None = None
    before: int = 2**53
    limit: int = 100


class AuditLog:
    """Records deeds, bounded in number and age. Thread-safe."""

    def __init__(
        self, accounts: Accounts, *, days: float, entries: int, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._accounts = accounts
        self._keep_ns = int(days * DAY_NS)
        self._entries = entries
        self._clock = clock
        self._looks: OrderedDict[Deed, int] = OrderedDict()
        self._lock = threading.Lock()

    def record(self, deed: Deed) -> None:
        """Append a deed, as of now."""
        now_ns = self._clock()
        self._accounts.record(replace(deed, time_ns=now_ns), oldest_ns=now_ns - self._keep_ns, most=self._entries)

    def record_look(self, deed: Deed) -> None:
        """Append a look, unless the same one was recorded in the last five minutes."""
        key = replace(deed, time_ns=0)
        if not self.is_recent(key):
            self.record(deed)
            self.remember(key)

    def is_recent(self, look: Deed) -> bool:
        """Return whether a look was remembered less than five minutes ago; a clock that goes back forgets it."""
        with self._lock:
            when = self._looks.get(look)
        return when is not None and 0 <= self._clock() - when < AGAIN_NS

    def remember(self, look: Deed) -> None:
        """Remember that a look was recorded just now."""
        with self._lock:
            self._looks[look] = self._clock()
            self._looks.move_to_end(look)
            while len(self._looks) > MAX_LOOKS:
                self._looks.popitem(last=False)


def entries_of(accounts: Accounts, query: AuditQuery) -> Sequence[Audited]:
    """Return the entries of a query, the newest first; not more than its limit."""
    found: list[Audited] = []
    for entry in _from(accounts, query.before):
        if len(found) >= query.limit:
            break
        if _fits(entry.deed, query):
            found.append(entry)
    return found


def _from(accounts: Accounts, before: int) -> Iterator[Audited]:
    while page := accounts.audit(before, PAGE):
        yield from page
        before = page[-1].seq


def _fits(deed: Deed, query: AuditQuery) -> bool:
    return (
        (not query.who or deed.who == query.who)
        and (not query.identities or not set(query.identities).isdisjoint(deed.identities))
        and query.what in deed.what
        and (query.since_ns is None or deed.time_ns >= query.since_ns)
        and (query.until_ns is None or deed.time_ns <= query.until_ns)
    )
