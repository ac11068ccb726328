"""JPEG: the size of one, and pictures to bytes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.errors import Broken

_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..SOF15 without DHT, JPG and DAC
_ALONE = frozenset({0x01, *range(0xD0, 0xDA)})  # markers without a length


class Size(NamedTuple):
    """Of a picture, px."""

    width: int
    height: int


def size_of(data: bytes) -> Size | None:
    """Return the size in a JPEG's frame header, None when it has none (ISO/IEC 10918-1, B.2.2)."""
    if not data.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in _FRAME_HEADERS:
            height, width = (int.from_bytes(data[at + k : at + k + 2], "big") for k in (5, 7))
            return Size(width, height) if width and height else None
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def encode(picture: NDArray[np.uint8], quality: int) -> bytes:
    """Return a BGR `(h, w, 3)` picture as JPEG.

    Raises:
        Broken: It cannot be encoded (empty, or above 65500 px).
    """
    import cv2

    try:
        done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise Broken(f"a frame cannot be made a JPEG: {error.err}") from error
    if not done:
        raise Broken("a frame cannot be made a JPEG")
    return bytes(data)
