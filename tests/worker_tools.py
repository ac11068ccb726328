"""Small worlds for the worker's tests: videos whose frames say their number, detectors and embedders that read them."""

import fractions
import io
from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from reid_worker.detectors.detection import Detections
from reid_worker.live_report import LiveReport
from reid_worker.load import Load
from reid_worker.metrics import WorkerMetrics
from reid_worker.pace import PaceOptions
from wire import trace
from wire.messages import Codec, FrameChunk, Packet
from wire.metrics import ServiceMetrics
from wire.similarity import SimilarityPrior

START_NS = 1_000_000_000_000
BITS = 12
CELL = 16  # px: one macroblock a bit survives compression


def numbered_image(number: int, width: int = 320, height: int = 64) -> NDArray[np.uint8]:
    """Return a BGR picture whose first row of blocks is `number` in binary, on grey noise."""
    image = np.random.default_rng(number).integers(110, 146, (height, width, 3)).astype(np.uint8)
    for bit in range(BITS):
        image[:CELL, bit * CELL : (bit + 1) * CELL] = 255 if number >> bit & 1 else 0
    return image


def number_of(image: NDArray[np.uint8]) -> int:
    """Return the number that a picture shows."""
    middles = image[CELL // 2, CELL // 2 : BITS * CELL : CELL, 1]
    return sum(1 << bit for bit, value in enumerate(middles) if value > 127)


def packets(images: Sequence[NDArray[np.uint8]], *, fps: int = 10, gop: int = 10, codec: str = "libx264") -> "Video":
    """Return pictures as a video with B-frames, closed groups of `gop`, capture times from `START_NS` on."""
    with av.open(io.BytesIO(encoded(images, fps=fps, gop=gop, codec=codec))) as container:
        return Video.of(container)


def encoded(images: Sequence[NDArray[np.uint8]], *, fps: int = 10, gop: int = 10, codec: str = "libx264") -> bytes:
    """Return pictures as a Matroska file; see `packets`."""
    height, width = images[0].shape[:2]
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.gop_size = width, height, gop
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if codec == "libx264":
            stream.options = {"x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes=2:b-adapt=0:log=none"}
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, fractions.Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


class Video:
    """An encoded video, as packets in decoding order."""

    def __init__(self, codec: Codec, extradata: bytes, size: tuple[int, int], found: Sequence[Packet]) -> None:
        self.codec: Codec = codec
        self.extradata = extradata
        self.height, self.width = size
        self.packets = tuple(found)

    @classmethod
    def of(cls, container: Any, *, limit: int | None = None) -> "Video":
        """Return the packets of an open file, or its first ones."""
        stream = container.streams.video[0]
        found: list[Packet] = []
        for packet in container.demux(stream):
            if packet.size and (limit is None or len(found) < limit):
                pts = round(packet.pts * stream.time_base * 1_000_000_000)
                found.append(Packet(pts, START_NS + pts, bool(packet.is_keyframe), bytes(packet)))
        codec: Codec = "mjpeg" if stream.codec_context.name == "mjpeg" else "h264"
        return cls(codec, bytes(stream.codec_context.extradata or b""), (stream.height, stream.width), found)

    def chunks(
        self, *, camera: str = "door", stream: str = "s1", size: int = 5, mode: str = "complete"
    ) -> list[FrameChunk]:
        """Return the whole video in chunks of at most `size` packets; a keyframe begins a chunk."""
        groups: list[list[Packet]] = []
        for packet in self.packets:
            if not groups or len(groups[-1]) == size or packet.keyframe:
                groups.append([])
            groups[-1].append(packet)
        chunks, index = [], 0
        for seq, group in enumerate(groups):
            chunks.append(self.chunk(group, index, seq=seq, camera=camera, stream=stream, mode=mode))
            index += len(group)
        chunks.append(self.chunk([], index, seq=len(groups), camera=camera, stream=stream, mode=mode))
        return chunks

    def chunk(
        self, group: Sequence[Packet], first_index: int, *, seq: int, camera: str, stream: str, mode: str
    ) -> FrameChunk:
        """Return one chunk; without packets it ends the stream."""
        return FrameChunk(
            camera_id=camera,
            site_id="site",
            stream_id=stream,
            seq=seq,
            codec=self.codec,
            width=self.width,
            height=self.height,
            extradata=self.extradata,
            packets=tuple(group),
            first_index=first_index,
            ended=not group,
            mode="complete" if mode == "complete" else "latency",
            traceparent=trace.started(camera, stream, seq),
        )


def reporting(registry: CollectorRegistry) -> tuple[Load, WorkerMetrics, LiveReport]:
    """Return what a pipeline and its handler report to."""
    load, metrics = Load(ServiceMetrics(registry)), WorkerMetrics(registry)
    return load, metrics, LiveReport(load, metrics, PaceOptions().floor_fps)


COLOURS = SimilarityPrior(same_mean=0.9, same_std=0.1, different_mean=0.2, different_std=0.1)


class FakeEmbedder:
    """Embeds a tracklet by the mean colours of its crops; equal crops give equal rows."""

    frames = 8

    def __init__(self, prior: SimilarityPrior | None = None, model_id: str = "fake") -> None:
        self.prior = prior
        self.model_id = model_id
        self.batches: list[int] = []
        self.encoded = 0

    def embed(self, tracklets: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.float32]:
        """Return one L2-normalised row of 4 per tracklet."""
        return self.combine([self.encode(crops) for crops in tracklets])

    def encode(self, crops: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
        """Return the mean colour of each crop."""
        self.encoded += len(crops)
        return [crop.mean((0, 1)) for crop in crops]

    def combine(self, tracklets: Sequence[Sequence[NDArray[np.float64]]]) -> NDArray[np.float32]:
        """Return one L2-normalised row of 4 per tracklet of mean colours."""
        self.batches.append(len(tracklets))
        rows = [np.append(np.mean(colours, axis=0), 50.0) for colours in tracklets]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32)

    def glance(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return one L2-normalised row of 4 per crop."""
        return self.embed([[crop] for crop in crops])


class ScriptedDetector:
    """Sees, in the frame that shows number n, the boxes that a script has for n."""

    name = "scripted"

    def __init__(self, script: dict[int, list[tuple[float, float, float, float, float]]]) -> None:
        self._script = script
        self.seen: list[int] = []

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Return the boxes of each frame's number, `(x1, y1, x2, y2, score)` in the script."""
        answers = []
        for frame in frames:
            number = number_of(frame)
            self.seen.append(number)
            rows = np.array(self._script.get(number, []), np.float32).reshape(-1, 5)
            answers.append(Detections(rows[:, :4], rows[:, 4]))
        return answers
