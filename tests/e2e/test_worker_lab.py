"""The worker on real video with labels: the people are followed, the chairs are not."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from reid_worker.detectors.choose import BUNDLED
from reid_worker.detectors.detection import iou
from reid_worker.detectors.tiles import WHOLE, detect_in_tiles
from reid_worker.detectors.yolox import YoloxDetector
from reid_worker.handler import HandlerOptions, WorkerHandler
from reid_worker.networks import Networks
from reid_worker.pipeline import Pipeline
from reid_worker.stream import StreamOptions
from tests.worker_tools import FakeEmbedder, Video, reporting
from wire.bus import Record
from wire.memory import MemoryBus
from wire.messages import Tracklet
from wire.service import Outgoing, Received

pytestmark = pytest.mark.shared

FRAMES = 60


@pytest.fixture(scope="module")
def tracklets(shared_data: Path) -> list[Tracklet]:
    """The last revision of every tracklet of the first seconds of one camera."""
    registry = CollectorRegistry()
    detector = YoloxDetector(shared_data.parent / "models" / "yolox-nano" / "yolox_nano_416x416.onnx", threads=2)
    load, metrics, report = reporting(registry)
    pipeline = Pipeline(detector, Networks(FakeEmbedder()), load, metrics, threads=2, embed_batch=8)
    handler = WorkerHandler(pipeline, MemoryBus(), HandlerOptions(StreamOptions()), report)
    with av.open(str(shared_data / "lab-4cam" / "cam1.mp4")) as container:
        video = Video.of(container, limit=FRAMES)
    items = [Received(Record("frames", 0, i, "cam", b"", 0), chunk) for i, chunk in enumerate(video.chunks())]
    last = {}
    for item in handler.handle(items):
        if isinstance(item, Outgoing) and isinstance(item.message, Tracklet):
            last[item.message.tracklet_id] = item.message
    return list(last.values())


@pytest.fixture(scope="module")
def truth(shared_data: Path) -> NDArray[np.float64]:
    """The labels of that camera, MOTChallenge columns."""
    return np.loadtxt(shared_data / "lab-4cam" / "gt" / "cam1.txt", delimiter=",")


def _people(truth: NDArray[np.float64], frame: int, *, ignored: bool) -> NDArray[np.float32]:
    """Return the labelled boxes of a frame, xyxy px, with or without those that do not count."""
    table = truth[(truth[:, 0] == frame) & (ignored | (truth[:, 6] > 0))]
    return np.concatenate((table[:, 2:4], table[:, 2:4] + table[:, 4:6]), axis=1).astype(np.float32)


def _rows(tracklets: list[Tracklet], frame: int) -> NDArray[np.float32]:
    found = [tracklet.boxes[tracklet.frames == frame] for tracklet in tracklets]
    return np.concatenate(found) if found else np.zeros((0, 4), np.float32)


def test_walking_people_are_followed_and_furniture_is_not(
    tracklets: list[Tracklet], truth: NDArray[np.float64]
) -> None:
    labelled = found = right = told = 0
    for frame in range(1, FRAMES - 2):  # the last ones wait for frames that were cut off
        people, rows = _people(truth, frame, ignored=False), _rows(tracklets, frame)
        overlaps = iou(rows, people) >= 0.5
        labelled, found = labelled + len(people), found + int(overlaps.any(axis=0).sum())
        right += int((iou(rows, _people(truth, frame, ignored=True)) >= 0.5).any(axis=1).sum())
        told += len(rows)
    assert found / labelled > 0.6  # two of three walk, the third sits far away
    assert right / told > 0.9


def test_numbers_are_those_of_the_source(tracklets: list[Tracklet]) -> None:
    for tracklet in tracklets:
        seconds = (tracklet.times_ns - tracklet.times_ns[0]) / 1e9
        whole = tracklet.frames < FRAMES - 2
        assert np.allclose(seconds[whole], (tracklet.frames - tracklet.frames[0])[whole] / 10)


def test_small_people_of_a_wide_picture_are_found_in_tiles(shared_data: Path) -> None:
    """Sixteen pictures side by side show the people at a quarter of their size: about 70 px in 1280 x 720."""
    wide, people = _shrunk_pictures(shared_data / "lab-4cam")
    detector = YoloxDetector(BUNDLED, threads=2)

    recall = {}
    for grid in (WHOLE, (2, 2)):
        (found,) = detect_in_tiles(detector, [wide], [grid])
        recall[grid] = (iou(people, found[found.scores >= 0.5].boxes) >= 0.5).any(axis=1).mean()

    assert recall[2, 2] >= 0.5
    assert recall[2, 2] > 3 * recall[WHOLE]


def _shrunk_pictures(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return a picture of four moments of four cameras, and the boxes of the people who are labelled in them."""
    wide, people = np.full((720, 1280, 3), 100, np.uint8), []
    for row in range(4):
        labels = np.loadtxt(folder / "gt" / f"cam{row}.txt", delimiter=",")
        with av.open(str(folder / f"cam{row}.mp4")) as container:
            frames = {n: f for n, f in enumerate(container.decode(video=0), 1) if n in {21, 61, 121, 181}}
        for column, (number, frame) in enumerate(frames.items()):
            image = frame.to_ndarray(format="bgr24")
            top, left, scale = row * 180, column * 320, 300 / image.shape[1]
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            wide[top : top + len(small), left : left + 300] = small
            people.append(_people(labels, number, ignored=False) * scale + np.array([left, top] * 2, np.float32))
    return wide, np.concatenate(people).astype(np.float32)
