"""Turns decoded frames into BGR pictures, by the ways that swscale is fast on."""

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

# Straight to BGR takes three times as long, and ends within a few levels: as exact as video with halved colour, which
# nearly all cameras send, always is.
HALVED = {"yuv444p": "yuv422p", "yuvj444p": "yuvj422p"}
ONE_THREAD = 1  # cameras are converted in parallel; by default each conversion would start threads, and wait for them


class BgrConverter:
    """Converts the frames of one stream; a frame by itself makes a converter for each time, which took half of it."""

    def __init__(self) -> None:
        self._to_halved = VideoReformatter()
        self._to_bgr = VideoReformatter()

    def of(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Return a frame as `(h, w, 3)` uint8.

        Raises:
            av.error.FFmpegError, ValueError, MemoryError: It cannot be converted.
        """
        halved = HALVED.get(frame.format.name)
        if halved is not None:
            frame = self._to_halved.reformat(frame, format=halved, threads=ONE_THREAD)
        return np.asarray(self._to_bgr.reformat(frame, format="bgr24", threads=ONE_THREAD).to_ndarray(), np.uint8)
