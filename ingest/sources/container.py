"""The packets of a container: passed through unchanged if possible, else decoded and encoded as JPEG."""

from collections.abc import Callable, Iterator
from typing import Any, cast

from av.stream import Disposition

from ingest.errors import Broken, NoVideo, Stalled
from ingest.source import UNKNOWN_FORMAT, SourcePacket
from ingest.sources import jpeg
from ingest.sources.annexb import NalCodec
from ingest.sources.decoded import pictures
from ingest.sources.demux import Demuxer, camera_time_ns
from ingest.sources.distinct import DistinctTimes
from ingest.sources.formats import JpegFormats, NalFormats
from ingest.sources.orientation import container_orientation
from wire import orientation
from wire.orientation import UPRIGHT

NO_VIDEO = "it contains no video, at most other streams such as sound"
NO_DECODER = "its video is in a format for which there is no decoder"
AGAIN = "copy the file again; if another program shows them, convert it to H.264 there"
CONVERT = "convert it to H.264, or set the camera to H.264, HEVC or JPEG"

_TEXT = "ansi"  # libavcodec renders plain text like a terminal


class ContainerSource:
    """One video stream of an open container.

    `finished` is called after the last packet, and raises `Broken` if packets are missing. `silence` says why possibly
    not a single packet arrives.
    """

    def __init__(
        self,
        container: Any,
        demuxer: Demuxer,
        *,
        finite: bool,
        jpeg_quality: int,
        burst_ns: int = 0,
        finished: Callable[[Demuxer], None] | None = None,
        silence: str = "",
    ) -> None:
        self.finite = finite
        self.frame_ns = demuxer.frame_ns
        self.burst_ns = burst_ns
        self._container = container
        self._demuxer = demuxer
        self._jpeg_quality = jpeg_quality
        self._finished = finished
        self._silence = silence
        self._passes_on = demuxer.stream.codec_context.name in {"h264", "hevc"}
        self._lost = 0  # pictures in a row, up to now, that cannot be decoded

    def packets(self) -> Iterator[SourcePacket]:
        """Yield every packet; H.264, HEVC and JPEG unchanged, everything else decoded and encoded as JPEG.

        No two have the same time.

        Raises:
            Stalled: No data arrived within the read timeout.
            Broken: The source cannot be read any further, or holds less than it announces.
        """
        b_frames = self._passes_on and self._demuxer.stream.codec_context.has_b_frames
        times = DistinctTimes(self.frame_ns, reordered=bool(b_frames), live=not self.finite)
        try:
            yield from times.place(self._packets())
        except Stalled as error:
            if self._demuxer.count or not self._silence:
                raise
            raise Stalled(str(error), self._silence) from None
        if self._finished is not None:
            self._finished(self._demuxer)
        if self.finite and self._lost:
            raise Broken(self._lost_at_the_end(), AGAIN)

    def _packets(self) -> Iterator[SourcePacket]:
        name = self._demuxer.stream.codec_context.name
        if self._passes_on:
            yield from self._pass_on(cast("NalCodec", name))
        elif name == "mjpeg":
            yield from self._pass_on_jpeg()
        else:
            yield from self._decoded()

    def _lost_at_the_end(self) -> str:
        """Return what no later packet can tell."""
        if self._lost == self._demuxer.count:
            return "none of its pictures can be decoded"
        last = "last picture" if self._lost == 1 else f"last {self._lost} pictures"
        return f"its {last} cannot be decoded"

    def close(self) -> None:
        """Close the connection or file."""
        self._container.close()

    def _pass_on(self, codec: NalCodec) -> Iterator[SourcePacket]:
        formats = NalFormats(codec, self._demuxer.stream, self._container.format.name)
        for packet, pts_ns in self._demuxer.timed():
            data = bytes(packet)
            video_format = formats.of(packet, data)
            if video_format is None and not self.finite and not packet.is_keyframe:
                video_format = UNKNOWN_FORMAT  # not decodable, but a sign of life
            if video_format is not None:
                yield SourcePacket(
                    pts_ns,
                    keyframe=packet.is_keyframe,
                    data=data,
                    format=video_format,
                    shown=not packet.is_discard,
                    camera_ns=camera_time_ns(packet),
                    damaged=packet.is_corrupt,
                )

    def _pass_on_jpeg(self) -> Iterator[SourcePacket]:
        formats = JpegFormats()
        stated: int | None = None
        for packet, pts_ns in self._demuxer.timed():
            data = bytes(packet)
            header = jpeg.header_of(data)
            if header is None:
                self._lost += 1
                continue
            if stated is None:
                stated = container_orientation(self._demuxer.stream, data)
            turned = header.orientation if stated is None or stated == UPRIGHT else stated
            video_format = formats.of(header.size, turned)
            yield SourcePacket(
                pts_ns,
                keyframe=True,
                data=data,
                format=video_format,
                lost_before=self._lost,
                camera_ns=camera_time_ns(packet),
            )
            self._lost = 0

    def _decoded(self) -> Iterator[SourcePacket]:
        formats = JpegFormats()
        turned: int | None = None
        for frame, pts_ns in pictures(self._demuxer):
            if frame is None:
                self._lost += 1
                continue
            if turned is None:
                matrices = orientation.display_matrices(frame)
                turned = orientation.of_matrix(matrices[0]) if matrices else UPRIGHT
            data = jpeg.encode(frame.to_image(), self._jpeg_quality)
            video_format = formats.of(jpeg.Size(frame.width, frame.height), turned)
            yield SourcePacket(pts_ns, keyframe=True, data=data, format=video_format, lost_before=self._lost)
            self._lost = 0


def video_of(container: Any) -> Any:
    """Return the video stream of an open container.

    Raises:
        NoVideo: It has none that can be decoded; a cover picture attached to a sound recording does not count.
    """
    shown = [stream for stream in container.streams.video if not _is_cover(stream)]
    best = container.streams.best("video")
    if best not in shown or best.codec_context is None:
        best = next((stream for stream in shown if stream.codec_context is not None), None)
    if best is None and shown:
        raise NoVideo(NO_DECODER, CONVERT)
    if best is None or best.codec_context.name == _TEXT:
        raise NoVideo(NO_VIDEO)
    return best


def _is_cover(stream: Any) -> bool:
    return bool(Disposition(stream.disposition) & Disposition.attached_pic)
