"""Cameras of this machine (USB), read through Video4Linux: JPEG passes unchanged, other pictures are sent as JPEG."""

import errno
import sys
import time
from pathlib import Path
from typing import Any

import av

from ingest.config import IngestSettings
from ingest.errors import AccessDenied, NotFound, NoVideo, SourceError, Unreachable
from ingest.sources.causes import cause
from ingest.sources.container import ContainerSource, video_of
from ingest.sources.demux import Demuxer
from ingest.sources.interrupt import asked_again

DRIVER = "v4l2"
DEVICES = Path("/dev")
NON_BLOCKING = "+4"  # AVFMT_FLAG_NONBLOCK: a driver that is waited for could not be interrupted
QUICK = {"fflags": NON_BLOCKING, "fpsprobesize": "0"}  # the driver states the rate, so no frames need to be counted
WISHES = {"video_size": "1280x720", "framerate": "30"}  # the driver takes what comes nearest
COMPRESSED = {"input_format": "mjpeg"}
NOT_CAPTURED = "take another number or node: many cameras have a second one, which gives no pictures"


def open_device(name: str, settings: IngestSettings) -> ContainerSource:
    """Open a camera by its number, or by its device node like `/dev/video0`.

    Raises:
        NotFound, AccessDenied: There is no such node, or it may not be read.
        Unreachable: Another program uses it, or it gives no picture.
        NoVideo: It is no camera, or this system has other drivers.
    """
    if sys.platform != "linux":
        raise NoVideo("cameras of this machine are read on Linux only", "let another program serve it over RTSP")
    node = f"{DEVICES}/video{int(name)}" if name.isdecimal() else name
    container = _open(node, settings)
    try:
        demuxer = Demuxer(container, video_of(container), settings, finite=False)
    except NoVideo:
        container.close()
        raise
    return ContainerSource(container, demuxer, finite=False, jpeg_quality=settings.jpeg_quality)


def _open(node: str, settings: IngestSettings) -> Any:
    """Open a node for JPEG, which USB has room for at 30 frames a second, or for what else the camera gives."""
    try:
        return _open_for(COMPRESSED, node, settings)
    except av.FFmpegError as error:
        if error.errno != errno.EINVAL:
            raise _failure(error, node, settings) from None
    try:
        return _open_for({}, node, settings)
    except av.FFmpegError as error:
        raise _failure(error, node, settings) from None


def _open_for(pictures: dict[str, str], node: str, settings: IngestSettings) -> Any:
    began_s = time.monotonic()
    with asked_again():
        container = av.open(
            node,
            format=DRIVER,
            container_options=QUICK | WISHES | pictures,  # `options` would set the decoder to this size, too
            timeout=(settings.connect_timeout_s, settings.read_timeout_s),
        )
    if time.monotonic() - began_s > settings.connect_timeout_s:  # libav knows the format, and is content with that
        container.close()
        raise Unreachable(
            f"{node} gave no picture within {settings.connect_timeout_s:g} s", "plug it in again, without a hub between"
        )
    return container


def _failure(error: av.FFmpegError, node: str, settings: IngestSettings) -> SourceError:
    """Return why a node could not be opened."""
    if error.errno == errno.ENOENT:
        present = ", ".join(sorted(map(str, DEVICES.glob("video*")))) or "no camera"
        return NotFound(f"there is no {node}", f"this machine has {present}")
    if error.errno == errno.EACCES:
        return AccessDenied(f"no permission to read {node}", "add this user to the group that owns it, mostly `video`")
    if error.errno == errno.EBUSY:
        return Unreachable(f"another program is using {node}", "close that program, or take another camera")
    if error.errno in {errno.ENODEV, errno.ENOTTY, errno.EINVAL}:
        return NoVideo(f"{node} is no camera, or gives no pictures in a format that can be read", NOT_CAPTURED)
    return cause(error, settings, opening=True)
