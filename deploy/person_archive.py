"""Everything that is stored about one person as a ZIP file: for that person, or for whoever may have it."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from deploy.errors import UsageError
from deploy.video.alone import others_of, write_alone
from gallery.api.identities.archive import Archive, Clip, Contents, stamp
from gallery.iso import iso
from gallery.recording.clips import kept
from gallery.recording.config import RecordingSettings
from gallery.recording.erasures import may_show, not_deleted_yet
from gallery.recording.sending import MAX_CLIP_NS
from gallery.store.store import Store
from gallery.visits import Visit

BOXES = "somebody who was not tracked may be in sight in clips where they are close to the person: look at all of them"
SURROUNDINGS = (
    "people who were not detected, or not long enough to be tracked, are not blurred in clips: look at all of them "
    "before you pass them on"
)
NO_RECORDINGS = (
    "there are no clips: {} does not exist; nothing is recorded unless recording.cameras says so, and --config names "
    "the settings if recordings are kept elsewhere"
)
NOT_KEPT = "a visit to {} at {} has no clip: nothing of it was recorded, or it was deleted since"
ERASING = (
    "a visit to {} at {} has no clip: it may show somebody who was erased, whose recordings are not deleted until the "
    "recorder runs"
)


def write_archive(
    store: Store,
    number: int,
    out: Path,
    recordings: RecordingSettings | None,
    tell: Callable[[str], None],
    *,
    surroundings: bool = False,
) -> Contents:
    """Write what is stored about a person to a ZIP file, which is there as a whole or not at all.

    Args:
        store: That of the site.
        number: The person's, or one that was merged into theirs.
        out: The file; only its owner may read it.
        recordings: Where clips are cut from; None leaves them out.
        tell: Called with the name of each clip that is being written.
        surroundings: Show what is around the person in clips, and so people who were not tracked.

    Raises:
        UsageError: There is no such person, or the file is there already or cannot be created.
        RunError: A clip cannot be encoded.
        OSError: The disk is full.
    """
    person = store.identity(number)
    if person is None:
        raise UsageError(
            f"there is no person {number}; `climbtrack identities ls` lists all, and of erased ones nothing is kept"
        )
    with _appearing(out) as part, ZipFile(part, "w", ZIP_DEFLATED) as made:
        archive = Archive(made, store, person)
        adding = _Clips(made, part.parent, store, tell, surroundings=surroundings)
        clips, remarks = adding.add(archive.visits, recordings) if recordings else ([], [])
        return archive.write(clips, remarks)


class _Clips:
    """Adds the clips of visits to an archive; they are written to a folder first."""

    def __init__(
        self, made: ZipFile, folder: Path, store: Store, tell: Callable[[str], None], *, surroundings: bool
    ) -> None:
        self._surroundings = surroundings
        self._made = made
        self._folder = folder
        self._store = store
        self._tell = tell
        self._number = 0

    def add(self, visits: Sequence[Visit], settings: RecordingSettings) -> tuple[list[Clip], list[str]]:
        """Add the clips of all visits; return them, and remarks about what is missing."""
        if not settings.folder.is_dir():
            return [], [NO_RECORDINGS.format(settings.folder)]
        erased = not_deleted_yet(self._store)
        clips: list[Clip] = []
        remarks: list[str] = []
        for visit in visits:
            if any(may_show(seen, visit.camera_id, visit.first_ns, visit.last_ns) for seen in erased):
                remarks.append(ERASING.format(visit.camera_id, iso(visit.first_ns)))
                continue
            found = list(self._of_visit(visit, settings.folder))
            remarks += [] if found else [NOT_KEPT.format(visit.camera_id, iso(visit.first_ns))]
            clips += found
        return clips, [*remarks, *([SURROUNDINGS if self._surroundings else BOXES] if clips else [])]

    def _of_visit(self, visit: Visit, recordings: Path) -> Iterator[Clip]:
        """Add what is kept of a visit, in clips of at most five minutes, and yield them."""
        for stretch in kept(recordings, visit.camera_id, visit.first_ns, visit.last_ns):
            at_ns, last_ns = max(visit.first_ns, stretch.first_ns), min(visit.last_ns, stretch.last_ns)
            for first_ns in range(at_ns, last_ns + 1, MAX_CLIP_NS):
                until_ns = min(last_ns, first_ns + MAX_CLIP_NS - 1)
                who = (visit.camera_id, visit.person.number)
                others = others_of(self._store, *who, first_ns, until_ns, surroundings=self._surroundings)
                path = self._folder / f"{self._number + 1:03}-{visit.camera_id}-{stamp(first_ns)}.mp4"
                self._tell(f"writing {path.name}")
                pictures = write_alone(stretch, first_ns, until_ns, path, others)
                if pictures:
                    self._number += 1
                    self._made.write(path, f"clips/{path.name}", ZIP_STORED)
                    path.unlink()
                    yield Clip(f"clips/{path.name}", visit.camera_id, iso(first_ns), iso(until_ns), pictures)


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """Yield a file in a private folder, which gets the name `out` when it is complete, and is deleted otherwise.

    Raises:
        UsageError: There is such a file already, or it cannot be created.
    """
    if out.exists():
        raise UsageError(f"--out {out}: is there already; choose another name")
    try:
        private = TemporaryDirectory(dir=out.parent, prefix=".climbtrack-export-")
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}; choose a writable folder that exists") from error
    with private as folder:
        part = Path(folder) / "archive.zip"
        os.close(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        yield part
        part.rename(out)
