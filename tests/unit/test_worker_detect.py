"""Detectors: geometry, the YOLOX layout, and where a model comes from."""

import hashlib
import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from reid_worker.detectors import choose as models
from reid_worker.detectors import yolox
from reid_worker.detectors.choose import DetectorOptions, ModelFile, load_detector, model_folders, obtain
from reid_worker.detectors.detection import Detections, iou, suppress
from reid_worker.detectors.hog import HogDetector
from reid_worker.detectors.yolox import Grid, YoloxDetector, best_shape, decode_people, letterbox
from reid_worker.errors import DetectorError

SIZE = 64  # px, input of the models made here
CELLS = (SIZE // 8) ** 2 + (SIZE // 16) ** 2 + (SIZE // 32) ** 2


def _model(path: Path, *, columns: int = 6, output: np.ndarray | None = None) -> Path:
    """Write a model of the YOLOX layout that says `output` whatever it sees."""
    says = np.zeros((1, CELLS, columns), np.float32) if output is None else output.reshape(1, CELLS, columns)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMax", ["images"], ["brightest"], keepdims=0),
            helper.make_node("Mul", ["brightest", "zero"], ["nothing"]),
            helper.make_node("Add", ["nothing", "says"], ["output"]),
        ],
        "fixed",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, CELLS, columns])],
        [
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("says", TensorProto.FLOAT, says.shape, says.ravel()),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def _cell(index: int, columns: int, *, objectness: float, person: float, log_size: float = 1.0) -> np.ndarray:
    """Return an output with one detection in the middle of one cell."""
    output = np.zeros((CELLS, columns), np.float32)
    output[index, :6] = (0.5, 0.5, log_size, log_size, objectness, person)
    return output


def _options(folder: Path, *, download: bool = False) -> DetectorOptions:
    return DetectorOptions(folders=(folder,), download=download, timeout_s=1.0, threads=1)


def test_overlap_is_symmetric_and_bounded() -> None:
    boxes = np.random.default_rng(3).uniform(0, 100, (40, 4)).astype(np.float32)
    overlap = iou(boxes, boxes)
    assert np.allclose(overlap, overlap.T)
    assert overlap.min() >= 0
    assert overlap.max() <= 1


def test_suppression_keeps_the_best_of_each_group_in_order() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32)
    kept = suppress(Detections(boxes, np.array([0.5, 0.9, 0.7], np.float32)), 0.5)
    assert kept.boxes.tolist() == [[1, 0, 11, 10], [50, 50, 60, 60]]
    assert kept.scores.tolist() == pytest.approx([0.9, 0.7])


def test_detections_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="boxes must be"):
        Detections(np.zeros((2, 4), np.float32), np.zeros(3, np.float32))


@pytest.mark.parametrize("columns", [6, 85])
def test_a_cell_decodes_to_its_box_and_the_product_of_its_scores(columns: int) -> None:
    index = 64 + 4 + 1  # of the second grid, with strides of 16 px: row 1, column 1
    found = decode_people(_cell(index, columns, objectness=0.8, person=0.5), Grid.of(SIZE, SIZE), 0.1)

    half = np.e * 16 / 2
    assert found.boxes[0].tolist() == pytest.approx([24 - half, 24 - half, 24 + half, 24 + half], rel=1e-5)
    assert found.scores.tolist() == pytest.approx([0.4])


def test_letterboxing_keeps_the_aspect_and_fills_with_grey() -> None:
    image, scale = letterbox(np.full((100, 200, 3), 7, np.uint8), 64, 64)
    assert (image.shape, scale) == ((1, 3, 64, 64), 0.32)
    assert (image[0, :, :32] == 7).all()
    assert (image[0, :, 32:] == 114).all()


@pytest.mark.parametrize(
    ("frame", "shape"),
    [
        pytest.param((1080, 1920), (320, 544), id="wide"),
        pytest.param((1920, 1080), (544, 320), id="portrait"),
        pytest.param((480, 640), (352, 480), id="four by three"),
        pytest.param((500, 500), (416, 416), id="square"),
        pytest.param((10, 10_000), (32, 13_152), id="a strip"),
    ],
)
def test_the_input_takes_the_shape_of_the_frame(frame: tuple[int, int], shape: tuple[int, int]) -> None:
    assert best_shape(*frame, pixels=416 * 416) == shape


def test_boxes_come_back_in_pixels_of_the_frame_and_inside(tmp_path: Path) -> None:
    path = _model(tmp_path / "m.onnx", output=_cell(0, 6, objectness=1.0, person=0.9, log_size=2.0))

    (found,) = YoloxDetector(path, threads=1).detect([np.zeros((128, 128, 3), np.uint8)])

    far = (4 + np.exp(2) * 4) * 2  # centre and half size at stride 8, frame twice the input
    assert found.boxes.tolist() == [pytest.approx([0, 0, far, far], rel=1e-5)]


def test_a_model_that_insists_on_its_size_is_used_in_it(tmp_path: Path) -> None:
    path = _model(tmp_path / "m.onnx", output=_cell(0, 6, objectness=1.0, person=0.9))

    (found,) = YoloxDetector(path, threads=1).detect([np.zeros((64, 256, 3), np.uint8)])

    assert len(found) == 1


def test_another_layout_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"m\.onnx: not in the YOLOX layout.*\(1, N, 6\)"):
        YoloxDetector(_model(tmp_path / "m.onnx", columns=7))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"no model at all")
    with pytest.raises(DetectorError, match=r"m\.onnx"):
        YoloxDetector(path)


def _broken(path: Path) -> Path:
    """Write a well-formed ONNX file whose only operator does not exist."""
    model = onnx.load(str(_model(path)))
    model.graph.node[0].op_type = "NoSuchOperator"
    onnx.save(model, str(path))
    return path


def test_a_model_that_onnxruntime_cannot_load_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"m\.onnx: onnxruntime cannot load it"):
        YoloxDetector(_broken(tmp_path / "m.onnx"))


def _reshaping(path: Path) -> Path:
    """Write a model that loads in every size and fails in every one but its own: its cells are a constant."""
    sizes = helper.make_tensor("cells", TensorProto.INT64, [3], [1, CELLS, 6])
    pads = helper.make_tensor("pads", TensorProto.INT64, [2], [0, CELLS * 6 - 3 * SIZE * SIZE])
    flat = helper.make_tensor("flat", TensorProto.INT64, [1], [-1])
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["images", "flat"], ["line"]),
            helper.make_node("Pad", ["line", "pads"], ["cut"]),
            helper.make_node("Reshape", ["cut", "cells"], ["output"]),
        ],
        "insists",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, CELLS, 6])],
        [sizes, pads, flat],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def test_a_model_that_fails_in_another_size_is_used_in_its_own(tmp_path: Path) -> None:
    (found,) = YoloxDetector(_reshaping(tmp_path / "m.onnx"), threads=1).detect([np.zeros((64, 256, 3), np.uint8)])

    assert len(found) == 0


def test_hog_survives_empty_and_tiny_frames() -> None:
    empty, tiny = HogDetector().detect([np.zeros((240, 320, 3), np.uint8), np.zeros((48, 64, 3), np.uint8)])
    assert (len(empty), len(tiny)) == (0, 0)


def test_models_are_looked_for_where_the_environment_says_and_then_in_the_cache() -> None:
    environment = {"CLIMBTRACK_MODELS": "/models", "XDG_CACHE_HOME": "/cache"}
    assert model_folders(environment) == (Path("/models"), Path("/cache/climbtrack/models"))
    assert model_folders({"XDG_CACHE_HOME": "/cache"}) == (Path("/cache/climbtrack/models"),)


def test_a_file_at_hand_is_taken_without_asking_anybody(tmp_path: Path) -> None:
    path = tmp_path / "yolox-nano" / "yolox_nano_416x416.onnx"
    path.parent.mkdir()
    _model(path)
    assert obtain(models.YOLOX_NANO, _options(tmp_path)) == path
    assert load_detector("yolox-nano", _options(tmp_path)).name == "yolox_nano_416x416"


def _published(tmp_path: Path, digest: str) -> ModelFile:
    upstream = _model(tmp_path / "upstream.onnx")
    return ModelFile("tiny", ("tiny.onnx",), upstream.as_uri(), (digest or _digest(upstream),))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_missing_file_is_downloaded_once(tmp_path: Path) -> None:
    model = _published(tmp_path, "")
    folder = tmp_path / "cache"

    path = obtain(model, _options(folder, download=True))
    (tmp_path / "upstream.onnx").unlink()

    assert path == folder / "tiny.onnx"
    assert obtain(model, _options(folder, download=True)) == path
    assert list(folder.iterdir()) == [path]


def test_a_download_with_another_digest_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="refused: SHA-256"):
        obtain(_published(tmp_path, "0" * 64), _options(tmp_path / "cache", download=True))
    assert not (tmp_path / "cache").exists()


def test_an_unreachable_server_is_a_message_that_says_what_to_do(tmp_path: Path) -> None:
    model = ModelFile("tiny", ("tiny.onnx",), "http://127.0.0.1:9/tiny.onnx", ("0" * 64,))
    with pytest.raises(DetectorError, match="CLIMBTRACK_MODELS"):
        obtain(model, _options(tmp_path, download=True))


def test_auto_falls_back_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bundled = tmp_path / "person-detector.onnx"
    monkeypatch.setattr(models, "BUNDLED", bundled)
    with caplog.at_level(logging.WARNING):
        assert load_detector("auto", _options(tmp_path)).name == "hog"
        _model(bundled)
        assert load_detector("auto", _options(tmp_path)).name == "person-detector"
    assert "HOG" in caplog.text
    assert "bundled detector" in caplog.text


@pytest.mark.parametrize("choice", ["yolox-nano", "/nowhere/model.onnx"])
def test_what_was_asked_for_by_name_is_never_replaced(tmp_path: Path, choice: str) -> None:
    with pytest.raises(DetectorError):
        load_detector(choice, _options(tmp_path))


def test_equal_frames_give_equal_boxes_in_any_batch(tmp_path: Path) -> None:
    path = _model(tmp_path / "m.onnx", output=_cell(5, 6, objectness=1.0, person=0.9))
    detector = yolox.YoloxDetector(path, threads=2)
    frame = np.full((48, 64, 3), 99, np.uint8)

    alone = detector.detect([frame])[0]
    together = detector.detect([np.zeros((64, 48, 3), np.uint8), frame, frame])

    assert np.array_equal(alone.boxes, together[1].boxes)
    assert np.array_equal(alone.boxes, together[2].boxes)
