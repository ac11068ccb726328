"""Processes many cameras at once: parallel decoding, detection and embedding batched over cameras, tracking per camera.

It works in rounds of a few frames per camera, so that memory use does not depend on the backlog.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from reid_worker import crops
from reid_worker.decode import Frame
from reid_worker.detectors.detection import Detector
from reid_worker.keep import CropKeeper
from reid_worker.metrics import WorkerMetrics
from reid_worker.stream import CameraStream, Emission
from wire.messages import ObservedTracklet, SimilarityPrior, Tracklet
from wire.metrics import ServiceMetrics
from wire.tracklet_id import TrackletId

FRAMES_PER_ROUND = 4  # of each camera; 4 frames of 1080p are 25 MB


class TrackletEmbedder(Protocol):
    """The part of `reid_worker.model.Embedder` that the pipeline uses."""

    model_id: str
    prior: SimilarityPrior | None
    frames: int

    def embed(self, tracklets: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.float32]:
        """Return one L2-normalised row for each tracklet of RGB crops."""


@dataclass(slots=True, eq=False)
class Work:
    """One chunk of a stream on its way through the pipeline.

    Attributes:
        frames: Its remaining frames, decoded lazily.
        analyse: Whether its frames are analysed; False if they are too old.
    """

    stream: CameraStream
    frames: Iterator[Frame]
    analyse: bool = True


class Pipeline:
    """Turns chunks of different streams, one of each, into tracklets."""

    def __init__(
        self,
        detector: Detector,
        embedder: TrackletEmbedder,
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
        """Decode, detect and track all frames; return the tracklets that are due, with embeddings."""
        emissions: list[Emission] = []
        active = list(works)
        while active:
            batches = self._decode(active)
            emissions += self._track(
                [(work, frame) for work, frames in zip(active, batches, strict=True) for frame in frames]
            )
            active = [work for work, frames in zip(active, batches, strict=True) if len(frames) == FRAMES_PER_ROUND]
        return self.embedded(emissions)

    def embedded(self, emissions: Sequence[Emission]) -> list[Tracklet]:
        """Convert emissions to messages; crops already embedded for an earlier emission are not embedded again."""
        vectors = [np.frombuffer(emission.embedding, np.float16) for emission in emissions]
        unknown = [index for index, emission in enumerate(emissions) if not emission.embedding]
        for start in range(0, len(unknown), self._embed_batch):
            batch = unknown[start : start + self._embed_batch]
            for index, row in zip(batch, self._embed([emissions[index] for index in batch]), strict=True):
                vectors[index] = row
        self._keep_crops([emission for emission in emissions if emission.tracklet.closed])
        return [self._message(emission.tracklet, row) for emission, row in zip(emissions, vectors, strict=True)]

    def _decode(self, works: Sequence[Work]) -> list[list[Frame]]:
        with self._metrics.stage("decode"):
            return list(self._pool.map(lambda work: list(islice(work.frames, FRAMES_PER_ROUND)), works))

    def _track(self, frames: Sequence[tuple[Work, Frame]]) -> list[Emission]:
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
                emission
                for (stream, frame), detections in zip(wanted, found, strict=True)
                for emission in stream.advance(frame, detections)
            ]

    def _embed(self, emissions: Sequence[Emission]) -> NDArray[np.float16]:
        self._worker_metrics.batch_size.observe(len(emissions))
        with self._metrics.stage("embed"):
            images = [[crops.from_jpeg(crop.jpeg) for crop in emission.crops] for emission in emissions]
            return self._embedder.embed(images).astype(np.float16)

    def _keep_crops(self, closed: Sequence[Emission]) -> None:
        if self._keeper is None:
            return
        with self._metrics.stage("keep"):
            self._keeper.clean_up()
            for emission in closed:
                self._keeper.keep(TrackletId.parse(emission.tracklet.tracklet_id), emission.crops)

    def _message(self, observed: ObservedTracklet, embedding: NDArray[np.float16]) -> Tracklet:
        outcome = "closed" if observed.closed else "updated" if observed.revision else "sent"
        self._worker_metrics.tracklets.labels(camera=observed.camera_id, outcome=outcome).inc()
        return Tracklet(
            **msgspec.structs.asdict(observed),
            embedding=embedding,
            model_id=self._embedder.model_id,
            prior=self._embedder.prior,
        )
