"""Cameras of this machine (USB), read by OpenCV: their frames are sent as JPEG."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.clock import NS
from ingest.config import IngestSettings
from ingest.errors import AccessDenied, Broken, NotFound, Unreachable
from ingest.source import SourcePacket
from ingest.sources import jpeg
from ingest.sources.formats import JpegFormats

DEVICE_FPS = 30.0  # if a device does not state its frame rate
DEVICES = Path("/dev")
OTHERS = "close that program, or give the number of another camera"
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
        raise Broken("the device no longer delivers frames", "check its cable, or plug it in again")

    def close(self) -> None:
        """Release the device."""
        self._capture.release()


def open_device(name: str, settings: IngestSettings) -> DeviceSource:
    """Open a camera by its index, or by its device node like `/dev/video0`.

    Raises:
        NotFound, AccessDenied: There is no such node, or it cannot be read.
        Unreachable: No such device exists, or another program uses it.
    """
    import cv2

    index = int(name) if name.isdecimal() else None
    if index is None:
        _check_node(Path(name))
    level = cv2.utils.logging.setLogLevel(0)  # otherwise every OpenCV backend logs that the device does not exist
    try:
        capture = cv2.VideoCapture(name, cv2.CAP_V4L2) if index is None else cv2.VideoCapture(index)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        capture.release()
        where = name if index is None else f"device index {index}"
        raise Unreachable(f"no camera at {where}, or another program is using it", OTHERS)
    return DeviceSource(capture, settings.jpeg_quality)


def _check_node(node: Path) -> None:
    if not node.exists():
        present = ", ".join(sorted(map(str, DEVICES.glob("video*")))) or "no camera"
        raise NotFound(f"there is no {node}", f"this machine has {present}")
    if not os.access(node, os.R_OK | os.W_OK):
        raise AccessDenied(f"no permission to read {node}", "add this user to the group that owns it, mostly `video`")
