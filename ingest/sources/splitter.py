"""JPEG pictures out of a stream of bytes, whatever stands between them.

Cameras differ in how they part the pictures of Motion JPEG (with or without a first boundary, with another boundary
than announced, without lengths, with bare line feeds), so nothing but the pictures themselves is looked at.
"""

import re
from collections.abc import Iterator

from ingest.errors import NoVideo

LOOKED_AT_BYTES = 4096  # at the beginning of a stream, for a picture
MAX_PICTURE_BYTES = 64 << 20

_START = b"\xff\xd8\xff"
_FIRST = re.compile(rb"\A(?:[\t\r\n\x20-\x7e]*\n)?\xff\xd8\xff")
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # a marker other than restarts: 00 is a byte 255, FF padding
_START_MARKER, _END_MARKER, _SCAN_MARKER, _PADDING = 0xD8, 0xD9, 0xDA, 0xFF
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length


def has_picture(data: bytes) -> bool:
    """Tell whether the beginning of a stream is one of JPEG pictures: with at most lines of text in front of one."""
    return _FIRST.search(data) is not None


class JpegSplitter:
    """Cuts a stream of bytes into JPEG pictures (ISO/IEC 10918-1, annex B)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0  # in the buffer, which begins with a picture unless this is 0: all before it is understood
        self._in_scan = self._has_scan = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield every picture that they complete.

        Raises:
            NoVideo: A picture does not end.
        """
        self._buffer += data
        while (end := self._find_end()) > 0:
            yield bytes(self._buffer[:end])
            self._restart(end)
        if len(self._buffer) > MAX_PICTURE_BYTES:
            raise NoVideo(f"a picture does not end within {MAX_PICTURE_BYTES >> 20} MiB")

    def _find_end(self) -> int:
        """Return the length of the picture that the buffer begins with, 0 while it is not complete."""
        while self._at or self._find_start():
            step = self._through_scan() if self._in_scan else self._through_segment()
            if step is not None:
                return step
        return 0

    def _find_start(self) -> bool:
        start = self._buffer.find(_START)
        del self._buffer[: start if start >= 0 else max(0, len(self._buffer) - len(_START) + 1)]
        self._at = 2 if start >= 0 else 0
        return start >= 0

    def _through_scan(self) -> int | None:
        """Go on to the marker behind compressed data; return 0 where it has not come."""
        found = _END_OF_SCAN.search(self._buffer, self._at)
        self._at = found.start() if found else max(self._at, len(self._buffer) - 1)
        self._in_scan = found is None
        return None if found else 0

    def _through_segment(self) -> int | None:
        """Go on behind a marker segment; return the picture's length where it ends here, 0 where more must come."""
        at, data = self._at, self._buffer
        if len(data) < at + 4 and data[at : at + 2] != b"\xff\xd9":
            return 0
        marker = data[at + 1]
        if data[at] != 0xFF:
            self._restart(2)  # it only looked like the beginning of a picture
        elif marker == _END_MARKER:
            return at + 2
        elif marker == _START_MARKER and self._has_scan:  # the picture's own end is missing
            return at
        elif marker == _START_MARKER:
            self._restart(at)
        elif marker == _PADDING or marker in _ALONE:
            self._at += 1 if marker == _PADDING else 2
        else:
            self._at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            self._in_scan = marker == _SCAN_MARKER
            self._has_scan = self._has_scan or self._in_scan
        return None

    def _restart(self, consumed: int) -> None:
        del self._buffer[:consumed]
        self._at, self._in_scan, self._has_scan = 0, False, False
