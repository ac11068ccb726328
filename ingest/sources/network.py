"""Cameras and recordings on the network: RTSP, transport streams over UDP, Motion JPEG and other formats over HTTP."""

import errno
import time
from functools import partial
from typing import Any

import av

from ingest.clock import NS
from ingest.config import IngestSettings
from ingest.errors import Broken, NoVideo, SourceError, Unreachable
from ingest.source import Source
from ingest.sources import certificate
from ingest.sources.causes import FEW_VIEWERS, cause
from ingest.sources.connect import options_of
from ingest.sources.container import ContainerSource, video_of
from ingest.sources.demux import Demuxer
from ingest.sources.interrupt import interrupted
from ingest.sources.motion_jpeg import MotionJpegSource
from ingest.sources.splitter import PROBE_BYTES, has_picture
from ingest.sources.within import PLAYLIST, Within
from wire.bounds import WEB, Bounds
from wire.url import Url, read_url

TRAILING_BYTES = 4096  # plus 2 % of a file: sound and tables may follow the last picture
SEGMENT_NS = 12 * NS  # of HLS: 6 s are recommended, 10 s are usual
NO_TRANSPORT = "remove #transport= from the end of its URL"
NOTHING_OVER_UDP = "a firewall may block UDP: remove #transport= from the end of the URL to read over TCP"
NOTHING_SENT = (
    "check that an MPEG transport stream is sent to this machine and "
    "port, or to this multicast group, and that no firewall blocks UDP"
)
NOT_VIDEO = "what answers at this address is not a video that can be read"


def open_network(url: str, settings: IngestSettings, bounds: Bounds | None = None) -> Source:
    """Open a stream at a network address, which may lead no further than the bounds.

    Raises:
        SourceError: The stream cannot be opened; class and message give the cause.
    """
    address = read_url(url)
    within = (
        None if bounds is None or not bounds.hosts else Within(bounds, settings, partial(_failure, settings=settings))
    )
    first = b""
    if address.scheme in WEB:
        if within is None:
            answer = _open(address, settings, form="data")
        else:
            answer, address = within.bytes_of(address)
        first = _beginning(answer)
        if has_picture(first):
            finite = first.startswith(b"\xff\xd8") and answer.size > 0
            return MotionJpegSource(answer, first, finite=finite, settings=settings)
        answer.close()
    elif within is not None and address.scheme.startswith("rtsp"):
        within.check_rtsp(address)
    container = _open(address, settings, answered=bool(first), within=within)
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
    return ContainerSource(
        container,
        demuxer,
        finite=finite,
        jpeg_quality=settings.jpeg_quality,
        burst_ns=SEGMENT_NS if "hls" in container.format.name else 0,
        finished=checked,
        silence=NOTHING_OVER_UDP if address.transport in {"udp", "multicast"} else "",
    )


def _check_reached(size: int, demuxer: Demuxer) -> None:
    """Check that a transport stream was read to its end.

    Raises:
        Broken: Its video continues in another programme, which libav does not follow; see `transport`.
    """
    if size - demuxer.position > size // 50 + TRAILING_BYTES:
        raise Broken(
            f"the last {size - demuxer.position} bytes were not read, probably because the programme of the transport "
            "stream changes",
            "download it and read the file",
        )


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


def _open(
    address: Url,
    settings: IngestSettings,
    *,
    form: str | None = None,
    answered: bool = False,
    within: Within | None = None,
) -> Any:
    """Open an address; `answered` tells that bytes came from it a moment ago."""
    began_s = time.monotonic()
    opened = av.open if within is None or address.scheme not in WEB else within.opener().container
    try:
        return opened(
            address.without_transport().quoted(),
            options=options_of(address, settings) | (PLAYLIST if within else {}),
            timeout=(settings.connect_timeout_s, settings.read_timeout_s + _segment_s(address)),
            format=form,
        )
    except av.FFmpegError as error:  # not chained, as its message contains the URL
        if answered and error.errno == errno.EIO and not interrupted():
            raise NoVideo(NOT_VIDEO) from None  # without a length, libav says no more of a page
        raise _failure(error, address, settings, waited_s=time.monotonic() - began_s) from None


def _segment_s(address: Url) -> float:
    return SEGMENT_NS / NS if ".m3u8" in address.rest.lower() else 0.0


def _failure(error: av.FFmpegError, address: Url, settings: IngestSettings, *, waited_s: float = 0.0) -> SourceError:
    """Return why an address could not be opened."""
    broken = error.errno == errno.EIO and not interrupted()  # of TLS, libav says no more
    refused = certificate.refusal(address, settings) if broken else None
    if refused is not None:
        return refused
    if isinstance(error, EOFError):
        return Unreachable("it closes the connection and says nothing", FEW_VIEWERS)
    if error.errno == errno.EPROTONOSUPPORT:
        return SourceError("the camera does not offer this transport", NO_TRANSPORT)
    if isinstance(error, av.InvalidDataError):  # also of RTSP when no reply arrives in time
        patience_s = min(settings.connect_timeout_s, settings.read_timeout_s)
        return NoVideo(NOT_VIDEO) if waited_s < patience_s else Unreachable(f"no answer within {patience_s:g} s")
    if address.scheme == "udp" and isinstance(error, av.ExitError | TimeoutError):
        return Unreachable("nothing that can be read arrives at this port", NOTHING_SENT)
    return cause(error, settings, opening=True)


def _ends(container: Any) -> bool:
    return bool(container.duration) or ("hls" not in container.format.name and container.size > 0)
