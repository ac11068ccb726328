"""What a source is: compressed frames in decoding order, and what a decoder has to know of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ingest.config import IngestSettings
from wire.messages import CameraSpec, Codec
from wire.orientation import UPRIGHT


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a decoder has to know; a new one begins a new stream.

    Attributes:
        width, height: Of the coded pictures, px, before they are turned.
        orientation: How they are turned to stand upright; see `wire.orientation`.
    """

    codec: Codec
    width: int
    height: int
    extradata: bytes
    orientation: int = UPRIGHT


UNKNOWN_FORMAT = VideoFormat("h264", 1, 1, b"")  # of a stream that ends before it begins


@dataclass(frozen=True, slots=True)
class SourcePacket:
    """One compressed frame, in decoding order.

    Attributes:
        pts_ns: Presentation time, ns since the first frame; continuous where the source's own timestamps jump.
        format: The same object for as long as nothing changes.
        lost_before: Frames of the source between the previous packet and this one that could not be read.
        shown: False for a picture that is only decoded because others build on it.
    """

    pts_ns: int
    keyframe: bool
    data: bytes
    format: VideoFormat
    lost_before: int = 0
    shown: bool = True


class Source(Protocol):
    """An open camera, file or folder.

    Attributes:
        finite: It has an end, after which it is not opened again.
        frame_ns: Nominal duration of a frame.
    """

    finite: bool
    frame_ns: int

    def packets(self) -> Iterator[SourcePacket]:
        """Yield every packet.

        Raises:
            Stalled: Nothing came within the read timeout.
            Broken: It cannot be read any further.
        """

    def close(self) -> None:
        """Release it."""


Opener = Callable[[CameraSpec, IngestSettings], Source]
