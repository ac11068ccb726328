"""The bundled detector's data, targets, loss and score."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from reid_worker.detectors.detection import Detections
from reid_worker.detectors.yolox import Grid, YoloxDetector, best_shape, decode_people
from training.detector.__main__ import HELD_OUT_SITE_SEED, REPORT_SCORE, WEIGHTS
from training.detector.examples import example, targets
from training.detector.export import export_detector
from training.detector.frames import detector_frames
from training.detector.network import INPUT_SIZE, Exported, PersonDetector, detection_loss
from training.detector.score import match
from training.synthetic.site import film_station
from training.synthetic.world import build_world

GRID = Grid.of(*INPUT_SIZE)


def boxes(*rows: tuple[float, float, float, float]) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, 4)


def raw_for(target: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the raw output of a network that answers a target perfectly."""
    raw = np.zeros((len(target), 6), np.float32)
    raw[:, 4:] = -9.0
    mine = target[:, 0] == 1
    box, stride = target[mine, 1:], GRID.strides[mine]
    raw[mine, :2] = (box[:, :2] + box[:, 2:]) / 2 / stride - GRID.cells[mine]
    raw[mine, 2:4] = np.log((box[:, 2:] - box[:, :2]) / stride)
    raw[mine, 4:] = 9.0
    return raw


def cells() -> torch.Tensor:
    return torch.from_numpy(np.concatenate([GRID.cells, GRID.strides], 1))


def test_frames_are_the_same_for_the_same_seed_and_their_boxes_lie_inside() -> None:
    first, again = list(detector_frames(9, 1)), list(detector_frames(9, 1))
    assert sum(len(f.boxes) for f in first) > 0
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        height, width = a.image.shape[:2]
        assert (a.boxes >= 0).all()
        assert (a.boxes[:, 2:] <= (width, height)).all()
        assert (a.boxes[:, 2:] > a.boxes[:, :2]).all()


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="count must not be negative, got -1"):
        next(detector_frames(-1, 0))


def test_the_decoder_reads_back_the_boxes_that_the_targets_describe() -> None:
    truth = boxes((100, 40, 140, 160), (250, 100, 268, 150))
    raw = raw_for(targets(truth, np.array([True, True]), GRID))
    raw[:, 4:] = 1 / (1 + np.exp(-raw[:, 4:]))
    found = decode_people(raw, GRID, 0.5)
    assert {tuple(b) for b in found.boxes.round().tolist()} == {tuple(b) for b in truth.tolist()}


def test_somebody_who_does_not_count_is_neither_person_nor_background() -> None:
    target = targets(boxes((100, 40, 140, 160)), np.array([False]), GRID)
    assert set(target[:, 0]) == {0.0, -1.0}


def test_the_loss_prefers_the_right_answer_and_forgives_who_does_not_count() -> None:
    target = targets(boxes((100, 40, 140, 160), (300, 20, 340, 140)), np.array([True, False]), GRID)
    right = raw_for(target)
    shifted = right.copy()
    shifted[:, 0] += 2.0
    empty = np.zeros_like(right)
    empty[:, 4:] = -9.0
    on_uncounted = right.copy()
    on_uncounted[target[:, 0] == -1, 4:] = 9.0
    losses = [
        float(detection_loss(torch.from_numpy(raw[None]), torch.from_numpy(target[None]), cells()))
        for raw in (right, shifted, empty, on_uncounted)
    ]
    assert losses[0] < 0.01
    assert losses[1] > 0.5
    assert losses[2] > 5
    assert losses[3] == pytest.approx(losses[0])


def test_an_example_keeps_boxes_and_picture_together() -> None:
    frame = next(f for f in detector_frames(9, 1) if f.counted.any())
    made = example(np.random.default_rng(0), frame, GRID, INPUT_SIZE)
    assert made.image.shape == (3, *INPUT_SIZE)
    assert made.target.shape == (len(GRID.cells), 5)
    assert 0 <= made.image.min() <= made.image.max() <= 255


def test_a_step_of_training_lowers_the_loss() -> None:
    torch.manual_seed(0)
    network = PersonDetector()
    target = torch.from_numpy(targets(boxes((100, 40, 140, 160)), np.array([True]), GRID)[None])
    image = torch.full((1, 3, *INPUT_SIZE), 114.0)
    image[:, :, 40:160, 100:140] = 20.0
    optimiser = torch.optim.SGD(network.parameters(), lr=0.002)
    losses = []
    for _ in range(4):
        loss = detection_loss(network(image), target, cells())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch publishes no type for it
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_network_answers_in_use_what_it_answered_in_training() -> None:
    """Every grid is normalised by what training saw on that grid; what is shared between grids fits none of them."""
    torch.manual_seed(0)
    network = PersonDetector()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # what is kept is what was seen last
    images = torch.rand(2, 3, 256, 256) * 255
    with torch.no_grad():
        trained = network(images)
        used = network.eval()(images)
    torch.testing.assert_close(used, trained, atol=0.05, rtol=0.05)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[PersonDetector, Path]:
    torch.manual_seed(0)
    network = PersonDetector().eval()
    path = tmp_path_factory.mktemp("detector") / "person-detector.onnx"
    export_detector(network, path)
    return network, path


def test_the_exported_model_answers_what_the_network_answers(exported: tuple[PersonDetector, Path]) -> None:
    network, path = exported
    image = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (1, 3, *INPUT_SIZE)).astype(np.float32))
    (output,) = onnxruntime.InferenceSession(str(path)).run(None, {"images": image.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(output, Exported(network)(image).numpy(), atol=1e-4)


def test_the_exported_model_runs_in_the_shape_of_the_frame(exported: tuple[PersonDetector, Path]) -> None:
    frame = np.zeros((480, 640, 3), np.uint8)
    height, width = best_shape(480, 640, pixels=INPUT_SIZE[0] * INPUT_SIZE[1])
    detector = YoloxDetector(exported[1], threads=1)
    detector.detect([frame])
    assert (height, width) != INPUT_SIZE
    assert [key for key, shaped in detector._shaped.items() if (shaped.height, shaped.width) == key] == [
        (height, width)
    ]


def test_the_exported_file_names_no_folder_of_the_machine_that_made_it(exported: tuple[PersonDetector, Path]) -> None:
    data = exported[1].read_bytes()
    assert str(Path(onnx.__file__).parent.parent).encode() not in data
    assert str(Path(__file__).parent.parent.parent).encode() not in data


@pytest.mark.parametrize(
    ("found", "counted", "expected"),
    [
        pytest.param([(0, 0, 10, 20)], [True, True], (1, 0), id="one of two"),
        pytest.param([(0, 0, 10, 20), (0, 0, 10, 19)], [True, True], (1, 1), id="found twice"),
        pytest.param([(50, 50, 60, 70)], [True, True], (0, 1), id="nobody there"),
        pytest.param([(30, 0, 40, 20)], [True, False], (0, 0), id="on somebody not counted"),
        pytest.param([], [True, True], (0, 0), id="nothing found"),
    ],
)
def test_detections_are_matched_once_each(
    found: list[tuple[float, float, float, float]], counted: list[bool], expected: tuple[int, int]
) -> None:
    detections = Detections(boxes(*found), np.linspace(0.9, 0.5, len(found)).astype(np.float32))
    truth = boxes((0, 0, 10, 20), (30, 0, 40, 20))
    assert match(detections, truth, np.array(counted)) == expected


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="no bundled detector; make one with python -m training.detector")
def test_the_bundled_detector_finds_more_people_than_chairs_on_a_site_it_was_not_trained_on() -> None:
    # It replaces HOG, not YOLOX-nano: its card says how far it is from the latter.
    detector = YoloxDetector(WEIGHTS, min_score=REPORT_SCORE, nms_iou=0.55, threads=1)
    world = build_world(HELD_OUT_SITE_SEED, 2, 12, 40.0)
    right = wrong = people = 0
    for station in range(2):
        for frame in film_station(world, station, np.arange(2.0, 40.0, 4.0).tolist(), 0):
            truth = boxes(*((b.left, b.top, b.left + b.width, b.top + b.height) for b in frame.boxes))
            counted = np.array([b.counted for b in frame.boxes], np.bool_)
            hits, misses = match(detector.detect([np.ascontiguousarray(frame.image[..., ::-1])])[0], truth, counted)
            right, wrong, people = right + hits, wrong + misses, people + int(counted.sum())
    assert people > 30
    assert right / people > 0.5
    assert right / (right + wrong) > 0.5
