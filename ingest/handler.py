"""Runs the cameras of the `cameras` topic, and tests addresses; the consumer group decides which worker runs which."""

import logging
import threading
from collections.abc import Collection, Mapping, Sequence

from prometheus_client import CollectorRegistry

from ingest.clock import Clock, SystemClock
from ingest.config import IngestSettings
from ingest.finished import FinishedFiles
from ingest.metrics import IngestMetrics
from ingest.state import CameraJob, CameraStatus, State, Surroundings
from ingest.supervisor import Supervisor
from ingest.trial import Trials
from wire.bus import CAMERA_STATES, CAMERA_TESTS, CAMERAS, QUERY_ANSWERS, Bus, Record, TopicPartition
from wire.messages import CameraHealth, CameraSpec, CameraTest
from wire.metrics import ServiceMetrics
from wire.privacy import Privacy
from wire.queries import is_awaited
from wire.service import Monitor, Outgoing, Received, Rejected, Service

log = logging.getLogger(__name__)

GROUP = "ingest"
SETTLE_S = 1.0  # a table read from its beginning yields old specs first: changes are applied once they stop arriving
ORPHAN_S = 30.0  # how long a paused camera waits to be assigned again before it is stopped


class IngestHandler:
    """Starts, changes and stops cameras.

    A revoked camera is paused. It resumes if the same rebalance assigns it back, so that a worker that joins does not
    interrupt the cameras that stay; otherwise it is stopped. A file that was read to its end is not read again by the
    worker that gets its record next. A file that another worker was in the middle of is read again from its beginning:
    the same chunks with the same stream id and numbers, so that readers skip those they have.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        trials: Trials,
        bus: Bus,
        metrics: ServiceMetrics,
        clock: Clock,
        privacy: Privacy,
    ) -> None:
        self._supervisor = supervisor
        self._trials = trials
        self._bus = bus
        self._queue = metrics.stage_queue_length.labels(stage="ingest")
        self._clock = clock
        self._privacy = privacy
        self._owned: set[TopicPartition] = set()
        self._homes: dict[str, TopicPartition] = {}
        self._pending: dict[str, Received] = {}
        self._pending_since_s = 0.0
        self._orphans: dict[str, float] = {}
        self._told: dict[str, tuple[State, str]] = {}  # what was last published about each camera

    def handle(self, batch: Sequence[Received]) -> list[Outgoing | Rejected]:
        """Collect the latest record of each camera, and apply them once no more arrive."""
        out: list[Outgoing | Rejected] = []
        now_s = self._clock.monotonic_s()
        for received in batch:
            reason = _reason_to_reject(received)
            if reason:
                out.append(Rejected(received.record, reason))
                continue
            if received.record.topic == CAMERA_TESTS.name:
                self._try(received)
                continue
            if not self._pending:
                self._pending_since_s = now_s
            self._pending[received.record.key] = received
        if self._pending and (not batch or now_s - self._pending_since_s >= SETTLE_S):
            self._apply()
        self._give_up_orphans(now_s)
        self._queue.set(self._supervisor.refresh())
        answers = [Outgoing(QUERY_ANSWERS.name, result.asker, result) for result in self._trials.results()]
        return [*out, *self._changes(), *answers]

    def _try(self, received: Received) -> None:
        """Begin a test for whose answer somebody still waits: the topic is read from its beginning."""
        if isinstance(received.message, CameraTest) and is_awaited(received.record.time_ns, self._bus.now_ns()):
            self._trials.begin(received.message)

    def _changes(self) -> list[Outgoing]:
        """Return the states that cameras have entered since the last round."""
        changed = []
        for status in self._supervisor.statuses():
            now = (status.state, "" if status.state is State.STALLED else status.cause)  # that cause counts seconds
            if self._told.get(status.camera_id) != now:
                self._told[status.camera_id] = now
                changed.append(Outgoing(CAMERA_STATES.name, status.camera_id, self._health(status)))
        return changed

    def _health(self, status: CameraStatus) -> CameraHealth:
        return CameraHealth(
            camera_id=status.camera_id,
            state=status.state.value,
            cause=status.cause,
            reconnects=status.reconnects,
            time_ns=self._clock.now_ns(),
            site_privacy=self._privacy,
        )

    def flushed(self) -> None:
        """Do nothing: cameras publish through their outboxes."""

    def waiting(self) -> int:
        """Return 0: a change of the list is acted on at once."""
        return 0

    def busy(self) -> bool:
        """Return False: cameras are read by threads of their own."""
        return False

    def needed_from(self) -> Mapping[TopicPartition, int]:
        """Need nothing: the table is read from its beginning at every start."""
        return {}

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Resume paused cameras that were assigned again, and stop the others."""
        self._owned.update(partitions)
        back = [camera_id for camera_id in self._orphans if self._homes[camera_id] in self._owned]
        self._supervisor.resume(back)
        for camera_id in back:
            del self._orphans[camera_id]
        self._leave(list(self._orphans))

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Pause the cameras of these partitions: another worker may own them next."""
        lost = set(partitions)
        self._owned -= lost
        self._pending = {key: item for key, item in self._pending.items() if item.record.source not in lost}
        orphans = [camera_id for camera_id, home in self._homes.items() if home in lost]
        self._supervisor.pause(orphans)
        self._orphans.update(dict.fromkeys(orphans, self._clock.monotonic_s()))

    def _apply(self) -> None:
        finished = FinishedFiles(self._bus)
        for camera_id, received in list(self._pending.items()):
            if isinstance(received.message, CameraSpec):
                self._run(CameraJob(received.message, received.record.time_ns), finished)
            else:
                self._supervisor.stop([camera_id], "the camera was removed")
            if camera_id in self._supervisor.ids():
                self._homes[camera_id] = received.record.source
            else:
                self._homes.pop(camera_id, None)
            del self._pending[camera_id]  # only now: if the bus fails, the rest is left for the next round

    def _run(self, job: CameraJob, finished: FinishedFiles) -> None:
        camera_id = job.spec.camera_id
        if camera_id not in self._supervisor.ids() and finished.has(job):
            log.info("camera %s: already read to its end; remove and add it to read it again", camera_id)
        else:
            self._supervisor.apply(job)

    def _give_up_orphans(self, now_s: float) -> None:
        self._leave([camera_id for camera_id, since_s in self._orphans.items() if now_s - since_s > ORPHAN_S])

    def _leave(self, camera_ids: Collection[str]) -> None:
        self._supervisor.stop(camera_ids, None)
        for camera_id in camera_ids:
            del self._orphans[camera_id]
            del self._homes[camera_id]


class IngestService(Service):
    """The service loop and the cameras it started, which stop with it for whatever reason."""

    def __init__(
        self, bus: Bus, handler: IngestHandler, supervisor: Supervisor, trials: Trials, monitor: Monitor
    ) -> None:
        topics = (CAMERAS.name, CAMERA_TESTS.name)
        super().__init__(GROUP, bus, handler, topics=topics, monitor=monitor, start="beginning")
        self.supervisor = supervisor
        self._trials = trials

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop` is set; see `Service.run`."""
        try:
            super().run(stop)
        finally:
            self._trials.close()
            self.supervisor.stop(self.supervisor.ids(), None)


def build_service(
    settings: IngestSettings,
    bus: Bus,
    metrics: ServiceMetrics,
    registry: CollectorRegistry,
    *,
    monitor: Monitor,
) -> IngestService:
    """Build an ingest service; its `supervisor.statuses()` reports the state of every camera."""
    clock = SystemClock()
    around = Surroundings(bus, settings, IngestMetrics(registry), clock)
    supervisor, trials = Supervisor(around), Trials(around)
    handler = IngestHandler(supervisor, trials, bus, metrics, clock, settings.privacy)
    return IngestService(bus, handler, supervisor, trials, monitor)


def _reason_to_reject(received: Received) -> str:
    message: object = received.message
    if message is None:
        return ""
    if received.record.topic == CAMERA_TESTS.name:
        return "" if isinstance(message, CameraTest) else f"a {type(message).__name__} is not a test of a camera"
    if not isinstance(message, CameraSpec):
        return f"a {type(message).__name__} is not a camera"
    record: Record = received.record
    return "" if record.key == message.camera_id else f"camera {message.camera_id} is under the key {record.key!r}"
