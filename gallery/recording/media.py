"""The pictures of segments, compressed, with their capture times. Nothing is decoded."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error

from gallery.live.remux import REORDER_TICKS, TIME_BASE


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A compressed picture of a segment, in decoding order, and its capture time."""

    packet: av.Packet
    time_ns: int
    keyframe: bool


def pictures(path: Path, start_ns: int) -> Iterator[Picture]:
    """Yield the pictures of a segment that starts at `start_ns`, up to where the file ends or is damaged."""
    try:
        with av.open(path, "r", format="mp4") as file:
            for packet in file.demux(file.streams.video[0]):
                if packet.pts is not None:
                    yield Picture(packet, start_ns + since_start_ns(packet), packet.is_keyframe)
    except (av.error.FFmpegError, IndexError):
        return


def since_start_ns(packet: av.Packet) -> int:
    """Return how long after the first picture of its segment one was captured, to 11 µs."""
    ticks = int(packet.pts * packet.time_base / TIME_BASE)
    return round((ticks - REORDER_TICKS) * 10**9 / TIME_BASE.denominator)
