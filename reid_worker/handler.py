"""The worker's handler: turns chunks into tracklets, progress and states. Recovery replays from the last state.

A state is saved only before a chunk that starts with a keyframe, after flushing the decoder, even if nothing fails: so
a worker that restarts from it sees exactly the frames that the first one saw.
"""

import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from reid_worker.config import WorkerSettings
from reid_worker.detectors.choose import load_detector
from reid_worker.keep import CropKeeper
from reid_worker.metrics import WorkerMetrics
from reid_worker.pipeline import Pipeline, Work
from reid_worker.saved import SavedStates, ended, restored, saved
from reid_worker.stream import CameraStream, StreamOptions
from wire.bus import FRAMES, TRACKLETS, Bus, Record, TopicPartition
from wire.messages import FrameChunk, Tracklet
from wire.metrics import ServiceMetrics
from wire.service import Monitor, Outgoing, Received, Rejected, Service

log = logging.getLogger(__name__)

NAME = "reid_worker"
MAX_CHUNKS = 16  # at most 8 camera seconds: a slow machine reports progress before the gallery stops waiting for it
KEYFRAME_PATIENCE_NS = 120_000_000_000  # without keyframes, better lose a few frames at a restart than repeat hours
EMBED_THREADS = 1  # torch threads spin while waiting: two of them on busy cores were 28 times slower than one


@dataclass(slots=True, eq=False)
class _Camera:
    """The progress of a camera.

    Attributes:
        partition: Partition of `frames` that holds its chunks.
        next_offset: Chunks before this offset are done.
        needed: First offset that a restart would need, None if there is none.
    """

    partition: TopicPartition
    next_offset: int = 0
    needed: int | None = None
    stream: CameraStream | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """One chunk to process."""

    record: Record
    chunk: FrameChunk


@dataclass(frozen=True, slots=True)
class HandlerOptions:
    """Options of the handler."""

    stream: StreamOptions
    state_interval_ns: int = 10_000_000_000
    max_delay_ns: int = 10_000_000_000


class WorkerHandler:
    """Processes every camera of its partitions."""

    def __init__(
        self, pipeline: Pipeline, bus: Bus, options: HandlerOptions, *, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._pipeline = pipeline
        self._saved = SavedStates(bus)
        self._options = options
        self._clock = clock
        self._cameras: dict[str, _Camera] = {}
        self._needed: dict[TopicPartition, int] = {}

    def handle(self, batch: Sequence[Received]) -> Iterable[Outgoing | Rejected]:
        """Process a batch of chunks.

        Raises:
            TransientError: The states of new partitions cannot be read now; nothing was processed yet.
        """
        if batch:
            self._saved.read()
        return self._process(batch)

    def flushed(self) -> None:
        """Take note that the states in the output are stored: a restart needs only the chunks after them."""
        self._needed = {}
        for camera in self._cameras.values():
            if camera.needed is not None:
                earlier = self._needed.get(camera.partition, camera.needed)
                self._needed[camera.partition] = min(camera.needed, earlier)

    def needed_from(self) -> Mapping[TopicPartition, int]:
        """Return the first offset of each partition that no published state covers."""
        return self._needed

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Schedule reading the states of these partitions' cameras, before their first chunk."""
        self._saved.assigned(partitions)

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Forget these partitions' cameras."""
        gone = set(partitions)
        self._cameras = {name: camera for name, camera in self._cameras.items() if camera.partition not in gone}
        self._saved.revoked(gone)
        self._needed = {partition: offset for partition, offset in self._needed.items() if partition not in gone}

    def _process(self, batch: Sequence[Received]) -> list[Outgoing | Rejected]:
        out: list[Outgoing | Rejected] = []
        queues: dict[str, list[_Item]] = {}
        for item in batch:
            if isinstance(item.message, FrameChunk):
                queues.setdefault(item.message.camera_id, []).append(_Item(item.record, item.message))
            elif item.message is not None:
                out.append(Rejected(item.record, f"expected a FrameChunk, got a {type(item.message).__name__}"))
        while queues:
            out += self._wave([queue.pop(0) for queue in queues.values()])
            queues = {name: queue for name, queue in queues.items() if queue}
        return out

    def _wave(self, items: Sequence[_Item]) -> list[Outgoing]:
        """Process one chunk of each of several cameras."""
        out: list[Outgoing] = []
        fresh = [item for item in items if item.record.offset >= self._camera(item).next_offset]
        for item in fresh:
            out += self._prepare(item)
        works = [Work(self._stream(item), self._stream(item).decode(item.chunk), self._in_time(item)) for item in fresh]
        out += self._run(works)
        for item in fresh:
            out += self._finish(item)
        return out

    def _run(self, works: Sequence[Work]) -> list[Outgoing]:
        """Run the pipeline, and give each stream the embeddings of its tracklets."""
        tracklets = self._pipeline.run(works)
        streams = {work.stream.info.camera_id: work.stream for work in works}
        for tracklet in tracklets:
            streams[tracklet.camera_id].take_embedding(tracklet)
        return _outgoing(tracklets)

    def _camera(self, item: _Item) -> _Camera:
        """Return the camera of a chunk; a new one is restored from its state."""
        name = item.chunk.camera_id
        if name not in self._cameras:
            camera = self._cameras[name] = _Camera(item.record.source)
            state = self._saved.take(name, item.record)
            if state is not None:
                camera.next_offset = state.next_offset
                camera.stream = restored(state, self._options.stream)
                camera.needed = None if camera.stream is None else state.next_offset
        return self._cameras[name]

    def _stream(self, item: _Item) -> CameraStream:
        stream = self._cameras[item.chunk.camera_id].stream
        assert stream is not None, "prepared before"
        return stream

    def _prepare(self, item: _Item) -> list[Outgoing]:
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
            out += self._run([Work(stream, stream.restart_decoder(chunk.first_index), self._in_time(item))])
        elif since < max(patience, KEYFRAME_PATIENCE_NS):
            return out
        state = saved(chunk, item.record.offset, blob=stream.save(chunk))
        if state is None:
            return out
        camera.needed = item.record.offset
        return [*out, state]

    def _finish(self, item: _Item) -> list[Outgoing]:
        """Report the camera's progress; after the end of its stream, no offset is needed any more."""
        camera, stream = self._cameras[item.chunk.camera_id], self._stream(item)
        camera.next_offset = item.record.offset + 1
        if not item.chunk.ended:
            return [Outgoing(TRACKLETS.name, stream.info.site_id, stream.progress(ended=False))]
        out = self._end(camera, stream, item.chunk.reason)
        camera.needed = None
        return [*out, ended(item.chunk, camera.next_offset)]

    def _end(self, camera: _Camera, stream: CameraStream, reason: str) -> list[Outgoing]:
        closing = self._pipeline.embedded(stream.close())
        camera.stream = None
        progress = Outgoing(TRACKLETS.name, stream.info.site_id, stream.progress(ended=True, reason=reason))
        return [*_outgoing(closing), progress]

    def _in_time(self, item: _Item) -> bool:
        return item.chunk.mode == "complete" or self._clock() - item.record.time_ns <= self._options.max_delay_ns


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
    from reid_worker.model import load_embedder
    from reid_worker.model.prior import log_prior

    worker_metrics = WorkerMetrics(registry)
    kept = settings.keep_options()
    keeper = CropKeeper(kept, worker_metrics) if kept else None  # a bad folder fails before models load
    threads = settings.threads or os.cpu_count() or 1
    embedder = load_embedder(
        settings.weights,
        device=settings.device,
        precision=settings.precision,
        compiled=settings.compiled,
        threads=EMBED_THREADS,
    )
    log_prior(embedder.model_id, embedder.prior)
    worker_metrics.model(embedder.model_id, str(embedder.device), embedder.dtype_name, embedder.scan)
    pipeline = Pipeline(
        load_detector(settings.detector, settings.detector_options(threads)),
        embedder,
        metrics,
        worker_metrics,
        threads=threads,
        embed_batch=settings.embed_batch,
        keeper=keeper,
    )
    options = HandlerOptions(
        settings.stream_options(embedder.frames),
        round(settings.state_interval_s * 1e9),
        round(settings.max_delay_s * 1e9),
    )
    return WorkerHandler(pipeline, bus, options)


def build_service(
    settings: WorkerSettings, bus: Bus, metrics: ServiceMetrics, registry: CollectorRegistry, *, monitor: Monitor
) -> Service:
    """Return the worker as a service; raises what `build_handler` raises."""
    handler = build_handler(settings, bus, metrics, registry)
    return Service(NAME, bus, handler, topics=[FRAMES.name], monitor=monitor, max_records=MAX_CHUNKS)
