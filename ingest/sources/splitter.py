"""Extracts JPEG pictures from a stream of bytes, whatever comes between them.

Cameras differ in how they separate the pictures of Motion JPEG (with or without a first boundary, with another boundary
than announced, without lengths, with bare line feeds), so only the pictures themselves are parsed.
"""

import re
from collections.abc import Iterator

from ingest.errors import NoVideo

PROBE_BYTES = 4096  # searched for a picture at the beginning of a stream
MAX_PICTURE_BYTES = 64 << 20

_START = b"\xff\xd8\xff"
_FIRST = re.compile(rb"\A(?:[\t\r\n\x20-\x7e]*\n)?\xff\xd8\xff")
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # a marker other than restarts: 00 is a byte 255, FF padding
_START_MARKER, _END_MARKER, _SCAN_MARKER, _PADDING = 0xD8, 0xD9, 0xDA, 0xFF
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length


def has_picture(data: bytes) -> bool:
    """Tell whether a stream starts with a JPEG picture, with at most lines of text before it."""
    return _FIRST.search(data) is not None


class JpegSplitter:
    """Cuts a stream of bytes into JPEG pictures (ISO/IEC 10918-1, annex B)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0  # parsed up to here; the buffer starts with a picture unless this is 0
        self._in_scan = self._has_scan = False

    @property
    def has_begun(self) -> bool:
        """Tell whether a picture has begun that is not complete."""
        return self._at > 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add the next bytes; yield every picture that they complete.

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
        """Return the length of the picture at the start of the buffer, 0 while it is incomplete."""
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
        """Advance to the marker after compressed data; return 0 if it has not arrived."""
        found = _END_OF_SCAN.search(self._buffer, self._at)
        self._at = found.start() if found else max(self._at, len(self._buffer) - 1)
        self._in_scan = found is None
        return None if found else 0

    def _through_segment(self) -> int | None:
        """Advance past a marker segment; return the picture's length if it ends here, 0 if more data is needed."""
        at, data = self._at, self._buffer
        if len(data) < at + 4 and data[at : at + 2] != b"\xff\xd9":
            return 0
        marker = data[at + 1]
        if data[at] != 0xFF:
            self._restart(2)  # not the start of a picture after all
        elif marker == _END_MARKER:
            return at + 2
        elif marker == _START_MARKER and self._has_scan:  # the picture's end marker is missing
            return at
        elif marker == _START_MARKER:
            self._restart(at)
        elif marker == _PADDING or marker in _STANDALONE:
            self._at += 1 if marker == _PADDING else 2
        else:
            self._at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            self._in_scan = marker == _SCAN_MARKER
            self._has_scan = self._has_scan or self._in_scan
        return None

    def _restart(self, consumed: int) -> None:
        del self._buffer[:consumed]
        self._at, self._in_scan, self._has_scan = 0, False, False
