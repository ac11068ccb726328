"""`climbtrack models check` and `evaluate` with an appearance model: wrong crops are noticed, and can be mended."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.main import main
from reid_worker.appearance.description import described, written
from reid_worker.appearance.embedder import CAUTIOUS_PRIOR
from reid_worker.onnx_graph import read_graph
from tests.appearance_tools import colour_network
from training.synthetic.folders import FolderPlan, write_people


def _check(path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main(["models", "check", str(path), "--json", *words])
    (model,) = json.loads(capsys.readouterr().out)["models"]
    return code, model


def test_a_model_that_says_what_it_wants_passes_with_its_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, model = _check(colour_network(tmp_path / "net.onnx", inside=True), capsys)
    assert code == 0
    assert "64x32 px, RGB 0-255, against" in model["said"]
    assert "96 numbers per crop" in model["said"]
    assert not (tmp_path / "net.onnx.yaml").exists()


def test_a_prior_of_generated_people_is_written_and_the_model_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = colour_network(tmp_path / "net.onnx", inside=True)
    before = path.read_bytes()
    code, _ = _check(path, capsys, "--write")
    assert code == 0
    prior = described(path, read_graph(path).graph).prior
    assert prior is not None
    assert prior != CAUTIOUS_PRIOR
    assert path.read_bytes() == before


def test_what_somebody_wrote_down_before_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = colour_network(tmp_path / "net.onnx", inside=True)
    (tmp_path / "net.onnx.yaml").write_text("frames: 4\n")
    assert _check(path, capsys, "--write")[0] == 0
    assert written(path).frames == 4


def test_wrong_crops_fail_the_check_and_writing_mends_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The network normalises itself, and is said to want normalised crops: nearly black to it."""
    path = colour_network(tmp_path / "net.onnx", inside=True)
    (tmp_path / "net.onnx.yaml").write_text("values: 0-1\n")
    code, model = _check(path, capsys)
    assert code == 1, model
    assert "`--write` chooses 64x32 px, RGB 0-255" in model["said"]
    assert _check(path, capsys, "--write")[0] == 0
    assert written(path).values == "0-255"


def test_a_damaged_file_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08nonsense")
    code, model = _check(path, capsys)
    assert code == 1
    assert model["said"].count("not an ONNX file") == 1


def test_a_model_is_evaluated_like_weights_and_keeps_its_prior(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_people(tmp_path / "people", FolderPlan("mars", 8, 2, 2, 1, 2, 64))
    path = colour_network(tmp_path / "net.onnx", inside=True)
    words = ["evaluate", "--layout", "mars", "--data", str(tmp_path / "people"), "--weights", str(path)]
    assert main([*words, "--unchecked", "--write-prior", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["model_id"].startswith("net-")
    assert 0 < figures["mAP"] <= 100
    prior = written(path).prior
    assert prior is not None
    assert prior.same_mean == figures["same_mean"]


def test_parts_of_the_feature_are_those_of_climb_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = colour_network(tmp_path / "net.onnx", inside=True)
    words = ["evaluate", "--layout", "mars", "--data", str(tmp_path), "--weights", str(path), "--feature", "temporal"]
    assert main(words) == 2
    assert "need weights of CLIMB" in capsys.readouterr().err
