"""Put a restored site into Redis: beside what is stored first, and in its place once it is complete.

Everything is written under `climbtrack:{site}:restoring:`, where galleries and APIs do not look. Then the marker
`climbtrack:{site}:restoring` makes galleries wait while old keys go and new ones are renamed; those by which everything
else is found are renamed last, all at once. An interrupted `take_place` is completed by `complete`.

The version of a restored site is far above that of whatever a running gallery knows, so that the gallery loads it
instead of taking it for its own site that has lost data, which it would put back.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from itertools import islice
from typing import Any

from gallery.errors import BackupError
from gallery.store.change import Change, commands
from gallery.store.layout import rows_of
from gallery.store.redis import RedisStore
from gallery.store.server import translated_errors
from gallery.store.store import StoredTracklet

STAGED = "restoring:"
LOCK = "restore-lock"
OURS = ("restor", "copying", "changed")
SILENT_MS = 60_000
AT_ONCE = 500  # commands of one pipeline
AT_ONCE_BYTES = 4 << 20
ABOVE = 2**32  # one write a second reaches it in 136 years; 2^53 leaves room for two million restores


class SitePlace:
    """The place of a site in Redis, into which a backup is restored."""

    def __init__(self, client: Any, site_id: str) -> None:
        self._client = client
        self._site_id = site_id
        self._prefix = f"climbtrack:{{{site_id}}}:"
        source = files("gallery.store").joinpath("placing.lua").read_text(encoding="utf-8")
        self._script = client.register_script(source)

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Keep other restores away during the block.

        Raises:
            BackupError: Another restore is going on.
        """
        key, token = f"{self._prefix}{LOCK}", secrets.token_bytes(8)
        with translated_errors(self._client):
            if not self._client.set(key, token, nx=True, px=SILENT_MS):
                raise BackupError(
                    f"site {self._site_id}: another restore is going on, or was ended less than a minute ago"
                )
        try:
            yield
        finally:
            with translated_errors(self._client):
                if self._client.get(key) == token:
                    self._client.delete(key)

    def interrupted(self) -> str:
        """Return the digest of the backup whose restore was interrupted while it took its place; empty if none was."""
        with translated_errors(self._client):
            marker = self._client.get(f"{self._prefix}restoring") or b""
        return str(marker.decode().partition(":")[2])

    def stored(self) -> list[str]:
        """Return the names of what is stored, without what follows a colon; sorted."""
        with translated_errors(self._client):
            return sorted({name.partition(":")[0] for name in self._names()})

    def staged_store(self) -> RedisStore:
        """Return the store of what was staged."""
        return RedisStore(self._client, self._site_id, STAGED)

    def staged_rows(self) -> Iterator[StoredTracklet]:
        """Yield every row of what was staged."""
        with translated_errors(self._client):
            yield from (row for row, _ in rows_of(self._client, f"{self._prefix}{STAGED}"))

    def erasures(self, *, staged: bool) -> tuple[dict[str, str], str]:
        """Return the digests of erased tracklets, and the name of the site in them; of what was staged or is stored."""
        prefix = self._prefix + (STAGED if staged else "")
        with translated_errors(self._client):
            erased = self._client.hgetall(f"{prefix}erased")
            name = self._client.hget(f"{prefix}meta", "erased_as")
        return {key.decode(): word.decode() for key, word in erased.items()}, (name or b"").decode() or self._site_id

    def discard(self) -> None:
        """Delete what was staged."""
        with translated_errors(self._client):
            self._pipe(("UNLINK", key) for key in self._client.scan_iter(f"{self._prefix}{STAGED}*", count=1_000))

    def stage(self, changes: Iterable[Change]) -> None:
        """Apply changes beside what is stored."""
        staged = f"{self._prefix}{STAGED}"
        with translated_errors(self._client):
            self._pipe(command for change in changes for command in commands(change, staged + change.key))

    def take_place(self, digest: str, *, replace: bool) -> None:
        """Put what was staged in the place of what is stored.

        Args:
            digest: Names the backup, for `interrupted`.
            replace: Whether decisions that are stored may be replaced.

        Raises:
            BackupError: There are decisions, and they may not.
        """
        with translated_errors(self._client):
            shown = [name for name in self._names() if ":" not in name]
            if not self._run("claim", digest, int(replace), ABOVE, *shown):
                raise BackupError(
                    f"site {self._site_id}: a gallery has decided about people meanwhile: stop it, or add --replace"
                )
        self.complete()

    def complete(self) -> None:
        """Go on from where `take_place` was interrupted."""
        with translated_errors(self._client):
            marker = f"{self._prefix}restoring"
            state, _, digest = self._client.get(marker).decode().partition(":")
            if state == "clearing":
                self._pipe(("UNLINK", self._prefix + name) for name in self._names())
                self._client.set(marker, f"moving:{digest}")
            names = list(self._staged())
            hidden = (name for name in names if ":" in name)
            self._pipe(("RENAME", f"{self._prefix}{STAGED}{name}", self._prefix + name) for name in hidden)
            self._run("show", *(name for name in names if ":" not in name))

    def _run(self, step: str, *arguments: object) -> Any:
        return self._script(keys=[f"{self._prefix}meta"], args=[step, *arguments])

    def _names(self) -> Iterator[str]:
        found = (key.decode() for key in self._client.scan_iter(f"{self._prefix}*", count=1_000))
        names = (key[len(self._prefix) :] for key in found)
        return (name for name in names if not name.startswith(OURS))

    def _staged(self) -> set[str]:
        prefix = f"{self._prefix}{STAGED}"
        return {key.decode()[len(prefix) :] for key in self._client.scan_iter(f"{prefix}*", count=1_000)}

    def _pipe(self, todo: Iterable[Any]) -> None:
        """Send commands in batches of bounded size, and keep the reservation."""
        left = iter(todo)
        while some := list(_bounded(left)):
            pipeline = self._client.pipeline(transaction=False)
            pipeline.pexpire(f"{self._prefix}{LOCK}", SILENT_MS)
            for command in some:
                pipeline.execute_command(*command)
            pipeline.execute()


def _bounded(left: Iterator[Any]) -> Iterator[Any]:
    """Yield the next commands, until they are many or large."""
    size = 0
    for command in islice(left, AT_ONCE):
        yield command
        size += sum(len(part) for part in command)
        if size > AT_ONCE_BYTES:
            return
