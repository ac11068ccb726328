"""Cameras at a device index (USB), read by OpenCV: their frames are sent as JPEG."""

import time
from collections.abc import Iterator
from typing import Any

from ingest.clock import NS
from ingest.config import IngestSettings
from ingest.errors import Broken, Unreachable
from ingest.source import SourcePacket
from ingest.sources import jpeg
from ingest.sources.formats import JpegFormats

DEVICE_FPS = 30.0  # if a device does not state its frame rate
MAX_MISSED = 30  # frames in a row that a device may fail to deliver: at most a second


class DeviceSource:
    """A camera read by OpenCV; `capture` is its `VideoCapture`."""

    finite = False

    def __init__(self, capture: Any, quality: int) -> None:
        import cv2

        fps = float(capture.get(cv2.CAP_PROP_FPS))
        self.frame_ns = round(NS / (fps if 0 < fps <= 240 else DEVICE_FPS))
        self.burst_ns = 0
        self._capture = capture
        self._quality = quality

    def packets(self) -> Iterator[SourcePacket]:
        """Yield frames without end, timed by their arrival.

        Raises:
            Broken: The device no longer delivers frames.
        """
        formats = JpegFormats()
        began = time.monotonic_ns()
        missed = 0
        while missed < MAX_MISSED:
            done, picture = self._capture.read()
            if not done:
                missed += 1
                continue
            missed = 0
            size = jpeg.Size(picture.shape[1], picture.shape[0])
            data = jpeg.encode(picture, self._quality)
            yield SourcePacket(time.monotonic_ns() - began, keyframe=True, data=data, format=formats.of(size))
        raise Broken("the device no longer delivers frames")

    def close(self) -> None:
        """Release the device."""
        self._capture.release()


def open_device(index: int, settings: IngestSettings) -> DeviceSource:
    """Open a camera by its index.

    Raises:
        Unreachable: No such device exists, or another program uses it.
    """
    import cv2

    level = cv2.utils.logging.setLogLevel(0)  # otherwise every OpenCV backend logs that the device does not exist
    try:
        capture = cv2.VideoCapture(index)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        capture.release()
        raise Unreachable(f"no camera at device index {index}, or another program is using it")
    return DeviceSource(capture, settings.jpeg_quality)
