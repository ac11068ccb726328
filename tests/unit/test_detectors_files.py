"""Model files that cannot be used: each is refused with the file, the cause and what to do."""

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_worker.detectors.catalogue import CATALOGUE, NAMES, YOLOX_NANO, Content, by_name
from reid_worker.detectors.choose import BUNDLED, DetectorOptions, load_detector
from reid_worker.detectors.files import content_of, find, model_folders
from reid_worker.errors import DetectorError
from reid_worker.web_page import web_page
from tests.detector_tools import yolox_model

OPTIONS = DetectorOptions(folders=(), download=False, threads=1)


def _external(path: Path, *, kept: int | None) -> Path:
    """Write a model whose weights are in a file beside it, of which `kept` bytes are left; None leaves no file."""
    model = onnx.load(str(BUNDLED))
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    weights = path.parent / "weights.bin"
    if kept is None:
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:kept])
    return path


def _no_operator(path: Path) -> Path:
    model = onnx.load(str(yolox_model(path)))
    model.graph.node[0].op_type = "NoSuchOperator"
    onnx.save(model, str(path))
    return path


def _written(data: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(data)
        return path

    return write


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


AGAIN = r"; get it again \(`climbtrack models ls`"


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        pytest.param(lambda path: path, "no such file, and not one of auto, bundled, hog", id="not there"),
        pytest.param(lambda _: Path("/dev/zero"), r"is a pipe or a device, not a file", id="a device"),
        pytest.param(_pipe, r"is a pipe or a device, not a file", id="a pipe"),
        pytest.param(_folder, r"is a folder; name the \.onnx file in it", id="a folder"),
        pytest.param(_written(b""), f"is empty{AGAIN}", id="empty"),
        pytest.param(_written(b"no model at all"), f"truncated or damaged, or not an ONNX file.*{AGAIN}", id="text"),
        pytest.param(_written(b"\x08\x07"), r"not an ONNX model \(2 bytes without a network\)", id="a header only"),
        pytest.param(
            _written(BUNDLED.read_bytes()[:100_000]), rf"truncated or damaged.*\(100000 bytes\){AGAIN}", id="truncated"
        ),
        pytest.param(
            _written(b"\n <!doctype html><html><head><title>Sign in\n </title>"),
            rf"is a web page \('Sign in'\), not a model{AGAIN}",
            id="a web page",
        ),
        pytest.param(
            _written(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
            r"is a Git LFS pointer, not the model; run `git lfs pull`",
            id="a pointer of Git LFS",
        ),
        pytest.param(
            lambda path: _external(path, kept=None),
            r"its weights, weights\.bin, are missing; copy them into the same folder, or export the model into one",
            id="weights left behind",
        ),
        pytest.param(
            lambda path: _external(path, kept=1000),
            r"its weights in weights\.bin: .*; copy it again",
            id="half of its weights",
        ),
        pytest.param(_no_operator, r"onnxruntime cannot load it: .*; export it again", id="an unknown operator"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_what_to_do(
    make: Callable[[Path], Path], cause: str, tmp_path: Path
) -> None:
    path = make(tmp_path / "m.onnx")
    with pytest.raises(DetectorError, match=rf"(?s)^detector {path}: {cause}"):
        load_detector(str(path), OPTIONS)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    path = yolox_model(tmp_path / "m.onnx")
    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(DetectorError, match=r"m\.onnx: Permission denied; make it readable for this user"):
        load_detector(str(path), OPTIONS)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return yolox_model(tmp_path_factory.mktemp("models") / "m.onnx")


@given(noise=st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_a_detector_error(noise: bytes, scratch: Path) -> None:
    path = scratch.with_name("noise.onnx")
    path.write_bytes(noise)
    with pytest.raises(DetectorError, match=r"noise\.onnx: "):
        load_detector(str(path), OPTIONS)


@given(changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_model_raises_nothing_but_a_detector_error(changes: list[tuple[int, int]], scratch: Path) -> None:
    data = bytearray(scratch.read_bytes())
    for where, byte in changes:
        data[where % len(data)] = byte
    path = scratch.with_name("damaged.onnx")
    path.write_bytes(data)
    with contextlib.suppress(DetectorError):
        load_detector(str(path), OPTIONS)


def test_weights_beside_a_file_are_found(tmp_path: Path) -> None:
    path = _external(tmp_path / "m.onnx", kept=10**9)
    frame = np.random.default_rng(2).integers(0, 256, (96, 160, 3)).astype(np.uint8)
    (found,) = load_detector(str(path), OPTIONS).detect([frame])
    (expected,) = load_detector("bundled", OPTIONS).detect([frame])
    assert np.array_equal(found.boxes, expected.boxes)


def test_models_are_looked_for_where_the_environment_says_and_then_in_the_cache() -> None:
    environment = {"CLIMBTRACK_MODELS": "/models", "XDG_CACHE_HOME": "/cache"}
    assert model_folders(environment) == (Path("/models"), Path("/cache/climbtrack/models"))
    assert model_folders({"XDG_CACHE_HOME": "/cache"}) == (Path("/cache/climbtrack/models"),)


def test_every_published_detector_has_digests_a_size_and_a_free_licence() -> None:
    assert NAMES == ("yolox-nano", "yolox-tiny", "yolox-s")
    for model in CATALOGUE:
        assert all(len(content.sha256) == 64 and int(content.sha256, 16) for content in model.contents)
        assert model.licence == "Apache-2.0"
        assert by_name(model.name) is model
    assert by_name("yolov8") is None


def test_both_exports_of_nano_are_accepted_and_no_mixture_of_them() -> None:
    upstream, again = YOLOX_NANO.contents
    assert (upstream.size_bytes, again.size_bytes) == (3_659_407, 3_660_092)
    assert YOLOX_NANO.accepts(upstream)
    assert YOLOX_NANO.accepts(again)
    assert not YOLOX_NANO.accepts(Content(upstream.sha256, again.size_bytes))


def test_a_right_file_is_preferred_to_a_wrong_one_in_front_of_it(tmp_path: Path) -> None:
    data = b"the right one"
    model = replace(YOLOX_NANO, contents=(Content(hashlib.sha256(data).hexdigest(), len(data)),))
    for folder, content in (("a", b"a wrong one"), ("b", data)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / YOLOX_NANO.file).write_bytes(content)

    both = find(model, (tmp_path / "a", tmp_path / "b"))
    wrong = find(model, (tmp_path / "a",))

    assert both is not None
    assert wrong is not None
    assert (both.path.parent.name, both.verified) == ("b", True)
    assert (wrong.content, wrong.verified) == (content_of(wrong.path), False)
    assert find(model, (tmp_path,)) is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html>", "a web page"),
        (
            b"\xef\xbb\xbf<!DOCTYPE HTML><title>\xff 502\x00 Bad\n gateway</title>",
            "a web page ('\ufffd 502 Bad gateway')",
        ),
        (b"<?xml version='1.0'?><Error>", "a web page"),
        (b"\x08\x07\x12", None),
        (b"", None),
        (b"<3", None),
    ],
)
def test_a_web_page_is_told_by_how_it_begins(data: bytes, said: str | None) -> None:
    assert web_page(data) == said
