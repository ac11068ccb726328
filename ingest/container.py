"""Files and network streams through PyAV (libavformat): demuxed, and decoded only where nothing else is possible."""

import errno
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, cast

import av

from ingest import annexb, jpeg
from ingest.annexb import NalCodec
from ingest.clock import NS, Timeline
from ingest.config import IngestSettings
from ingest.errors import AccessDenied, Broken, NotFound, NoVideo, SourceError, Stalled, Unreachable
from ingest.images import JpegFormats
from ingest.order import PresentationOrder
from ingest.source import SourcePacket, VideoFormat, kind_of
from wire.url import read_url

DEFAULT_FPS = Fraction(25)
FILE_GAP_NS = 3600 * NS  # recordings on movement have gaps of minutes; a step of hours is a broken clock
LIVE_GAP_NS = 10 * NS
UNTIMED = frozenset({"mpjpeg", "mjpeg", "h264", "hevc"})  # formats without timestamps: live ones count as they come
MAX_BROKEN = 100  # unreadable packets in a row before the rest of a source is given up

_CAUSES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[SourceError], str], ...] = (
    ((av.HTTPUnauthorizedError, av.HTTPForbiddenError), AccessDenied, "user or password refused"),
    (av.HTTPClientError, NotFound, "there is no such stream at this address"),
    (PermissionError, AccessDenied, "no permission to read it"),
    (FileNotFoundError, NotFound, "it does not exist"),
    (av.InvalidDataError, NoVideo, "it is no video, or is cut off before its index"),
)
_UNREACHABLE = frozenset(  # EIO is what libavformat says when a name does not resolve
    {errno.EIO, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT}
)


class ContainerSource:
    """One video stream of an open container; `arrival_ns` is a clock for live streams without timestamps."""

    def __init__(
        self,
        container: Any,
        *,
        finite: bool,
        settings: IngestSettings,
        arrival_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.finite = finite
        self._arrival_ns = arrival_ns
        self._container = container
        self._stream = container.streams.best("video")
        self._settings = settings
        self._rate: Fraction = self._stream.guessed_rate or self._stream.average_rate or DEFAULT_FPS
        self.frame_ns = round(NS / self._rate)

    def packets(self) -> Iterator[SourcePacket]:
        """Yield every packet; H.264, HEVC and JPEG untouched, everything else decoded and encoded as JPEG.

        Raises:
            Stalled: Nothing came within the read timeout.
            Broken: It cannot be read any further, or less is there than was announced.
        """
        name = self._stream.codec_context.name
        if name in {"h264", "hevc"}:
            yield from self._pass_on(cast("NalCodec", name))
        elif name == "mjpeg":
            yield from self._pass_on_jpeg()
        else:
            yield from self._decoded()

    def close(self) -> None:
        """Close the connection or file."""
        self._container.close()

    def _pass_on(self, codec: NalCodec) -> Iterator[SourcePacket]:
        formats = _NalFormats(codec, self._stream)
        for packet, pts_ns in self._timed():
            data = bytes(packet)
            look = formats.of(data, keyframe=packet.is_keyframe)
            if look is not None:
                yield SourcePacket(pts_ns, keyframe=packet.is_keyframe, data=data, format=look)

    def _pass_on_jpeg(self) -> Iterator[SourcePacket]:
        formats = JpegFormats()
        for packet, pts_ns in self._timed():
            data = bytes(packet)
            size = jpeg.size_of(data)
            if size is not None:
                yield SourcePacket(pts_ns, keyframe=True, data=data, format=formats.of(size))

    def _decoded(self) -> Iterator[SourcePacket]:
        formats = JpegFormats()
        timeline = self._timeline()
        count = 0
        for packet in self._demuxed(keep_last=True):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue  # a broken packet costs its own frame
            for frame in frames:
                pts_ns = _ns(frame.pts, frame.time_base)
                placed = timeline.place(round(count * NS / self._rate) if pts_ns is None else pts_ns, None)
                data = jpeg.encode(frame.to_ndarray(format="bgr24"), self._settings.jpeg_quality)
                look = formats.of(jpeg.Size(frame.width, frame.height))
                count += 1
                yield SourcePacket(placed, keyframe=True, data=data, format=look)

    def _timeline(self) -> Timeline:
        return Timeline(self.frame_ns, FILE_GAP_NS if self.finite else LIVE_GAP_NS)

    def _timed(self) -> Iterator[tuple[Any, int]]:
        packets = self._demuxed()
        if not self.finite and self._container.format.name in UNTIMED:
            yield from self._timed_by_arrival(packets)
            return
        first = next(packets, None)
        if first is None:
            return
        if self._stream.codec_context.has_b_frames and (first.pts is None or self._container.format.name == "avi"):
            order = PresentationOrder(self._stream.codec_context)
            for packet, shown in order.number(_chain(first, packets)):
                yield packet, round(shown * NS / self._rate)
            return
        timeline = self._timeline()
        for count, packet in enumerate(_chain(first, packets)):
            dts_ns = _ns(packet.dts, packet.time_base)
            pts_ns = _ns(packet.pts, packet.time_base)
            if pts_ns is None:
                pts_ns = round(count * NS / self._rate) if dts_ns is None else dts_ns
            yield packet, timeline.place(pts_ns, dts_ns)

    def _timed_by_arrival(self, packets: Iterator[Any]) -> Iterator[tuple[Any, int]]:
        began_ns = last_ns = None
        for packet in packets:
            now_ns = self._arrival_ns()
            if began_ns is None or last_ns is None:
                began_ns = last_ns = now_ns
            else:
                last_ns = max(now_ns, last_ns + 1)
            yield packet, last_ns - began_ns

    def _demuxed(self, *, keep_last: bool = False) -> Iterator[Any]:
        count = broken = 0
        while broken <= MAX_BROKEN:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size or keep_last:
                        count += bool(packet.size)
                        broken = 0
                        yield packet
            except av.InvalidDataError:
                broken += 1
            except av.FFmpegError as error:
                raise _cause(error, self._settings, opening=False) from None
            else:
                self._check_complete(count)
                return
        raise Broken(f"{MAX_BROKEN} unreadable packets in a row")

    def _check_complete(self, count: int) -> None:
        announced = self._stream.frames
        if self.finite and count < announced * 0.99:  # edit lists may hide a few
            raise Broken(f"truncated: {count} of {announced} frames are there")


class _NalFormats:
    """Gives H.264 and HEVC packets their format; a sequence parameter set of another size begins a new one."""

    def __init__(self, codec: NalCodec, stream: Any) -> None:
        self._codec: NalCodec = codec
        self._extradata = bytes(stream.codec_context.extradata or b"")
        self._watched = annexb.is_annexb(self._extradata)
        self._sets = b""
        self._format: VideoFormat | None = None
        if stream.width and stream.height:
            self._format = VideoFormat(codec, stream.width, stream.height, self._extradata)

    def of(self, data: bytes, *, keyframe: bool) -> VideoFormat | None:
        """Return a packet's format; None while nothing has said how large the pictures are."""
        if keyframe and self._watched:
            sets = annexb.sequence_sets(data, self._codec)
            if sets and sets != self._sets:
                changed = bool(self._sets) or self._format is None
                self._sets = sets
                if changed:
                    self._measure(data)
        return self._format

    def _measure(self, data: bytes) -> None:
        size = annexb.picture_size(data, self._codec)
        if size is None:
            return
        known = self._format
        if known is None or (known.width, known.height) != size:
            self._format = VideoFormat(self._codec, size.width, size.height, b"")


def open_container(url: str, settings: IngestSettings) -> ContainerSource:
    """Open a file or a network stream.

    Raises:
        SourceError: It cannot be opened; the class and the text say why.
    """
    network = kind_of(url) == "network"
    timeout = (settings.connect_timeout_s, settings.read_timeout_s) if network else None
    try:
        address = read_url(url).quoted() if network else url
        container = av.open(address, options=_options(url, settings), timeout=timeout)
    except av.FFmpegError as error:  # its text has the URL, so it is nobody's cause
        if network and isinstance(error, av.InvalidDataError):
            raise NoVideo("what answers at this address is no video") from None
        raise _cause(error, settings, opening=True) from None
    stream = container.streams.best("video")
    if stream is None or stream.codec_context.name == "ansi":  # libavcodec draws plain text as a terminal would
        container.close()
        raise NoVideo("there is no video in it")
    return ContainerSource(container, finite=not network or _ends(container, url), settings=settings)


def _ends(container: Any, url: str) -> bool:
    if url.lower().startswith("rtsp"):
        return False
    return bool(container.duration) or ("hls" not in container.format.name and container.size > 0)


def _options(url: str, settings: IngestSettings) -> dict[str, str]:
    if kind_of(url) != "network":
        return {}
    timeout = {"timeout": str(round(settings.read_timeout_s * 1e6))}  # of the socket, us
    return {"rtsp_transport": "tcp", **timeout} if url.lower().startswith("rtsp") else timeout


def _cause(error: av.FFmpegError, settings: IngestSettings, *, opening: bool) -> SourceError:
    if isinstance(error, av.ExitError | TimeoutError):
        if opening:
            return Unreachable(f"no answer within {settings.connect_timeout_s:g} s")
        return Stalled(f"nothing came for {settings.read_timeout_s:g} s")
    for errors, kind, text in _CAUSES:
        if isinstance(error, errors):
            return kind(text)
    if not opening:
        return Broken(f"the connection broke: {error.strerror}")
    if error.errno in _UNREACHABLE:
        return Unreachable(f"cannot be reached: {error.strerror}")
    return SourceError(f"cannot be opened: {error.strerror}")


def _ns(ticks: int | None, base: Fraction | None) -> int | None:
    if ticks is None or base is None:
        return None
    return ticks * base.numerator * NS // base.denominator


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest
