"""Cameras and files over real HTTP."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import pytest

from tests.conftest import wait_until
from tests.ingest_tools import IngestWorker, Recipe, data_of, jpeg_of, make_video, spec_of

JPEGS = [jpeg_of(number) for number in range(40)]


class WebServer(SimpleHTTPRequestHandler):
    """Serves a folder, `/camera` as a multipart stream of JPEGs, and `/closed` to nobody."""

    def do_GET(self) -> None:
        if self.path == "/camera":
            self._stream()
        elif self.path == "/closed":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Say nothing."""

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for jpeg in JPEGS:
            head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
            self.wfile.write(head + jpeg + b"\r\n")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(WebServer, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def worker() -> Iterator[IngestWorker]:
    with IngestWorker(backoff_first_s=0.1, backoff_max_s=0.2, read_timeout_s=5) as made:
        yield made


def demuxed(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_a_video_on_a_web_server_is_a_file_that_ends(worker: IngestWorker, web: str, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4")

    worker.add(spec_of(f"{web}/a.mp4", mode="complete", start_ns=0))
    wait_until(lambda: worker.reader.ended("door"))

    chunks = worker.reader.of("door")
    assert data_of(chunks) == demuxed(path)
    assert chunks[-1].reason == ""
    assert len(worker.streams("door")) == 1


def test_a_finished_hls_playlist_is_a_file_that_ends(worker: IngestWorker, web: str, tmp_path: Path) -> None:
    make_video(tmp_path / "a.m3u8", Recipe(frames=60, container="hls"))

    worker.add(spec_of(f"{web}/a.m3u8", mode="complete", start_ns=0))
    wait_until(lambda: worker.reader.ended("door"))

    assert len(data_of(worker.reader.of("door"))) == 60


def test_an_mjpeg_stream_passes_untouched_and_is_opened_again_when_it_stops(worker: IngestWorker, web: str) -> None:
    worker.add(spec_of(f"{web}/camera"))
    wait_until(lambda: sum(chunks[-1].ended for chunks in worker.streams("door").values()) >= 2)

    first = next(iter(worker.streams("door").values()))
    assert data_of(first) == JPEGS
    assert (first[0].codec, first[0].width, first[0].height) == ("mjpeg", 64, 48)


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        pytest.param("closed", "user or password refused", id="401"),
        pytest.param("nothing.mp4", "no such stream", id="404"),
        pytest.param("notes.txt", "no video", id="text"),
    ],
)
def test_what_cannot_be_read_is_named_and_tried_again(
    path: str, cause: str, worker: IngestWorker, web: str, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("hello " * 1000)

    worker.add(spec_of(f"{web}/{path}"))

    wait_until(lambda: cause in worker.cause("door"))
