"""Folders of images and cameras at an index (USB): everything that travels as JPEG without a container."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest import jpeg
from ingest.clock import NS
from ingest.config import IngestSettings
from ingest.errors import Broken, NotFound, NoVideo, Unreachable
from ingest.source import SourcePacket, VideoFormat

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
DEVICE_FPS = 30.0  # where a device does not say
MAX_MISSED = 30  # frames in a row that a device may fail to give: a second, at most


class JpegFormats:
    """Gives JPEG packets their format: the same object until the size changes."""

    def __init__(self) -> None:
        self._format: VideoFormat | None = None

    def of(self, size: jpeg.Size) -> VideoFormat:
        """Return the format of a JPEG of some size."""
        if self._format is None or (self._format.width, self._format.height) != size:
            self._format = VideoFormat("mjpeg", size.width, size.height, b"")
        return self._format


class FolderSource:
    """Images in natural order (`2.png` before `10.png`); JPEG files pass untouched, files that are no image do not."""

    finite = True

    def __init__(self, files: tuple[Path, ...], fps: float, quality: int) -> None:
        self.frame_ns = round(NS / fps)
        self._files = files
        self._fps = fps
        self._quality = quality

    def packets(self) -> Iterator[SourcePacket]:
        """Yield every image; one that cannot be read leaves its place in time empty.

        Raises:
            Broken: None of them can be read.
        """
        formats = JpegFormats()
        read = 0
        for index, file in enumerate(self._files):
            data = self._read(file)
            size = None if data is None else jpeg.size_of(data)
            if data is None or size is None:
                continue
            read += 1
            yield SourcePacket(round(index * NS / self._fps), keyframe=True, data=data, format=formats.of(size))
        if not read:
            raise Broken(f"none of the {len(self._files)} images can be read")

    def close(self) -> None:
        """Release nothing: files are closed as they are read."""

    def _read(self, file: Path) -> bytes | None:
        import cv2

        if file.suffix.lower() in {".jpg", ".jpeg"}:
            return file.read_bytes()
        picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
        return None if picture is None else jpeg.encode(picture, self._quality)


class DeviceSource:
    """A camera read by OpenCV; `capture` is its `VideoCapture`."""

    finite = False

    def __init__(self, capture: Any, quality: int) -> None:
        import cv2

        fps = float(capture.get(cv2.CAP_PROP_FPS))
        self.frame_ns = round(NS / (fps if 0 < fps <= 240 else DEVICE_FPS))
        self._capture = capture
        self._quality = quality

    def packets(self) -> Iterator[SourcePacket]:
        """Yield frames for ever, timed by their arrival.

        Raises:
            Broken: The device gives nothing any more.
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
        raise Broken("the device gives no frames any more")

    def close(self) -> None:
        """Release the device."""
        self._capture.release()


def open_folder(path: Path, fps: float, settings: IngestSettings) -> FolderSource:
    """Open a folder of images.

    Raises:
        NotFound: The folder cannot be listed.
        NoVideo: There is no image in it.
    """
    try:
        files = sorted((file for file in path.iterdir() if file.suffix.lower() in SUFFIXES), key=_natural)
    except OSError as error:
        raise NotFound(f"the folder cannot be listed: {error.strerror}") from error
    if not files:
        raise NoVideo("there is no image in the folder")
    return FolderSource(tuple(files), fps, settings.jpeg_quality)


def open_device(index: int, settings: IngestSettings) -> DeviceSource:
    """Open a camera by its index.

    Raises:
        Unreachable: There is none, or another program has it.
    """
    import cv2

    level = cv2.utils.logging.setLogLevel(0)  # else each of OpenCV's backends says that it knows no such device
    try:
        capture = cv2.VideoCapture(index)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        capture.release()
        raise Unreachable(f"no camera at device index {index}, or another program has it")
    return DeviceSource(capture, settings.jpeg_quality)


def _natural(file: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", file.name.lower())]
