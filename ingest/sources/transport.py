"""MPEG transport streams in files whose programmes may change: read in parts with one set of programmes each.

libav only knows the streams that it finds when it opens a file, and loses the packets of streams added by a later
table. So it gets the file only up to where the tables change, and the rest as a separate file.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av

from ingest.clock import Timeline
from ingest.config import IngestSettings
from ingest.errors import Broken, NoVideo, SourceError
from ingest.source import SourcePacket, VideoFormat
from ingest.sources.causes import cause
from ingest.sources.container import NO_VIDEO, ContainerSource, video_of
from ingest.sources.demux import Demuxer
from ingest.sources.tables import (
    END_BYTES,
    LONGEST_PACKET,
    TABLE,
    Tables,
    is_association,
    missing_bytes,
    packet_bytes,
)
from ingest.sources.whole import REMEDY

BLOCK_BYTES = 1 << 20


class SegmentedFile:
    """A transport stream as a series of files: `read` ends where video streams change, `next_part` continues there."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._buffer = b""
        self._at = self._end = 0  # in the buffer: bytes already read, and bytes that may be read
        self._tables = Tables()
        self._association = b""  # the packet with the latest programme association table
        self._prefix = b""
        self._over = self._last = False

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes of this part; none at its end."""
        if self._prefix:
            data, self._prefix = self._prefix[:size], self._prefix[size:]
            return data
        while self._at == self._end and not self._over:
            self._look_ahead()
        data = self._buffer[self._at : min(self._at + size, self._end)]
        self._at += len(data)
        return data

    def next_part(self) -> bool:
        """Skip the rest of this part; tell whether another one follows."""
        while self.read(BLOCK_BYTES):
            pass
        if self._last:
            return False
        first = self._buffer[self._end : self._end + LONGEST_PACKET]
        self._tables = Tables()
        if not is_association(first):  # a reader needs this table to interpret a map that comes first
            self._tables.change(self._association)
            self._prefix = self._association[: packet_bytes(self._buffer, self._end)]
        self._over = False
        return True

    def check_end(self) -> None:
        """Check that the last packet is whole.

        Raises:
            Broken: It is not.
        """
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, size - END_BYTES))
        missing = missing_bytes(self._file.read())
        if missing:
            raise Broken(f"truncated: the last {missing} bytes are missing", REMEDY)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _look_ahead(self) -> None:
        block = self._file.read(BLOCK_BYTES)
        self._buffer, self._at = self._buffer[self._at :] + block, 0
        self._end = len(self._buffer) if not block else max(0, len(self._buffer) - LONGEST_PACKET)
        for found in TABLE.finditer(self._buffer, 0, self._end):
            packet = self._buffer[found.start() : found.start() + LONGEST_PACKET]
            if self._tables.change(packet):
                self._end, self._over = found.start(), True
                return
            if is_association(packet):
                self._association = packet
        self._over = self._last = not block


class TransportSource:
    """A transport stream in a file, across all changes of its programmes."""

    finite = True

    def __init__(self, path: Path, settings: IngestSettings) -> None:
        self._settings = settings
        self._file = SegmentedFile(path)
        self._timeline: Timeline | None = None
        try:
            first = self._open_first()
        except SourceError:
            self._file.close()
            raise
        self._part: ContainerSource | None = first
        self.frame_ns = first.frame_ns
        self.burst_ns = 0

    def packets(self) -> Iterator[SourcePacket]:
        """Yield every packet; a format that continues in the next part stays the same object.

        Raises:
            Broken: The file cannot be read any further, or is cut off.
        """
        latest: VideoFormat | None = None
        more = True
        while more:
            for packet in self._part.packets() if self._part is not None else ():
                if packet.format != latest:
                    latest = packet.format
                yield replace(packet, format=latest)
            more = self._file.next_part()
            self._close_part()
            self._part = self._open() if more else None
        self._file.check_end()

    def close(self) -> None:
        """Close the file."""
        self._close_part()
        self._file.close()

    def _close_part(self) -> None:
        if self._part is not None:
            self._part.close()
        self._part = None

    def _open_first(self) -> ContainerSource:
        part = self._open()
        while part is None and self._file.next_part():
            part = self._open()
        if part is None:
            raise NoVideo(NO_VIDEO)
        return part

    def _open(self) -> ContainerSource | None:
        """Open the next part; None if it contains no video."""
        try:
            container = av.open(self._file, format="mpegts")
        except av.InvalidDataError:
            return None
        except av.FFmpegError as error:
            raise cause(error, self._settings, opening=True) from None
        try:
            demuxer = Demuxer(container, video_of(container), self._settings, finite=True, timeline=self._timeline)
        except NoVideo:
            container.close()
            return None
        self._timeline = demuxer.timeline
        return ContainerSource(container, demuxer, finite=True, jpeg_quality=self._settings.jpeg_quality)
