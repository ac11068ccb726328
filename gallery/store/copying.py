"""Read all keys of a site in Redis as one state that existed, while galleries go on writing it.

A site may be larger than what Redis can hand over at once without stopping everybody (a hash of crops exceeds even the
512 MB of a `DUMP`), so it is copied as virtual machines are moved. While a copy is made, `write.lua` notes every
element that it changes. First all keys are read, in slices. Then the noted elements are read again, until one script
reads the last of them together with `meta`: at that moment, everything read is what is stored. How long such a script
takes is bounded by `CHANGES`, unless galleries write too fast for that. Keys that are not written with decisions
(users, zones) are read again by the last script if they are short; longer ones, and those of single people or cameras,
are each as they were at some moment.
"""

import math
import secrets
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from importlib.resources import files
from itertools import islice
from typing import Any

from gallery.errors import BackupError
from gallery.store.change import Change, Kind
from gallery.store.server import translated_errors

SILENT_MS = 60_000  # after which a copy that was killed is given up
KEYS = 500  # read by one script
SHORT = 256  # elements of a key that are read at once
CHANGES = 2_048  # elements read by one script, some ten milliseconds of the server
PATIENCE = 8  # scripts, after which one may read twice as many if galleries write more than half as fast
LAST = ("meta", "progress")  # are read with the last changes
# How the names begin of what belongs to one moment only: alerts that wait to be sent were sent since, and the offsets
# of a bus are those of that bus.
NOT_COPIED = ("copying", "changed", "restor", "session", "deliveries", "unretained")
# What `write.lua` notes; everything after a colon belongs to one identity or camera.
NOTED = frozenset(
    (
        *("identities", "prototypes", "by-number", "by-last", "by-time", "by-camera", "by-identity", "named", "hidden"),
        *("aliases", "tracklets", "heads", "crops", "why", "sightings", "journal", "words", "word-order", "formers"),
        *("erased", "names", "faded", "faded-prototypes"),
    )
)
_SCANS = {"hash": "HSCAN", "zset": "ZSCAN", "set": "SSCAN"}


class SiteCopy:
    """A copy of a site in the making; use `changes` once."""

    def __init__(self, client: Any, site_id: str) -> None:
        self._client = client
        self._site_id = site_id
        self._prefix = f"climbtrack:{{{site_id}}}:"
        self._token = secrets.token_hex(8)
        source = files("gallery.store").joinpath("copying.lua").read_text(encoding="utf-8")
        self._script = client.register_script(source)
        self._others: list[str] = []

    def changes(self) -> Generator[Change, None, None]:
        """Yield changes that make the site of nothing, as it is when the last one is read.

        Raises:
            BackupError: Another copy is going on, this one was silent for too long, or a gallery of an earlier version
                writes the site.
            StoreUnavailable, StoreRefused: The server cannot be read.
        """
        with translated_errors(self._client):
            if not self._run("begin", SILENT_MS):
                raise BackupError(
                    f"site {self._site_id}: another backup is being made, or was ended less than a minute ago"
                )
            try:
                yield from self._everything()
                yield from self._what_changed()
            finally:
                self._give_up()

    def _run(self, step: str, *arguments: object) -> Any:
        return self._script(keys=[f"{self._prefix}meta"], args=[step, self._token, *arguments])

    def _give_up(self) -> None:
        """Let galleries stop noting changes; nothing is left to do if the copy is complete, or another one's turn."""
        if self._client.hget(f"{self._prefix}copying", "token") == self._token.encode():
            self._client.delete(f"{self._prefix}copying", f"{self._prefix}changed")

    def _everything(self) -> Iterator[Change]:
        names = (key.decode()[len(self._prefix) :] for key in self._client.scan_iter(f"{self._prefix}*", count=1_000))
        wanted = filter(self._is_copied, names)
        while some := list(islice(wanted, KEYS)):
            self._others += [name for name in some if ":" not in name and name not in NOTED]
            for found in self._run("keys", SHORT, *some):
                yield from self._key(*found)
            self._renew()

    def _is_copied(self, name: str) -> bool:
        return name not in LAST and not name.startswith(NOT_COPIED)

    def _key(self, name: bytes, kind: bytes, left_ms: int, length: int, content: Sequence[Any]) -> Iterator[Change]:
        """Yield the changes that make a key; its elements are read here if the script left them out."""
        if content or not length:
            yield from self._given(name, kind, left_ms, content)
            return
        key = name.decode()
        for slice_ in self._slices(kind.decode(), f"{self._prefix}{key}"):
            yield from _added(kind.decode(), key, slice_)
            self._renew()
        yield from _expiring(key, left_ms)

    def _given(self, name: bytes, kind: bytes, left_ms: int, content: Sequence[Any]) -> Iterator[Change]:
        yield from _added(kind.decode(), name.decode(), content)
        yield from _expiring(name.decode(), left_ms)

    def _slices(self, kind: str, key: str) -> Iterator[list[Any]]:
        if kind in _SCANS:
            yield from self._scanned(kind, key)
        elif kind == "list":
            starts = range(0, 2**31, SHORT)
            pages = (self._client.lrange(key, start, start + SHORT - 1) for start in starts)
            yield from iter(lambda: next(pages), [])
        else:
            after = b"-"
            while found := self._client.execute_command("XRANGE", key, after, "+", "COUNT", SHORT):
                yield [(entry, [part for pair in fields.items() for part in pair]) for entry, fields in found]
                after = b"(" + found[-1][0]

    def _scanned(self, kind: str, key: str) -> Iterator[list[bytes]]:
        scan = {"hash": self._client.hscan, "zset": self._client.zscan, "set": self._client.sscan}[kind]
        cursor: Any = 0
        while True:
            cursor, found = scan(key, cursor=cursor, count=SHORT)
            pairs = found.items() if kind == "hash" else found
            if kind == "set":
                yield list(found)
            else:
                yield [part if isinstance(part, bytes) else repr(part).encode() for pair in pairs for part in pair]
            if not cursor:
                return

    def _renew(self) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for name in ("copying", "changed"):  # in this order: changes end last
            pipeline.pexpire(f"{self._prefix}{name}", SILENT_MS)
        pipeline.execute()

    def _what_changed(self) -> Iterator[Change]:
        limit, before = CHANGES, math.inf
        for number in range(1, 2**31):
            state, *found = self._run("changes", limit, SHORT, *self._others)
            if state < 1:
                raise BackupError(_WHY[state].format(site=self._site_id))
            parts, wholes, *left = found
            yield from map(_changed, parts)
            for whole in wholes:
                yield from self._again(*whole)
            if state == 2:
                return
            self._renew()
            if number % PATIENCE == 0:
                limit *= 2 if before - left[0] < PATIENCE * limit / 2 else 1
                before = left[0]

    def _again(self, name: bytes, kind: bytes, left_ms: int, length: int, content: Sequence[Any]) -> Iterator[Change]:
        """Yield the changes that replace a key; one that is too long to be read again stays as it was."""
        if content or not length:
            yield Change("delete", name.decode())
            yield from self._given(name, kind, left_ms, content)


_WHY = {
    0: "site {site}: the backup could not read anything for a minute, so that its changes are lost; run it again",
    -1: "site {site}: a gallery of an earlier version writes it, or a migration was going on: upgrade every gallery of"
    " the site, then run the backup again",
}


def _changed(part: Sequence[bytes]) -> Change:
    name, kind, element, *value = part
    if kind == b"none":
        return Change("delete", name.decode())
    if not value:
        return Change("without", name.decode(), (kind, element))
    return next(iter(_added(kind.decode(), name.decode(), [element, *(value if kind != b"set" else [])])))


def _added(kind: str, key: str, content: Sequence[Any]) -> Iterable[Change]:
    if kind == "stream":
        return [Change("stream", key, (entry, *fields)) for entry, fields in content]
    return [Change(_kind(kind), key, tuple(content))] if content else []  # a scan may find nothing in a step


def _kind(kind: str) -> Kind:
    match kind:
        case "hash" | "zset" | "set" | "list" | "string":
            return kind
    raise BackupError(f"a key of the site is a {kind}, which this version cannot copy: upgrade it")


def _expiring(key: str, left_ms: int) -> Iterable[Change]:
    return [] if left_ms < 0 else [Change("expire", key, (b"%d" % (time.time() * 1000 + left_ms),))]
