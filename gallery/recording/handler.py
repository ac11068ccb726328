"""The message handler of recordings: chunks in, files out; and erasures, whose recordings it deletes."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256
from threading import Event

from prometheus_client import CollectorRegistry

from gallery.recording.config import GB, RecordingSettings
from gallery.recording.erasures import erasures_of
from gallery.recording.folder import RecordingFolder
from gallery.recording.kept_crops import KeptCrops
from gallery.recording.metrics import RecordingMetrics
from gallery.recording.recorder import Recorder
from gallery.store.recordings import Deleted, RecordingsErased
from gallery.store.said import StoredWord
from gallery.store.store import Store
from wire.bus import FRAMES, IDENTITIES, Bus, Record, TopicPartition
from wire.cameras import Cameras
from wire.errors import TransientError
from wire.messages import FrameChunk, IdentityEvent
from wire.service import Monitor, Outgoing, Received, Rejected, Service

NAME = "recorder"

log = logging.getLogger(__name__)


class RecordingHandler:
    """Records the cameras that are to be recorded; see `wire.service.Handler`.

    With `replayed`, records are needed again from the beginning of the segments that are being written; a bus that ends
    with this process replays nothing, so its memory is not held.
    """

    def __init__(
        self,
        settings: RecordingSettings,
        recorder: Recorder,
        cameras: Cameras,
        open_store: Callable[[str], Store],
        *,
        replayed: bool,
    ) -> None:
        self._settings = settings
        self._recorder = recorder
        self._cameras = cameras
        self._open_store = open_store
        self._replayed = replayed
        self._sites: dict[str, Store] = {}
        self._of_camera: dict[str, str] = {}
        self._told: dict[str, str] = {}

    def handle(self, batch: Sequence[Received]) -> Iterable[Outgoing | Rejected]:
        """Record a batch of chunks, and delete what erasures in it ask for."""
        rejected = []
        for received in batch:
            message = received.message
            if isinstance(message, FrameChunk):
                self._record(message, received.record)
            elif isinstance(message, IdentityEvent):
                self._hear(message)
            else:
                rejected.append(Rejected(received.record, "recordings are of chunks only"))
        self._recorder.look_after()
        self._tell()
        return rejected

    def flushed(self) -> None:
        """Do nothing: there is no output."""

    def needed_from(self) -> Mapping[TopicPartition, int]:
        """Return where the segments begin that are being written."""
        return self._recorder.needed_from() if self._replayed else {}

    def waiting(self) -> int:
        """Return 0: everything is dealt with at once."""
        return 0

    def busy(self) -> bool:
        """Return False: nothing is left undone."""
        return False

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Do nothing: a camera is recorded from its first chunk on."""

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Finish the segments of these partitions."""
        self._recorder.leave(partitions)

    def _record(self, chunk: FrameChunk, record: Record) -> None:
        self._site(chunk.site_id)  # what was erased is known before anything is recorded
        listed = self._cameras.cameras().get(chunk.camera_id)
        if self._settings.records(None if listed is None else listed.spec):
            self._of_camera[chunk.camera_id] = chunk.site_id
            self._recorder.take(chunk, record)
        elif chunk.camera_id in self._of_camera:
            self._recorder.close(chunk.camera_id)
            self._recorder.reasons.pop(chunk.camera_id, None)

    def _hear(self, event: IdentityEvent) -> None:
        if event.kind == "erased":
            self._site(event.site_id)
            self._erase(event.site_id)

    def _site(self, site_id: str) -> Store:
        """Return the store of a site, whose erasures are carried out when it is met first."""
        if site_id not in self._sites:
            store = self._open_store(site_id)
            for said in erasures_of(store):
                for seen in said.erasure.seen if said.erasure is not None else ():
                    self._recorder.never(seen)
            self._sites[site_id] = store
            self._erase(site_id)
        return self._sites[site_id]

    def _erase(self, site_id: str) -> None:
        """Carry out the erasures of a site that were not yet, and note their proof."""
        store = self._sites[site_id]
        for said in erasures_of(store):
            if store.recordings.erased(said.word.word_id) is None:
                store.recordings.put_erased(said.word.word_id, self._deleted(said))
                log.info("recorder: deleted the recordings of an erased person")

    def _deleted(self, said: StoredWord) -> RecordingsErased:
        """Delete what shows an erased person.

        Raises:
            TransientError: A file cannot be deleted for now.
        """
        names: list[str] = []
        cameras: list[Deleted] = []
        size = 0
        try:
            for seen in said.erasure.seen if said.erasure is not None else ():
                deleted, some, size_of = self._recorder.erase(seen)
                cameras.append(deleted)
                names += some
                size += size_of
            crops = self._recorder.delete_crops()
        except OSError as error:
            raise TransientError(f"recordings of an erased person cannot be deleted: {error}") from error
        digest = sha256("".join(f"{name}\n" for name in sorted(names)).encode()).hexdigest()
        return RecordingsErased(time.time_ns(), len(names), size, digest, tuple(cameras), crops)

    def _tell(self) -> None:
        """Note in the store which cameras are recorded, where that has changed."""
        reasons = dict(self._recorder.reasons)
        for camera in reasons.keys() | self._told.keys():
            if reasons.get(camera) != self._told.get(camera):
                notes = self._sites[self._of_camera[camera]].recordings
                if camera in reasons:
                    notes.put_state(camera, reasons[camera])
                else:
                    notes.forget_state(camera)
        self._told = reasons


class RecorderService(Service):
    """The service loop, in whose time the folder belongs to this process."""

    def __init__(self, bus: Bus, handler: RecordingHandler, folder: RecordingFolder, monitor: Monitor) -> None:
        super().__init__(NAME, bus, handler, topics=[FRAMES.name, IDENTITIES.name], monitor=monitor)
        self._folder = folder

    def run(self, stop: Event) -> None:
        """Consume until `stop` is set; see `Service.run`."""
        with ExitStack() as held:
            held.push(self._folder.__exit__)
            super().run(stop)


def build_service(
    settings: RecordingSettings,
    bus: Bus,
    registry: CollectorRegistry,
    open_store: Callable[[str], Store],
    cameras: Cameras,
    *,
    monitor: Monitor,
    replayed: bool = True,
) -> Service:
    """Return the recorder over a bus; the folder is locked until the service has run.

    Raises:
        SettingsError: The folder cannot be used, or another recorder uses it.
    """
    folder = RecordingFolder(settings.folder, settings.bounds()).__enter__()
    crops = KeptCrops(settings.kept_crops)
    recorder = Recorder(folder, RecordingMetrics(registry), round(settings.min_free_gb * GB), crops=crops)
    handler = RecordingHandler(settings, recorder, cameras, open_store, replayed=replayed)
    return RecorderService(bus, handler, folder, monitor)
