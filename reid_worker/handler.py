"""The worker's handler: turns chunks into tracklets, progress and states. Recovery replays from the last state.

A state is saved only before a chunk that starts with a keyframe, after flushing the decoder, even if nothing fails: so
a worker that restarts from it sees exactly the frames that the first one saw.
"""

import logging
import math
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from prometheus_client import CollectorRegistry

from reid_worker.camera import Camera
from reid_worker.config import WorkerSettings
from reid_worker.detectors.choose import load_detector
from reid_worker.keep import CropKeeper
from reid_worker.live_report import LiveReport
from reid_worker.load import Load
from reid_worker.metrics import WorkerMetrics
from reid_worker.networks import Networks
from reid_worker.pace import PaceOptions
from reid_worker.picture_queries import answered
from reid_worker.pipeline import Pipeline, Work
from reid_worker.repeats import Ended, is_repeat, not_taken
from reid_worker.rounds import Rounds
from reid_worker.saved import SavedStates, ended, ended_of, restored, saved
from reid_worker.stream import CameraStream, StreamOptions
from reid_worker.thinning import Thinning
from reid_worker.waiting import Item, Waiting
from wire.bus import BOXES, FRAMES, PICTURE_QUERIES, TRACKLETS, Bus, TopicPartition
from wire.messages import FrameChunk, PictureQuery, Tracklet
from wire.metrics import ServiceMetrics
from wire.queries import is_awaited
from wire.service import Monitor, Outgoing, Received, Rejected, Service
from wire.uncollected import uncollected

log = logging.getLogger(__name__)

NAME = "reid_worker"
MAX_CHUNKS = 16  # at most 8 camera seconds: a slow machine reports progress before the gallery stops waiting for it
LIVE_CHUNKS = 8  # further ones for each live camera: what was left on the bus would not be shared out evenly
PUBLISH_S = 0.2  # of work on live cameras, before what was found is published: each publication costs milliseconds
KEYFRAME_PATIENCE_NS = 120_000_000_000  # without keyframes, better lose a few frames at a restart than repeat hours
REPLAY_NS = 30_000_000_000  # what a dead worker leaves: its last state's age, and until its death is noticed
LIVE_S = 5.0  # how long after its last chunk a live camera still takes precedence over recordings
TURN_S = 0.2  # time that recordings get between chunks of live cameras
TURN_CAMERAS = 2  # recordings that are processed together in such a turn
STARVED_S = 5.0  # recordings get a turn at least this often, however busy the live cameras keep the worker
MOST_BYTES = 256 * 1024 * 1024  # chunks of recordings that wait in memory; beyond, live cameras wait for them
EMBED_THREADS = 1  # torch threads spin while waiting: two of them on busy cores were 28 times slower than one


@dataclass(frozen=True, slots=True)
class HandlerOptions:
    """Options of the handler."""

    stream: StreamOptions
    state_interval_ns: int = 10_000_000_000
    pace: PaceOptions = field(default_factory=PaceOptions)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time since the Unix epoch by the bus's clock in ns, and a clock that is never set, in s."""

    time_ns: Callable[[], int]
    monotonic_s: Callable[[], float] = time.monotonic


class WorkerHandler:
    """Processes every camera of its partitions: live ones first, recordings in what time is left."""

    def __init__(
        self, pipeline: Pipeline, bus: Bus, options: HandlerOptions, report: LiveReport, *, clocks: Clocks | None = None
    ) -> None:
        self._pipeline = pipeline
        self._saved = SavedStates(bus)
        self._options = options
        self._report = report
        self._clocks = clocks or Clocks(bus.now_ns)
        self._thinning = Thinning(options.pace, self._clocks.time_ns)
        self._waiting = Waiting()
        self._rounds = Rounds()
        self._cameras: dict[str, Camera] = {}
        self._needed: dict[TopicPartition, int] = {}
        self._assigned_ns: dict[TopicPartition, int] = {}
        self._live_s = -math.inf  # when a chunk of a live camera was last seen
        self._recorded_s = -math.inf  # when a recording last got a turn

    def handle(self, batch: Sequence[Received]) -> Iterable[Outgoing | Rejected]:
        """Process the chunks of live cameras, and as many of recordings as there is time for.

        Raises:
            TransientError: The states of new partitions cannot be read now; nothing was processed yet.
        """
        if batch:
            self._saved.read()
        out: list[Outgoing | Rejected] = [*self._answer(batch), *self._sort(batch)]
        with self._report.load.work():
            out += self._run_live()
            out += self._run_recorded()
        self._adapt()
        return out

    def waiting(self) -> int:
        """Return how many chunks were taken and are not processed yet."""
        return len(self._waiting)

    def busy(self) -> bool:
        """Tell whether chunks wait for a turn."""
        return self._waiting.has_live() or self._waiting.has_recorded()

    def wanted(self) -> int:
        """Return how many records to poll at most; what is late is taken from the bus when its turn comes."""
        live = [camera for camera in self._cameras.values() if camera.stream and camera.stream.info.mode == "latency"]
        return max(MAX_CHUNKS + LIVE_CHUNKS * len(live) - self._waiting.live_chunks(), 1)

    def flushed(self) -> None:
        """Take note that the states in the output are stored: a restart needs only the chunks after them."""
        self._needed = {}
        for camera in self._cameras.values():
            if camera.needed is not None:
                earlier = self._needed.get(camera.partition, camera.needed)
                self._needed[camera.partition] = min(camera.needed, earlier)

    def needed_from(self) -> Mapping[TopicPartition, int]:
        """Return the first offset of each partition that no published state covers, or that was not processed yet."""
        needed = dict(self._needed)
        for partition, offset in self._waiting.first_offsets().items():
            needed[partition] = min(offset, needed.get(partition, offset))
        return needed

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Schedule reading the states of these partitions' cameras, before their first chunk."""
        partitions = [partition for partition in partitions if partition.topic == FRAMES.name]
        self._saved.assigned(partitions)
        self._assigned_ns |= dict.fromkeys(partitions, self._clocks.time_ns())

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Forget these partitions' cameras."""
        gone = set(partitions)
        for name in [name for name, camera in self._cameras.items() if camera.partition in gone]:
            del self._cameras[name]
            self._report.gone(name)
        self._saved.revoked(gone)
        self._waiting.drop(gone)
        self._needed = {partition: offset for partition, offset in self._needed.items() if partition not in gone}

    def _sort(self, batch: Sequence[Received]) -> list[Rejected]:
        rejected = []
        for received in batch:
            if isinstance(received.message, FrameChunk):
                self._waiting.add(Item(received.record, received.record, received.message))
            elif not isinstance(received.message, PictureQuery | None):
                reason = f"expected a FrameChunk, got a {type(received.message).__name__}"
                rejected.append(Rejected(received.record, reason))
        return rejected

    def _answer(self, batch: Sequence[Received]) -> list[Outgoing]:
        """Answer the searches for which somebody still waits."""
        now_ns = self._clocks.time_ns()
        awaited = [received.message for received in batch if is_awaited(received.record.time_ns, now_ns)]
        return [answered(query, self._pipeline) for query in awaited if isinstance(query, PictureQuery)]

    def _run_live(self) -> list[Outgoing]:
        """Process live cameras for a moment: what is found is published before the rest, and before it is late."""
        out: list[Outgoing] = []
        if not self._waiting.has_live():
            self._thinning.nothing_waits()
            return out
        began_s = self._live_s = self._clocks.monotonic_s()
        while self._live_s - began_s < PUBLISH_S and (wave := self._waiting.live_wave(self._clocks.time_ns())):
            out += self._wave(wave)
            self._live_s = self._clocks.monotonic_s()
        return out

    def _run_recorded(self) -> list[Outgoing]:
        """Process recordings: all that wait if no camera is live, else for a moment, and rarely if there is no time."""
        began_s = self._clocks.monotonic_s()
        alone = began_s - self._live_s > LIVE_S
        late = self._is_behind() and began_s - self._recorded_s < STARVED_S
        out: list[Outgoing] = []
        while self._waiting.has_recorded() and (alone or not late or self._waiting.recorded_bytes > MOST_BYTES):
            out += self._wave(self._waiting.recorded_wave(None if alone else TURN_CAMERAS))
            self._recorded_s = self._clocks.monotonic_s()
            late = self._is_behind() or self._recorded_s - began_s > TURN_S
        return out

    def _is_behind(self) -> bool:
        """Tell whether live cameras need all of the time."""
        return self._thinning.share < 1 or self._waiting.has_live()

    def _adapt(self) -> None:
        """Adapt the pace to how long live cameras waited, and say what changed."""
        costly = self._thinning.update(self._clocks.monotonic_s())
        if costly is not None:
            self._report.costly(costly)
            streams = [camera.stream for camera in self._cameras.values() if camera.stream is not None]
            self._report.update(self._thinning.share, [stream for stream in streams if stream.info.mode == "latency"])

    def _wave(self, items: Sequence[Item]) -> list[Outgoing]:
        """Process one chunk of each of several cameras."""
        out: list[Outgoing] = []
        wanted = [self._with_following(item) for item in items if item.record.offset >= self._camera(item).next_offset]
        fresh = [item for item in map(self._without_repeats, wanted) if item is not None]
        self._thinning.begin([item for item in fresh if item.live and not self._is_replay(item)])
        for item in fresh:
            out += self._prepare(item)
        out += self._run([self._work(item, None) for item in fresh])
        live = [self._stream(item) for item in fresh if item.live]
        round_ns = self._rounds.next([stream.decided_ns() for stream in live], self._clocks.time_ns()) if live else 0
        for item in fresh:
            out += self._finish(item, round_ns if item.live else 0)
        somebody = any(isinstance(said.message, Tracklet) for said in out)
        return [*out, *self._others(live, round_ns)] if live and somebody else out

    def _others(self, analysed: Sequence[CameraStream], round_ns: int) -> list[Outgoing]:
        """Report the other live cameras in this round, too: nothing of them waits, so nobody has to wait for them."""
        known = [camera.stream for camera in self._cameras.values() if camera.stream is not None]
        others = [one for one in known if one.info.mode == "latency" and one not in analysed]
        said = [one.progress(round_ns=round_ns, degraded=self._report.reason) for one in others]
        return [Outgoing(TRACKLETS.name, progress.site_id, progress) for progress in said]

    def _with_following(self, item: Item) -> Item:
        """Return an item with those that have come meanwhile; a replay takes chunks as they were taken at first."""
        replayed = item.record.time_ns < self._cameras[item.chunk.camera_id].replayed_to_ns
        return self._waiting.with_following(item) if item.live and not replayed else item

    def _without_repeats(self, item: Item) -> Item | None:
        """Return an item without what its stream has taken before; None if nothing is left, which is then handled."""
        camera = self._camera(item)
        if camera.stream is not None and camera.stream.info.stream_id == item.chunk.stream_id:
            chunk = not_taken(item.chunk, camera.stream.next_index)
        else:
            chunk = None if is_repeat(item.chunk, item.record.time_ns, camera.ended) else item.chunk
        if chunk is None:
            camera.next_offset = item.newest.offset + 1
            return None
        return replace(item, chunk=chunk)

    def _run(self, works: Sequence[Work]) -> list[Outgoing]:
        """Run the pipeline, and give each stream the embeddings of its tracklets."""
        tracklets = self._pipeline.run(works)
        for work in works:
            if work.stream.info.mode == "latency":
                self._thinning.spent(work.stream.info.camera_id, work.decode_s)
        streams = {work.stream.info.camera_id: work.stream for work in works}
        for tracklet in tracklets:
            streams[tracklet.camera_id].take_embeddings(tracklet)
            if not tracklet.closed and streams[tracklet.camera_id].info.mode == "latency":
                self._report.delay(tracklet.camera_id, self._clocks.time_ns() - tracklet.last_ns)
        return _outgoing(tracklets)

    def _work(self, item: Item, restart_from: int | None) -> Work:
        """Return the work on a chunk, or on what the decoder still holds before packet `restart_from`."""
        stream, fps = self._stream(item), self._fps(item)
        stream.pace(fps, keyframes_only=not fps or (item.live and self._thinning.is_held(item.chunk.camera_id)))
        frames = stream.decode(item.chunk) if restart_from is None else stream.restart_decoder(restart_from)
        return Work(stream, frames, analyse=fps > 0)

    def _fps(self, item: Item) -> float:
        """Return the rate at which a chunk is analysed; 0 if it is too old."""
        whole = not item.live or self._is_replay(item)
        return item.chunk.analysed_fps if whole else self._thinning.fps(item)

    def _is_replay(self, item: Item) -> bool:
        """Tell whether a dead worker may have analysed a chunk."""
        sent_ns = item.record.time_ns
        recent = self._clocks.time_ns() - sent_ns < REPLAY_NS
        return recent and sent_ns < self._cameras[item.chunk.camera_id].replayed_to_ns

    def _camera(self, item: Item) -> Camera:
        """Return the camera of a chunk; a new one is restored from its state."""
        name = item.chunk.camera_id
        if name not in self._cameras:
            camera = self._cameras[name] = Camera(item.record.source)
            kept = self._saved.take(name, item.record)
            if kept is not None:
                state = kept.state
                camera.next_offset = state.next_offset
                camera.stream = restored(state, self._options.stream)
                camera.needed = None if camera.stream is None else state.next_offset
                camera.ended = ended_of(kept)
                camera.replayed_to_ns = self._assigned_ns.get(camera.partition, 0)
        return self._cameras[name]

    def _stream(self, item: Item) -> CameraStream:
        stream = self._cameras[item.chunk.camera_id].stream
        assert stream is not None, "prepared before"
        return stream

    def _prepare(self, item: Item) -> list[Outgoing]:
        """Provide a stream for the chunk, and save a state before it if one is due."""
        camera, chunk = self._cameras[item.chunk.camera_id], item.chunk
        out: list[Outgoing] = []
        if camera.stream is not None and camera.stream.info.stream_id != chunk.stream_id:
            out += self._end(camera, camera.stream, "the camera reconnected")
        if camera.stream is None:
            camera.stream, camera.needed = CameraStream.begin(chunk, self._options.stream), item.record.offset
            return out
        stream, patience = camera.stream, self._options.state_interval_ns
        since = stream.since_saved(chunk)
        if chunk.starts_with_keyframe and since >= patience:
            out += self._run([self._work(item, chunk.first_index)])
        elif since < max(patience, KEYFRAME_PATIENCE_NS):
            return out
        out += _outgoing(self._pipeline.embedded(stream.seal()))
        state = saved(chunk, item.record.offset, blob=stream.save(chunk))
        if state is None:
            return out
        camera.needed = item.record.offset
        return [*out, state]

    def _finish(self, item: Item, round_ns: int) -> list[Outgoing]:
        """Report the camera's progress; after the end of its stream, no offset is needed any more."""
        camera, stream = self._cameras[item.chunk.camera_id], self._stream(item)
        camera.next_offset = item.newest.offset + 1
        if not item.chunk.ended:
            degraded = self._report.reason if item.live else ""
            progress = stream.progress(degraded=degraded, round_ns=round_ns)
            return [*_seen(stream), Outgoing(TRACKLETS.name, stream.info.site_id, progress)]
        out = self._end(camera, stream, item.chunk.reason, round_ns)
        camera.needed, now_ns = None, self._clocks.time_ns()
        camera.ended = None if item.chunk.reason else Ended(item.chunk.stream_id, now_ns)
        return [*out, ended(item.chunk, camera.next_offset)]

    def _end(self, camera: Camera, stream: CameraStream, reason: str, round_ns: int = 0) -> list[Outgoing]:
        closing = self._pipeline.embedded(stream.close())
        self._pipeline.count(stream)
        seen = _seen(stream)
        camera.stream = None
        self._report.gone(stream.info.camera_id)
        progress = stream.progress(ended=True, reason=reason, round_ns=round_ns)
        return [*seen, *_outgoing(closing), Outgoing(TRACKLETS.name, stream.info.site_id, progress)]


def _seen(stream: CameraStream) -> list[Outgoing]:
    seen = stream.seen()
    return [] if seen is None else [Outgoing(BOXES.name, stream.info.camera_id, seen)]


def _outgoing(tracklets: Sequence[Tracklet]) -> list[Outgoing]:
    return [Outgoing(TRACKLETS.name, tracklet.site_id, tracklet) for tracklet in tracklets]


def build_handler(
    settings: WorkerSettings, bus: Bus, metrics: ServiceMetrics, registry: CollectorRegistry
) -> WorkerHandler:
    """Load detector and network, and return the handler.

    Raises:
        DetectorError, WeightsError: One of the models cannot be used.
        SettingsError: The folder for crops cannot be written.
    """
    from reid_worker.appearance.choose import load_networks
    from reid_worker.model.prior import log_prior

    worker_metrics = WorkerMetrics(registry)
    kept = settings.keep_options()
    keeper = CropKeeper(kept, worker_metrics) if kept else None  # a bad folder fails before models load
    threads = settings.threads or os.cpu_count() or 1
    networks = load_networks(settings, EMBED_THREADS)
    for network in networks:
        log_prior(network.model_id, network.prior)
        worker_metrics.model(network.model_id, str(network.device), network.dtype_name, network.scan)
    load = Load(metrics)
    pipeline = Pipeline(
        load_detector(settings.detector, settings.detector_options(threads)),
        Networks(*networks),
        load,
        worker_metrics,
        threads=threads,
        embed_batch=settings.embed_batch,
        keeper=keeper,
    )
    pipeline.warm_up()
    options = HandlerOptions(
        settings.stream_options(networks[0].frames),
        round(settings.state_interval_s * 1e9),
        PaceOptions(settings.max_delay_s, settings.min_fps),
    )
    return WorkerHandler(pipeline, bus, options, LiveReport(load, worker_metrics, settings.min_fps))


def build_service(
    settings: WorkerSettings, bus: Bus, metrics: ServiceMetrics, registry: CollectorRegistry, *, monitor: Monitor
) -> Service:
    """Return the worker as a service; raises what `build_handler` raises."""
    with uncollected():
        handler = build_handler(settings, bus, metrics, registry)
    return Service(
        NAME, bus, handler, topics=[FRAMES.name, PICTURE_QUERIES.name], monitor=monitor, max_records=handler.wanted
    )
