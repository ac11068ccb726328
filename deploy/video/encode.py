"""Writes MP4 files that browsers play: H.264, 4:2:0, index first."""

import errno
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.error
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from deploy.errors import RunError

# libx264 comes with PyAV's wheels. Other builds may have one of the others; all of them make H.264, which every browser
# plays. OpenH264 is Cisco's, the last two need an NVIDIA or another hardware encoder.
ENCODERS = ("libx264", "libopenh264", "h264_nvenc", "h264_v4l2m2m")
OPTIONS = {"libx264": {"preset": "veryfast", "crf": "23"}}
LONGEST_PX = 3840  # of a side; browsers' decoders for H.264 end at 4096
TIME_BASE = Fraction(1, 90_000)
NO_ENCODER = (
    "this build of PyAV has no H.264 encoder ({}): reinstall it with `pip install --force-reinstall --only-binary "
    ":all: av`, or run without {}"
)
REMEDIES = {
    errno.ENOSPC: "the disk is full; make room, or choose another folder",
    errno.EDQUOT: "your quota is used up; make room, or choose another folder",
    errno.EFBIG: "files there cannot become that large; choose another folder",
}


def encoder(option: str = "--video") -> str:
    """Return the encoder to use; `option` is what asked for it.

    Raises:
        RunError: This build of PyAV has none.
    """
    found = next((name for name in ENCODERS if name in av.codecs_available), None)
    if found is None:
        raise RunError(NO_ENCODER.format(", ".join(ENCODERS), option))
    return found


class VideoFile:
    """A video that appears under its name once it is complete; use as a context manager.

    Frames larger than 3840 px are scaled down, and sides made even; a frame of another size than the first, from a
    recording that changes its format, is fitted into the first one's.
    """

    def __init__(self, path: Path, option: str = "--video") -> None:
        self._path = path
        self._option = option
        self._part = path.with_name(f".{path.name}.part")
        self._container: av.container.OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._last = -1
        self._abandoned = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the file, or remove what there is of it after an error; a video without frames is no file."""
        try:
            if error is None and self._container is not None and self._stream is not None:
                self._container.mux(self._stream.encode(None))
            if self._container is not None:
                self._container.close()
            if error is None and self._container is not None and not self._abandoned:
                self._part.replace(self._path)
        except (av.FFmpegError, OSError) as failed:
            if error is None:
                raise self._failed(failed) from failed
        finally:
            self._part.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Leave nothing behind when closed."""
        self._abandoned = True

    def add(self, image: NDArray[np.uint8], pts_ns: int) -> None:
        """Add a BGR frame; one that is not later than the previous one is left out.

        Raises:
            RunError: It cannot be written; with the cause and the remedy.
        """
        try:
            stream = self._stream or self._open(*image.shape[:2])
            pts = round(pts_ns * TIME_BASE.denominator / 1e9)
            if pts <= self._last:
                return
            self._last = pts
            frame = av.VideoFrame.from_ndarray(fitted(image, stream.height, stream.width), format="bgr24")
            frame.pts, frame.time_base = pts, TIME_BASE
            assert self._container is not None, "opened with the stream"
            self._container.mux(stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def _open(self, height: int, width: int) -> VideoStream:
        name = encoder(self._option)
        self._container = av.open(str(self._part), "w", format="mp4", options={"movflags": "+faststart"})
        stream = self._container.add_stream(name, options=OPTIONS.get(name, {}))
        assert isinstance(stream, VideoStream), "an encoder of pictures"
        stream.height, stream.width = size_of(height, width)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = TIME_BASE
        self._stream = stream
        return stream

    def _failed(self, error: Exception) -> RunError:
        number = getattr(error, "errno", None)
        cause = REMEDIES.get(number or 0) or f"{getattr(error, 'strerror', None) or error}; choose a writable folder"
        return RunError(f"{self._option}: {self._path} was not written: {cause}")


def size_of(height: int, width: int) -> tuple[int, int]:
    """Return height and width of the video for frames of a size: even, as 4:2:0 demands, and at most 3840 px.

    >>> size_of(2160, 3840), size_of(4320, 7680), size_of(241, 321)
    ((2160, 3840), (2160, 3840), (240, 320))
    """
    scale = min(1.0, LONGEST_PX / max(height, width))
    return max(2, round(height * scale) // 2 * 2), max(2, round(width * scale) // 2 * 2)


def fitted(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return a BGR image of this size: cut by a pixel, scaled down, or with black borders."""
    if image.shape[0] - height in (0, 1) and image.shape[1] - width in (0, 1):
        return np.ascontiguousarray(image[:height, :width])
    scale = min(height / image.shape[0], width / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return canvas
