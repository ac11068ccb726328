"""Cameras whose passwords hold the characters that separate the parts of a URL."""

import base64
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from ingest.config import IngestSettings
from ingest.errors import SourceError
from ingest.sources.opening import open_source
from ingest.state import State
from tests.conftest import wait_until
from tests.ingest_tools import IngestWorker, jpeg_of, make_video, spec_of

PASSWORD = "p[a]s s#w/o@r:d?%41é"
TYPED = "p[a]s s#w/o@r:d?%2541é"  # as it is, but for what would read as an escape
ENCODED = "p%5Ba%5Ds%20s%23w%2Fo%40r%3Ad%3F%2541%C3%A9"
LOGIN = "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
PICTURE = jpeg_of(0)


class HttpCamera(BaseHTTPRequestHandler):
    """Gives one picture to whoever knows the password."""

    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == LOGIN
        self.send_response(200 if known else 401)
        if not known:
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(PICTURE) if known else 0))
        self.end_headers()
        if known:
            with suppress(OSError):
                self.wfile.write(PICTURE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Say nothing."""


class RtspCamera(StreamRequestHandler):
    """Lets in whoever knows the password, and has nothing to show: 404."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            headers = {}
            while header := self.rfile.readline().decode().strip():
                name, _, value = header.partition(": ")
                headers[name] = value
            known = headers.get("Authorization") == LOGIN or line.startswith(b"OPTIONS")
            status = "200 OK" if line.startswith(b"OPTIONS") else "404 Not Found" if known else "401 Unauthorized"
            more = "" if known else 'WWW-Authenticate: Basic realm="camera"\r\n'
            self.wfile.write(f"RTSP/1.0 {status}\r\nCSeq: {headers['CSeq']}\r\n{more}\r\n".encode())


@pytest.fixture(params=["http", "rtsp"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    ThreadingTCPServer.daemon_threads = True
    server = (
        ThreadingHTTPServer(("127.0.0.1", 0), HttpCamera)
        if request.param == "http"
        else ThreadingTCPServer(("127.0.0.1", 0), RtspCamera)
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"{request.param}://{{}}127.0.0.1:{server.server_address[1]}/live"
    server.shutdown()
    server.server_close()
    thread.join()


def result(url: str) -> str:
    """Return what opening a camera ends with: `open`, or the cause."""
    try:
        source = open_source(spec_of(url), IngestSettings(connect_timeout_s=5, read_timeout_s=5))
    except SourceError as error:
        return str(error)
    source.close()
    return "open"


@pytest.mark.parametrize("typed", [pytest.param(TYPED, id="as it is"), pytest.param(ENCODED, id="percent-encoded")])
def test_a_password_of_any_characters_opens_the_camera(address: str, typed: str) -> None:
    assert result(address.format(f"ann:{typed}@")) in {"open", "there is no such stream at this address"}


def test_another_password_does_not(address: str) -> None:
    assert result(address.format("ann:hunter2@")) == "user or password refused"
    assert result(address.format("")) == "user or password refused"


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        pytest.param("rtsp://[bad/live", "malformed URL: expected rtsp://", id="half an IPv6 address"),
        pytest.param("rtsp://ann:hunter2@cam:99999/live", "with a port of 1 to 65535", id="a port that is none"),
        pytest.param("rtsp://ann:hunter2/4@cam/5@x", "in a password, write / as %2F", id="two possible hosts"),
        pytest.param("http://ann:hunter2", "malformed URL: expected http://", id="no host"),
        pytest.param("rtsp:///live", "malformed URL: expected rtsp://", id="an empty host"),
        pytest.param("rtmp://ann:hunter2@cam/live", "rtmp:// is not supported; use rtsp", id="another protocol"),
        pytest.param("rtsp://ann:hunter2@cam/a\nb", "control characters", id="a line break"),
        pytest.param("~nobody-of-this-name/door.mp4", "the file does not exist", id="a home of nobody"),
        pytest.param("a" * 300, "cannot be opened: File name too long", id="a name that no file has"),
        pytest.param("x" * 5000, "must not be longer than 4096 characters", id="a text that no path has"),
        pytest.param("12345678", "a device index has at most 3 digits", id="a device index that is none"),
    ],
)
def test_a_malformed_url_on_the_topic_is_the_error_of_one_camera(tmp_path: Path, url: str, cause: str) -> None:
    video = make_video(tmp_path / "hall.mp4")
    with IngestWorker() as worker:
        worker.add(spec_of(url, "door"))
        worker.add(spec_of(video, "hall"))
        wait_until(lambda: worker.state("door") is State.FAILED)
        assert cause in worker.cause("door")
        assert "hunter2" not in worker.cause("door")
        wait_until(lambda: worker.reader.ended("hall"))
        wait_until(lambda: worker.reader.ended("door"))
        (last,) = worker.reader.of("door")
        assert last.reason == worker.cause("door")
        assert sum(len(chunk.packets) for chunk in worker.reader.of("hall")) == 30
