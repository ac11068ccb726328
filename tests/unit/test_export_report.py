"""The parity report counts what it says, and `climbtrack export` keeps only what is the same network."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from deploy.cli.main import main
from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import LoadedWeights, load_weights, save_weights
from training.data.crops import CropSet
from training.export import export as exporting
from training.export.export import ExportError, ExportPlan, export
from training.export.graph import build_onnx
from training.export.report import Bounds, Parity, Speed, compare, embed_all, fastest, report_people, table_rows
from training.export.session import OnnxNetwork

SMALL = Architecture(
    name="small", height=16, width=16, patch=8, stem="patch", tower_width=16, layers=1, heads=2, joint_width=12,
    frames=2, strides=(2,), state=4, expand=1,
)  # fmt: skip
EXACT = Parity(
    tracklets=4, typical=0.0, difference=0.0, cosine=1.0, same_first=1.0, top_overlap=1.0, kendall_tau=1.0,
    map_torch=0.5, map_onnx=0.5,
)  # fmt: skip
BOUNDS = Bounds(typical=1e-5, difference=1e-3, cosine=0.999, map_loss=0.01)


def people_of(n: int) -> CropSet:
    """Return n people seen by two cameras; the crops tell nobody apart."""
    return CropSet(np.zeros((2 * n, 1, 2, 2, 3), np.uint8), np.arange(2 * n) // 2, np.arange(2 * n) % 2)


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture
def features() -> NDArray[np.float32]:
    """Embeddings of 12 people under two cameras, alike for one person."""
    rng = np.random.default_rng(0)
    return unit(np.repeat(rng.normal(size=(12, 32)), 2, axis=0) + 0.5 * rng.normal(size=(24, 32)))


def noise(identity: int, camera: int, tracklet: int, frames: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    rng = np.random.default_rng((identity, camera, tracklet))
    return rng.integers(0, 256, (frames, *size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_weights(path, Climb(SMALL).eval(), Preprocessing(16, 16))
    return path


@pytest.fixture(scope="module")
def model(weights: Path) -> onnx.ModelProto:
    return build_onnx(load_weights(weights))


@pytest.fixture
def built(model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    """Export once for all tests: tracing takes seconds."""
    monkeypatch.setattr(exporting, "build_onnx", lambda _: model)


def test_the_same_embeddings_agree_in_everything(features: NDArray[np.float32]) -> None:
    parity = compare(features, features, people_of(12))
    assert (parity.difference, parity.same_first, parity.top_overlap) == (0, 1, 1)
    assert parity.cosine == pytest.approx(1)
    assert parity.kendall_tau == pytest.approx(1)
    assert parity.map_torch == parity.map_onnx > 0.9


def test_embeddings_of_another_network_barely_agree(features: NDArray[np.float32]) -> None:
    other = unit(np.random.default_rng(1).normal(size=features.shape))
    parity = compare(features, other, people_of(12))
    assert parity.same_first < 0.5
    assert abs(parity.kendall_tau) < 0.3
    assert parity.map_onnx < parity.map_torch


def test_one_tracklet_that_is_off_shows_in_the_largest_but_not_in_the_typical_difference(
    features: NDArray[np.float32],
) -> None:
    changed = features.copy()
    changed[3, 5] += 0.25
    parity = compare(features, changed, people_of(12))
    assert parity.difference == pytest.approx(0.25, rel=1e-5)
    assert parity.typical == 0


@pytest.mark.parametrize(
    ("parity", "said"),
    [
        pytest.param(EXACT, [], id="exact"),
        pytest.param(replace(EXACT, map_onnx=0.9), [], id="better by chance"),
        pytest.param(replace(EXACT, typical=1e-4), ["embeddings typically differ by 0.0001"], id="typical"),
        pytest.param(replace(EXACT, difference=0.1), ["numbers differ by 0.1"], id="difference"),
        pytest.param(replace(EXACT, cosine=0.5), ["cosine falls to 0.500000"], id="cosine"),
        pytest.param(replace(EXACT, map_onnx=0.4), ["mAP falls from 0.500 to 0.400"], id="ranking"),
        pytest.param(replace(EXACT, typical=np.nan, cosine=np.nan), ["typically", "cosine"], id="no number"),
    ],
)
def test_values_out_of_bounds_are_reported(parity: Parity, said: list[str]) -> None:
    broken = parity.broken(BOUNDS)
    assert len(broken) == len(said)
    assert all(part in text for part, text in zip(said, broken, strict=True))


def test_the_fastest_round_is_reported() -> None:
    now = 0.0
    order: list[str] = []

    def taking(name: str, *seconds: float) -> Callable[[], object]:
        left = iter(seconds)

        def run() -> None:
            nonlocal now
            order.append(name)
            now += next(left)

        return run

    runs = {"a": taking("a", *[0.5] * 8), "b": taking("b", 0.25, 0.9, 0.8, 0.75, *[0.9] * 4)}  # the first warms up
    assert fastest(runs, clock=lambda: now) == pytest.approx({"a": 0.5, "b": 0.75})
    assert order == ["a", "b"] * 8


def test_a_slow_network_is_measured_twice_and_no_more() -> None:
    hours = count(step=3600)
    calls: list[int] = []
    fastest({"slow": lambda: calls.append(1)}, clock=lambda: float(next(hours)))
    assert len(calls) == 1 + 2


def test_the_people_of_a_report_share_their_cameras_and_fill_the_network() -> None:
    loaded = LoadedWeights(Climb(SMALL), Preprocessing(16, 16), "small")
    people = report_people(loaded, noise, people=3, cameras=2)
    assert people.crops.shape == (6, SMALL.frames, 16, 16, 3)
    assert people.identities.tolist() == [0, 0, 1, 1, 2, 2]
    assert len(set(people.cameras.tolist())) == 2


def test_all_tracklets_are_embedded_in_their_order() -> None:
    people = report_people(LoadedWeights(Climb(SMALL), Preprocessing(16, 16), "small"), noise, people=10, cameras=2)
    got = embed_all(lambda crops: crops.reshape(len(crops), -1)[:, :4].astype(np.float32), people)
    np.testing.assert_array_equal(got, people.crops.reshape(20, -1)[:, :4])


def test_a_table_has_a_column_for_every_file() -> None:
    rows = table_rows([(EXACT, Speed(100, 150), 2_000_000), (EXACT, Speed(100, 50), 1_000_000)])
    assert {len(row) for row in rows} == {3}
    assert ("ratio", "1.50", "0.50") in rows
    assert ("file", "2.00 MB", "1.00 MB") in rows


@pytest.mark.parametrize(
    ("plan", "names"),
    [
        pytest.param(ExportPlan(Path("d")), ["d/net.onnx", "d/net-fp16.onnx"], id="folder"),
        pytest.param(ExportPlan(Path("d/a.onnx")), ["d/a.onnx", "d/a-fp16.onnx"], id="file"),
        pytest.param(ExportPlan(Path("d/a.onnx"), precisions=("fp16",)), ["d/a.onnx"], id="file, float16 only"),
        pytest.param(ExportPlan(Path("d"), precisions=("fp16",)), ["d/net-fp16.onnx"], id="folder, float16 only"),
    ],
)
def test_every_precision_has_a_file_of_its_own(plan: ExportPlan, names: list[str]) -> None:
    assert [str(plan.path("net", one)) for one in plan.precisions] == names


def test_an_empty_plan_is_rejected() -> None:
    with pytest.raises(ValueError, match="needs a precision, at least 2 people and at least 2"):
        ExportPlan(Path("d"), precisions=())


@pytest.mark.usefixtures("built")
def test_an_export_writes_the_model_and_its_report(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", "--out", str(tmp_path / "out"), "--weights", str(weights), "--people", "2", "--json"]
    assert main([*words, "--precision", "fp32"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])["exports"]
    (path,) = (Path(one["path"]) for one in said)
    assert sorted(file.name for file in path.parent.iterdir()) == ["small.onnx", "small.report.json"]
    kept = json.loads((path.parent / "small.report.json").read_text())
    assert kept == {key: value for key, value in said[0].items() if key != "path"}
    assert kept["model_id"] == OnnxNetwork(path).metadata["model_id"]
    assert kept["size_bytes"] == path.stat().st_size
    assert kept["parity"]["same_first"] == 1


@pytest.mark.usefixtures("built")
def test_an_export_that_does_not_match_is_deleted(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(exporting.BOUNDS, "fp32", Bounds(typical=-1.0, difference=1.0, cosine=0.0, map_loss=1.0))
    plan = ExportPlan(tmp_path / "out", weights, ("fp32",), people=2)
    with pytest.raises(ExportError, match=r"small\.onnx does not match the network small-\w+ and was deleted: embed"):
        export(plan, render=noise, log=lambda _: None)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unwritable_folder_is_reported_at_once(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["export", "--out", str(tmp_path / "file"), "--weights", str(weights)]) == 2
    assert f"--out {tmp_path / 'file'}: " in capsys.readouterr().err


def test_weights_that_cannot_be_read_leave_nothing_behind(tmp_path: Path) -> None:
    assert main(["export", "--out", str(tmp_path / "out"), "--weights", str(tmp_path / "no")]) == 2
    assert not (tmp_path / "out").exists()
