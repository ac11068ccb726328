"""One camera's chunks to segments on disk: they begin at the first keyframe of every ten seconds of capture time."""

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gallery.live.feed import follows
from gallery.live.remux import NotPlayable, Remuxer, captured_ns
from gallery.recording.boxes import whole_until
from gallery.recording.segment import Segment, read_name, read_part, segment_of
from wire.bus import Record
from wire.messages import FrameChunk

SLOT_NS = 10 * 10**9  # where segments begin depends on capture times alone, so that a replay writes the same files


class OpenSegment:
    """A segment that is being written; every chunk is on its way to the disk when `add` returns."""

    def __init__(self, folder: Path, first: FrameChunk, record: Record) -> None:
        """Create its file.

        Raises:
            OSError: It cannot be written.
            NotPlayable: The stream cannot be kept in MP4 files.
        """
        self.segment = segment_of(folder, first)
        self.first_record = record
        self._remuxer = Remuxer(first, captured_ns)
        for needed in (self.segment.folder.parent, self.segment.folder):  # never the root: its disk may be gone
            needed.mkdir(mode=0o700, exist_ok=True)
        self._file = self.segment.part.open("wb", buffering=0)
        self._last = first

    def takes(self, chunk: FrameChunk) -> bool:
        """Tell whether a chunk continues this segment."""
        if not follows(self._last, chunk):
            return False
        if not chunk.starts_with_keyframe:
            return True
        begins = segment_of(Path(), chunk)
        return begins.form == self.segment.form and begins.start_ns // SLOT_NS == self.segment.start_ns // SLOT_NS

    def add(self, chunk: FrameChunk) -> None:
        """Write a chunk.

        Raises:
            OSError: The disk takes no more.
            NotPlayable: A packet cannot be put into the file.
        """
        _write(self._file.fileno(), self._remuxer.add(chunk))
        self._last = chunk
        newest_ns = max((packet.time_ns for packet in chunk.packets), default=0)
        self.segment = replace(self.segment, end_ns=max(self.segment.end_ns, newest_ns))

    def finish(self) -> Segment | None:
        """Complete the file under its name; None if an equal or longer one is there from before a restart.

        Raises:
            OSError: The disk takes no more; what was written remains.
            NotPlayable: The stream had no picture that can be kept.
        """
        with self._file:
            _write(self._file.fileno(), self._remuxer.close())
            os.fsync(self._file.fileno())
        return publish(self.segment)

    def abandon(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def discard(self) -> None:
        """Remove the file."""
        with suppress(NotPlayable):
            self._remuxer.close()
        self._file.close()
        self.segment.part.unlink(missing_ok=True)


def publish(segment: Segment) -> Segment | None:
    """Give a part that is complete its name, in place of shorter ones of the same pictures; None if there is a longer.

    Raises:
        OSError: It cannot be renamed.
    """
    others = [other for path in segment.folder.iterdir() if (other := read_name(path)) and other.same_as(segment)]
    if any(other.end_ns >= segment.end_ns for other in others):
        segment.part.unlink()
        return None
    segment.part.rename(segment.path)
    for other in others:
        other.path.unlink(missing_ok=True)
    return segment


def recover(part: Path) -> Segment | None:
    """Complete a segment that a process has left behind; None if it has no whole picture or is there in full.

    Raises:
        OSError: It cannot be read or changed.
    """
    segment = read_part(part)
    if segment is None:
        return None
    with part.open("r+b") as file:
        size = whole_until(file, part.stat().st_size)
        file.truncate(size)
        os.fsync(file.fileno())
    end_ns = last_picture_ns(part, segment.start_ns) if size else None
    if end_ns is None:
        part.unlink()
        return None
    return publish(replace(segment, end_ns=end_ns))


def last_picture_ns(part: Path, start_ns: int) -> int | None:
    """Return the capture time of the last picture of an unfinished file; None if it has none."""
    from gallery.recording.media import pictures

    return max((picture.time_ns for picture in pictures(part, start_ns)), default=None)


def _write(descriptor: int, data: bytes) -> None:
    """Write all of it: a disk that fills up takes a part, and says so only at the next attempt."""
    while data:
        data = data[os.write(descriptor, data) :]
