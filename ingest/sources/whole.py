"""Checks whether a file is complete, by the sizes stated inside it."""

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_EBML = b"\x1a\x45\xdf\xa3"
_ELEMENTS = (  # of Matroska, down to the blocks of a cluster (RFC 9559, 5.1); anything else is padding
    *(_EBML, b"\x18\x53\x80\x67", b"\x11\x4d\x9b\x74", b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b"),
    *(b"\x1f\x43\xb6\x75", b"\x1c\x53\xbb\x6b", b"\x19\x41\xa4\x69", b"\x10\x43\xa7\x70", b"\x12\x54\xc3\x67"),
    *(b"\xe7", b"\xa7", b"\xab", b"\xa3", b"\xa0", b"\xec", b"\xbf"),
)
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_HEADER_BYTES = 1 << 16  # searched for the properties
_NAME = re.compile(rb"[\x20-\x7e\xa9]{4}")  # of a box; anything else after the last one is padding
_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide"})  # that an MP4 starts with

_OGG = b"OggS"
_OGG_HEADER_BYTES = 27
_GIF, _GIF_END = (b"GIF87a", b"GIF89a"), b"\x3b"

REMEDY = "copy the file again"

_BLOCK_BYTES = 1 << 20
_LONGEST_BEGINNING = 16
_BEGINNING = re.compile(  # of an FLV, MP4 or ASF file: libav stops where a second one was appended
    rb"FLV\x01[\x00-\x05]\x00\x00\x00\x09|\x00\x00\x00[\x08-\xff]ftyp[\x20-\x7e]{4}|" + re.escape(_ASF)
)


def shortfall(path: Path) -> str:
    """Return what a file lacks that it states or needs itself; an empty text if nothing is known to be missing.

    AVI, MP4, Matroska and ASF state the size of the file or of its parts, Ogg of its pages; GIF has an end marker.
    """
    with path.open("rb") as file:
        begin = file.read(12)
        size = file.seek(0, os.SEEK_END)
        if begin.startswith(_GIF):
            return "" if _last_byte(file, size) == _GIF_END else "its end is missing"
        missing = _end(file, begin) - size
    return f"the last {missing} bytes are missing" if missing > 0 else ""


def _end(file: BinaryIO, begin: bytes) -> int:
    """Return where a file ends as far as it says so itself, else 0."""
    file.seek(0)
    if begin.startswith(b"RIFF"):
        return _last_end(file, _riff_sizes(file))
    if begin[4:8] in _BOXES:
        return _last_end(file, _box_sizes(file))
    if begin.startswith(_EBML):
        return _last_end(file, _matroska_sizes(file))
    if begin.startswith(_ASF[:12]):
        return _asf_size(file)
    if begin.startswith(_OGG):
        return _last_end(file, _ogg_sizes(file))
    return 0


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


def _matroska_sizes(file: BinaryIO) -> Iterator[int]:
    """Yield the sizes of elements (RFC 8794, 6); of one of unknown size, as in a live recording, that of its header."""
    while (first := file.read(1)) and first[0]:
        name = first + file.read(8 - first[0].bit_length())
        if name not in _ELEMENTS:
            return
        begin = file.tell()
        length = _vint(file)
        yield len(name) + file.tell() - begin + (length or 0)


def _ogg_sizes(file: BinaryIO) -> Iterator[int]:
    """Yield the sizes of pages (RFC 3533, 6)."""
    while (header := file.read(_OGG_HEADER_BYTES)).startswith(_OGG):
        yield _OGG_HEADER_BYTES + (header[-1] + sum(file.read(header[-1])) if len(header) == _OGG_HEADER_BYTES else 0)


def _asf_size(file: BinaryIO) -> int:
    """Return the size stated by the file properties object (ASF specification 3.2); live recordings state 0."""
    file.seek(0)
    header = file.read(_ASF_HEADER_BYTES)
    at = header.find(_ASF_PROPERTIES)
    return struct.unpack_from("<Q", header, at + 40)[0] if 0 <= at <= len(header) - 48 else 0


def _last_byte(file: BinaryIO, size: int) -> bytes:
    """Return the last byte of a file that is not padding."""
    file.seek(max(0, size - _BLOCK_BYTES))
    return file.read().rstrip(b"\x00")[-1:]


def _vint(file: BinaryIO) -> int | None:
    """Read a variable-length size; None if it is unknown, as in unfinished recordings."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(length - 1), "big") - (1 << 7 * length)
    return None if value == (1 << 7 * length) - 1 else value
