"""Checks whether a file is complete, by the sizes stated inside it."""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_HEADER_BYTES = 1 << 16  # searched for the properties
_NAME = re.compile(rb"[\x20-\x7e\xa9]{4}")  # of a box; anything else after the last one is padding
_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide"})  # that an MP4 starts with

_BLOCK_BYTES = 1 << 20
_LONGEST_BEGINNING = 16
_BEGINNING = re.compile(  # of an FLV, MP4 or ASF file: libav stops where a second one was appended
    rb"FLV\x01[\x00-\x05]\x00\x00\x00\x09|\x00\x00\x00[\x08-\xff]ftyp[\x20-\x7e]{4}|" + re.escape(_ASF)
)


def missing_bytes(path: Path) -> int:
    """Return how many bytes of an AVI, MP4, Matroska or ASF file are missing; 0 if the file does not state its size."""
    with path.open("rb") as file:
        begin = file.read(12)
        if begin.startswith(b"RIFF"):
            stated = _last_end(file, _riff_sizes(file))
        elif begin[4:8] in _BOXES:
            stated = _last_end(file, _box_sizes(file))
        elif begin.startswith(_EBML):
            stated = _matroska_end(file)
        elif begin.startswith(_ASF[:12]):
            stated = _asf_size(file)
        else:
            stated = 0
    return max(0, stated - path.stat().st_size)


def next_recording(path: Path, behind: int) -> int:
    """Return the byte at which another FLV, MP4 or ASF file begins after `behind`; 0 if there is none."""
    with path.open("rb") as file:
        at, kept = max(behind, 1), b""
        file.seek(at)
        while block := file.read(_BLOCK_BYTES):
            data = kept + block
            if found := _BEGINNING.search(data):
                return at + found.start()
            kept = data[1 - _LONGEST_BEGINNING :]
            at += len(data) - len(kept)
    return 0


def _last_end(file: BinaryIO, sizes: Iterator[int]) -> int:
    """Return where the last of consecutive parts ends; each size is read with the file positioned at its start."""
    end = 0
    file.seek(0)
    for size in sizes:
        if size <= 0:  # "to the end of the file", or not stated
            return 0
        end += size
        file.seek(end)
    return end


def _riff_sizes(file: BinaryIO) -> Iterator[int]:
    while file.read(4) == b"RIFF" and len(size := file.read(4)) == 4:
        (length,) = struct.unpack("<I", size)
        yield length and 8 + length + length % 2


def _box_sizes(file: BinaryIO) -> Iterator[int]:
    while len(head := file.read(16)) >= 8 and _NAME.fullmatch(head, 4, 8):
        (size,) = struct.unpack_from(">I", head)
        yield struct.unpack_from(">Q", head.ljust(16, b"\x00"), 8)[0] if size == 1 else size


def _matroska_end(file: BinaryIO) -> int:
    """Return the end of the segment, which follows the EBML header (RFC 8794, 4)."""
    file.seek(len(_EBML))
    header = _vint(file)
    if header is None:
        return 0
    file.seek(header, 1)
    if file.read(len(_SEGMENT)) != _SEGMENT:
        return 0
    length = _vint(file)
    return 0 if length is None else file.tell() + length


def _asf_size(file: BinaryIO) -> int:
    """Return the size stated by the file properties object (ASF specification 3.2); live recordings state 0."""
    file.seek(0)
    header = file.read(_ASF_HEADER_BYTES)
    at = header.find(_ASF_PROPERTIES)
    return struct.unpack_from("<Q", header, at + 40)[0] if 0 <= at <= len(header) - 48 else 0


def _vint(file: BinaryIO) -> int | None:
    """Read a variable-length size; None if it is unknown, as in unfinished recordings."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(length - 1), "big") - (1 << 7 * length)
    return None if value == (1 << 7 * length) - 1 else value
