"""Detectors in the layouts of D-FINE, RT-DETR and RF-DETR, on graphs made in those layouts.

That real exports are like these graphs was checked by hand on 2026-11-26, with random weights, since a test downloads
no trained ones: what rfdetr 1.11.2 exports gives the boxes and scores of its own `predict`, and an RT-DETR of
transformers 5.24 behind RT-DETR's post-processor gives what onnxruntime gives for the input of its own processor.
"""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from reid_worker.detectors.choose import DetectorOptions, load_detector
from reid_worker.detectors.detr import DetrDetector, normalise, stretch
from reid_worker.errors import DetectorError
from tests.detector_tools import SIZE, constant_model, d_fine_model, rf_detr_model, save, value, yolox_model

OPTIONS = DetectorOptions(folders=(), download=False, threads=1)
SURE, UNSURE = 3.0, -3.0  # logits: scores of 0.95 and 0.05
FRAME = np.zeros((100, 200, 3), np.uint8)


def _logits(person: list[float], columns: int = 91, index: int = 1) -> np.ndarray:
    """Return logits of which only one column says anything."""
    logits = np.full((len(person), columns), -9.0, np.float32)
    logits[:, index] = person
    return logits


def test_a_frame_is_stretched_to_rgb_between_0_and_1() -> None:
    frame = np.zeros((10, 40, 3), np.uint8)
    frame[..., 2] = 255  # red, in BGR
    for smooth in (True, False):
        image = stretch(frame, 32, 16, smooth=smooth)
        assert image.shape == (1, 3, 32, 16)
        assert image[0, 0].min() == 1
        assert image[0, 1:].max() == 0


def test_shrinking_smoothly_means_all_pixels_and_sampling_does_not() -> None:
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[::4] = 255  # every fourth row
    assert stretch(frame, 16, 16, smooth=True)[0, 0, 8, 8] == pytest.approx(0.25, abs=0.01)
    assert stretch(frame, 16, 16, smooth=False)[0, 0, 8, 8] == 0


def test_normalising_takes_the_mean_and_deviation_of_imagenet_out() -> None:
    image = np.ones((1, 3, 2, 2), np.float32)
    assert normalise(image)[0, :, 0, 0].tolist() == pytest.approx([2.2489, 2.4286, 2.6400], rel=1e-4)


def test_d_fine_gives_people_in_pixels_of_the_frame_best_first(tmp_path: Path) -> None:
    boxes = [[0.1, 0.2, 0.3, 0.9], [0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.75, 1.2]]
    path = d_fine_model(tmp_path / "m.onnx", labels=[0, 2, 0], boxes=boxes, scores=[0.6, 0.99, 0.8])

    (found,) = load_detector(str(path), OPTIONS).detect([FRAME])

    assert found.boxes.tolist() == [pytest.approx([100, 50, 150, 100]), pytest.approx([20, 20, 60, 90])]
    assert found.scores.tolist() == pytest.approx([0.8, 0.6])


def test_rf_detr_gives_people_in_pixels_of_the_frame_best_first(tmp_path: Path) -> None:
    dets = [[0.5, 0.5, 0.1, 0.2], [0.25, 0.5, 0.5, 1.0], [0.9, 0.5, 0.4, 0.5]]
    path = rf_detr_model(tmp_path / "m.onnx", dets, _logits([UNSURE, 1.0, SURE]))

    (found,) = load_detector(str(path), OPTIONS).detect([FRAME])

    assert found.boxes.tolist() == [pytest.approx([140, 25, 200, 75]), pytest.approx([0, 0, 100, 100])]
    assert found.scores.tolist() == pytest.approx([1 / (1 + np.exp(-SURE)), 1 / (1 + np.exp(-1.0))])


def test_rf_detr_of_one_class_has_people_first_and_background_last(tmp_path: Path) -> None:
    path = rf_detr_model(tmp_path / "m.onnx", [[0.5, 0.5, 0.1, 0.2]], _logits([SURE], columns=2, index=0))
    (found,) = DetrDetector(path, threads=1).detect([FRAME])
    assert len(found) == 1


def test_a_model_whose_people_cannot_be_told_is_refused(tmp_path: Path) -> None:
    path = rf_detr_model(tmp_path / "m.onnx", [[0.5, 0.5, 0.1, 0.2]], _logits([SURE], columns=5))
    with pytest.raises(DetectorError, match=r"m\.onnx: it is unknown which of its 5 classes is a person; use"):
        load_detector(str(path), OPTIONS)


def test_boxes_of_four_numbers_are_never_taken_for_logits_of_four_classes(tmp_path: Path) -> None:
    path = rf_detr_model(tmp_path / "m.onnx", [[0.5, 0.5, 0.1, 0.2]], _logits([SURE], columns=4))
    with pytest.raises(DetectorError, match="which of its 4 classes"):
        load_detector(str(path), OPTIONS)


def test_equal_frames_give_equal_boxes_in_any_batch(tmp_path: Path) -> None:
    detector = DetrDetector(d_fine_model(tmp_path / "m.onnx", [0], [[0.1, 0.2, 0.3, 0.9]], [0.6]), threads=2)
    alone, (first, _, last) = detector.detect([FRAME])[0], detector.detect([FRAME, FRAME[:50], FRAME])
    assert np.array_equal(alone.boxes, first.boxes)
    assert np.array_equal(alone.boxes, last.boxes)


def test_the_layout_is_told_by_the_graph_and_never_by_the_name_of_the_file(tmp_path: Path) -> None:
    path = rf_detr_model(tmp_path / "yolox_nano.onnx", [[0.5, 0.5, 0.1, 0.2]], _logits([SURE]))
    assert isinstance(load_detector(str(path), OPTIONS), DetrDetector)


@pytest.mark.parametrize(
    ("says", "inputs", "cause"),
    [
        pytest.param(
            {"output0": np.zeros((1, 84, 96), np.float32)},
            [value("images", (1, 3, SIZE, SIZE))],
            "unknown layout: images .* -> output0 .*YOLOv8",
            id="YOLOv8",
        ),
        pytest.param(
            {"dets": np.zeros((1, 9, 5), np.float32), "labels": np.zeros((1, 9), np.int64)},
            [value("input", (1, 3, SIZE, SIZE))],
            "unknown layout: .*MMDeploy.*known layouts: YOLOX",
            id="MMDeploy, with RF-DETR's names",
        ),
        pytest.param(
            {"logits": np.zeros((1, 9, 92), np.float32), "pred_boxes": np.zeros((1, 9, 4), np.float32)},
            [value("pixel_values", (1, 3, SIZE, SIZE))],
            "unknown layout: .*transformers",
            id="transformers",
        ),
        pytest.param(
            {"probabilities": np.zeros((1, 1000), np.float32)},
            [value("images", (1, 3, SIZE, SIZE))],
            "unknown layout",
            id="a classifier",
        ),
        pytest.param(
            {"dets": np.zeros((8, 9, 4), np.float32), "labels": np.zeros((8, 9, 91), np.float32)},
            [value("input", (8, 3, SIZE, SIZE))],
            "takes 8 frames at a time; export it for 1",
            id="a batch",
        ),
        pytest.param(
            {"dets": np.zeros((1, 9, 4), np.float16), "labels": np.zeros((1, 9, 91), np.float16)},
            [value("input", (1, 3, SIZE, SIZE), TensorProto.FLOAT16)],
            r"tensor\(float16\); export it in float32",
            id="half precision",
        ),
        pytest.param(
            {"dets": np.zeros((1, 9, 4), np.float32), "labels": np.zeros((1, 9, 91), np.float32)},
            [value("input", (1, 3, "high", "wide"))],
            r"its input input \(1, 3, high, wide\) has no fixed size; export it with one",
            id="no size",
        ),
        pytest.param(
            {"dets": np.zeros((1, 9, 4), np.float32), "labels": np.zeros((1, 8, 91), np.float32)},
            [value("input", (1, 3, SIZE, SIZE))],
            r"dets \(9, 4\) and labels \(8, 91\) do not match",
            id="boxes and classes of unequal number",
        ),
    ],
)
def test_another_layout_is_refused_with_what_is_there_and_what_is_known(
    says: dict[str, np.ndarray], inputs: list[object], cause: str, tmp_path: Path
) -> None:
    path = constant_model(tmp_path / "m.onnx", says, inputs)
    with pytest.raises(DetectorError, match=rf"detector .*m\.onnx: .*{cause}"):
        load_detector(str(path), OPTIONS)


def test_a_d_fine_model_of_any_size_is_run_in_the_size_of_its_training(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    held = [
        helper.make_tensor("two", TensorProto.INT64, [1], [2]),
        helper.make_tensor("three", TensorProto.INT64, [1], [3]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("one score", TensorProto.FLOAT, [1, 1], [0.9]),
        helper.make_tensor("one label", TensorProto.INT64, [1, 1], [0]),
    ]
    nodes = [  # one box: the first pixel to the height of the input, in px whatever the frame's size is
        helper.make_node("Shape", ["images"], ["shape"]),
        helper.make_node("Slice", ["shape", "two", "three"], ["high"]),
        helper.make_node("Cast", ["high"], ["side"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["side", "zero"], ["nothing"]),
        helper.make_node("Concat", ["nothing", "nothing", "side", "side"], ["box"], axis=0),
        helper.make_node("Unsqueeze", ["box", "axes"], ["boxes"]),
        helper.make_node("Identity", ["one score"], ["scores"]),
        helper.make_node("Identity", ["one label"], ["labels"]),
    ]
    held.append(helper.make_tensor("axes", TensorProto.INT64, [2], [0, 1]))
    inputs = [value("images", ("N", 3, "H", "W")), value("orig_target_sizes", ("N", 2), TensorProto.INT64)]
    outputs = [value("labels", (1, 1), TensorProto.INT64), value("boxes", (1, 1, 4)), value("scores", (1, 1))]
    save(path, nodes, inputs, outputs, held)

    (found,) = DetrDetector(path, threads=1).detect([np.zeros((1000, 1000, 3), np.uint8)])

    assert found.boxes.tolist() == [[0, 0, 640, 640]]


def test_a_yolox_model_is_no_detr(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="in the YOLOX layout"):
        DetrDetector(yolox_model(tmp_path / "m.onnx"))
