"""Clips as files to be sent: in temporary files without a name, which end with the process however it ends.

The library that reads recordings is loaded by the first clip, since most requests to the API need none.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from gallery.errors import TooManyClips

if TYPE_CHECKING:
    from gallery.recording.clips import Cut, Stretch

MAX_CLIP_NS = 300 * 10**9
MAX_LISTED_NS = 24 * 3600 * 10**9
MOST_AT_ONCE = 4  # clips that are being cut; they take the disk's time, not memory
PATIENCE_S = 20.0
PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip of a camera, and when it begins and ends."""

    cut: "Cut"
    file: BinaryIO
    size: int

    def pieces(self) -> Iterator[bytes]:
        """Yield the file, and close it."""
        with self.file:
            self.file.seek(0)
            while piece := self.file.read(PIECE_BYTES):
                yield piece


class ClipMaker:
    """Cuts clips from a folder of recordings, a few at once. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)

    def make(self, camera_id: str, first_ns: int, last_ns: int) -> Clip | None:
        """Return the first stretch of a time as a clip; None if nothing of it is kept.

        Raises:
            TooManyClips: Others are being cut.
            OSError: There is no space for it.
        """
        from gallery.recording.clips import cut_of, kept

        with self._place():
            for stretch in kept(self._folder, camera_id, first_ns, last_ns):
                cut = cut_of(stretch, first_ns, last_ns)
                if cut is not None and cut.last_ns >= first_ns:
                    return _written(stretch, cut)
        return None

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=PATIENCE_S):
            raise TooManyClips(MOST_AT_ONCE)
        try:
            yield
        finally:
            self._places.release()


def _written(stretch: "Stretch", cut: "Cut") -> Clip:
    from gallery.recording.clips import write_clip

    with ExitStack() as closing:
        file = closing.enter_context(TemporaryFile())
        write_clip(stretch, cut, file)
        clip = Clip(cut, file, file.seek(0, SEEK_END))
        closing.pop_all()  # it is closed when it was sent
    return clip
