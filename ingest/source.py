"""The interface of a source: compressed frames in decoding order, and their format."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ingest.config import IngestSettings
from wire.messages import CameraSpec, Codec
from wire.orientation import UPRIGHT


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a decoder needs to know; a change of format starts a new stream.

    Attributes:
        width, height: Size of the coded pictures in pixels, before rotation.
        orientation: How they are rotated to be upright; see `wire.orientation`.
    """

    codec: Codec
    width: int
    height: int
    extradata: bytes
    orientation: int = UPRIGHT


UNKNOWN_FORMAT = VideoFormat("h264", 1, 1, b"")  # for a stream that ends before its first packet


@dataclass(frozen=True, slots=True)
class SourcePacket:
    """One compressed frame, in decoding order.

    Attributes:
        pts_ns: Presentation time in ns since the first frame; continuous even if the source's timestamps jump.
        format: The same object as long as nothing changes.
        lost_before: Frames between the previous packet and this one that could not be read.
        shown: False for a picture that is decoded only as a reference for others.
        camera_ns: Capture time by the camera's own clock, ns since the Unix epoch; None if it is not stated.
        damaged: Whether part of it was lost on the way, where the container tells: a transport stream does.
    """

    pts_ns: int
    keyframe: bool
    data: bytes
    format: VideoFormat
    lost_before: int = 0
    shown: bool = True
    camera_ns: int | None = None
    damaged: bool = False


class Source(Protocol):
    """An open camera, file or folder.

    Attributes:
        finite: Whether the source has an end, after which it is not opened again.
        frame_ns: Nominal duration of a frame.
        burst_ns: Longest time between two arrivals of a live stream that is sent in segments, as HLS is; 0 for others.
    """

    finite: bool
    frame_ns: int
    burst_ns: int

    def packets(self) -> Iterator[SourcePacket]:
        """Yield every packet.

        Raises:
            Stalled: No data arrived within the read timeout.
            Broken: The source cannot be read any further.
        """

    def close(self) -> None:
        """Release the source."""


Opener = Callable[[CameraSpec, IngestSettings], Source]
