"""How recordings lie in their folder.

    FOLDER/CAMERA/HOUR/START-END-STREAM-CODEC-FORMAT.mp4    a finished segment
    FOLDER/CAMERA/HOUR/START-STREAM-CODEC-FORMAT.part       the one that is being written

CAMERA, STREAM and FORMAT are digests, since names of cameras are text of users, and FORMAT ends
with the orientation of the pictures; HOUR is that of START in UTC, and START
and END are the capture times of the first and the last picture in ns since the Unix epoch. So a time is found by names
alone, and a segment that is written again after a restart replaces itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from wire.messages import FrameChunk

HOUR_NS = 3600 * 10**9
LONGEST_NS = HOUR_NS  # of a segment: how far before a time its segment may start
NAME = re.compile(r"(\d{1,19})-(\d{1,19})-([0-9a-f]{16})-(h264|hevc)-([0-9a-f]{7}[1-8])\.mp4")
PART = re.compile(r"(\d{1,19})-([0-9a-f]{16})-(h264|hevc)-([0-9a-f]{7}[1-8])\.part")


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of a camera's recording.

    Attributes:
        start_ns, end_ns: Capture times of its first and its last picture.
        stream: Digest of the connection that it was received in.
        codec: `h264` or `hevc`.
        form: Digest of the picture format, with the orientation as its last digit; a decoder goes on from one segment
            to the next while it stays the same.
        written: False while it is being written.
    """

    start_ns: int
    end_ns: int
    stream: str
    codec: str
    form: str
    folder: Path
    written: bool = True

    @property
    def path(self) -> Path:
        """Return where it is: under its own name once it is written to its end."""
        if not self.written:
            return self.part
        return self.folder / f"{self.start_ns}-{self.end_ns}-{self.stream}-{self.codec}-{self.form}.mp4"

    @property
    def orientation(self) -> int:
        """Return how its pictures are rotated to be upright; see `wire.orientation`."""
        return int(self.form[-1])

    @property
    def part(self) -> Path:
        """Return where it is while it is being written."""
        return self.folder / f"{self.start_ns}-{self.stream}-{self.codec}-{self.form}.part"

    def same_as(self, other: "Segment") -> bool:
        """Tell whether another one begins with the same picture, though it may end elsewhere."""
        return (self.start_ns, self.stream, self.form) == (other.start_ns, other.stream, other.form)

    def overlaps(self, first_ns: int, last_ns: int) -> bool:
        """Tell whether it shows anything of a time."""
        return self.start_ns <= last_ns and self.end_ns >= first_ns


def segment_of(folder: Path, chunk: FrameChunk) -> Segment:
    """Return the segment that begins with a chunk."""
    start_ns = chunk.packets[0].time_ns
    form = _digest(f"{chunk.codec} {chunk.width}x{chunk.height} {chunk.extradata.hex()}", 4)[:-1]
    hour = hour_of(camera_folder(folder, chunk.camera_id), start_ns)
    return Segment(start_ns, start_ns, _digest(chunk.stream_id, 8), chunk.codec, f"{form}{chunk.orientation}", hour)


def camera_folder(folder: Path, camera_id: str) -> Path:
    """Return the folder of a camera's recordings."""
    return folder / _digest(camera_id, 16)


def hour_of(camera: Path, time_ns: int) -> Path:
    """Return the folder of the segments of a camera that start in the hour of a time."""
    return camera / datetime.fromtimestamp(time_ns // HOUR_NS * 3600, UTC).strftime("%Y%m%dT%H")


def read_name(path: Path) -> Segment | None:
    """Return the segment that a file is by its name; None if it is not one of ours, or unfinished."""
    found = NAME.fullmatch(path.name)
    if found is None:
        return None
    start, end, stream, codec, form = found.groups()
    return Segment(int(start), int(end), stream, codec, form, path.parent)


def read_part(path: Path) -> Segment | None:
    """Return the unfinished segment that a file is by its name, as if it had one picture; None if it is not one."""
    found = PART.fullmatch(path.name)
    if found is None:
        return None
    start, stream, codec, form = found.groups()
    return Segment(int(start), int(start), stream, codec, form, path.parent)


def files_of(camera: Path, first_ns: int, last_ns: int) -> Iterator[Path]:
    """Yield the files of a camera that may show something of a time."""
    hour = max(0, first_ns - LONGEST_NS) // HOUR_NS
    while hour * HOUR_NS <= last_ns:
        folder = hour_of(camera, hour * HOUR_NS)
        if folder.is_dir():
            yield from folder.iterdir()
        hour += 1


def _digest(text: str, size: int) -> str:
    return blake2b(text.encode(), digest_size=size, person=b"climbtrack").hexdigest()
