"""What a camera leads to, by redirects and playlists over real HTTP and RTSP, is opened only within its bounds."""

import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ingest.config import IngestSettings
from ingest.errors import AccessDenied, Broken, SourceError
from ingest.sources.opening import open_source
from tests.conftest import wait_until
from tests.ingest_tools import jpeg_of, make_video, spec_of
from tests.servers.live_hls import FPS, write_segments
from wire.bounds import Bounds

HOME, ELSEWHERE = "127.0.0.1", "127.0.0.2"
ONLY_HOME = Bounds(hosts=(HOME,))
PATIENT = IngestSettings(connect_timeout_s=5, read_timeout_s=5)
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"


@dataclass
class Web:
    """A web server: `/to/URL` redirects to that URL, `/camera` sends JPEGs, the rest is a folder."""

    url: str
    asked: list[str] = field(default_factory=list)


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *given: object, asked: list[str], directory: str) -> None:
        self._asked = asked
        super().__init__(*given, directory=directory)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._asked.append(self.path)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path == "/camera":
            pictures = b"".join(jpeg_of(number) for number in range(5))
            self.send_response(200)
            self.send_header("Content-Length", str(len(pictures)))
            self.end_headers()
            self.wfile.write(pictures)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Say nothing."""


@contextmanager
def serving(folder: Path, host: str) -> Iterator[Web]:
    """Serve a folder."""
    asked: list[str] = []
    server = ThreadingHTTPServer((host, 0), partial(_Handler, asked=asked, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Web(f"http://{host}:{server.server_address[1]}", asked)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("served")
    write_segments(made, 3)
    make_video(made / "a.mp4")
    (made / "x.sdp").write_text(SDP)
    return made


@pytest.fixture
def home(folder: Path) -> Iterator[Web]:
    with serving(folder, HOME) as web:
        yield web


@pytest.fixture
def elsewhere(folder: Path) -> Iterator[Web]:
    with serving(folder, ELSEWHERE) as web:
        yield web


def pictures(url: str, bounds: Bounds | None = ONLY_HOME) -> int:
    """Return how many pictures an address shows."""
    with closing(open_source(spec_of(url, bounds=bounds), PATIENT)) as source:
        return sum(1 for _ in source.packets())


def playlist(folder: Path, name: str, beginning: str) -> str:
    """Write a playlist whose segments are at another place; return its name."""
    text = (folder / "all.m3u8").read_text().replace("part", f"{beginning}part")
    (folder / name).write_text(text)
    return name


@pytest.mark.parametrize(
    ("path", "count"),
    [
        pytest.param("a.mp4", 30, id="a file, whose index is at its beginning"),
        pytest.param("camera", 5, id="JPEGs"),
        pytest.param("all.m3u8", 3 * FPS, id="a playlist"),
        pytest.param("part0.ts", FPS, id="a transport stream"),
        pytest.param("to//a.mp4", 30, id="a redirect to a path"),
        pytest.param("to//to//camera", 5, id="two redirects"),
        pytest.param("to//all.m3u8", 3 * FPS, id="a redirect to a playlist"),
    ],
)
def test_what_is_within_its_bounds_is_read_as_without(home: Web, path: str, count: int) -> None:
    assert pictures(f"{home.url}/{path}") == pictures(f"{home.url}/{path}", None) == count


def test_a_file_whose_index_is_at_its_end_is_read_within_its_bounds(home: Web, folder: Path) -> None:
    make_video(folder / "b.mov")

    assert pictures(f"{home.url}/b.mov") == 30


@pytest.mark.parametrize("path", ["a.mp4", "camera", "all.m3u8", "part0.ts"])
def test_a_redirect_out_of_the_bounds_is_refused_with_the_host_and_the_remedy(
    home: Web, elsewhere: Web, path: str
) -> None:
    target = elsewhere.url.replace("//", "//anna:secret@")

    with pytest.raises(AccessDenied, match=rf"leads to {ELSEWHERE}:\d+.*api\.camera_hosts") as refused:
        pictures(f"{home.url}/to/{target}/{path}")

    assert "secret" not in str(refused.value)
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    "target",
    ["file:///etc/hostname", "data:text/plain,x", "gopher://127.0.0.1/", "concat:/etc/hostname", "rtsp://127.0.0.1/"],
)
def test_a_redirect_to_another_kind_of_address_is_refused(home: Web, target: str) -> None:
    with pytest.raises(SourceError):
        pictures(f"{home.url}/to/{target}")


def test_a_redirect_to_itself_ends(home: Web) -> None:
    with serving(Path("/nonexistent"), HOME) as circle:
        pass
    with pytest.raises(Broken, match="redirects more than 5 times"):
        pictures(f"{home.url}/to/" + "/to/" * 8)
    assert circle.asked == []


@pytest.mark.parametrize("redirected", [False, True])
def test_segments_out_of_the_bounds_are_not_read(home: Web, elsewhere: Web, folder: Path, *, redirected: bool) -> None:
    beginning = f"/to/{elsewhere.url}/" if redirected else f"{elsewhere.url}/"
    name = playlist(folder, f"led{redirected}.m3u8", beginning)
    assert pictures(f"{home.url}/{name}", None) == 3 * FPS  # what would be read without bounds
    elsewhere.asked.clear()

    with pytest.raises(AccessDenied, match=rf"leads to {ELSEWHERE}"):
        pictures(f"{home.url}/{name}")

    assert elsewhere.asked == []


def test_a_segment_that_is_missing_is_passed_over(home: Web, folder: Path) -> None:
    (folder / "gap.m3u8").write_text((folder / "all.m3u8").read_text().replace("part1", "missing"))

    assert pictures(f"{home.url}/gap.m3u8") == pictures(f"{home.url}/gap.m3u8", None) > FPS


@pytest.mark.parametrize("beginning", ["file://{folder}/", "concat:{folder}/", "subfile,,start,0,end,9999,,:{folder}/"])
@pytest.mark.parametrize("bounds", [None, ONLY_HOME])
def test_a_playlist_of_a_web_server_names_no_file(
    home: Web, folder: Path, beginning: str, bounds: Bounds | None
) -> None:
    name = playlist(folder, "files.m3u8", beginning.format(folder=folder))

    with pytest.raises(SourceError):
        pictures(f"{home.url}/{name}", bounds)


@pytest.mark.parametrize("bounds", [None, ONLY_HOME])
def test_a_web_server_does_not_make_ingest_listen_for_packets(home: Web, bounds: Bounds | None) -> None:
    with pytest.raises(SourceError, match="not a video"):  # and not "no answer within 5 s", after having listened
        pictures(f"{home.url}/x.sdp", bounds)


def test_a_playlist_in_a_folder_names_no_file_out_of_it(folder: Path, tmp_path: Path) -> None:
    inside = tmp_path / "videos"
    inside.mkdir()
    (inside / "led.m3u8").write_text((folder / "all.m3u8").read_text().replace("part", f"file://{folder}/part"))
    make_video(inside / "a.mp4")
    only = Bounds(folders=(str(inside),))

    assert pictures(str(inside / "led.m3u8"), None) == 3 * FPS
    assert pictures(str(inside / "a.mp4"), only) == 30
    with pytest.raises(AccessDenied, match=r"only files in .*api\.camera_folders"):
        pictures(str(inside / "led.m3u8"), only)


@pytest.mark.parametrize("name", ["a.mp4", "all.m3u8", "part0.ts", "camera"])
def test_what_was_open_is_released(home: Web, folder: Path, name: str) -> None:
    def connections() -> int:
        """Return how many descriptors are open that were not before; the server's may be closed a little later."""
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(4):
            pictures(f"{home.url}/{name}")
            if name != "camera":
                pictures(str(folder / name), Bounds(folders=(str(folder),)))
        return len(list(Path("/proc/self/fd").iterdir())) - before

    gc.disable()
    try:
        wait_until(lambda: connections() < 4)
    finally:
        gc.enable()


def test_a_link_that_is_laid_after_the_check_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to(folder / "a.mp4")

    with pytest.raises(AccessDenied, match=r"api\.camera_folders"):
        pictures(str(tmp_path / "a.mp4"), Bounds(folders=(str(tmp_path),)))


def test_an_rtsp_camera_that_redirects_out_of_its_bounds_is_refused() -> None:
    with socket.create_server((HOME, 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(
                    b"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://anna:secret@127.0.0.2:9/door\r\n\r\n"
                )

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(AccessDenied, match=rf"leads to {ELSEWHERE}:9: .*api\.camera_hosts") as refused:
            pictures(f"rtsp://{HOME}:{listening.getsockname()[1]}/door")
        thread.join()

    assert "secret" not in str(refused.value)
