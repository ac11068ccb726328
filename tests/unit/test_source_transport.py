"""Transport streams whose programmes change: every picture, whatever the tables do."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ingest.errors import NoVideo
from ingest.sources.tables import Tables, packet_bytes
from tests.video_tools import see, write_numbered

PACKET = 188
OTHER_PID = {"mpegts_start_pid": "0x200"}
OTHER_PROGRAMME = {"mpegts_service_id": "7", "mpegts_pmt_start_pid": "0x1100", "mpegts_start_pid": "0x300"}
OTHER_MAP = {"mpegts_pmt_start_pid": "0x1100", "mpegts_start_pid": "0x200"}
OTHER_VERSION = {"mpegts_start_pid": "0x200", "tables_version": "3"}
HEVC = {"x265-params": "log-level=none:keyint=10"}


def stream(tmp_path: Path, first: int, last: int, **how: Any) -> bytes:
    """Return a transport stream whose pictures show these numbers."""
    return write_numbered(tmp_path / f"{first}.ts", range(first, last + 1), **how).read_bytes()


def see_joined(tmp_path: Path, *parts: bytes) -> tuple[Sequence[int], Sequence[int]]:
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(parts))
    seen = see(path)
    assert seen.error is None
    return seen.shown, seen.numbers


@pytest.mark.parametrize(
    "muxing",
    [
        pytest.param({}, id="nothing"),
        pytest.param(OTHER_PID, id="the stream's PID"),
        pytest.param(OTHER_PROGRAMME, id="the programme"),
        pytest.param(OTHER_MAP, id="the map's PID"),
        pytest.param(OTHER_VERSION, id="the tables' version"),
    ],
)
def test_no_picture_is_lost_where_something_changes(muxing: dict[str, str], tmp_path: Path) -> None:
    shown, numbers = see_joined(tmp_path, stream(tmp_path, 1, 30), stream(tmp_path, 31, 60, muxing=muxing))

    assert shown == numbers == list(range(1, 61))


def test_a_programme_may_come_back(tmp_path: Path) -> None:
    parts = [stream(tmp_path, 1, 20), stream(tmp_path, 21, 40, muxing=OTHER_PROGRAMME), stream(tmp_path, 41, 60)]

    assert see_joined(tmp_path, *parts)[0] == list(range(1, 61))


def test_another_programme_may_have_another_codec_and_size(tmp_path: Path) -> None:
    first = stream(tmp_path, 1, 20)
    second = stream(tmp_path, 21, 40, encoder="libx265", options=HEVC, size=(256, 96), muxing=OTHER_PROGRAMME)

    shown, numbers = see_joined(tmp_path, first, second)

    assert shown == numbers == list(range(1, 41))


def test_a_map_may_come_without_the_table_of_programmes(tmp_path: Path) -> None:
    second = stream(tmp_path, 21, 40, muxing=OTHER_PID)
    packets = [second[at : at + PACKET] for at in range(0, len(second), PACKET)]
    without = [packet for packet in packets if packet[1:3] != b"\x40\x00"]

    assert see_joined(tmp_path, stream(tmp_path, 1, 20), *without)[0] == list(range(1, 41))


def with_time_codes(data: bytes) -> bytes:
    """Return the packets as Blu-ray discs and camcorders hold them: each behind four bytes of time."""
    return b"".join(b"\x00\x01\x02\x03" + data[at : at + PACKET] for at in range(0, len(data), PACKET))


@pytest.mark.parametrize("muxing", [OTHER_PID, OTHER_PROGRAMME])
def test_packets_may_have_time_codes(muxing: dict[str, str], tmp_path: Path) -> None:
    parts = [stream(tmp_path, 1, 20), stream(tmp_path, 21, 40, muxing=muxing)]

    assert see_joined(tmp_path, *map(with_time_codes, parts))[0] == list(range(1, 41))


def test_other_bytes_may_stand_between_two_recordings(tmp_path: Path) -> None:
    parts = [stream(tmp_path, 1, 20), b"\xff" * 777, stream(tmp_path, 21, 40, muxing=OTHER_PROGRAMME)]

    assert see_joined(tmp_path, *parts)[0] == list(range(1, 41))


def test_a_change_behind_what_is_looked_at_when_a_file_is_opened(tmp_path: Path) -> None:
    noise = {"g": "10", "qp": "10", "preset": "ultrafast"}
    first = stream(tmp_path, 1, 60, size=(640, 480), options=noise)
    assert len(first) > 6_000_000  # libav looks at 5 MB

    second = stream(tmp_path, 61, 70, size=(640, 480), options=noise, muxing=OTHER_PROGRAMME)

    assert see_joined(tmp_path, first, second)[0] == list(range(1, 71))


def sound(path: Path) -> bytes:
    with av.open(str(path), "w") as opened:
        out = opened.add_stream("mp2", rate=48000)
        out.layout = "mono"
        for _ in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), format="s16", layout="mono")
            frame.sample_rate = 48000
            opened.mux(out.encode(frame))
        opened.mux(out.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize("first", [True, False])
def test_a_programme_of_sound_alone_is_passed_over(tmp_path: Path, *, first: bool) -> None:
    video, radio = stream(tmp_path, 1, 20, muxing=OTHER_PROGRAMME), sound(tmp_path / "radio.ts")

    assert see_joined(tmp_path, *([radio, video] if first else [video, radio]))[0] == list(range(1, 21))


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    sound(tmp_path / "radio.ts")

    assert isinstance(see(tmp_path / "radio.ts").error, NoVideo)


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Serve a folder; yield its URL."""
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing of it; a reader may leave in the middle."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send a file as far as it is wanted."""
        with suppress(ConnectionError):
            super().copyfile(source, outputfile)


@pytest.mark.parametrize(
    ("muxing", "shown"),
    [pytest.param({}, range(1, 61), id="nothing changes"), pytest.param(OTHER_PROGRAMME, range(1, 31), id="programme")],
)
def test_over_http_a_change_of_the_programme_is_said_to_lose_the_rest(
    muxing: dict[str, str], shown: range, tmp_path: Path
) -> None:
    parts = [stream(tmp_path, 1, 30), stream(tmp_path, 31, 60, muxing=muxing)]
    (tmp_path / "joined.ts").write_bytes(b"".join(parts))

    with web_server(tmp_path) as url:
        seen = see(f"{url}/joined.ts")

    assert seen.shown == list(shown)
    assert (seen.error is None) == (len(shown) == 60)
    assert seen.error is None or "download it and read the file" in str(seen.error)


def tables_of(data: bytes) -> list[bytes]:
    return [data[at : at + PACKET] for at in (PACKET, 2 * PACKET)]  # behind the service description


def test_tables_that_are_repeated_change_nothing(tmp_path: Path) -> None:
    association, programme_map = tables_of(stream(tmp_path, 1, 2))
    tables = Tables()

    assert [tables.change(packet) for packet in (association, programme_map) * 3] == [False] * 6
    assert list(tables.maps) == [1]
    assert list(tables.videos.values()) == [frozenset({(0x100, 0x1B)})]


def test_a_damaged_table_changes_nothing(tmp_path: Path) -> None:
    association, programme_map = tables_of(stream(tmp_path, 1, 2))
    other = tables_of(stream(tmp_path, 3, 4, muxing=OTHER_PID))[1]
    damaged = other[:20] + bytes([other[20] ^ 1]) + other[21:]
    tables = Tables()
    for packet in (association, programme_map):
        tables.change(packet)

    assert not tables.change(damaged)
    assert tables.change(other)


@pytest.mark.parametrize("size", [188, 192, 204])
def test_the_distance_of_packets_is_seen(size: int) -> None:
    data = b"xyz" + (b"\x47" + bytes(size - 1)) * 6

    assert packet_bytes(data, 3) == size
