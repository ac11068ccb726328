"""What is kept of a camera, and clips of it: MP4 files cut at keyframes. Nothing is decoded or encoded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import av

from gallery.live.remux import TIME_BASE
from gallery.recording.media import Picture, pictures
from gallery.recording.segment import Segment, camera_folder, files_of, read_name, read_part
from gallery.recording.writer import last_picture_ns
from wire.orientation import matrix_of

GAP_NS = 5 * 10**9  # between pictures: a longer one ends a stretch
TABLE_BYTES = 48  # of each picture in the index of an MP4 file, at most; the rest of the index is far below 8 kB
INDEX_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time of a camera that is kept without a gap, in one picture format."""

    segments: tuple[Segment, ...]

    @property
    def first_ns(self) -> int:
        """Return the capture time of its first picture."""
        return self.segments[0].start_ns

    @property
    def last_ns(self) -> int:
        """Return the capture time of its last picture."""
        return max(segment.end_ns for segment in self.segments)

    @property
    def codec(self) -> str:
        """Return `h264` or `hevc`."""
        return self.segments[0].codec


@dataclass(frozen=True, slots=True)
class Cut:
    """Which pictures of a stretch a clip has: numbers in decoding order, and their capture times, ns."""

    times: dict[int, int]
    delay_ns: int

    @property
    def first_ns(self) -> int:
        """Return when the clip begins."""
        return min(self.times.values())

    @property
    def last_ns(self) -> int:
        """Return the capture time of its last picture."""
        return max(self.times.values())


def kept(folder: Path, camera_id: str, first_ns: int, last_ns: int) -> list[Stretch]:
    """Return the stretches of a camera that show anything of a time, in order."""
    found = [_segment(path, last_ns) for path in files_of(camera_folder(folder, camera_id), first_ns, last_ns)]
    inside = sorted(one for one in found if one is not None and one.overlaps(first_ns, last_ns))
    return [Stretch(tuple(group)) for group in _grouped(inside)]


def cut_of(stretch: Stretch, first_ns: int, last_ns: int) -> Cut | None:
    """Return the pictures of a clip: from the last keyframe that is not after `first_ns`, or from the first one.

    Pictures between the cut and its keyframe need earlier ones to be decoded, and are left out. None if none remains.
    """
    row = [(number, picture.time_ns, picture.keyframe) for number, picture in enumerate(_pictures(stretch))]
    keys = [entry for entry in row if entry[2]]
    if not keys:
        return None
    begin, begin_ns, _ = max((entry for entry in keys if entry[1] <= first_ns), default=keys[0])
    end = max((number for number, time_ns, _ in row if time_ns <= max(last_ns, begin_ns)), default=begin)
    times = {number: time_ns for number, time_ns, _ in row[begin : end + 1] if time_ns >= begin_ns}
    delay_ns = max(ordered - time_ns for ordered, time_ns in zip(sorted(times.values()), times.values(), strict=True))
    return Cut(times, delay_ns)


def write_clip(stretch: Stretch, cut: Cut, sink: BinaryIO) -> None:
    """Write a clip as an MP4 file, whose time 0 is `cut.first_ns`, and whose index comes first.

    The file states how its pictures are to be rotated, which some segments tell by their names alone.

    Raises:
        OSError: The sink takes no more.
    """
    index = {"moov_size": str(INDEX_BYTES + TABLE_BYTES * len(cut.times))}
    with (
        av.open(stretch.segments[0].path, "r", format="mp4") as source,
        av.open(sink, "w", "mp4", options=index) as out,
    ):
        stream = out.add_stream_from_template(source.streams.video[0])
        stream.time_base = TIME_BASE
        stream.set_display_matrix(matrix_of(stretch.segments[0].orientation, stream.width, stream.height))
        orders = iter(sorted(cut.times.values()))
        for number, picture in enumerate(_pictures(stretch)):
            if number in cut.times:
                packet = picture.packet
                packet.stream, packet.time_base = stream, TIME_BASE
                packet.pts = _ticks(picture.time_ns - cut.first_ns)
                packet.dts = _ticks(next(orders) - cut.first_ns - cut.delay_ns)
                out.mux_one(packet)


def _segment(path: Path, last_ns: int) -> Segment | None:
    """Return the segment that a file is; one that is being written ends with its last whole picture."""
    part = read_part(path)
    if part is None or part.start_ns > last_ns:
        return read_name(path)
    end_ns = last_picture_ns(path, part.start_ns)
    return None if end_ns is None else replace(part, end_ns=end_ns, written=False)


def _grouped(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    group = list(segments[:1])
    for before, after in pairwise(segments):
        if after.start_ns - before.end_ns > GAP_NS or after.form != before.form:
            yield group
            group = []
        group.append(after)
    if group:
        yield group


def _pictures(stretch: Stretch) -> Iterator[Picture]:
    """Yield the pictures in decoding order; where two segments show the same time, the later one's are left out."""
    until_ns = -1
    for segment in stretch.segments:
        skipping = False
        for picture in pictures(segment.path, segment.start_ns):
            skipping = picture.time_ns <= until_ns or (skipping and not picture.keyframe)
            if not skipping:
                yield picture
        until_ns = max(until_ns, segment.end_ns)


def _ticks(span_ns: int) -> int:
    return span_ns * TIME_BASE.denominator // 10**9
