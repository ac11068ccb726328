"""Parses JPEG headers, and encodes pictures (ISO/IEC 10918-1, annex B)."""

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from ingest.errors import Broken
from wire.orientation import ORIENTATIONS, UPRIGHT

if TYPE_CHECKING:
    from PIL import Image

START = b"\xff\xd8"
END = b"\xff\xd9"

_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..SOF15 without DHT, JPG and DAC
_COMMON = frozenset({0xC0, 0xC1, 0xC2})  # Huffman-coded, sequential or progressive: supported by every decoder
_STANDALONE = frozenset({0x01, *range(0xD0, 0xDA)})  # markers without a length
_SCAN = 0xDA
_APP1 = 0xE1
_EXIF = b"Exif\x00\x00"
_ORIENTATION = 0x0112
_SHORT = 3


class Size(NamedTuple):
    """The size of a picture in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a JPEG.

    Attributes:
        size: As stored, before rotation.
        orientation: From EXIF; see `wire.orientation`.
        common: Whether any decoder can read it: 8 bits, grey or three components, and a common coding process.
        end: Offset of the end of the header.
    """

    size: Size
    orientation: int
    common: bool
    end: int


def header_of(data: bytes) -> Header | None:
    """Parse a JPEG's header; None if it has none or is truncated before its frame header."""
    if not data.startswith(START):
        return None
    at, orientation = len(START), UPRIGHT
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAME_HEADERS:
            return _header(data, at, orientation)
        if marker == _APP1:
            orientation = _orientation(data[at + 4 : at + 2 + _length(data, at)], orientation)
        at += 1 if marker == 0xFF else 2 if marker in _STANDALONE else 2 + _length(data, at)  # 0xFF is padding
    return None


def is_whole(data: bytes, header: Header) -> bool:
    """Tell whether a JPEG has its end marker; the one of an embedded thumbnail does not count."""
    return data.rfind(END, header.end) >= 0


def encode(picture: "Image.Image", quality: int) -> bytes:
    """Encode an RGB picture as JPEG.

    Raises:
        Broken: The picture cannot be encoded (empty, or above 65500 px).
    """
    file = BytesIO()
    try:
        picture.save(file, "JPEG", quality=quality)
    except (OSError, ValueError):
        raise Broken(f"a frame of {picture.width}x{picture.height} px cannot be encoded as JPEG") from None
    return file.getvalue()


def _length(data: bytes, at: int) -> int:
    return int.from_bytes(data[at + 2 : at + 4], "big")


def _header(data: bytes, at: int, orientation: int) -> Header | None:
    bits, height, width, colours = struct.unpack_from(">BHHB", data.ljust(at + 10, b"\x00"), at + 4)
    if not width or not height:
        return None
    common = data[at + 1] in _COMMON and bits == 8 and colours in {1, 3}
    return Header(Size(width, height), orientation, common, at + 2 + _length(data, at))


def _orientation(segment: bytes, known: int) -> int:
    """Return the orientation stated by an APP1 segment, `known` if it states none (EXIF 2.32, 4.6.4)."""
    tiff = segment[len(_EXIF) :]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or not segment.startswith(_EXIF):
        return known
    try:
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if (tag, kind) == (_ORIENTATION, _SHORT) and value in ORIENTATIONS:
                return int(value)
    except struct.error:  # a truncated or broken segment counts as absent
        return known
    return known
