"""Compressed chunks to fragmented MP4 for Media Source Extensions, without decoding anything."""

import io
import struct
from collections.abc import Callable
from fractions import Fraction

import av
import av.error

from wire.byte_stream import ToAnnexB
from wire.errors import PermanentError
from wire.messages import FrameChunk, Packet
from wire.orientation import matrix_of

TIME_BASE = Fraction(1, 90_000)
REORDER_TICKS = 90_000  # decoding times are this far before presentation times: no encoder reorders over a second
USUAL_TICKS = 9_000  # the length of the first picture; players only need something plausible
SIZE_BYTES = 8  # of the last two fields in the header of a track, behind the matrix (ISO/IEC 14496-12, 8.3.2)
MOVIE = {
    "movflags": "empty_moov+delay_moov+default_base_moof+frag_every_frame",
    "use_editlist": "0",
}


class NotPlayable(PermanentError):  # noqa: N818 - it reads as the state it reports
    """Raised for a stream that cannot be put into an MP4 file."""


def presented_ns(packet: Packet) -> int:
    """Return the time of a packet by the clock of its stream."""
    return packet.pts_ns


def captured_ns(packet: Packet) -> int:
    """Return the time of a packet by the clock of the site."""
    return packet.time_ns


class Remuxer:
    """Turns the chunks of one stream into an MP4 file in pieces.

    Presentation times in the file are the packets' times since that of `first`'s first packet, plus a second. The file
    states how its pictures are to be rotated.
    """

    def __init__(self, first: FrameChunk, timed: Callable[[Packet], int] = presented_ns) -> None:
        """Open the file.

        Args:
            first: The first chunk that will be added; it starts with a keyframe.
            timed: The time of a packet, ns.

        Raises:
            NotPlayable: The codec is neither H.264 nor HEVC.
        """
        if first.codec == "mjpeg":
            raise NotPlayable("motion JPEG is not a codec of MP4 files in browsers: set the camera to H.264 or H.265")
        self._timed = timed
        self.base_ns = timed(first.packets[0])
        self._to_annexb = ToAnnexB(first.codec, first.extradata)
        self._sink = _Sink()
        self._file = av.open(self._sink, "w", format="mp4", options=MOVIE, container_options={"flush_packets": "1"})
        self._stream = self._file.add_mux_stream(
            first.codec, width=first.width, height=first.height, time_base=TIME_BASE
        )
        self._matrix = struct.pack(">9i", *matrix_of(first.orientation, first.width, first.height))
        self._earliest = -REORDER_TICKS

    def add(self, chunk: FrameChunk) -> bytes:
        """Return what the file grows by: the initialisation segment first, then a fragment for each picture.

        The last picture of a chunk follows with the next chunk.

        Raises:
            NotPlayable: A packet cannot be put into the file.
        """
        ordered = sorted(map(self._timed, chunk.packets))
        try:
            for packet, time_ns in zip(chunk.packets, ordered, strict=True):
                self._file.mux_one(self._packet(packet, time_ns))
        except (av.error.FFmpegError, ValueError) as error:
            raise NotPlayable(f"cannot be put into an MP4 file: {error}") from error
        return self._taken()

    def close(self) -> bytes:
        """End the file; return what it grows by.

        Raises:
            NotPlayable: The file has no picture that could be put into it.
        """
        try:
            self._file.close()
        except (av.error.FFmpegError, ValueError) as error:
            raise NotPlayable(f"cannot be put into an MP4 file: {error}") from error
        return self._taken()

    def media_s(self, time_ns: int) -> float:
        """Return the presentation time in the file of a packet of this time."""
        return self._ticks(time_ns) / TIME_BASE.denominator

    def _taken(self) -> bytes:
        """Return what was written; PyAV states no rotation for streams without a codec, so it is put in here."""
        data = self._sink.take()
        if data[4:8] != b"ftyp":
            return data
        at = data.index(b"tkhd") - 4  # of the one track; nothing but times come before it
        end = at + int.from_bytes(data[at : at + 4])
        return data[: end - SIZE_BYTES - len(self._matrix)] + self._matrix + data[end - SIZE_BYTES :]

    def _ticks(self, time_ns: int) -> int:
        return (time_ns - self.base_ns) * TIME_BASE.denominator // 10**9 + REORDER_TICKS

    def _packet(self, packet: Packet, ordered_ns: int) -> av.Packet:
        """Return a packet of the file: it is decoded when a picture is shown, a second earlier."""
        made = av.Packet(self._to_annexb.convert(packet.data, keyframe=packet.keyframe))
        made.stream, made.time_base = self._stream, TIME_BASE
        made.pts, made.is_keyframe = self._ticks(self._timed(packet)), packet.keyframe
        made.dts = max(self._ticks(ordered_ns) - REORDER_TICKS, self._earliest)
        made.duration, self._earliest = USUAL_TICKS, made.dts + 1
        return made


class _Sink(io.RawIOBase):
    """Collects what the muxer writes."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # PyAV passes bytes only
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        taken, self._bytes = bytes(self._bytes), bytearray()
        return taken


def mime_of(file: bytes) -> str:
    """Return the type of an MP4 file that begins with these bytes, such as `video/mp4; codecs="avc1.640028"`.

    Raises:
        NotPlayable: They have no configuration of H.264 or HEVC (RFC 6381; ISO/IEC 14496-15, annex E).
    """
    if (at := file.find(b"avcC")) >= 0 and file[at + 4] == 1:  # its version: garbage is copied as it is
        return f'video/mp4; codecs="avc1.{file[at + 5 : at + 8].hex()}"'
    if (at := file.find(b"hvcC")) >= 0 and file[at + 4] == 1:
        return f'video/mp4; codecs="{_hevc_codec(file[at + 4 : at + 17])}"'
    raise NotPlayable("the stream has no parameter sets")


def _hevc_codec(record: bytes) -> str:
    space, tier, profile = record[1] >> 6, record[1] >> 5 & 1, record[1] & 0x1F
    compatible = int(f"{int.from_bytes(record[2:6]):032b}"[::-1], 2)
    constraints = record[6:12].rstrip(b"\x00")
    parts = [
        "hev1",
        f"{'ABC'[space - 1] if space else ''}{profile}",
        f"{compatible:X}",
        f"{'H' if tier else 'L'}{record[12]}",
        *(f"{byte:X}" for byte in constraints),
    ]
    return ".".join(parts)
