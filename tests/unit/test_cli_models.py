"""`climbtrack models`, and what `run` and `doctor` say of a detector that cannot be had."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.main import main
from deploy.doctor import Check, examine
from reid_worker.detectors import catalogue, choose
from reid_worker.detectors.catalogue import YOLOX_NANO, Content
from reid_worker.detectors.choose import BUNDLED, BUNDLED_INT8
from tests.detector_tools import yolox_model
from tests.servers import model_server
from tests.servers.model_server import ModelServer, serving


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of models of a user who has set nothing."""
    for name in [name for name in os.environ if name.startswith("CLIMBTRACK_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "climbtrack" / "models"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModelServer]:
    """A mirror with a small model that stands for yolox-nano."""
    data = yolox_model(tmp_path / "upstream.onnx").read_bytes()
    model = replace(YOLOX_NANO, contents=(Content(hashlib.sha256(data).hexdigest(), len(data)),))
    known = (model, *catalogue.CATALOGUE[1:])
    monkeypatch.setattr(catalogue, "CATALOGUE", known)
    monkeypatch.setattr(choose, "YOLOX_NANO", model)
    with serving(data) as served:
        monkeypatch.setenv("CLIMBTRACK_WORKER_MIRROR", served.url)
        yield served


def _doctor() -> Check:
    """What doctor says of the detector."""
    (check,) = (one for one in examine(None) if one.name == "person detector")
    return check


def _json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_ls_says_what_there_is_and_where(
    server: ModelServer, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["models", "ls"]) == 0
    nothing = capsys.readouterr().out
    cache.mkdir(parents=True)
    (cache / YOLOX_NANO.file).write_bytes(server.data)
    (cache / "yolox_s.onnx").write_bytes(b"mine")
    assert main(["models", "ls"]) == 0
    text = capsys.readouterr().out

    assert nothing.count("not downloaded") == 3
    assert all(name in nothing for name in ("yolox-nano", "20.2 MB", "Apache-2.0", "640x640", "bundled", "hog"))
    assert "manual download: yolox_nano.onnx, yolox_tiny.onnx, yolox_s.onnx from https://github.com/" in nothing
    assert f"{cache}/yolox_nano.onnx\n" in text.replace(" ", "")
    assert f"{cache}/yolox_s.onnx (wrong checksum)" in text
    assert server.asked == []


def test_ls_as_json_has_digests_and_places(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache.mkdir(parents=True)
    (cache / "yolox_s.onnx").write_bytes(b"mine")
    assert main(["models", "ls", "--json"]) == 0
    said = _json(capsys)
    nano, _, s = said["models"]
    assert said["folders"] == [str(cache)]
    assert nano["contents"][0]["sha256"] == YOLOX_NANO.contents[0].sha256
    assert (nano["path"], nano["right"]) == (None, None)
    assert (s["path"], s["right"]) == (str(cache / "yolox_s.onnx"), False)


def test_get_downloads_once(server: ModelServer, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = cache / YOLOX_NANO.file
    assert main(["models", "get", "yolox-nano"]) == 0
    first = capsys.readouterr().out
    assert main(["models", "get", "yolox-nano", "--json"]) == 0
    assert first.splitlines() == ["downloading yolox-nano, 0.0 MB", f"{path}: downloaded, checksum correct"]
    assert _json(capsys) == {"name": "yolox-nano", "path": str(path), "downloaded": False}
    assert len(server.asked) == 1


def test_get_downloads_where_runs_may_not(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLIMBTRACK_WORKER_DOWNLOAD", "false")
    assert main(["models", "get", "yolox-nano", "--json"]) == 0
    assert _json(capsys)["downloaded"] is True


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        (model_server.error_page, "received a web page ('Access denied') instead of the file"),
        (model_server.another_file, "not the expected file: SHA-256"),
        (model_server.status(404), "yolox_nano.onnx does not exist there (404)"),
    ],
)
def test_a_get_that_fails_ends_with_1_in_one_line(
    behaviour: model_server.Behaviour, cause: str, server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.behaviour = behaviour
    assert main(["models", "get", "yolox-nano"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("climbtrack: detector yolox-nano: ")
    assert cause in line


def test_get_leaves_a_users_file_alone(server: ModelServer, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache.mkdir(parents=True)
    (cache / YOLOX_NANO.file).write_bytes(b"mine")
    assert main(["models", "get", "yolox-nano"]) == 1
    said = capsys.readouterr().err
    assert f"climbtrack: {cache}/yolox_nano.onnx is not the published file: SHA-256 " in said
    assert said.endswith("; it was not replaced: move it away, then get yolox-nano again\n")
    assert (cache / YOLOX_NANO.file).read_bytes() == b"mine"
    assert server.asked == []


def test_get_of_an_unknown_name_ends_with_2_and_says_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "get", "yolov8"]) == 2
    expected = "climbtrack: yolov8: unknown detector; must be one of yolox-nano, yolox-tiny, yolox-s\n"
    assert capsys.readouterr().err == expected


def test_check_without_a_name_checks_all_files_present(
    server: ModelServer, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.mkdir(parents=True)
    (cache / YOLOX_NANO.file).write_bytes(server.data)
    assert main(["models", "check"]) == 0
    ours, nano = capsys.readouterr().out.splitlines()
    assert ours.startswith(f"ok      bundled: {BUNDLED_INT8}, loads and runs, yolox layout")
    assert nano.startswith(
        f"ok      yolox-nano: {cache}/yolox_nano.onnx, checksum correct, loads and runs, yolox layout"
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(None, "not downloaded; `climbtrack models get yolox-nano` downloads it", id="missing"),
        pytest.param(b"<html>", "differs from the published file: SHA-256", id="a page"),
        pytest.param(BUNDLED.read_bytes(), "loads nevertheless", id="another model"),
    ],
)
def test_check_of_a_name_that_is_not_right_ends_with_1(
    data: bytes | None, said: str, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.mkdir(parents=True)
    if data is not None:
        (cache / YOLOX_NANO.file).write_bytes(data)
    assert main(["models", "check", "yolox-nano"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("FAILED  yolox-nano: ")
    assert said in line


def test_check_of_a_file_says_its_layout_or_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = yolox_model(tmp_path / "good.onnx"), tmp_path / "bad.onnx"
    bad.write_bytes(good.read_bytes()[:50])
    assert main(["models", "check", str(good), "--json"]) == 0
    assert _json(capsys)["models"][0]["said"].endswith("yolox layout, input images (1, 3, 64, 64)")
    assert main(["models", "check", str(bad), "--json"]) == 1
    said = _json(capsys)
    assert said["ok"] is False
    assert "truncated or damaged" in said["models"][0]["said"]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        pytest.param(None, "no such file", id="not there"),
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"<html><title>Sign in</title>", "is a web page ('Sign in'), not a model", id="a web page"),
        pytest.param(BUNDLED.read_bytes()[:50_000], "truncated or damaged", id="truncated"),
    ],
)
def test_a_run_with_a_file_that_cannot_be_used_ends_with_2_and_doctor_names_it(
    data: bytes | None, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.onnx"
    if data is not None:
        path.write_bytes(data)
    words = ["run", "--camera", f"a={tmp_path}", "--port", "0", "--data-dir", str(tmp_path / "data")]

    assert main([*words, "--detector", str(path)]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"climbtrack: detector {path}: ")
    assert cause in line

    monkeypatch.setenv("CLIMBTRACK_WORKER_DETECTOR", str(path))
    check = _doctor()
    assert check.state == "missing"
    assert cause in check.found


def test_a_run_with_an_unavailable_model_ends_with_2(
    server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.behaviour = model_server.error_page
    words = ["run", "--camera", f"a={tmp_path}", "--port", "0", "--data-dir", str(tmp_path / "data")]
    assert main([*words, "--detector", "yolox-nano"]) == 2
    assert "received a web page ('Access denied') instead of the file" in capsys.readouterr().err.splitlines()[-1]


def test_doctor_contacts_no_server_and_says_what_a_run_would_do(server: ModelServer) -> None:
    check = _doctor()
    assert (check.state, check.found) == ("optional", "yolox-nano is not downloaded yet")
    assert check.advice == "the first run downloads it; `climbtrack models get yolox-nano` does so now"
    assert server.asked == []


def test_doctor_names_the_fallback_if_downloads_are_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIMBTRACK_WORKER_DOWNLOAD", "false")
    check = _doctor()
    assert (check.state, check.found) == ("optional", "auto: person-detector-int8")
    assert check.advice.startswith("using the bundled detector instead of yolox-nano: no yolox_nano.onnx in ")
