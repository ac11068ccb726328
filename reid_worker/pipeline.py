"""Many cameras at once: decoding side by side, detection and embedding batched over cameras, tracking per camera.

Works in rounds of a few frames per camera, so that memory does not depend on how much is waiting.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reid_worker import crops
from reid_worker.decode import Frame
from reid_worker.detectors.detection import Detector
from reid_worker.keep import Crop, CropKeeper
from reid_worker.metrics import WorkerMetrics
from reid_worker.stream import CameraStream, Emission
from wire.messages import SimilarityPrior, Tracklet
from wire.metrics import ServiceMetrics

FRAMES_PER_ROUND = 4  # of each camera; 4 frames of 1080p are 25 MB


class Embeds(Protocol):
    """What the pipeline needs of `reid_worker.model.Embedder`."""

    model_id: str
    prior: SimilarityPrior | None
    frames: int

    def embed(self, tracklets: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.float32]:
        """Return one L2-normalised row per tracklet of RGB crops."""


@dataclass(slots=True, eq=False)
class Work:
    """One chunk of a stream on its way through the pipeline.

    Attributes:
        frames: What is still to be decoded of it, lazily.
        analyse: Whether its frames are analysed, or too old.
    """

    stream: CameraStream
    frames: Iterator[Frame]
    analyse: bool = True


class Pipeline:
    """Takes chunks of different streams, one of each, all the way to tracklets."""

    def __init__(
        self,
        detector: Detector,
        embedder: Embeds,
        metrics: ServiceMetrics,
        worker_metrics: WorkerMetrics,
        *,
        threads: int,
        embed_batch: int,
        keeper: CropKeeper | None = None,
    ) -> None:
        self._detector = detector
        self._embedder = embedder
        self._metrics = metrics
        self._worker_metrics = worker_metrics
        self._embed_batch = embed_batch
        self._keeper = keeper
        self._pool = ThreadPoolExecutor(threads, "decode")

    def run(self, works: Sequence[Work]) -> list[Tracklet]:
        """Decode, detect and track until all is done; return the tracklets that are due, embedded."""
        emissions: list[tuple[CameraStream, Emission]] = []
        active = list(works)
        while active:
            batches = self._decode(active)
            emissions += self._track(
                [(work, frame) for work, frames in zip(active, batches, strict=True) for frame in frames]
            )
            active = [work for work, frames in zip(active, batches, strict=True) if len(frames) == FRAMES_PER_ROUND]
        return self.publishable(emissions)

    def publishable(self, emissions: Sequence[tuple[CameraStream, Emission]]) -> list[Tracklet]:
        """Return emissions as messages, embedding the crops of those that have changed since the last time."""
        open_ones = [emission for _, emission in emissions if not emission.embedding]
        vectors: dict[int, NDArray[np.float16]] = {}
        for start in range(0, len(open_ones), self._embed_batch):
            batch = open_ones[start : start + self._embed_batch]
            for emission, row in zip(batch, self._embed(batch), strict=True):
                vectors[id(emission)] = row
                if _picks_unchanged(emission):
                    emission.source.embedding = row.tobytes()
        self._keep_crops([emission for _, emission in emissions if emission.closed])
        return [self._message(stream, emission, vectors.get(id(emission))) for stream, emission in emissions]

    def _decode(self, works: Sequence[Work]) -> list[list[Frame]]:
        with self._metrics.stage("decode"):
            return list(self._pool.map(lambda work: list(islice(work.frames, FRAMES_PER_ROUND)), works))

    def _track(self, frames: Sequence[tuple[Work, Frame]]) -> list[tuple[CameraStream, Emission]]:
        for work, _ in frames:
            outcome = "analysed" if work.analyse else "too-old"
            self._worker_metrics.frames.labels(camera=work.stream.info.camera_id, outcome=outcome).inc()
            if not work.analyse:
                work.stream.skip()
        wanted = [(work.stream, frame) for work, frame in frames if work.analyse]
        if not wanted:
            return []
        with self._metrics.stage("detect"):
            found = self._detector.detect([frame.image for _, frame in wanted])
        with self._metrics.stage("track"):
            return [
                (stream, emission)
                for (stream, frame), detections in zip(wanted, found, strict=True)
                for emission in stream.advance(frame, detections)
            ]

    def _embed(self, emissions: Sequence[Emission]) -> NDArray[np.float16]:
        self._worker_metrics.batch_size.observe(len(emissions))
        with self._metrics.stage("embed"):
            images = [[crops.from_jpeg(jpeg) for jpeg in emission.jpegs] for emission in emissions]
            return self._embedder.embed(images).astype(np.float16)

    def _keep_crops(self, closed: Sequence[Emission]) -> None:
        if self._keeper is None:
            return
        with self._metrics.stage("keep"):
            self._keeper.tidy()
            for emission in closed:
                pairs = zip(emission.jpeg_times_ns, emission.jpegs, strict=True)
                self._keeper.keep(emission.tracklet_id, [Crop(time_ns, jpeg) for time_ns, jpeg in pairs])

    def _message(self, stream: CameraStream, emission: Emission, fresh: NDArray[np.float16] | None) -> Tracklet:
        outcome = "closed" if emission.closed else "updated" if emission.revision else "sent"
        self._worker_metrics.tracklets.labels(camera=stream.info.camera_id, outcome=outcome).inc()
        return Tracklet(
            tracklet_id=emission.tracklet_id,
            camera_id=stream.info.camera_id,
            site_id=stream.info.site_id,
            revision=emission.revision,
            closed=emission.closed,
            times_ns=emission.times_ns,
            frames=emission.frames,
            boxes=emission.boxes,
            scores=emission.scores,
            embedding=np.frombuffer(emission.embedding, np.float16) if fresh is None else fresh,
            model_id=self._embedder.model_id,
            prior=self._embedder.prior,
            quality=emission.quality,
            frames_used=len(emission.jpegs),
            crop=emission.best,
        )


def _picks_unchanged(emission: Emission) -> bool:
    return tuple(pick.jpeg for pick in sorted(emission.source.picks, key=lambda pick: pick.number)) == emission.jpegs
