"""A detector that finds nobody is named before it is used, and one that finds people passes."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from deploy import doctor
from reid_worker.config import WorkerSettings
from reid_worker.detectors.choose import BUNDLED, BUNDLED_INT8, DetectorOptions, load_detector
from reid_worker.detectors.detection import Detections
from reid_worker.detectors.trial import PEOPLE, complaint
from reid_worker.handler import build_handler
from tests.detector_tools import yolox_model
from wire.memory import MemoryBus
from wire.metrics import ServiceMetrics

FINDS_NONE = "finds none of the three people"
OPTIONS = DetectorOptions(folders=(), threads=1)


class Sees:
    """A detector that always sees the same."""

    name = "always the same"

    def __init__(self, boxes: NDArray[np.float32]) -> None:
        self._boxes = boxes

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        return [Detections(self._boxes, np.ones(len(self._boxes), np.float32)) for _ in frames]


@pytest.mark.parametrize("path", [BUNDLED, BUNDLED_INT8])
def test_the_bundled_detectors_find_the_people(path: Path) -> None:
    assert complaint(load_detector(str(path), OPTIONS)) == ""


def test_one_that_detects_nothing_is_named_with_what_to_do(tmp_path: Path) -> None:
    blind = load_detector(str(yolox_model(tmp_path / "blind.onnx")), OPTIONS)

    said = complaint(blind)

    assert said.startswith(f"detector {blind.name} {FINDS_NONE}")
    assert said.endswith("take another detector (docs/models.md)")


@pytest.mark.parametrize(
    ("boxes", "passes"),
    [
        pytest.param(PEOPLE[:1] + 5, True, id="somebody, about"),
        pytest.param(PEOPLE[:, [1, 0, 3, 2]], False, id="with x and y exchanged"),
        pytest.param(PEOPLE / 2, False, id="in another scale"),
        pytest.param(np.array([[0, 0, 640, 360]], np.float32), False, id="the whole picture"),
    ],
)
def test_boxes_must_be_where_the_people_are(boxes: NDArray[np.float32], passes: bool) -> None:
    assert (complaint(Sees(boxes.astype(np.float32))) == "") is passes


def test_a_worker_says_so_at_its_start_and_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blind, registry = yolox_model(tmp_path / "blind.onnx"), CollectorRegistry()
    settings = WorkerSettings.model_validate({"detector": str(blind), "threads": 1})
    with caplog.at_level(logging.WARNING):
        build_handler(settings, MemoryBus(), ServiceMetrics(registry), registry).handle([])

    assert sum(FINDS_NONE in message for message in caplog.messages) == 1


def test_doctor_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for slow in ("_weights", "_gpu", "_private_redis", "_redis", "_kafka"):
        monkeypatch.setattr(doctor, slow, lambda _: doctor.Check("left out", "ok", ""))
    monkeypatch.setenv("CLIMBTRACK_WORKER_DETECTOR", str(yolox_model(tmp_path / "blind.onnx")))

    (check,) = (check for check in doctor.examine(None) if check.name == "person detector")

    assert check.state == "optional"
    assert FINDS_NONE in check.advice
