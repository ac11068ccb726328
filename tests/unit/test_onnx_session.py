"""ONNX models run on the device that was asked for; where they cannot, the log says why and what to do."""

import logging
from pathlib import Path
from typing import Any, ClassVar

import onnx
import onnxruntime
import pytest

from reid_worker.onnx_session import CPU, CUDA, TENSORRT, OnnxRuntime, choose, engine_folder
from tests.detector_tools import yolox_model

EVERYTHING = (TENSORRT, CUDA, CPU)


class FakeSession:
    """Stands in for onnxruntime's session: starts only the providers that `starts` names."""

    starts: ClassVar[tuple[str, ...]] = EVERYTHING

    def __init__(self, data: bytes, options: Any, *, providers: list[tuple[str, Any]], enable_fallback: bool) -> None:
        self._running = [name for name, _ in providers if name in self.starts]

    def get_providers(self) -> list[str]:
        return self._running


@pytest.fixture
def graph(tmp_path: Path) -> onnx.ModelProto:
    return onnx.load(str(yolox_model(tmp_path / "model.onnx")))


def _pretend(monkeypatch: pytest.MonkeyPatch, offers: tuple[str, ...], starts: tuple[str, ...] = EVERYTHING) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(offers))
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    monkeypatch.setattr(FakeSession, "starts", starts)


@pytest.mark.parametrize(
    ("device", "names"),
    [
        pytest.param("auto", [CUDA, CPU], id="auto takes the GPU"),
        pytest.param("cpu", [CPU], id="cpu leaves the GPU alone"),
        pytest.param("cuda:1", [CUDA, CPU], id="cuda"),
        pytest.param("tensorrt", [TENSORRT, CUDA, CPU], id="tensorrt falls back to CUDA for what it cannot compile"),
        pytest.param("mps", [CPU], id="a device that onnxruntime does not know"),
    ],
)
def test_a_device_means_these_providers(device: str, names: list[str]) -> None:
    assert [name for name, _ in choose(device, EVERYTHING, None).providers] == names


def test_the_number_of_the_gpu_and_the_folder_of_engines_are_passed_on(tmp_path: Path) -> None:
    (tensorrt, first), (_, second), _ = choose("tensorrt:2", EVERYTHING, tmp_path).providers
    assert tensorrt == TENSORRT
    assert first["device_id"] == second["device_id"] == "2"
    assert first["trt_engine_cache_path"] == str(tmp_path)
    assert first["trt_engine_cache_enable"] == "1"


def test_a_build_without_cuda_is_named_once_with_the_remedy(
    graph: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _pretend(monkeypatch, (CPU,))
    runtime = OnnxRuntime("cuda")
    for _ in range(2):
        runtime.open(graph)
    (message,) = [record.getMessage() for record in caplog.records]
    assert CUDA in message
    assert "climbtrack[gpu]" in message
    assert not runtime.on_gpu


def test_a_provider_that_does_not_start_is_named_with_what_runs_instead(
    graph: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _pretend(monkeypatch, EVERYTHING, starts=(CUDA, CPU))
    runtime = OnnxRuntime("tensorrt")
    runtime.open(graph)
    (message,) = [record.getMessage() for record in caplog.records]
    assert TENSORRT in message
    assert "run on CUDA" in message
    assert runtime.on_gpu


@pytest.mark.parametrize(
    ("driver", "warnings"), [pytest.param(True, 1, id="a GPU lies idle"), pytest.param(False, 0, id="there is no GPU")]
)
def test_auto_warns_only_where_a_gpu_lies_idle(
    driver: bool,
    warnings: int,
    graph: onnx.ModelProto,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    _pretend(monkeypatch, (CPU,))
    found = tmp_path / "version"
    if driver:
        found.write_text("NVRM version")
    OnnxRuntime("auto", driver=found).open(graph)
    assert len(caplog.records) == warnings


def test_a_cache_that_cannot_be_written_is_named_and_nothing_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    taken = tmp_path / "file"
    taken.write_text("not a folder")
    with caplog.at_level(logging.WARNING):
        assert engine_folder({"XDG_CACHE_HOME": str(taken)}) is None
    assert str(taken) in caplog.text
    assert "XDG_CACHE_HOME" in caplog.text
