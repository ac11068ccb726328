"""Processes many cameras at once, in overlapping stages: while frames are detected, the next are decoded, the people
found in the ones before are tracked, and tracklets that are due are embedded.

Frames go through in rounds of a few, batched over cameras, so that memory use does not depend on the backlog: at most
three rounds are in memory at a time. Each stage sees the frames in the same order as without overlap.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import msgspec
import numpy as np
from numpy.typing import NDArray

from reid_worker.crops import Cutout
from reid_worker.decode import Frame
from reid_worker.detectors.detection import Detections, Detector
from reid_worker.detectors.tiles import Grid, detect_in_tiles
from reid_worker.detectors.trial import complaint
from reid_worker.keep import CropKeeper
from reid_worker.load import Load
from reid_worker.metrics import WorkerMetrics
from reid_worker.networks import Networks, Rows
from reid_worker.picture_watch import PictureWatch
from reid_worker.stream import CameraStream, Emission
from reid_worker.trackers.interface import Describer
from wire.messages import ObservedTracklet, Tracklet
from wire.tracklet import Look
from wire.tracklet_id import TrackletId

log = logging.getLogger(__name__)

ROUND = 16  # frames of all cameras together, as many as keep a few cores busy; 16 frames of 1080p are 100 MB
MOST_OF_A_CAMERA = 4  # frames of one camera in a round
WORTH_A_CALL = 4  # tracklets that are embedded while frames are still being detected


@dataclass(slots=True, eq=False)
class Work:
    """One chunk of a stream on its way through the pipeline.

    Attributes:
        frames: Its remaining frames, decoded lazily.
        analyse: Whether its frames are analysed; False if they are too old.
        decode_s: Processor time that decoding took so far.
    """

    stream: CameraStream
    frames: Iterator[Frame]
    analyse: bool = True
    decode_s: float = 0.0


class Pipeline:
    """Turns chunks of different streams, one of each, into tracklets."""

    def __init__(
        self,
        detector: Detector,
        networks: Networks,
        load: Load,
        worker_metrics: WorkerMetrics,
        *,
        threads: int,
        embed_batch: int,
        keeper: CropKeeper | None = None,
    ) -> None:
        self._detector = detector
        self._networks = networks
        self._embedder = embedder = networks.serving
        self._describer = None if embedder.prior is None else Describer(embedder.glance, embedder.prior)
        self._load = load
        self._worker_metrics = worker_metrics
        self._watch = PictureWatch(worker_metrics)
        self._embed_batch = embed_batch
        self._keeper = keeper
        self._decoding = ThreadPoolExecutor(threads, "decode")
        self._detecting = ThreadPoolExecutor(1, "detect")
        self._embedding = ThreadPoolExecutor(1, "embed")

    def warm_up(self) -> None:
        """Run both networks once, so that the first person does not wait for what is compiled at the first call.

        A detector that finds nobody in a picture of people is named.
        """
        grey = np.full((128, 64, 3), 114, np.uint8)
        if blind := self._detecting.submit(complaint, self._detector).result():
            log.warning("%s", blind)
        self._embedding.submit(self._networks.embed, [[Cutout.of(grey)] * self._embedder.frames]).result()

    @property
    def model_id(self) -> str:
        """Return the digest of weights and preprocessing that the embeddings are of."""
        return self._embedder.model_id

    def detect_still(self, image: NDArray[np.uint8]) -> Detections:
        """Return the people in a BGR picture that is of no stream."""
        return self._detecting.submit(self._detector.detect, [image]).result()[0]

    def embed_stills(self, people: Sequence[NDArray[np.uint8]]) -> NDArray[np.float16]:
        """Return one L2-normalised row for each RGB crop, each as a tracklet of one frame."""
        return self._embedding.submit(self._embedder.embed, [[crop] for crop in people]).result().astype(np.float16)

    def run(self, works: Sequence[Work]) -> list[Tracklet]:
        """Decode, detect and track all frames; return the tracklets that are due, with embeddings."""
        due = _Due(self._networks.models)
        ahead: _Found | None = None
        for frames in self._rounds(works):
            grids = [work.stream.grid(frame) for work, frame in frames]
            looked_at = [(frame.image, grid) for (_, frame), grid in zip(frames, grids, strict=True) if grid]
            found = self._detecting.submit(self._detect, looked_at)
            if ahead is not None:
                self._track(ahead, due)
            ahead = _Found(frames, [grid is not None for grid in grids], found)
        if ahead is not None:
            self._track(ahead, due)
        for work in works:
            self.count(work.stream)
        self._embed_due(due, at_least=1)
        return self._messages(due)

    def count(self, stream: CameraStream) -> None:
        """Count what is odd in a stream since the last call, for the metrics."""
        self._watch.count(stream)

    def embedded(self, emissions: Sequence[Emission]) -> list[Tracklet]:
        """Convert emissions to messages; crops already embedded for an earlier emission are not embedded again."""
        due = _Due(self._networks.models)
        due.add(emissions)
        self._embed_due(due, at_least=1)
        return self._messages(due)

    def _rounds(self, works: Sequence[Work]) -> Iterator[list[tuple[Work, Frame]]]:
        """Yield the frames to analyse, round by round; the next round is decoded while the caller uses this one."""
        count = max(1, min(MOST_OF_A_CAMERA, ROUND // max(len(works), 1)))
        decoding = self._decode(works, count)
        while decoding:
            decoded = [(work, frames.result()) for work, frames in decoding]
            decoding = self._decode([work for work, frames in decoded if len(frames) == count], count)
            wanted = [(work, frame) for work, frames in decoded for frame in frames if self._is_wanted(work, frame)]
            if wanted:
                yield wanted

    def _decode(self, works: Sequence[Work], count: int) -> list[tuple[Work, Future[list[Frame]]]]:
        def decode(work: Work) -> list[Frame]:
            with self._load.stage("decode"):
                began_s = time.thread_time()
                frames = list(islice(work.frames, count))
                work.decode_s += time.thread_time() - began_s
                return frames

        return [(work, self._decoding.submit(decode, work)) for work in works]

    def _is_wanted(self, work: Work, frame: Frame) -> bool:
        outcome = "analysed" if work.analyse else "too-old"
        self._worker_metrics.frames.labels(camera=work.stream.info.camera_id, outcome=outcome).inc()
        if work.analyse:
            self._watch.look(work.stream.info.camera_id, frame)
        else:
            work.stream.skip()
        return work.analyse

    def _detect(self, pictures: Sequence[tuple[NDArray[np.uint8], Grid]]) -> list[Detections]:
        if not pictures:
            return []
        with self._load.stage("detect"):
            return detect_in_tiles(self._detector, *zip(*pictures, strict=True))

    def _track(self, found: "_Found", due: "_Due") -> None:
        detections = iter(found.detections.result())
        with self._load.stage("track"):
            for (work, frame), looked_at in zip(found.frames, found.looked_at, strict=True):
                if not looked_at:
                    self._worker_metrics.still_frames.labels(camera=work.stream.info.camera_id).inc()
                people = next(detections) if looked_at else None
                if people is not None:
                    self._worker_metrics.detections.labels(camera=work.stream.info.camera_id).inc(len(people))
                due.add(work.stream.advance(frame, people, self._describer))
        self._embed_due(due, at_least=min(WORTH_A_CALL, self._embed_batch))

    def _embed_due(self, due: "_Due", *, at_least: int) -> None:
        """Begin to embed the emissions whose embedding is unknown, if there are enough to be worth a call."""
        while len(due.unknown) >= at_least:
            batch, due.unknown = due.unknown[: self._embed_batch], due.unknown[self._embed_batch :]
            due.embedding.append((batch, self._embedding.submit(self._embed, [due.emissions[i] for i in batch])))

    def _messages(self, due: "_Due") -> list[Tracklet]:
        looks = [{m: np.frombuffer(row, np.float16) for m, row in one.embeddings.items()} for one in due.emissions]
        for batch, found in due.embedding:
            for index, rows in zip(batch, found.result(), strict=True):
                looks[index] = rows
        self._keep_crops([one for one in due.emissions if one.tracklet.closed and one.storable])
        return [self._message(emission.tracklet, rows) for emission, rows in zip(due.emissions, looks, strict=True)]

    def _embed(self, emissions: Sequence[Emission]) -> list[Rows]:
        self._worker_metrics.batch_size.observe(len(emissions))
        with self._load.stage("embed"):
            return self._networks.embed([[crop.cutout for crop in emission.crops] for emission in emissions])

    def _keep_crops(self, closed: Sequence[Emission]) -> None:
        if self._keeper is None:
            return
        with self._load.stage("keep"):
            self._keeper.clean_up()
            for emission in closed:
                self._keeper.keep(TrackletId.parse(emission.tracklet.tracklet_id), emission.crops)

    def _message(self, observed: ObservedTracklet, rows: Rows) -> Tracklet:
        outcome = "closed" if observed.closed else "updated" if observed.revision else "sent"
        self._worker_metrics.tracklets.labels(camera=observed.camera_id, outcome=outcome).inc()
        return Tracklet(
            **msgspec.structs.asdict(observed),
            embedding=rows[self._embedder.model_id],
            model_id=self._embedder.model_id,
            prior=self._embedder.prior,
            shadow=self._shadow(rows),
        )

    def _shadow(self, rows: Rows) -> Look | None:
        shadow = self._networks.shadow
        if shadow is None or shadow.model_id not in rows:
            return None
        return Look(embedding=rows[shadow.model_id], model_id=shadow.model_id, prior=shadow.prior)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A round of frames, and the people in each that the detector looks at, once they are detected."""

    frames: list[tuple[Work, Frame]]
    looked_at: list[bool]
    detections: Future[list[Detections]]


@dataclass(slots=True, eq=False)
class _Due:
    """The emissions of a run, in order.

    Attributes:
        models: Under which each emission is embedded.
        unknown: Indices of emissions to embed.
        embedding: Indices of those that are being embedded, and their rows.
    """

    models: Sequence[str]
    emissions: list[Emission] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)
    embedding: list[tuple[list[int], Future[list[Rows]]]] = field(default_factory=list)

    def add(self, emissions: Sequence[Emission]) -> None:
        """Add emissions."""
        for emission in emissions:
            if not emission.embeddings.keys() >= set(self.models):
                self.unknown.append(len(self.emissions))
            self.emissions.append(emission)
