"""Which detector a setting means, and what happens where it cannot be had."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest

from reid_worker.config import WorkerSettings
from reid_worker.detectors import choose as module
from reid_worker.detectors.catalogue import YOLOX_NANO, Content, ModelFile
from reid_worker.detectors.choose import BUNDLED, BUNDLED_INT8, DetectorOptions, bundled, load_detector, obtain
from reid_worker.detectors.download import Network
from reid_worker.errors import DetectorError
from reid_worker.onnx_session import CPU, CUDA
from tests.detector_tools import yolox_model
from tests.servers import model_server
from tests.servers.model_server import ModelServer, serving
from wire.errors import SettingsError


def _options(folder: Path, *, server: ModelServer | None = None) -> DetectorOptions:
    network = Network() if server is None else Network(mirror=server.url)
    return DetectorOptions(folders=(folder,), download=server is not None, network=network, threads=1)


@pytest.fixture
def nano(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModelFile, ModelServer]]:
    """A small model that stands for yolox-nano, and a server that has it."""
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    data = yolox_model(tmp_path / "upstream.onnx").read_bytes()
    model = replace(YOLOX_NANO, contents=(Content(hashlib.sha256(data).hexdigest(), len(data)),))
    monkeypatch.setattr(module, "YOLOX_NANO", model)
    monkeypatch.setattr(module, "by_name", lambda name: model if name == model.name else None)
    with serving(data) as server:
        yield model, server


def test_a_file_at_hand_is_taken_without_asking_anybody(
    nano: tuple[ModelFile, ModelServer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, server = nano
    path = tmp_path / "models" / "yolox-nano" / "yolox_nano_416x416.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(server.data)

    assert obtain(model, _options(tmp_path / "models", server=server)) == path
    assert load_detector("yolox-nano", _options(tmp_path / "models")).name == "yolox_nano_416x416"
    assert (server.asked, caplog.messages) == ([], [])


@pytest.mark.parametrize("choice", ["auto", "yolox-nano"])
def test_a_missing_file_is_downloaded_once_and_said(
    choice: str, nano: tuple[ModelFile, ModelServer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, server = nano
    options = _options(tmp_path / "models", server=server)

    assert load_detector(choice, options).name == "yolox_nano"
    assert load_detector(choice, options).name == "yolox_nano"

    assert len(server.asked) == 1
    assert caplog.messages == ["downloading yolox-nano, 0.0 MB"]


def test_another_file_of_a_known_name_is_used_and_said(
    nano: tuple[ModelFile, ModelServer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, server = nano
    path = yolox_model(tmp_path / model.file, columns=85)

    assert load_detector("auto", _options(tmp_path, server=server)).name == "yolox_nano"

    assert server.asked == []
    (line,) = caplog.messages
    assert f"{path} is not the published file: SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}" in line
    assert "remove it and run `climbtrack models get yolox-nano`, or name it by its path" in line


def test_a_file_that_is_named_by_its_path_is_taken_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = yolox_model(tmp_path / YOLOX_NANO.file)
    assert load_detector(str(path), _options(tmp_path)).name == "yolox_nano"
    assert caplog.messages == []


def test_auto_falls_back_in_one_line_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bundled = tmp_path / "person-detector-int8.onnx"
    monkeypatch.setattr(module, "BUNDLED_INT8", bundled)
    with caplog.at_level(logging.WARNING):
        assert load_detector("auto", _options(tmp_path)).name == "hog"
        yolox_model(bundled)
        assert load_detector("auto", _options(tmp_path)).name == "person-detector-int8"
    hog, ours = caplog.messages
    why = f"no yolox_nano.onnx in {tmp_path}, and downloads are disabled (worker.download); copy it there"
    assert hog.startswith("using HOG, which misses most people who are partly hidden")
    assert ours.startswith(f"using the bundled detector instead of yolox-nano: {why}")
    assert "climbtrack models get yolox-nano" in ours
    assert ours.endswith("; set the detector to `bundled` to stop these attempts")


@pytest.mark.parametrize(
    ("device", "providers", "file"),
    [
        ("auto", [CPU], BUNDLED_INT8),
        ("auto", [CUDA, CPU], BUNDLED),
        ("cuda:1", [CUDA, CPU], BUNDLED),
        ("cpu", [CUDA, CPU], BUNDLED_INT8),
        ("mps", [CPU], BUNDLED_INT8),
    ],
)
def test_the_bundled_detector_is_in_8_bits_where_a_cpu_runs_it(
    device: str, providers: list[str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    assert bundled(device) == file


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        (model_server.status(404), "yolox_nano.onnx does not exist there (404)"),
        (model_server.error_page, "received a web page ('Access denied') instead of the file"),
        (model_server.another_file, "not the expected file: SHA-256"),
    ],
)
def test_auto_survives_a_download_that_fails_and_what_was_asked_for_by_name_does_not(
    behaviour: model_server.Behaviour,
    cause: str,
    nano: tuple[ModelFile, ModelServer],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, server = nano
    server.behaviour = behaviour
    options = _options(tmp_path / "models", server=server)

    assert load_detector("auto", options).name == "person-detector-int8"
    assert cause in caplog.messages[-1]
    with pytest.raises(DetectorError) as caught:
        load_detector("yolox-nano", options)
    assert cause in str(caught.value)


def test_auto_survives_a_file_that_does_not_load(
    nano: tuple[ModelFile, ModelServer], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, server = nano
    (tmp_path / model.file).write_bytes(server.data[:100])
    assert load_detector("auto", _options(tmp_path)).name == "person-detector-int8"
    assert "truncated or damaged" in caplog.messages[-1]


def test_auto_waits_for_no_slow_download_and_a_name_does(
    nano: tuple[ModelFile, ModelServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, server = nano
    monkeypatch.setattr(module, "AUTO_PATIENCE_S", 0.0)
    data = server.data
    server.behaviour = lambda visit: visit.answer(200, data[:100], length=len(data))  # the rest takes long
    options = _options(tmp_path / "models", server=server)

    assert load_detector("auto", options).name == "person-detector-int8"
    server.behaviour = model_server.whole
    assert load_detector("yolox-nano", options).name == "yolox_nano"


@pytest.mark.parametrize("choice", ["yolox-s", "/nowhere/model.onnx"])
def test_what_was_asked_for_by_name_is_never_replaced(tmp_path: Path, choice: str) -> None:
    with pytest.raises(DetectorError, match=choice):
        load_detector(choice, _options(tmp_path))


def test_a_mirror_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIMBTRACK_WORKER_MIRROR", "https://me:secret@models.example/climbtrack")
    settings = WorkerSettings.load()
    network = settings.detector_options(threads=1).network
    assert network.address(YOLOX_NANO) == "https://me:secret@models.example/climbtrack/yolox_nano.onnx"
    assert "secret" not in repr(settings) + repr(settings.detector_options(threads=1))


@pytest.mark.parametrize(
    "mirror",
    [
        "ftp://host/secret",
        "http://me:sec/ret@host",
        "http://host:99999/sec",
        "http://[1:2]/sec",
        "http://host/a?key=secret",
        "secret",
    ],
)
def test_a_mirror_that_is_none_is_refused_without_being_shown(mirror: str) -> None:
    with pytest.raises(SettingsError, match=r"worker\.mirror = '\*\*\*': expected http") as caught:
        WorkerSettings.load(mirror=mirror)
    assert "sec" not in str(caught.value)
