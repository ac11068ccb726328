"""Motion JPEG over HTTP, as cameras send it and as they should."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ingest.config import IngestSettings
from ingest.errors import Broken, NoVideo
from ingest.sources.motion_jpeg import MotionJpegSource
from ingest.sources.opening import open_source
from ingest.sources.splitter import JpegSplitter, has_picture
from tests.ingest_tools import jpeg_of, spec_of

PICTURES = [jpeg_of(number) for number in range(6)]
MULTIPART = "multipart/x-mixed-replace; boundary=frame"


def body(
    boundary: bytes = b"--frame",
    newline: bytes = b"\r\n",
    *,
    first: bool = True,
    length: bool = True,
    kind: bool = True,
    behind: bytes = b"\r\n",
) -> bytes:
    """Return pictures in parts."""
    out = b""
    for number, picture in enumerate(PICTURES):
        if number or first:
            out += boundary + newline
        if kind:
            out += b"Content-Type: image/jpeg" + newline
        if length:
            out += b"Content-Length: %d" % len(picture) + newline
        out += newline + picture + behind
    return out


@contextmanager
def served(content_type: str, data: bytes, *, length: int | None = None) -> Iterator[str]:
    """Serve bytes over HTTP, to every connection; yield the URL."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\n"
    head += "" if length is None else f"Content-Length: {length}\r\n"
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(head.encode() + b"\r\n" + data)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/video"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def read(url: str) -> tuple[list[bytes], bool]:
    """Return the pictures up to the end of the connection, and whether the source has an end."""
    given: list[bytes] = []
    with closing(open_source(spec_of(url), IngestSettings())) as source:
        with pytest.raises(Broken, match="the connection broke"):
            given.extend(packet.data for packet in source.packets())
        return given, source.finite


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        pytest.param(MULTIPART, body(), id="as it should be"),
        pytest.param(MULTIPART, body(first=False), id="no first boundary"),
        pytest.param(MULTIPART, body(length=False), id="no lengths"),
        pytest.param(MULTIPART, body(newline=b"\n", behind=b"\n"), id="bare line feeds"),
        pytest.param(MULTIPART, body(newline=b"\n", behind=b"\n", length=False), id="line feeds, no lengths"),
        pytest.param(MULTIPART, body(first=False, newline=b"\n", length=False), id="nearly nothing"),
        pytest.param(MULTIPART, body(boundary=b"frame"), id="a boundary without dashes"),
        pytest.param(MULTIPART, body(boundary=b"--other"), id="another boundary than announced"),
        pytest.param(f'{MULTIPART[:-5]}"frame"', body(), id="a boundary in quotes"),
        pytest.param("multipart/x-mixed-replace", body(), id="no boundary announced"),
        pytest.param(MULTIPART, body(kind=False), id="parts without a type"),
        pytest.param(MULTIPART, body(kind=False, length=False), id="parts without headers"),
        pytest.param(MULTIPART, body(behind=b""), id="no line break behind a picture"),
        pytest.param(MULTIPART, b"\r\n\r\n" + body(), id="empty lines in front"),
        pytest.param(MULTIPART, b"This is a camera.\r\n" + body(), id="text in front"),
        pytest.param(MULTIPART, b"".join(PICTURES), id="nothing between the pictures"),
        pytest.param("text/plain", body(), id="another type"),
    ],
)
def test_every_picture_comes_untouched(content_type: str, data: bytes) -> None:
    with served(content_type, data) as url:
        given, finite = read(url)

    assert given == PICTURES
    assert not finite


def test_a_recording_with_a_length_has_an_end_and_a_rate() -> None:
    data = b"".join(PICTURES)
    with (
        served("video/x-motion-jpeg", data, length=len(data)) as url,
        closing(open_source(spec_of(url), IngestSettings())) as source,
    ):
        times = [packet.pts_ns for packet in source.packets()]

    assert source.finite
    assert times == [40_000_000 * number for number in range(6)]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"".join(PICTURES), id="picture behind picture"),
        pytest.param(body(), id="as a camera sent it"),
        pytest.param(body(first=False, newline=b"\n", length=False), id="as a careless camera sent it"),
    ],
)
def test_what_was_recorded_of_a_camera_is_read_from_a_file(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "camera.mjpg"
    path.write_bytes(data)

    with closing(open_source(spec_of(path), IngestSettings())) as source:
        assert [packet.data for packet in source.packets()] == PICTURES
        assert source.finite


@pytest.mark.parametrize("kept", [-1, -200, -len(PICTURES[-1]) + 3])
def test_a_recording_that_ends_inside_a_picture_is_truncated(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "camera.mjpg"
    path.write_bytes(b"".join(PICTURES)[:kept])

    with closing(open_source(spec_of(path), IngestSettings())) as source:
        packets = source.packets()
        assert [next(packets).data for _ in PICTURES[1:]] == PICTURES[:-1]
        with pytest.raises(Broken, match="truncated: its last picture is cut off; copy the file again"):
            next(packets)


def test_a_page_is_not_a_camera() -> None:
    page = b"<html>log in</html>"
    with served("text/html", page, length=len(page)) as url, pytest.raises(NoVideo):
        open_source(spec_of(url), IngestSettings())


class Data:
    """A container of plain data that gives some bytes and then ends."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def demux(self) -> Iterator[bytes]:
        yield self._data

    def close(self) -> None:
        """Do nothing."""


def test_live_pictures_are_timed_by_their_arrival() -> None:
    arrivals = [7_000_000_000, 7_200_000_000, 7_200_000_000, 9_000_000_000, 9_100_000_000, 9_200_000_000]
    clock: Callable[[], int] = iter(arrivals).__next__
    source = MotionJpegSource(Data(body()), b"", finite=False, settings=IngestSettings(), arrival_ns=clock)

    times = [packet.pts_ns for packet in source.packets()]

    assert times == [0, 200_000_000, 200_000_001, 2_000_000_000, 2_100_000_000, 2_200_000_000]


def test_a_picture_without_an_end_ends_where_the_next_begins() -> None:
    cut = PICTURES[0][:-2]

    assert list(JpegSplitter().feed(cut + PICTURES[1])) == [cut, PICTURES[1]]


def test_what_only_looks_like_a_picture_is_passed_over() -> None:
    assert list(JpegSplitter().feed(b"\xff\xd8\xff\xe0\x00\x04abXY" + PICTURES[1])) == [PICTURES[1]]


def test_the_end_of_a_thumbnail_is_not_the_end_of_a_picture() -> None:
    segment = b"\xff\xe1" + (len(PICTURES[1]) + 2).to_bytes(2, "big") + PICTURES[1]
    picture = PICTURES[0][:2] + segment + PICTURES[0][2:]

    assert list(JpegSplitter().feed(picture)) == [picture]


def test_a_picture_that_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.sources.splitter.MAX_PICTURE_BYTES", 1000)
    splitter = JpegSplitter()

    with pytest.raises(NoVideo, match="does not end"):
        list(splitter.feed(PICTURES[0][:-2] + bytes(1000)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"\xff\xd8\xff\xe0", True, id="a picture"),
        pytest.param(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xdb", True, id="a part"),
        pytest.param(b"\x00\x00\xff\xd8\xff\xe0", False, id="within other data"),
        pytest.param(b"\x00\x00\x00\x20ftypisom\n\xff\xd8\xff\xe0", False, id="in a container"),
        pytest.param(b"#EXTM3U\n", False, id="a playlist"),
    ],
)
def test_the_beginning_of_a_stream_tells_whether_it_is_of_pictures(data: bytes, *, expected: bool) -> None:
    assert has_picture(data) is expected
