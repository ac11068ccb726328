"""Cameras and recordings on the network: RTSP, and Motion JPEG and other formats over HTTP."""

from functools import partial
from typing import Any

import av

from ingest.config import IngestSettings
from ingest.errors import Broken, NoVideo
from ingest.source import Source
from ingest.sources.causes import cause
from ingest.sources.container import ContainerSource, video_of
from ingest.sources.demux import Demuxer
from ingest.sources.motion_jpeg import MotionJpegSource
from ingest.sources.splitter import PROBE_BYTES, has_picture
from wire.url import Url, read_url

TRAILING_BYTES = 4096  # plus 2 % of a file: sound and tables may follow the last picture
TRANSPORT_OPTIONS = {"merge_pmt_versions": "1"}  # follows a change of PID in a transport stream; others ignore it
NOT_VIDEO = "what answers at this address is not a video that can be read"


def open_network(url: str, settings: IngestSettings) -> Source:
    """Open a stream at a network address.

    Raises:
        SourceError: The stream cannot be opened; class and message give the cause.
    """
    address = read_url(url)
    if address.scheme in {"http", "https"}:
        pictures = _motion_jpeg(address.quoted(), settings)
        if pictures is not None:
            return pictures
    try:
        container = _open(address.quoted(), settings)
    except av.InvalidDataError:
        raise NoVideo(NOT_VIDEO) from None
    except av.FFmpegError as error:  # not chained, as its message contains the URL
        raise cause(error, settings, opening=True) from None
    try:
        stream = video_of(container)
    except NoVideo:
        container.close()
        raise
    return _source(container, stream, address, settings)


def _source(container: Any, stream: Any, address: Url, settings: IngestSettings) -> ContainerSource:
    finite = not address.scheme.startswith("rtsp") and _ends(container)
    demuxer = Demuxer(container, stream, settings, finite=finite)
    checked = partial(_check_reached, container.size) if finite and container.format.name == "mpegts" else None
    return ContainerSource(container, demuxer, finite=finite, jpeg_quality=settings.jpeg_quality, finished=checked)


def _check_reached(size: int, demuxer: Demuxer) -> None:
    """Check that a transport stream was read to its end.

    Raises:
        Broken: Its video continues in another programme, which libav does not follow; see `transport`.
    """
    if size - demuxer.position > size // 50 + TRAILING_BYTES:
        raise Broken(
            f"the last {size - demuxer.position} bytes were not read, probably because the programme of the transport "
            "stream changes; download it and read the file"
        )


def _motion_jpeg(url: str, settings: IngestSettings) -> MotionJpegSource | None:
    """Return a source if a web server sends JPEG pictures; None if it sends something else."""
    try:
        container = _open(url, settings, format="data")
    except av.FFmpegError as error:
        raise cause(error, settings, opening=True) from None
    first = _beginning(container)
    if not has_picture(first):
        container.close()
        return None
    finite = first.startswith(b"\xff\xd8") and container.size > 0
    return MotionJpegSource(container, first, finite=finite, settings=settings)


def _beginning(container: Any) -> bytes:
    """Return the first bytes, up to a picture if there is one; errors are reported when it is opened again."""
    first = b""
    try:
        for packet in container.demux():
            first += bytes(packet)
            if has_picture(first) or len(first) >= PROBE_BYTES:
                break
    except av.FFmpegError:
        return first
    return first


def _open(url: str, settings: IngestSettings, **how: str) -> Any:
    timeout = {"timeout": str(round(settings.read_timeout_s * 1e6))}  # of the socket, us
    options = {"rtsp_transport": "tcp", **timeout} if url.lower().startswith("rtsp") else timeout | TRANSPORT_OPTIONS
    return av.open(url, options=options, timeout=(settings.connect_timeout_s, settings.read_timeout_s), **how)


def _ends(container: Any) -> bool:
    return bool(container.duration) or ("hls" not in container.format.name and container.size > 0)
