"""The file of a backup. Written and read in blocks, so that memory does not depend on how many people there are.

    climbtrack gallery backup                 the first line
    {"format": 1, "site": "mall", …}          `Head`, as JSON
    blocks: length (4 bytes, big-endian), zlib-compressed msgpack of a list of changes
    length 0
    {"version": 4711, …}                      `Tail`, as JSON
    SHA-256 of all bytes before it            32 bytes

The last bytes tell a whole file from one that is cut short or damaged anywhere, before anything of it is used.
"""

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from gallery.errors import BackupError
from gallery.store.change import Change

FORMAT = 1  # raised when an older reader would misunderstand a file
FIRST_LINE = b"climbtrack gallery backup\n"
BLOCK = 1 << 20  # bytes of changes in a block, before compression
MAX_BLOCK = 1 << 30
MAX_LINE = 1 << 20
DIGEST = 32
LEVEL = 1  # embeddings and JPEG hardly compress; the rest does at once
_encode = msgspec.msgpack.encode
_changes = msgspec.msgpack.Decoder(list[Change]).decode


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when a backup begins.

    Attributes:
        site: The site.
        begun: When, as ISO 8601 in UTC.
        climbtrack: Version of the program.
    """

    format: int = FORMAT
    site: str
    begun: str
    climbtrack: str


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when a backup ends: the state that it holds.

    Attributes:
        version: Of the site: how many windows were decided.
        layout: Of the site's keys; see `gallery.store.layout`.
        now_ns: Event time up to which the site is decided.
        identities: How many people there are.
        models: Names of the embedding spaces in which they are known, sorted.
        raw_bytes: Size of all changes before compression.
    """

    version: int
    layout: int
    now_ns: int
    identities: int
    models: tuple[str, ...]
    raw_bytes: int


class Writer:
    """Writes a backup to an open file."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._held: list[Change] = []
        self._held_bytes = 0
        self.raw_bytes = 0
        self._put(FIRST_LINE + msgspec.json.encode(head) + b"\n")

    def add(self, change: Change) -> None:
        """Write a change."""
        self._held.append(change)
        self._held_bytes += change.size
        self.raw_bytes += change.size
        if self._held_bytes >= BLOCK:
            self._flush()

    def end(self, tail: Tail) -> None:
        """Write the end; the file is complete then."""
        self._flush()
        self._put((0).to_bytes(4))
        self._put(msgspec.json.encode(tail) + b"\n")
        self._file.write(self._digest.digest())

    def _flush(self) -> None:
        if self._held:
            block = zlib.compress(_encode(self._held), LEVEL)
            self._put(len(block).to_bytes(4) + block)
        self._held, self._held_bytes = [], 0

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)


class Reader:
    """A backup that was opened, and is whole.

    Raises:
        BackupError: The file is missing, no backup, incomplete, damaged, or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self.digest = self._verified(file)
                self.head = self._head(file)
                self._begin = file.tell()
                self.tail = self._tail(file)
        except OSError as error:
            raise BackupError(f"{path}: {error.strerror}") from None

    def changes(self) -> Iterator[Change]:
        """Yield all changes."""
        with self._path.open("rb") as file:
            for block in self._blocks(file):
                yield from self._decoded(block)

    def _head(self, file: BinaryIO) -> Head:
        file.seek(len(FIRST_LINE))
        line = file.readline(MAX_LINE)
        try:
            known = msgspec.json.decode(line)["format"]
            if known == FORMAT:
                return msgspec.json.decode(line, type=Head)
        except (msgspec.MsgspecError, KeyError, TypeError):
            raise self._damaged("its first lines cannot be read") from None
        raise BackupError(
            f"{self._path}: format {known!r}, and this version reads {FORMAT}: restore it with the version that wrote"
            " it, or a later one"
        )

    def _verified(self, file: BinaryIO) -> str:
        """Return the digest of the whole file, in any format; nothing else is trusted before."""
        if file.read(len(FIRST_LINE)) != FIRST_LINE:
            raise BackupError(f"{self._path}: not a backup of `climbtrack gallery backup`")
        left = os.fstat(file.fileno()).st_size - DIGEST
        file.seek(0)
        digest = hashlib.sha256()
        while left > 0 and (data := file.read(min(BLOCK, left))):
            digest.update(data)
            left -= len(data)
        if file.read(DIGEST + 1) != digest.digest():
            raise self._damaged("it does not match its checksum")
        return digest.hexdigest()

    def _tail(self, file: BinaryIO) -> Tail:
        file.seek(self._begin)
        while (length := int.from_bytes(file.read(4))) > 0:
            file.seek(length, os.SEEK_CUR)
        try:
            return msgspec.json.decode(file.readline(MAX_LINE), type=Tail)
        except msgspec.MsgspecError:
            raise self._damaged("its last line cannot be read") from None

    def _blocks(self, file: BinaryIO) -> Iterator[bytes]:
        file.seek(self._begin)
        while (length := int.from_bytes(file.read(4))) > 0:
            yield file.read(length)

    def _decoded(self, block: bytes) -> Iterable[Change]:
        try:
            return _changes(zlib.decompress(block))
        except (zlib.error, msgspec.MsgspecError) as error:
            raise self._damaged(str(error)) from None

    def _damaged(self, why: str) -> BackupError:
        return BackupError(
            f"{self._path}: cut short or damaged ({why}): copy it again from where it was made, or take another backup"
        )
