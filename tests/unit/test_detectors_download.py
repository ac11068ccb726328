"""Downloading a model, from a server on loopback that behaves well and badly."""

import errno
import fcntl
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_worker.detectors import download as module
from reid_worker.detectors.catalogue import CATALOGUE, Content, ModelFile
from reid_worker.detectors.download import Network, download
from reid_worker.errors import DetectorError
from tests.servers import model_server
from tests.servers.model_server import ModelServer, serving

DATA = np.random.default_rng(4).integers(0, 256, 300_000).astype(np.uint8).tobytes()
HALF = len(DATA) // 2
MODEL = ModelFile(
    name="tiny",
    file="tiny.onnx",
    address="http://127.0.0.1:9/upstream/tiny.onnx",
    contents=(Content(hashlib.sha256(DATA).hexdigest(), len(DATA)),),
    licence="MIT",
    layout="yolox",
    input_px=(64, 64),
    good_for="tests",
)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(DATA) as served:
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def _get(server: ModelServer, folder: Path, **network: Any) -> Path:
    return download(MODEL, (folder,), Network(mirror=server.url, **network))


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _refused(server: ModelServer, folder: Path, **network: Any) -> str:
    """Return the message of a download that must fail, and check what all have in common."""
    with pytest.raises(DetectorError) as caught:
        _get(server, folder, **network)
    text = str(caught.value)
    assert text.startswith(f"detector tiny: {server.url}/tiny.onnx: ")
    assert text.endswith(f"; copy tiny.onnx into {folder} yourself, or set another mirror in CLIMBTRACK_WORKER_MIRROR")
    assert "\n" not in text
    assert not (folder / "tiny.onnx").exists()
    return text


def test_a_download_is_the_file_and_nothing_else(server: ModelServer, folder: Path) -> None:
    steps: list[tuple[int, int]] = []

    path = download(
        MODEL, (folder,), Network(mirror=f"{server.url}/models/"), lambda done, total: steps.append((done, total))
    )

    assert path == folder / "tiny.onnx"
    assert path.read_bytes() == DATA
    assert _names(folder) == ["tiny.onnx"]
    assert server.asked == [("/models/tiny.onnx", None)]
    assert steps[-1] == (len(DATA), len(DATA))
    assert steps == sorted(steps)


def test_without_a_mirror_the_published_address_is_asked() -> None:
    assert Network().address(MODEL) == MODEL.address
    assert all(model.address.endswith(f"/{model.file}") for model in CATALOGUE)


def test_a_download_that_is_broken_off_goes_on_where_it_was(server: ModelServer, folder: Path) -> None:
    server.behaviour = model_server.broken_off
    assert _get(server, folder).read_bytes() == DATA
    assert server.asked == [("/tiny.onnx", None), ("/tiny.onnx", f"bytes={HALF}-")]


def test_what_an_earlier_run_left_is_gone_on_with(server: ModelServer, folder: Path) -> None:
    folder.mkdir()
    (folder / "tiny.onnx.part").write_bytes(DATA[:1000])
    assert _get(server, folder).read_bytes() == DATA
    assert server.asked == [("/tiny.onnx", "bytes=1000-")]
    assert _names(folder) == ["tiny.onnx"]


def test_what_an_earlier_run_left_whole_is_not_asked_for_again(server: ModelServer, folder: Path) -> None:
    folder.mkdir()
    (folder / "tiny.onnx.part").write_bytes(DATA)
    assert _get(server, folder).read_bytes() == DATA
    assert server.asked == []


@pytest.mark.parametrize(
    ("behaviour", "left"),
    [
        pytest.param(model_server.without_range, DATA[:1000], id="a server that ignores Range"),
        pytest.param(model_server.elsewhere, DATA[:1000], id="a server that sends another piece"),
        pytest.param(model_server.whole, bytes(1000), id="the beginning of another file"),
        pytest.param(model_server.whole, DATA + b"more", id="more than there is"),
        pytest.param(model_server.whole, DATA[:-1] + b"!", id="as much as there is, but wrong"),
    ],
)
def test_what_cannot_be_gone_on_with_is_begun_again(
    behaviour: model_server.Behaviour, left: bytes, server: ModelServer, folder: Path
) -> None:
    server.behaviour = behaviour
    folder.mkdir()
    (folder / "tiny.onnx.part").write_bytes(left)

    assert _get(server, folder).read_bytes() == DATA
    assert server.asked[-1] == ("/tiny.onnx", None) or behaviour is model_server.without_range
    assert _names(folder) == ["tiny.onnx"]


def test_a_server_that_always_hangs_up_is_given_up_and_half_is_kept(server: ModelServer, folder: Path) -> None:
    server.behaviour = model_server.always_broken_off
    text = _refused(server, folder)
    assert (
        f"the connection broke, {HALF} of {len(DATA)} bytes were received, and the next attempt resumes there" in text
    )
    assert _names(folder) == ["tiny.onnx.part"]


def test_another_file_is_refused_with_what_was_found_and_not_kept(server: ModelServer, folder: Path) -> None:
    server.behaviour = model_server.another_file
    text = _refused(server, folder)
    assert f"not the expected file: SHA-256 {hashlib.sha256(bytes(len(DATA))).hexdigest()}, {len(DATA)} bytes" in text
    assert f"expected SHA-256 {MODEL.contents[0].sha256}, {len(DATA)} bytes" in text
    assert _names(folder) == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("left", [b"", DATA[:1000]])
def test_a_proxys_page_is_named_and_costs_nothing_that_is_here(left: bytes, server: ModelServer, folder: Path) -> None:
    server.behaviour = model_server.error_page
    folder.mkdir()
    (folder / "tiny.onnx.part").write_bytes(left)
    text = _refused(server, folder)
    assert "received a web page ('Access denied') instead of the file, probably from a proxy or a login page" in text
    assert [path.read_bytes() for path in folder.iterdir()] == ([left] if left else [])


def test_a_page_that_comes_in_crumbs_is_named_too(server: ModelServer, folder: Path) -> None:
    def crumbs(visit: model_server.Visit) -> None:
        visit.answer(200, model_server.PAGE[:3], length=len(model_server.PAGE))
        visit.handler.wfile.write(model_server.PAGE[3:])

    server.behaviour = crumbs
    assert "a web page" in _refused(server, folder)
    assert _names(folder) == []


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (404, "tiny.onnx does not exist there (404)"),
        (403, "the server answers 403 Forbidden"),
        (503, "the server answers 503 Service Unavailable"),
        (407, "the proxy requires a password (407)"),
    ],
)
def test_an_error_of_the_server_is_named_and_keeps_what_is_here(
    code: int, cause: str, server: ModelServer, folder: Path
) -> None:
    server.behaviour = model_server.status(code)
    folder.mkdir()
    (folder / "tiny.onnx.part").write_bytes(DATA[:1000])
    assert cause in _refused(server, folder)
    assert (folder / "tiny.onnx.part").read_bytes() == DATA[:1000]


def test_a_server_that_says_nothing_is_given_up(server: ModelServer, folder: Path) -> None:
    server.behaviour = server.hang
    assert "no answer for 0.05 s" in _refused(server, folder, silence_s=0.05)
    assert _names(folder) == []


def test_a_server_that_falls_silent_is_given_up_and_half_is_kept(server: ModelServer, folder: Path) -> None:
    server.behaviour = server.hang_in_the_middle
    assert f"no answer for 1 s, {HALF} of {len(DATA)} bytes were received" in _refused(server, folder, silence_s=1.0)
    assert (folder / "tiny.onnx.part").read_bytes() == DATA[:HALF]


def test_a_download_may_not_take_longer_than_its_patience(server: ModelServer, folder: Path) -> None:
    text = _refused(server, folder, patience_s=0.0)
    assert "slower than 0 s, " in text
    assert (folder / "tiny.onnx.part").stat().st_size > 0


def test_a_file_that_does_not_end_is_broken_off(server: ModelServer, folder: Path) -> None:
    server.behaviour = model_server.endless
    assert f"sends more than {2 * len(DATA)} bytes, but the file has {len(DATA)}" in _refused(server, folder)
    assert _names(folder) == []


def test_nobody_there_is_named(folder: Path, free_port: Any) -> None:
    text = _refused(ModelServer(DATA, url=f"http://127.0.0.1:{free_port()}"), folder)
    assert "no connection: Connection refused" in text


def test_a_name_server_that_says_nothing_is_given_up(
    server: ModelServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: server.released.wait(timeout=60))
    said = "no address for 127.0.0.1 within 0.05 s: the name server does not answer"
    assert said in _refused(server, folder, connect_s=0.05)
    assert server.asked == []


def test_where_no_mirror_is_named_one_is_advised(folder: Path) -> None:
    with pytest.raises(DetectorError, match=r"Connection refused; copy tiny\.onnx into .*, or set a mirror in CLIMB"):
        download(MODEL, (folder,), Network())


def test_a_proxy_of_the_environment_is_used_and_named_without_its_password(
    server: ModelServer, folder: Path, free_port: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{port}")
    text = _refused(server, folder)
    assert f"no connection through the proxy 127.0.0.1:{port}: " in text
    assert "secret" not in text

    monkeypatch.setenv("http_proxy", server.url)
    away = download(MODEL, (folder,), Network(mirror="http://models.invalid/a"))
    assert away.read_bytes() == DATA
    assert server.asked == [("http://models.invalid/a/tiny.onnx", None)]


@pytest.mark.parametrize("proxy", ["gopher://me:secret@127.0.0.1:1", "http://me:secret/s@127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    proxy: str, server: ModelServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", proxy)
    text = _refused(server, folder)
    assert "the proxy set in the environment cannot be used: HTTPS_PROXY must look like http://HOST:PORT" in text
    assert "secret" not in text


@pytest.mark.parametrize("host", ["a" * 70, "a..b"])
def test_a_mirror_whose_host_cannot_be_is_named(host: str, folder: Path) -> None:
    assert "is not a valid URL" in _refused(ModelServer(DATA, url=f"http://{host}"), folder)


def test_certificates_that_are_not_there_are_named(
    server: ModelServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    assert "certificates of SSL_CERT_FILE or SSL_CERT_DIR: No such file" in _refused(server, folder)


def test_a_mirrors_password_is_sent_and_never_shown(server: ModelServer, folder: Path) -> None:
    said: list[str | None] = []

    def ask(visit: model_server.Visit) -> None:
        said.append(visit.handler.headers.get("Authorization"))
        visit.answer(403, b"no")

    server.behaviour = ask
    mirror = server.url.replace("//", "//me:s%40cret@")
    with pytest.raises(DetectorError) as caught:
        download(MODEL, (folder,), Network(mirror=mirror))

    assert said == ["Basic bWU6c0BjcmV0"]
    assert f"{server.url}/tiny.onnx: the server answers 403 Forbidden" in str(caught.value)
    assert "cret" not in str(caught.value) + repr(Network(mirror=mirror))


def test_a_full_disk_is_named_and_given_its_space_back(
    server: ModelServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Iterator[tuple[int, int]]:
        raise OSError(errno.ENOSPC, "No space left on device")
        yield 0, 0

    folder.mkdir()
    (folder / "tiny.onnx.part").write_bytes(DATA[:1000])
    monkeypatch.setattr(module, "_append", full)
    with pytest.raises(DetectorError) as caught:
        _get(server, folder)

    assert str(caught.value) == (
        f"detector tiny: the disk of {folder} is full: tiny needs 0.3 MB; make room, or name another folder in "
        "CLIMBTRACK_MODELS"
    )
    assert _names(folder) == []


def test_a_folder_that_cannot_be_written_is_passed_over(server: ModelServer, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = download(MODEL, (tmp_path / "file" / "models", folder), Network(mirror=server.url))
    assert path == folder / "tiny.onnx"


def test_a_read_only_cache_is_named(server: ModelServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(self: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(DetectorError) as caught:
        _get(server, folder)
    assert str(caught.value) == (
        f"detector tiny: cannot be stored: {folder}: Read-only file system; make it writable, or name another folder "
        "in CLIMBTRACK_MODELS"
    )
    assert server.asked == []


def test_two_at_a_time_do_not_write_into_each_others_part(server: ModelServer, folder: Path) -> None:
    folder.mkdir()
    part = folder / "tiny.onnx.part"
    with part.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(b"half of it")
        other.flush()
        assert _get(server, folder).read_bytes() == DATA
    assert part.read_bytes() == b"half of it"
    assert _names(folder) == ["tiny.onnx", "tiny.onnx.part"]
