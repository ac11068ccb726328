"""Which segments have to go so that recordings keep their bounds: the oldest, of all cameras or of one. Pure."""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gallery.recording.segment import Segment


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept, in bytes and ns; None is no bound."""

    total_bytes: int
    camera_bytes: int | None
    age_ns: int


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """A segment on disk: when it was written, in ns since the Unix epoch, and how many bytes it has."""

    written_ns: int
    segment: Segment
    size: int

    @property
    def camera(self) -> Path:
        """Return the folder of its camera."""
        return self.segment.folder.parent


class Ring:
    """The finished segments of all cameras, each camera's oldest first; `total` is their size in bytes."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._cameras: dict[Path, list[Kept]] = {}
        self._sizes: dict[Path, int] = {}
        self.total = 0

    def add(self, kept: Kept) -> None:
        """Add a segment, in place of a shorter one that begins with the same picture."""
        row = self._cameras.setdefault(kept.camera, [])
        for other in [one for one in row[-2:] if one.segment.same_as(kept.segment)]:
            self.remove(other)
        insort(row, kept)
        self._count(kept.camera, kept.size)

    def remove(self, kept: Kept) -> None:
        """Take a segment out."""
        self._cameras[kept.camera].remove(kept)
        self._count(kept.camera, -kept.size)

    def surplus(self, now_ns: int) -> Kept | None:
        """Return the next segment that has to go; None if all bounds are kept."""
        for camera, row in self._cameras.items():
            limit = self._bounds.camera_bytes
            if row and limit is not None and self._sizes[camera] > limit:
                return row[0]
        oldest = self.oldest()
        if oldest is None or (
            self.total <= self._bounds.total_bytes and now_ns - oldest.written_ns <= self._bounds.age_ns
        ):
            return None
        return oldest

    def oldest(self) -> Kept | None:
        """Return the segment that was written first, of all cameras."""
        return min((row[0] for row in self._cameras.values() if row), default=None)

    def showing(self, camera: Path, first_ns: int, last_ns: int) -> Iterator[Kept]:
        """Yield the segments of a camera that show anything of a time."""
        for kept in tuple(self._cameras.get(camera, ())):
            if kept.segment.overlaps(first_ns, last_ns):
                yield kept

    def _count(self, camera: Path, size: int) -> None:
        self.total += size
        self._sizes[camera] = self._sizes.get(camera, 0) + size
