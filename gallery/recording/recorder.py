"""Records chunks of all cameras into one folder; a disk that takes no more stops recording, and nothing else."""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress

from gallery.live.remux import NotPlayable
from gallery.recording.erasures import MARGIN_NS
from gallery.recording.folder import RecordingFolder
from gallery.recording.kept_crops import NO_CROPS, KeptCrops
from gallery.recording.metrics import RecordingMetrics
from gallery.recording.segment import Segment, camera_folder
from gallery.recording.writer import OpenSegment, recover
from gallery.store.recordings import Deleted
from gallery.store.said import Seen
from wire.bus import Record, TopicPartition
from wire.messages import FrameChunk

log = logging.getLogger(__name__)

RETRY_NS = 10 * 10**9
LOOK_NS = 5 * 10**9  # how often the free space is asked for
CROPS_NS = 600 * 10**9  # how often kept crops are looked through, once somebody was erased


class Recorder:
    """The open segments of all cameras. What it did is in `reasons`: why a camera is not recorded, empty if it is."""

    def __init__(
        self,
        folder: RecordingFolder,
        metrics: RecordingMetrics,
        min_free_bytes: int,
        *,
        clock: Callable[[], int] = time.time_ns,
        crops: KeptCrops = NO_CROPS,
    ) -> None:
        self._folder = folder
        self._crops = crops
        self._crops_looked_ns = 0
        self._metrics = metrics
        self._min_free_bytes = min_free_bytes
        self._clock = clock
        self._open: dict[str, OpenSegment] = {}
        self._erased: dict[str, list[Seen]] = {}
        self._full = ""
        self._looked_ns = 0
        self._retry_ns: dict[str, int] = {}
        self.reasons: dict[str, str] = {}

    def take(self, chunk: FrameChunk, record: Record) -> None:
        """Record a chunk: what comes before the first keyframe, or after a gap, is left out up to the next keyframe."""
        camera = chunk.camera_id
        opened = self._open.get(camera)
        if opened is not None and not (opened.takes(chunk) and chunk.privacy == "full"):
            self.close(camera)
            opened = None
        with self._guarded(camera):
            if opened is None and chunk.starts_with_keyframe:
                opened = self._begin(chunk, record)
            if opened is not None and chunk.packets:
                opened.add(chunk)
        if chunk.ended:
            self.close(camera)

    def close(self, camera: str) -> None:
        """Finish the open segment of a camera."""
        opened = self._open.get(camera)
        if opened is None:
            return
        with self._guarded(camera):
            if any(_shows(opened, seen) for seen in self._erased.get(camera, ())):
                opened.discard()
            else:
                self._keep(opened.finish())
            del self._open[camera]

    def leave(self, partitions: Collection[TopicPartition]) -> None:
        """Finish the segments of partitions that another process gets."""
        for camera, opened in tuple(self._open.items()):
            if opened.first_record.source in partitions:
                self.close(camera)

    def look_after(self) -> None:
        """Delete what is beyond the bounds, and see whether the disk has space."""
        now_ns = self._clock()
        if now_ns - self._looked_ns < LOOK_NS and now_ns >= self._looked_ns:  # or the clock was set back
            return
        self._looked_ns = now_ns
        self._look_after_crops(now_ns)
        try:
            removed = self._folder.trim(now_ns)
            free = self._folder.free_bytes()
        except OSError as error:
            self._stop(f"{error.filename or self._folder.path}: {error.strerror}")
            return
        self._metrics.segments.labels(outcome="removed").inc(removed)
        self._metrics.used_bytes.set(self._folder.ring.total)
        self._metrics.free_bytes.set(free)
        self._stop("" if free >= self._min_free_bytes else _no_space(free, self._min_free_bytes))
        self._metrics.stopped.set(sum(map(bool, self.reasons.values())))

    def _look_after_crops(self, now_ns: int) -> None:
        """Delete again what a worker wrote since: of tracks that went on, and of recordings that were read again."""
        if 0 <= now_ns - self._crops_looked_ns < CROPS_NS or not self._erased:
            return
        self._crops_looked_ns = now_ns
        try:
            self.delete_crops()
        except OSError as error:
            log.warning("kept crops of an erased person cannot be deleted: %s; they are tried again", error)

    def never(self, seen: Seen) -> None:
        """Keep nothing of what a camera showed in a time, now and when it is delivered again."""
        self._erased.setdefault(seen.camera_id, []).append(seen)

    def erase(self, seen: Seen) -> tuple[Deleted, list[str], int]:
        """Delete what a camera showed in a time; return what was deleted, the files' names and their size.

        Raises:
            OSError: A file cannot be deleted.
        """
        self.never(seen)
        names, size = [], 0
        first, last = seen.first_ns - MARGIN_NS, seen.last_ns + MARGIN_NS
        opened = self._open.get(seen.camera_id)
        if opened is not None and _shows(opened, seen):
            names.append(opened.segment.part.name)
            self._open.pop(seen.camera_id).discard()
        for kept in self._folder.ring.showing(camera_folder(self._folder.path, seen.camera_id), first, last):
            self._folder.delete(kept)
            names.append(kept.segment.path.name)
            size += kept.size
        self._metrics.segments.labels(outcome="erased").inc(len(names))
        return Deleted(seen.camera_id, first, last, len(names)), names, size

    def delete_crops(self) -> int:
        """Delete kept crops that may show somebody who was erased; return of how many tracks.

        Raises:
            OSError: A file cannot be deleted.
        """
        return self._crops.delete([seen for times in self._erased.values() for seen in times])

    def needed_from(self) -> Mapping[TopicPartition, int]:
        """Return where the open segments begin: a restart writes them again from there."""
        needed: dict[TopicPartition, int] = {}
        for opened in self._open.values():
            record = opened.first_record
            needed[record.source] = min(record.offset, needed.get(record.source, record.offset))
        return needed

    def _begin(self, chunk: FrameChunk, record: Record) -> OpenSegment | None:
        camera = chunk.camera_id
        if self._clock() < self._retry_ns.get(camera, 0):
            return None
        if self._full:
            self.reasons[camera] = self._full
            return None
        if chunk.privacy != "full":
            raise NotPlayable(f"its privacy is {chunk.privacy}, and recordings have whole pictures")
        opened = self._open[camera] = OpenSegment(self._folder.path, chunk, record)
        self.reasons[camera] = ""
        return opened

    @contextmanager
    def _guarded(self, camera: str) -> Iterator[None]:
        """Stop the recording of one camera for a while when the disk or the format does not allow it."""
        try:
            yield
        except OSError as error:
            self._fail(camera, "disk", f"{self._folder.path}: {error.strerror}; recording stops until that is mended")
        except NotPlayable as error:
            self._fail(camera, "format", str(error))

    def _keep(self, segment: Segment | None) -> None:
        if segment is not None:
            self._folder.add(segment)
            self._metrics.segments.labels(outcome="kept").inc()

    def _salvage(self, opened: OpenSegment) -> None:
        """Keep what was written of a segment, as after the death of this process."""
        opened.abandon()
        with suppress(OSError):  # its part is completed by the next start, or written again
            self._keep(recover(opened.segment.part))

    def _fail(self, camera: str, cause: str, reason: str) -> None:
        opened = self._open.pop(camera, None)
        if opened is not None:
            self._salvage(opened)
        self._metrics.failures.labels(cause=cause).inc()
        if self.reasons.get(camera) != reason:
            log.warning("camera %s is not recorded: %s", camera, reason)
        self.reasons[camera] = reason
        self._retry_ns[camera] = self._clock() + RETRY_NS

    def _stop(self, reason: str) -> None:
        if bool(reason) != bool(self._full):
            log.warning("recorder: %s", reason or "the disk has space again; recording goes on")
        self._full = reason
        if reason:
            for camera in tuple(self._open):
                self.close(camera)
            self.reasons = dict.fromkeys(self.reasons, reason)


def _shows(opened: OpenSegment, seen: Seen) -> bool:
    return opened.segment.overlaps(seen.first_ns - MARGIN_NS, seen.last_ns + MARGIN_NS)


def _no_space(free: int, wanted: int) -> str:
    return (
        f"the disk has {free / 1e9:.1f} GB left, and recording.min_free_gb asks for {wanted / 1e9:g}: free some space, "
        "or lower recording.max_gb"
    )
