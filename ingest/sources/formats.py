"""Determines the format of each packet, and where it changes."""

from typing import Any

import av

from ingest.source import VideoFormat
from ingest.sources import annexb
from ingest.sources.annexb import NalCodec
from ingest.sources.jpeg import Size
from ingest.sources.orientation import container_orientation
from wire.byte_stream import is_annexb
from wire.orientation import UPRIGHT

UNTURNED = frozenset({"rtsp", "mpegts", "h264", "hevc"})  # containers that cannot state an orientation


class JpegFormats:
    """Assigns formats to JPEG packets: the same object until size or orientation change."""

    def __init__(self) -> None:
        self._format: VideoFormat | None = None

    def of(self, size: Size, orientation: int = UPRIGHT) -> VideoFormat:
        """Return the format of a JPEG with this size and orientation."""
        wanted = VideoFormat("mjpeg", size.width, size.height, b"", orientation)
        if self._format != wanted:
            self._format = wanted
        return self._format or wanted


class NalFormats:
    """Assigns formats to H.264 and HEVC packets.

    The format changes if the container switches to another decoder configuration, as MP4 does with several sample
    descriptions, and at a sequence parameter set with another size.
    """

    def __init__(self, codec: NalCodec, stream: Any, container: str) -> None:
        self._codec: NalCodec = codec
        self._stream = stream
        self._orientation: int | None = UPRIGHT if container in UNTURNED else None  # None: not known yet
        self._extradata = bytes(stream.codec_context.extradata or b"")
        self._size = Size(stream.width, stream.height) if stream.width and stream.height else None
        self._sets = b""
        self._format: VideoFormat | None = None

    def of(self, packet: av.Packet, data: bytes) -> VideoFormat | None:
        """Return a packet's format; None while the picture size is unknown."""
        if packet.has_sidedata("new_extradata"):
            self._configure(data, bytes(packet.get_sidedata("new_extradata")))
        if packet.is_keyframe:
            self._inspect(data)
        if self._size is None:
            return None
        if self._format is None:
            orientation = self._orientation or UPRIGHT
            self._format = VideoFormat(self._codec, self._size.width, self._size.height, self._extradata, orientation)
        return self._format

    def _configure(self, data: bytes, extradata: bytes) -> None:
        if extradata != self._extradata:
            self._extradata = extradata
            self._size = annexb.picture_size(data, self._codec, extradata) or self._size
            self._format = None

    def _inspect(self, keyframe: bytes) -> None:
        if self._orientation is None:
            self._orientation = container_orientation(self._stream, keyframe)
        if not is_annexb(self._extradata):
            return
        sets = annexb.sequence_sets(keyframe, self._codec)
        changed = bool(sets) and sets != self._sets and (bool(self._sets) or self._size is None)
        self._sets = sets or self._sets
        size = annexb.picture_size(keyframe, self._codec) if changed else None
        if size is not None and size != self._size:
            self._size, self._extradata, self._format = size, b"", None
