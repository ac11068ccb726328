"""The bundled detector's frames, examples, assignment, loss, training, calibration, export and score."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.torch import save_file

from reid_worker.detectors.choose import BUNDLED, BUNDLED_INT8
from reid_worker.detectors.detection import Detections
from reid_worker.detectors.yolox import Grid, YoloxDetector, best_shape, decode_people, letterbox
from training.detector.__main__ import HELD_OUT_SITE_SEED, REPORT_SCORE, main
from training.detector.calibrate import platt
from training.detector.degrade import degrade
from training.detector.examples import MIN_VISIBLE, ExampleMaker
from training.detector.export import export_detector
from training.detector.frames import LabelledFrame, boxes_of, detector_frames
from training.detector.lens import barrel_distorted
from training.detector.losses import Truth, assign, boxes_from, complete_iou, detection_loss, pairwise_iou
from training.detector.network import INPUT_SIZE, Exported, PersonDetector
from training.detector.pool import SHARD_FRAMES, FramePool, PackedFrame, render_shards
from training.detector.quantize import quantize_detector
from training.detector.score import Truth as FrameTruth
from training.detector.score import Verdicts, average_precision, joined, match, score_detector, truth_of
from training.detector.train import DetectorTraining, Run, collate, grid_of, load_network, pace, save_network
from training.synthetic.site import film_station
from training.synthetic.world import build_world

SIZE = (256, 256)
GRID = grid_of(*SIZE)


def boxes(*rows: tuple[float, float, float, float]) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, 4)


def truth(counted: list[bool], *rows: tuple[float, float, float, float]) -> Truth:
    return Truth(torch.from_numpy(boxes(*rows))[None], torch.tensor([counted]))


def answering(rows: NDArray[np.float32]) -> torch.Tensor:
    """Return raw output in which every cell whose centre lies in a box answers with that box, and is sure."""
    raw = torch.zeros(1, len(GRID), 5)
    raw[..., 4] = -9.0
    centres = (GRID[:, :2] + 0.5) * GRID[:, 2:]
    for box in torch.from_numpy(rows):
        inside = ((centres > box[:2]) & (centres < box[2:])).all(1)
        stride = GRID[inside, 2:]
        raw[0, inside, :2] = (box[:2] + box[2:]) / 2 / stride - GRID[inside, :2]
        raw[0, inside, 2:4] = torch.log((box[2:] - box[:2]) / stride)
        raw[0, inside, 4] = 9.0
    return raw


def someone(height: int = 90, width: int = 120) -> LabelledFrame:
    """Return a grey frame in which one person is a bright upright block, seen whole."""
    image, owners = np.full((height, width, 3), 90, np.uint8), np.zeros((height, width), np.uint8)
    owners[20:80, 50:70] = 1
    image[owners == 1] = 230
    return LabelledFrame(image, owners, np.array([float((owners == 1).sum())]))


def maker(seed: int, frame: LabelledFrame | None = None) -> ExampleMaker:
    def draw(_: Generator) -> LabelledFrame:
        return someone() if frame is None else frame

    return ExampleMaker(np.random.default_rng(seed), draw)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As in training: threads that wait for each other on a busy machine take minutes for seconds of work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def frames() -> list[LabelledFrame]:
    return list(detector_frames(12, 1))


class TestFrames:
    def test_they_are_the_same_for_the_same_seed(self, frames: list[LabelledFrame]) -> None:
        for a, b in zip(frames, detector_frames(12, 1), strict=True):
            np.testing.assert_array_equal(a.image, b.image)
            np.testing.assert_array_equal(a.owners, b.owners)

    def test_nobody_shows_more_than_they_have(self, frames: list[LabelledFrame]) -> None:
        assert sum(frame.owners.max() for frame in frames) > 0
        for frame in frames:
            _, seen = boxes_of(frame.owners, len(frame.whole))
            assert (seen <= 1.15 * frame.whole + 30).all()  # the whole is counted on a smaller picture

    def test_a_box_is_the_extent_of_what_is_visible(self) -> None:
        frame = someone()
        frame.owners[20:80, 60:65] = 0  # a pole
        found, seen = boxes_of(frame.owners, 2)
        assert found.tolist() == [[50, 20, 70, 80], [0, 0, 0, 0]]
        assert seen.tolist() == [15 * 60, 0]

    def test_a_negative_count_is_refused(self) -> None:
        with pytest.raises(ValueError, match="count must not be negative, got -1"):
            next(detector_frames(-1, 0))

    def test_owners_of_another_size_are_refused(self) -> None:
        with pytest.raises(ValueError, match="owners must be"):
            LabelledFrame(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.uint8), np.empty(0))

    def test_people_nobody_described_are_refused(self) -> None:
        with pytest.raises(ValueError, match="3 people in the picture, 1 described"):
            LabelledFrame(np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 3, np.uint8), np.ones(1))


class TestPool:
    def test_a_packed_frame_keeps_who_is_where_and_almost_all_of_the_picture(self, frames: list[LabelledFrame]) -> None:
        again = PackedFrame.of(frames[0]).unpacked()
        np.testing.assert_array_equal(again.owners, frames[0].owners)
        np.testing.assert_allclose(again.whole, frames[0].whole)
        assert np.abs(again.image.astype(int) - frames[0].image).mean() < 6

    def test_it_takes_up_shards_that_arrive_later_and_renders_none_twice(self, tmp_path: Path) -> None:
        pool = FramePool(tmp_path)
        assert len(pool) == 0
        render_shards(tmp_path, 0, 1, seed=1)
        written = (tmp_path / "00000.frames").stat().st_mtime_ns
        render_shards(tmp_path, 0, 1, seed=1)
        pool.refresh()
        pool.refresh()
        assert len(pool) == SHARD_FRAMES
        assert (tmp_path / "00000.frames").stat().st_mtime_ns == written
        assert [path.name for path in tmp_path.iterdir()] == ["00000.frames"]


class TestExamples:
    @pytest.mark.parametrize("seed", range(12))
    def test_boxes_lie_in_the_picture_and_hold_somebody(self, seed: int) -> None:
        made = maker(seed).example(160, 224)
        assert made.image.shape == (3, 160, 224)
        assert made.image.dtype == np.uint8
        assert len(made.boxes) == len(made.counted)
        assert (made.boxes >= 0).all()
        assert (made.boxes[:, 2:] <= (224, 160)).all()
        assert (made.boxes[:, 2:] > made.boxes[:, :2]).all()

    def test_the_same_generator_makes_the_same_examples(self) -> None:
        for a, b in zip(*([m.example(96, 128) for _ in range(6)] for m in (maker(3), maker(3))), strict=True):
            np.testing.assert_array_equal(a.image, b.image)
            np.testing.assert_array_equal(a.boxes, b.boxes)

    def test_a_person_moves_with_the_picture(self) -> None:
        """Wherever zooming put the bright block, the map of owners is there too."""
        made = maker(1)
        for _ in range(20):
            zoomed = made._zoomed(someone(), 120, 160, 1.0)
            bright = zoomed.image.astype(int).max(2) > 200
            inside = zoomed.owners == 1
            if inside.sum() > 50:
                assert (bright & inside).sum() > 0.85 * inside.sum()

    def test_a_wide_lens_moves_people_with_their_picture_and_keeps_who_counts(self) -> None:
        """A person who is seen whole stays so: areas grow in the middle and shrink at the border as people do."""
        middle = someone(180, 240)
        for shift in ((0, 0), (60, 90)):
            frame = LabelledFrame(
                np.roll(middle.image, shift, (0, 1)), np.roll(middle.owners, shift, (0, 1)), middle.whole
            )
            wide = barrel_distorted(frame, 0.6)
            bright, seen = wide.image.min(2) > 160, boxes_of(wide.owners, 1)[1]
            assert (bright == (wide.owners == 1)).mean() > 0.99
            assert seen == pytest.approx(wide.whole, rel=0.1)

    def test_no_strength_bends_nothing(self) -> None:
        frame = someone()
        same = barrel_distorted(frame, 0.0)
        np.testing.assert_array_equal(same.owners, frame.owners)
        np.testing.assert_allclose(same.whole, frame.whole)

    def test_who_is_mostly_hidden_does_not_count(self) -> None:
        frame = someone()
        hidden = LabelledFrame(frame.image, frame.owners, frame.whole / MIN_VISIBLE * 2)
        assert not truth_of(hidden).counted.any()
        assert truth_of(frame).counted.all()

    def test_degrading_keeps_the_size_and_type_of_a_picture(self) -> None:
        rng = np.random.default_rng(0)
        for _ in range(40):
            image = degrade(rng, someone().image)
            assert image.shape == (90, 120, 3)
            assert image.dtype == np.uint8


class TestLoss:
    def test_the_decoder_reads_back_what_the_network_is_taught(self) -> None:
        people = boxes((100, 40, 140, 160), (200, 100, 218, 150))
        raw = answering(people)[0]
        shown = torch.cat([raw[:, :4], raw[:, 4:].sigmoid(), torch.ones(len(raw), 1)], 1).numpy()
        found = decode_people(shown, Grid.of(*SIZE), 0.5)
        assert {tuple(b) for b in found.boxes.round().tolist()} == {tuple(b) for b in people.tolist()}

    def test_it_prefers_the_right_answer(self) -> None:
        people = boxes((100, 40, 140, 160))
        wanted, right = truth([True], *people.tolist()), answering(people)
        asked = assign(right[..., 4], boxes_from(right, GRID), wanted, GRID).score > 0
        right[..., 4] = torch.where(asked, 9.0, -9.0)
        shifted, absent, elsewhere = right.clone(), right.clone(), right.clone()
        shifted[..., 0] += 2.0
        absent[..., 4] = -9.0
        elsewhere[..., 4] = 9.0
        best, *worse = (float(detection_loss(raw, wanted, GRID)) for raw in (right, shifted, absent, elsewhere))
        assert all(loss > best + 0.3 for loss in worse)

    def test_who_does_not_count_is_neither_person_nor_background(self) -> None:
        wanted = truth([True, False], (100, 40, 140, 160), (10, 40, 60, 160))
        quiet, noisy = answering(boxes((100, 40, 140, 160))), answering(boxes((100, 40, 140, 160), (10, 40, 60, 160)))
        assert float(detection_loss(noisy, wanted, GRID)) == pytest.approx(float(detection_loss(quiet, wanted, GRID)))

    def test_an_empty_picture_teaches_that_nobody_is_there(self) -> None:
        raw = torch.zeros(1, len(GRID), 5, requires_grad=True)
        detection_loss(raw, truth([False], (0, 0, 0, 0)), GRID).backward()  # type: ignore[no-untyped-call]
        assert raw.grad is not None
        assert (raw.grad[..., 4] > 0).all()

    def test_a_cell_answers_for_one_person_and_ten_cells_for_each(self) -> None:
        people = boxes((100, 40, 160, 200), (140, 40, 200, 200))
        raw = answering(people)
        given = assign(raw[..., 4], boxes_from(raw, GRID), truth([True, True], *people.tolist()), GRID)
        owned = given.boxes[0][given.score[0] > 0]
        for person in torch.from_numpy(people):
            assert 1 <= int((owned == person).all(1).sum()) <= 10

    def test_overlaps_are_those_of_the_detector(self) -> None:
        from reid_worker.detectors.detection import iou

        rng = np.random.default_rng(0)
        a, b = (np.sort(rng.uniform(0, 50, (5, 2, 2)), 1).reshape(5, 4).astype(np.float32) for _ in range(2))
        np.testing.assert_allclose(
            pairwise_iou(torch.from_numpy(a)[None], torch.from_numpy(b)[None])[0], iou(a, b), atol=1e-6
        )

    @pytest.mark.parametrize(
        ("other", "expected"),
        [
            pytest.param((0, 0, 10, 20), 1.0, id="the same box"),
            pytest.param((0, 20, 10, 40), -(400 / 1700), id="touching: minus squared distance over squared diagonal"),
        ],
    )
    def test_complete_iou_has_the_papers_values(
        self, other: tuple[float, float, float, float], expected: float
    ) -> None:
        a, b = torch.from_numpy(boxes((0, 0, 10, 20))), torch.from_numpy(boxes(other))
        assert float(complete_iou(a, b)) == pytest.approx(expected, abs=1e-6)


class TestTraining:
    def test_a_stopped_run_goes_on_where_it_was(self, tmp_path: Path) -> None:
        render_shards(tmp_path / "frames", 0, 1, seed=1)
        options, checkpoint = DetectorTraining(minutes=1e-6, batch=2, warm_steps=1), tmp_path / "checkpoint.pt"
        Run(options, checkpoint).train(tmp_path / "frames")
        stopped = Run(options, checkpoint)
        assert stopped.step == 1
        again = Run(DetectorTraining(minutes=1.0, batch=2, warm_steps=1), checkpoint)
        for name, value in stopped.network.state_dict().items():
            torch.testing.assert_close(again.network.state_dict()[name], value)
        assert again.done < 1.0

    def test_a_run_begins_from_the_weights_of_another(self, tmp_path: Path) -> None:
        torch.manual_seed(7)
        other = PersonDetector()
        save_network(other, tmp_path / "network.safetensors")
        run = Run(DetectorTraining(seed=8), tmp_path / "none.pt", tmp_path / "network.safetensors")
        for name, value in other.state_dict().items():
            torch.testing.assert_close(run.network.state_dict()[name], value, atol=1e-3, rtol=1e-3)

    def test_a_deeper_network_goes_on_where_a_shallower_one_was(self, tmp_path: Path) -> None:
        """Blocks that the file does not have pass their input on until they have learnt something."""
        torch.manual_seed(7)
        shallow, deep, image = PersonDetector().eval(), PersonDetector().eval(), torch.rand(1, 3, 64, 64) * 255
        last = ("stages.1.4.", "stages.2.4.")
        save_file({k: v for k, v in shallow.state_dict().items() if not k.startswith(last)}, tmp_path / "shallow")
        load_network(deep, tmp_path / "shallow")
        with torch.no_grad():
            torch.testing.assert_close(deep(image), shallow(image))

    def test_weights_of_another_network_are_refused(self, tmp_path: Path) -> None:
        save_file({"head.weight": torch.zeros(2, 2)}, tmp_path / "other")
        with pytest.raises(RuntimeError, match="Missing key"):
            load_network(PersonDetector(), tmp_path / "other")

    def test_steps_lower_the_loss(self, tmp_path: Path) -> None:
        run = Run(DetectorTraining(warm_steps=1, learning_rate=1e-3), tmp_path / "none.pt")
        made = [maker(seed).example(160, 160) for seed in range(2)]
        images, rows, counted = collate(made)
        losses = [run._learn(images, Truth(rows, counted)) for _ in range(6)]
        assert losses[-1] < losses[0]

    def test_the_learning_rate_rises_and_falls(self) -> None:
        rates = [pace(step / 1000, step, 100) for step in range(1001)]
        assert rates[0] == pytest.approx(0.01)
        assert max(rates) == pytest.approx(1.0, abs=0.05)
        assert rates[-1] == pytest.approx(0.01)
        assert rates.index(max(rates)) in range(95, 105)

    def test_nothing_of_the_network_and_its_assignment_is_made_on_another_device(self) -> None:
        """On torch's meta device a tensor made on the CPU is an error at once, as it would be on a GPU."""
        meta = torch.device("meta")
        raw = PersonDetector().to(meta)(torch.zeros(2, 3, *SIZE, device=meta))
        people = Truth(torch.zeros(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)).to(meta)
        given = assign(raw[..., 4], boxes_from(raw, GRID.to(meta)), people, GRID.to(meta))
        assert {given.score.device, given.boxes.device, given.weight.device} == {meta}

    def test_a_network_answers_in_use_what_it_answered_in_training(self) -> None:
        """Every grid is normalised by what training saw on that grid: shared statistics would fit none of them."""
        torch.manual_seed(0)
        network = PersonDetector()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0  # what is kept is what was seen last
        images = torch.rand(2, 3, 256, 256) * 255
        with torch.no_grad():
            trained = network(images)
            used = network.eval()(images)
        assert float((used - trained).abs().mean()) < 0.05


class TestCalibration:
    def test_it_finds_the_line_that_scores_were_bent_by(self) -> None:
        rng = np.random.default_rng(0)
        logits = rng.normal(0, 2, 20_000)
        right = rng.random(20_000) < 1 / (1 + np.exp(-(0.7 * logits - 0.5)))
        slope, offset = platt(Verdicts(1 / (1 + np.exp(-logits)), right))
        assert slope == pytest.approx(0.7, abs=0.05)
        assert offset == pytest.approx(-0.5, abs=0.05)

    def test_it_needs_right_and_wrong_boxes(self) -> None:
        with pytest.raises(ValueError, match="needs right and wrong boxes, got 2 and 0"):
            platt(Verdicts(np.array([0.4, 0.6]), np.array([True, True])))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[PersonDetector, Path]:
    torch.manual_seed(0)
    network = PersonDetector().eval()
    path = tmp_path_factory.mktemp("detector") / "person-detector.onnx"
    export_detector(network, path, 0.7, -0.5)
    return network, path


class TestExport:
    def test_the_model_answers_what_the_network_answers(self, exported: tuple[PersonDetector, Path]) -> None:
        network, path = exported
        image = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (1, 3, *INPUT_SIZE)).astype(np.float32))
        (output,) = onnxruntime.InferenceSession(str(path)).run(None, {"images": image.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(output, Exported(network, 0.7, -0.5)(image).numpy(), atol=1e-4)

    def test_the_model_runs_in_the_shape_of_the_frame(self, exported: tuple[PersonDetector, Path]) -> None:
        frame = np.zeros((480, 640, 3), np.uint8)
        height, width = best_shape(480, 640, pixels=INPUT_SIZE[0] * INPUT_SIZE[1])
        detector = YoloxDetector(exported[1], threads=1)
        detector.detect([frame])
        assert (height, width) != INPUT_SIZE
        assert [key for key, shaped in detector._shaped.items() if (shaped.height, shaped.width) == key] == [
            (height, width)
        ]

    def test_the_file_names_no_folder_of_the_machine_that_made_it(self, exported: tuple[PersonDetector, Path]) -> None:
        data = exported[1].read_bytes()
        assert str(Path(onnx.__file__).parent.parent).encode() not in data
        assert str(Path(__file__).parent.parent.parent).encode() not in data


@pytest.fixture(scope="module")
def in_8_bits(exported: tuple[PersonDetector, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "person-detector-int8.onnx"
    quantize_detector(exported[1], path, noise(3))
    return path


def noise(count: int) -> list[NDArray[np.uint8]]:
    """Return pictures in which there is something at every scale."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (count, 9, 16, 3), np.uint8)
    return [cv2.resize(picture, (512, 288), interpolation=cv2.INTER_CUBIC) for picture in coarse]


class TestQuantization:
    def test_it_answers_nearly_what_the_model_in_float32_answers(
        self, exported: tuple[PersonDetector, Path], in_8_bits: Path
    ) -> None:
        """Offsets and log sizes in strides; a tenth is less than a pixel of the finest grid."""
        image, _ = letterbox(noise(4)[3], *INPUT_SIZE)
        exact, rounded = (
            onnxruntime.InferenceSession(str(path)).run(None, {"images": image})[0] for path in (exported[1], in_8_bits)
        )
        assert exact.shape == rounded.shape
        assert float(np.abs(exact - rounded).mean()) < 0.05
        assert not np.array_equal(exact, rounded)

    def test_its_weights_are_8_bits_of_which_7_are_used_but_for_the_last_convolutions(self, in_8_bits: Path) -> None:
        """On processors without VNNI the products of all 8 bits would overflow, and find other people."""
        stored = [numpy_helper.to_array(tensor) for tensor in onnx.load(str(in_8_bits)).graph.initializer]
        kernels = [array for array in stored if array.ndim == 4]
        whole = [kernel for kernel in kernels if kernel.dtype == np.int8]
        assert [kernel.shape[:2] for kernel in kernels if kernel.dtype == np.float32] == [(5, 64)]
        assert len(whole) > 30
        assert max(np.abs(kernel.astype(int)).max() for kernel in whole) <= 64

    def test_it_runs_in_the_shape_of_the_frame(self, in_8_bits: Path) -> None:
        detector = YoloxDetector(in_8_bits, threads=1)
        detector.detect([np.zeros((480, 640, 3), np.uint8)])
        (shaped,) = detector._shaped.values()
        assert (shaped.height, shaped.width) == best_shape(480, 640, pixels=INPUT_SIZE[0] * INPUT_SIZE[1]) != INPUT_SIZE

    def test_the_file_names_no_folder_of_the_machine_that_made_it(self, in_8_bits: Path) -> None:
        data = in_8_bits.read_bytes()
        assert str(Path(onnx.__file__).parent.parent).encode() not in data
        assert str(Path(__file__).parent.parent.parent).encode() not in data
        assert tempfile.gettempdir().encode() not in data


class TestScore:
    @pytest.mark.parametrize(
        ("found", "counted", "expected"),
        [
            pytest.param([(0, 0, 10, 20)], [True, True], [True], id="one of two"),
            pytest.param([(0, 0, 10, 20), (0, 0, 10, 19)], [True, True], [True, False], id="found twice"),
            pytest.param([(50, 50, 60, 70)], [True, True], [False], id="nobody there"),
            pytest.param([(30, 0, 40, 20)], [True, False], [], id="on somebody not counted"),
            pytest.param([], [True, True], [], id="nothing found"),
        ],
    )
    def test_people_are_found_once_each(
        self, found: list[tuple[float, float, float, float]], counted: list[bool], expected: list[bool]
    ) -> None:
        detections = Detections(boxes(*found), np.linspace(0.9, 0.5, len(found)).astype(np.float32))
        verdicts = match(detections, boxes((0, 0, 10, 20), (30, 0, 40, 20)), np.array(counted))
        assert verdicts.right.tolist() == expected

    def test_average_precision_is_one_for_a_perfect_detector_and_zero_for_a_blind_one(self) -> None:
        assert average_precision(Verdicts(np.array([0.9, 0.8]), np.array([True, True])), 2) == 1.0
        assert average_precision(Verdicts(np.empty(0), np.empty(0, np.bool_)), 2) == 0.0

    def test_recall_and_precision_are_those_at_the_threshold(self) -> None:
        class Sees:
            name = "sees"

            def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
                rows = boxes((0, 0, 10, 20), (50, 50, 60, 70), (30, 0, 40, 20))
                return [Detections(rows, np.array([0.9, 0.6, 0.3], np.float32))] * len(frames)

        frame = FrameTruth(
            np.zeros((80, 80, 3), np.uint8), boxes((0, 0, 10, 20), (30, 0, 40, 20)), np.ones(2, np.bool_)
        )
        score = score_detector(Sees(), [frame], 0.5)
        assert (score.recall, score.precision, score.people) == (0.5, 0.5, 2)
        assert score.average_precision == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.timeout(900)  # it renders, trains and exports twice
def test_one_command_renders_trains_calibrates_exports_and_measures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a second of training nothing is detected yet, but every step has run, and a second run goes on."""
    monkeypatch.setattr("training.detector.__main__.HELD_OUT_SITE_S", 5.0)  # 24 s take most of a minute to render
    out = tmp_path / "person-detector.onnx"
    few = ["--minutes", "0.02", "--frames", "50", "--held-out", "50"]
    main(["--out", str(out), "--folder", str(tmp_path / "run"), *few])
    scores = json.loads(capsys.readouterr().out.splitlines()[-1])
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["int8"]["scores"].keys() == card["scores"].keys()
    assert YoloxDetector(tmp_path / card["int8"]["model"], threads=1).name == "person-detector-int8"
    assert (
        set(scores)
        == set(card["scores"])
        == {
            "generated frames, held-out seed",
            f"generated site, seed {HELD_OUT_SITE_SEED}",
        }
    )
    assert all(score["people"] > 10 for score in scores.values())
    made = out.read_bytes()
    main(["--out", str(out), "--folder", str(tmp_path / "run"), *few])
    assert out.read_bytes() == made


@pytest.fixture(scope="module")
def site_frames() -> list[FrameTruth]:
    """Frames of a site that the bundled detector was not trained on."""
    world = build_world(HELD_OUT_SITE_SEED, 2, 12, 40.0)
    return [
        FrameTruth(
            np.ascontiguousarray(frame.image[..., ::-1]),
            boxes(*((b.left, b.top, b.left + b.width, b.top + b.height) for b in frame.boxes)),
            np.array([b.counted for b in frame.boxes], np.bool_),
        )
        for station in range(2)
        for frame in film_station(world, station, np.arange(2.0, 40.0, 4.0).tolist(), 0)
    ]


@pytest.mark.parametrize("model", [BUNDLED, BUNDLED_INT8])
def test_the_bundled_detector_finds_people_and_few_chairs_on_a_site_it_was_not_trained_on(
    model: Path, site_frames: list[FrameTruth]
) -> None:
    score = score_detector(YoloxDetector(model, min_score=REPORT_SCORE, threads=1), site_frames, REPORT_SCORE)
    assert score.people > 30
    assert score.recall >= 0.85
    assert score.precision >= 0.9


def test_in_8_bits_the_bundled_detector_finds_whom_it_finds_in_float32(site_frames: list[FrameTruth]) -> None:
    exact, rounded = (
        joined(
            [
                match(found, truth.boxes, truth.counted)
                for truth in site_frames
                for found in detector.detect([truth.frame])
            ]
        )
        for detector in (YoloxDetector(model, min_score=REPORT_SCORE, threads=1) for model in (BUNDLED, BUNDLED_INT8))
    )
    assert abs(int(exact.right.sum()) - int(rounded.right.sum())) <= 0.02 * exact.right.sum()
