"""Video files: opened by content, and checked for missing data at their end."""

import errno
from functools import partial
from pathlib import Path
from typing import Any

import av

from ingest.clock import NS
from ingest.config import IngestSettings
from ingest.errors import Broken, NoVideo, SourceError
from ingest.source import Source
from ingest.sources.causes import cause
from ingest.sources.container import ContainerSource, video_of
from ingest.sources.demux import Demuxer
from ingest.sources.motion_jpeg import MotionJpegSource
from ingest.sources.pipe import open_pipe
from ingest.sources.splitter import PROBE_BYTES, has_picture
from ingest.sources.transport import TransportSource
from ingest.sources.whole import REMEDY, next_recording, shortfall
from ingest.sources.within import file_opener
from wire.bounds import Bounds

REMEDY_UNREAD = "copy the file again, and check the disk or the network drive that it is on if that fails too"
REMEDY_EMPTY = "it was not recorded or not copied: copy the file again"
REMEDY_JOINED = "split the file there, or join recordings with `ffmpeg -f concat` instead of appending their bytes"
Y4M_LINE_BYTES = 80  # at most, before the pixels of a frame
TOLERATED = 0.99  # of the frames listed by an index: some list one or two that do not exist


def open_file(path: Path, settings: IngestSettings, bounds: Bounds | None = None) -> Source:
    """Open a video file; one that is a playlist may lead no further than the bounds.

    Raises:
        SourceError: The file cannot be opened; class and message give the cause.
    """
    if path.is_file() and not path.stat().st_size:
        raise NoVideo("the file is empty", REMEDY_EMPTY)
    try:
        if _begins_with_picture(path):
            return MotionJpegSource(_open(path, kind="data"), b"", finite=True, settings=settings)
        container = open_pipe(path, settings.connect_timeout_s) if path.is_fifo() else _open(path, bounds=bounds)
    except av.FFmpegError as error:
        raise _cause(path, error, settings) from None
    if container.format.name == "mpegts" and path.is_file():
        container.close()
        return TransportSource(path, settings)
    try:
        demuxer = Demuxer(container, video_of(container), settings, finite=True)
    except NoVideo:
        container.close()
        raise
    return ContainerSource(
        container,
        demuxer,
        finite=True,
        jpeg_quality=settings.jpeg_quality,
        finished=partial(check_complete, path),
    )


def _cause(path: Path, error: av.FFmpegError, settings: IngestSettings) -> SourceError:
    """Translate why a file cannot be opened: libav calls the end of a file an input/output error, too."""
    if error.errno != errno.EIO or not path.is_file():
        return cause(error, settings, opening=True)
    lacks = shortfall(path)
    if lacks:
        return Broken(f"truncated: {lacks}", REMEDY)
    return NoVideo(f"it cannot be read: {error.strerror}", REMEDY_UNREAD)


def check_complete(path: Path, demuxer: Demuxer) -> None:
    """Check that everything a file announces was read.

    Raises:
        Broken: Something is missing; the message says how much, and why.
    """
    listed = _listed(demuxer)
    if demuxer.count < listed * TOLERATED:
        raise Broken(f"truncated: only {demuxer.count} of {listed} frames are present", REMEDY)
    lacks = shortfall(path) if path.is_file() else ""
    if lacks:
        raise Broken(f"truncated: {lacks}", REMEDY)
    follows = next_recording(path, demuxer.position) if path.is_file() else 0
    if follows:
        raise Broken(f"another recording follows at byte {follows}, which was not read", REMEDY_JOINED)
    if demuxer.stated_ns > demuxer.reached_ns + demuxer.frame_ns + max(demuxer.stated_ns // 100, NS):
        reached_s, stated_s = demuxer.reached_ns / NS, demuxer.stated_ns / NS
        raise Broken(f"truncated: only {reached_s:.1f} of {stated_s:.1f} s are present", REMEDY)
    if demuxer.is_cut or _has_part_of_a_frame(path, demuxer):
        raise Broken("truncated: its last frame is cut off", REMEDY)
    _check_codecs(path, demuxer)


def _has_part_of_a_frame(path: Path, demuxer: Demuxer) -> bool:
    """Tell whether a YUV4MPEG file goes on behind its last frame, where libav ignores what is no whole frame."""
    return demuxer.is_y4m and path.is_file() and path.stat().st_size > demuxer.position + Y4M_LINE_BYTES


def _listed(demuxer: Demuxer) -> int:
    """Return the number of frames listed by the index, 0 if there is none."""
    if demuxer.is_avi:  # it lists empty frames too, and is at the end: a truncated file has none
        return 0
    if not demuxer.is_mp4 or not demuxer.stream.frames:  # fragments are listed as they are read
        return int(demuxer.stream.frames)
    return sum(entry.size > 0 for entry in demuxer.stream.index_entries)  # an empty sample is a skipped picture


def _check_codecs(path: Path, demuxer: Demuxer) -> None:
    """Check for samples that libav omits from an MP4's index because they use another codec than earlier ones."""
    announced = int(demuxer.stream.frames)
    if not demuxer.is_mp4 or demuxer.count >= announced * TOLERATED:
        return
    with _open(path, ignore_editlist="1") as container:  # frames omitted by an edit list are omitted on purpose
        readable = len(container.streams[demuxer.stream.index].index_entries)
    if readable < announced * TOLERATED:
        raise Broken(
            f"{announced - readable} of {announced} frames use another codec than the first and cannot be read",
            "split the recording where its codec changes",
        )


def _begins_with_picture(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return has_picture(file.read(PROBE_BYTES))
    except OSError:
        return False  # opening it again reports the cause


def _open(path: Path, kind: str | None = None, bounds: Bounds | None = None, **options: str) -> Any:
    # With the prefix, libav does not take a name up to a colon as a protocol.
    opened = file_opener(bounds).container if bounds is not None and bounds.folders else av.open
    return opened(f"file:{path}", format=kind, options=options)
