"""The boxes of fragmented MP4 files (ISO/IEC 14496-12): where the last whole picture of an unfinished one ends."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

HEAD = 8


class Box(NamedTuple):
    """A box at the top of a file: its type, and where it ends."""

    kind: bytes
    end: int


def top_boxes(file: BinaryIO, size: int) -> Iterator[Box]:
    """Yield the boxes at the top of a file of `size` bytes that are there as a whole."""
    at = 0
    while at + HEAD <= size:
        file.seek(at)
        head = file.read(HEAD)
        length = int.from_bytes(head[:4])
        if length < HEAD or at + length > size:  # 64-bit lengths do not occur: fragments are of one picture
            return
        at += length
        yield Box(head[4:], at)


def whole_until(file: BinaryIO, size: int) -> int:
    """Return where the last fragment ends that is there as a whole; 0 if there is none."""
    return max((box.end for box in top_boxes(file, size) if box.kind == b"mdat"), default=0)
