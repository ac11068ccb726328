"""The id of a tracklet: the only place where it is built and parsed."""

import re
import sys
from dataclasses import dataclass
from functools import lru_cache

_NUMBER = r"0|[1-9][0-9]{0,17}"
_FORM = re.compile(rf"([^/]+)/(.+)/({_NUMBER})(?:\.({_NUMBER}))?/({_NUMBER})", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class TrackletId:
    """The id of one tracklet of a camera: `str` formats it as `camera/stream/track.leg/part`, `parse` reads that.

    Processing the same frames again gives the same ids.

    Attributes:
        camera_id: At least one character, no `/`.
        stream_id: The connection or file, at least one character; may contain `/`.
        track: Number assigned by the camera's tracker, from 0.
        leg: Counts the segments of a track that may be different people, from 0.
        part: Counts the tracklets of one leg, from 0; they are one person by construction.
    """

    camera_id: str
    stream_id: str
    track: int
    leg: int
    part: int

    def __post_init__(self) -> None:
        if not self.camera_id or "/" in self.camera_id:
            raise ValueError(f"camera_id must be at least one character without '/', got {self.camera_id!r}")
        if not self.stream_id:
            raise ValueError("stream_id must not be empty")
        if min(self.track, self.leg, self.part) < 0:
            raise ValueError(f"track, leg and part must not be negative, got {self.track}, {self.leg}, {self.part}")

    def __str__(self) -> str:
        return f"{self.camera_id}/{self.stream_id}/{self.track}.{self.leg}/{self.part}"

    @staticmethod
    @lru_cache(maxsize=8192)  # the gallery parses the same recent ids again and again; 0.7 KB each
    def parse(text: str) -> "TrackletId":
        """Parse an id formatted by `str`; the older form `camera/stream/track/part` is leg 0.

        Raises:
            ValueError: The text is not a tracklet id.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"tracklet id must be camera/stream/track.leg/part, got {text!r}")
        camera_id, stream_id, track, leg, part = found.groups()
        # Interned, since thousands of ids name the same few cameras and streams.
        return TrackletId(sys.intern(camera_id), sys.intern(stream_id), int(track), int(leg or 0), int(part))

    def is_same_leg(self, other: "TrackletId") -> bool:
        """Tell whether two tracklets are parts of the same leg, and so the same person."""
        return (
            self.track == other.track
            and self.leg == other.leg
            and self.stream_id == other.stream_id
            and self.camera_id == other.camera_id
        )
