"""Motion JPEG without a container, over HTTP or in a file."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import av

from ingest.clock import NS
from ingest.config import IngestSettings
from ingest.errors import Broken
from ingest.source import SourcePacket
from ingest.sources import jpeg
from ingest.sources.causes import cause
from ingest.sources.formats import JpegFormats
from ingest.sources.splitter import JpegSplitter

FPS = 25  # assumed for recordings, which have no timestamps


class MotionJpegSource:
    """JPEG pictures in a container that libav opened as raw data; `first` holds the bytes already read from it."""

    def __init__(
        self,
        container: Any,
        first: bytes,
        *,
        finite: bool,
        settings: IngestSettings,
        arrival_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.finite = finite
        self.frame_ns = NS // FPS
        self.burst_ns = 0
        self._container = container
        self._first = first
        self._settings = settings
        self._arrival_ns = arrival_ns

    def packets(self) -> Iterator[SourcePacket]:
        """Yield every picture unchanged; live ones are timed by their arrival.

        Raises:
            Stalled: No data arrived within the read timeout.
            Broken: The source cannot be read any further, or a recording ends inside a picture.
        """
        formats = JpegFormats()
        began_ns: int | None = None
        count = lost = 0
        last_ns = -1
        for data in self._pictures():
            count += 1
            now_ns = self._arrival_ns()
            began_ns = now_ns if began_ns is None else began_ns
            last_ns = (count - 1) * self.frame_ns if self.finite else max(now_ns - began_ns, last_ns + 1)
            header = jpeg.header_of(data)
            if header is None:
                lost += 1
                continue
            video_format = formats.of(header.size, header.orientation)
            yield SourcePacket(last_ns, keyframe=True, data=data, format=video_format, lost_before=lost)
            lost = 0

    def close(self) -> None:
        """Close the connection."""
        self._container.close()

    def _pictures(self) -> Iterator[bytes]:
        splitter = JpegSplitter()
        yield from splitter.feed(self._first)
        try:
            for packet in self._container.demux():
                yield from splitter.feed(bytes(packet))
        except av.FFmpegError as error:
            raise cause(error, self._settings, opening=False) from None
        if self.finite and splitter.has_begun:
            raise Broken("truncated: its last picture is cut off", "copy the file again")
