"""Detectors: geometry, the YOLOX layout, and HOG."""

import itertools
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from reid_worker.detectors.catalogue import YOLOX_NANO
from reid_worker.detectors.detection import Detections, iou, suppress
from reid_worker.detectors.files import content_of
from reid_worker.detectors.hog import HogDetector
from reid_worker.detectors.yolox import Grid, YoloxDetector, best_shape, decode_people, letterbox
from reid_worker.errors import DetectorError
from tests.detector_tools import CELLS, SIZE, cell, constant_model, rf_detr_model, save, value, yolox_model


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
    found = decode_people(cell(index, columns, objectness=0.8, person=0.5), Grid.of(SIZE, SIZE), 0.1)

    half = np.e * 16 / 2
    assert found.boxes[0].tolist() == pytest.approx([24 - half, 24 - half, 24 + half, 24 + half], rel=1e-5)
    assert found.scores.tolist() == pytest.approx([0.4])


def test_letterboxing_keeps_the_aspect_and_fills_with_grey() -> None:
    image, scale = letterbox(np.full((100, 200, 3), 7, np.uint8), 64, 64)
    assert (image.shape, scale) == ((1, 3, 64, 64), 0.32)
    assert (image[0, :, :32] == 7).all()
    assert (image[0, :, 32:] == 114).all()
    assert image.flags.c_contiguous, "onnxruntime copies anything else"


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
    path = yolox_model(tmp_path / "m.onnx", output=cell(0, 6, objectness=1.0, person=0.9, log_size=2.0))

    (found,) = YoloxDetector(path, threads=1).detect([np.zeros((128, 128, 3), np.uint8)])

    far = (4 + np.exp(2) * 4) * 2  # centre and half size at stride 8, frame twice the input
    assert found.boxes.tolist() == [pytest.approx([0, 0, far, far], rel=1e-5)]


def test_a_model_that_insists_on_its_size_is_used_in_it(tmp_path: Path) -> None:
    path = yolox_model(tmp_path / "m.onnx", output=cell(0, 6, objectness=1.0, person=0.9))

    (found,) = YoloxDetector(path, threads=1).detect([np.zeros((64, 256, 3), np.uint8)])

    assert len(found) == 1


def test_other_columns_are_refused_with_what_is_there_and_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"m\.onnx: unknown layout: .*output \(1, 84, 7\); known layouts: YOLOX"):
        YoloxDetector(yolox_model(tmp_path / "m.onnx", columns=7))


def test_a_model_with_three_boxes_a_cell_is_refused(tmp_path: Path) -> None:
    says = np.zeros((1, 3 * CELLS, 85), np.float32)
    path = constant_model(tmp_path / "m.onnx", {"output": says}, [value("images", (1, 3, SIZE, SIZE))])
    with pytest.raises(
        DetectorError, match="252 boxes, but 64x64 px have 84 cells; YOLOv5, for example, has three boxes per cell"
    ):
        YoloxDetector(path)


def test_a_model_that_decodes_its_boxes_itself_is_refused(tmp_path: Path) -> None:
    grid = Grid.of(SIZE, SIZE)
    says = np.zeros((CELLS, 85), np.float32)
    says[:, :2] = grid.cells * grid.strides + 100  # px of a larger input
    with pytest.raises(DetectorError, match="its boxes are already decoded; export it without --decode_in_inference"):
        YoloxDetector(yolox_model(tmp_path / "m.onnx", columns=85, output=says))


def test_an_input_that_has_no_whole_cells_is_refused(tmp_path: Path) -> None:
    says = np.zeros((1, 84, 6), np.float32)
    path = constant_model(tmp_path / "m.onnx", {"output": says}, [value("images", (1, 3, 60, 60))])
    with pytest.raises(DetectorError, match="its input of 60x60 px is not a multiple of 32"):
        YoloxDetector(path)


def test_a_model_of_a_detr_is_not_taken_for_yolox(tmp_path: Path) -> None:
    path = rf_detr_model(tmp_path / "m.onnx", [[0, 0, 1, 1]], np.zeros((1, 91), np.float32))
    with pytest.raises(DetectorError, match="not in the YOLOX layout, but in that of rf-detr"):
        YoloxDetector(path)


def _reshaping(path: Path) -> Path:
    """Write a model that loads in every size and fails in every one but its own: its cells are a constant."""
    held = [
        helper.make_tensor("cells", TensorProto.INT64, [3], [1, CELLS, 6]),
        helper.make_tensor("pads", TensorProto.INT64, [2], [0, CELLS * 6 - 3 * SIZE * SIZE]),
        helper.make_tensor("flat", TensorProto.INT64, [1], [-1]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
    ]
    nodes = [
        helper.make_node("Reshape", ["images", "flat"], ["line"]),
        helper.make_node("Pad", ["line", "pads"], ["cut"]),
        helper.make_node("Mul", ["cut", "zero"], ["nothing"]),
        helper.make_node("Reshape", ["nothing", "cells"], ["output"]),
    ]
    return save(path, nodes, [value("images", (1, 3, SIZE, SIZE))], [value("output", (1, CELLS, 6))], held)


def test_a_model_that_fails_in_another_size_is_used_in_its_own(tmp_path: Path) -> None:
    (found,) = YoloxDetector(_reshaping(tmp_path / "m.onnx"), threads=1).detect([np.zeros((64, 256, 3), np.uint8)])

    assert len(found) == 0


def test_hog_survives_empty_and_tiny_frames() -> None:
    empty, tiny = HogDetector().detect([np.zeros((240, 320, 3), np.uint8), np.zeros((48, 64, 3), np.uint8)])
    assert (len(empty), len(tiny)) == (0, 0)


def test_equal_frames_give_equal_boxes_in_any_batch(tmp_path: Path) -> None:
    path = yolox_model(tmp_path / "m.onnx", output=cell(5, 6, objectness=1.0, person=0.9))
    detector = YoloxDetector(path, threads=2)
    frame = np.full((48, 64, 3), 99, np.uint8)

    alone = detector.detect([frame])[0]
    together = detector.detect([np.zeros((64, 48, 3), np.uint8), frame, frame])

    assert np.array_equal(alone.boxes, together[1].boxes)
    assert np.array_equal(alone.boxes, together[2].boxes)


def _folded(path: Path, out: Path) -> Path:
    """Write a network anew, as another exporter might: other names, a higher opset, weights as `Constant` nodes."""
    model = onnx.version_converter.convert_version(onnx.load(str(path)), 13)
    weights = {one.name: one for one in model.graph.initializer}
    names: dict[str, str] = {one.name: one.name for one in (*model.graph.input, *model.graph.output)}
    constants = []
    for index, (name, weight) in enumerate(weights.items()):
        names[name] = f"held_{index}"
        held = numpy_helper.from_array(numpy_helper.to_array(weight))
        constants.append(helper.make_node("Constant", [], [names[name]], value=held))
    for index, node in enumerate(model.graph.node):
        node.name = f"step_{index}"
        node.input[:] = [names.get(name, f"seen {name}") if name else "" for name in node.input]
        node.output[:] = [names.get(name, f"seen {name}") for name in node.output]
    nodes = [*constants, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(out))
    return out


@pytest.mark.shared
def test_an_export_of_nano_with_other_bytes_gives_the_same_boxes(shared_data: Path, tmp_path: Path) -> None:
    """Compare the re-export of YOLOX-nano that we have with one made here from it, on frames of a real camera.

    The published file cannot be had in a test, so this proves that boxes depend on the network and not on how it was
    exported - names, opset, where weights are kept - and that a file of other bytes is another file to the catalogue.
    It does not prove that both digests of the catalogue hold the same weights: that is said by who exported them.
    """
    ours = shared_data.parent / "models" / "yolox-nano" / "yolox_nano_416x416.onnx"
    other = _folded(ours, tmp_path / "other.onnx")
    with av.open(str(shared_data / "lab-4cam" / "cam1.mp4")) as video:
        frames = [frame.to_ndarray(format="bgr24") for frame in itertools.islice(video.decode(video=0), 0, 50, 25)]

    expected = YoloxDetector(ours, threads=1).detect(frames)
    found = YoloxDetector(other, threads=1).detect(frames)

    assert YOLOX_NANO.accepts(content_of(ours))
    assert not YOLOX_NANO.accepts(content_of(other))
    assert sum(map(len, expected)) > 0
    for one, same in zip(expected, found, strict=True):
        np.testing.assert_allclose(same.boxes, one.boxes, atol=0.01)
        np.testing.assert_allclose(same.scores, one.scores, atol=1e-5)
