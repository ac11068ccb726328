"""What `climbtrack bench model` says of a network."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from deploy.bench import model as bench_model
from deploy.bench.model import Case, Subject, cases, measure, random_network, rows, table
from deploy.cli.main import main
from reid_worker.model.climb import CLIMB_BASE, Architecture, Climb
from reid_worker.model.cost import gflop_per_crop, parameters

SMALL = Architecture(name="small", height=32, width=16, tower_width=16, layers=1, heads=2, joint_width=8, state=4)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bench_model.MATRIX, "cpu", 64)


@pytest.fixture
def small() -> Subject:
    return Subject("small", random_network(SMALL))


@pytest.mark.parametrize("frames", [1, 8])
def test_a_row_says_what_ran_and_how_fast(small: Subject, frames: int) -> None:
    row = measure(small, Case(CPU, "fp32", frames), turns=1, crops=16)
    assert (row.model, row.device, row.dtype, row.frames, row.batch) == ("small", "cpu", "float32", frames, 16)
    assert row.gflop_per_crop == pytest.approx(gflop_per_crop(SMALL, frames), abs=1e-5)
    assert row.parameters == parameters(SMALL)
    assert row.crops_per_s > 0
    assert row.gemm_share > 0
    assert row.latency_s > 0
    assert row.peak_bytes >= 0


def test_a_batch_is_whole_tracklets(small: Subject) -> None:
    assert measure(small, Case(CPU, "fp32", 8), turns=1, crops=20).batch == 16
    assert measure(small, Case(CPU, "fp32", 8), turns=1, crops=1).batch == 8


def test_a_slow_network_is_measured_with_fewer_crops(small: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_model, "SLOW_S", 1e-9)
    monkeypatch.setattr(bench_model, "TURNS", 2)
    assert measure(small, Case(CPU, "fp32", 8)).batch == 8


def test_measuring_leaves_the_network_as_it_was(small: Subject) -> None:
    before = {name: tensor.clone() for name, tensor in small.network.state_dict().items()}
    for form in ("eager", "served"):
        measure(small, Case(CPU, "fp32", 1, form), turns=1, crops=2)
    assert all(torch.equal(tensor, before[name]) for name, tensor in small.network.state_dict().items())


def test_every_dtype_is_measured_where_it_is_fast() -> None:
    assert {case.precision for case in cases(torch.device("cuda"), 8)} == {"bf16", "fp16", "fp32"}
    assert {case.precision for case in cases(CPU, 8)} == {"fp32"}
    assert any(case.form == "eager" and case.precision == "fp32" for case in cases(torch.device("cuda"), 8))
    assert {case.frames for case in cases(CPU, 8)} == {1, 8}


def test_all_sizes_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_model, "random_network", lambda a: random_network(replace(a, layers=1)))
    found = bench_model.subjects()
    assert found[0].model == "shipped"
    assert any(subject.network.architecture == replace(CLIMB_BASE, layers=1) for subject in found)
    assert all(isinstance(subject.network, Climb) for subject in found)


def test_rows_come_in_order_and_each_is_announced(small: Subject) -> None:
    said: list[str] = []
    found = list(rows([small], CPU, said.append))
    assert len(found) == len(said) == len(cases(CPU, SMALL.frames))
    assert len(table(found)) == 1 + len(found)


@pytest.fixture
def only_small(small: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_model, "subjects", lambda: [small])
    monkeypatch.setattr(bench_model, "TURNS", 1)


@pytest.mark.usefixtures("only_small")
def test_the_last_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "model", "--json", "--device", "cpu"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out.splitlines()[-1])["rows"]
    wanted = {
        "model",
        "device",
        "dtype",
        "frames",
        "batch",
        "crops_per_s",
        "gflop_per_crop",
        "gemm_share",
        "peak_bytes",
    }
    assert all(wanted <= row.keys() for row in found)
    assert "small: 8 frames, fp32, served, on cpu" in captured.err


@pytest.mark.usefixtures("only_small")
def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "model", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[:2] == ["model", "form"]


def test_an_unavailable_device_is_invalid_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "model", "--device", "abacus"]) == 2
    assert "--device abacus" in capsys.readouterr().err


def test_a_row_is_json(small: Subject) -> None:
    assert json.dumps(asdict(measure(small, Case(CPU, "fp32", 1), turns=1, crops=1)))
