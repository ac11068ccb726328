"""What every kind of source gives, on videos made here."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from ingest.config import IngestSettings
from ingest.errors import NotFound, NoVideo, SourceError, Unreachable
from ingest.source import SourcePacket
from ingest.sources import jpeg
from ingest.sources.demux import Demuxer
from ingest.sources.opening import open_source
from tests.ingest_tools import FRAME_NS, QUIET_X265, Recipe, jpeg_of, make_video, picture, spec_of

B_FRAMES = {"g": "10", "bf": "2", "x264-params": "scenecut=0:b-adapt=0"}
RAW_H264 = Recipe(container="h264", options=B_FRAMES)
RAW_HEVC = Recipe("libx265", container="hevc", options=QUIET_X265)


def read(url: Path | str, **fields: Any) -> list[SourcePacket]:
    source = open_source(spec_of(url, **fields), IngestSettings())
    try:
        return list(source.packets())
    finally:
        source.close()


def size_of(data: bytes) -> jpeg.Size | None:
    header = jpeg.header_of(data)
    return None if header is None else header.size


def demuxed(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def decoded_order(packets: list[SourcePacket]) -> list[int]:
    """Return presentation times in the order in which a decoder gives the pictures."""
    look = packets[0].format
    decoder = av.CodecContext.create(look.codec, "r")
    if look.extradata:
        decoder.extradata = look.extradata
    times = []
    for packet in packets:
        item = av.Packet(packet.data)
        item.pts = packet.pts_ns
        times += [frame.pts for frame in decoder.decode(item)]
    return times + [frame.pts for frame in decoder.decode(None)]


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        pytest.param("a.mp4", Recipe(options=B_FRAMES), id="H.264 in MP4"),
        pytest.param("a.mkv", Recipe("libx265", options=QUIET_X265), id="HEVC in Matroska"),
        pytest.param("a.ts", Recipe(options=B_FRAMES), id="H.264 in a transport stream"),
        pytest.param("a.264", RAW_H264, id="raw H.264"),
        pytest.param("a.hevc", RAW_HEVC, id="raw HEVC"),
        pytest.param("a.avi", Recipe(options=B_FRAMES), id="H.264 in AVI"),
        pytest.param("m.avi", Recipe("mjpeg", options={}), id="MJPEG in AVI"),
    ],
)
def test_packets_pass_untouched_and_decode_to_the_same_frames(name: str, recipe: Recipe, tmp_path: Path) -> None:
    path = make_video(tmp_path / name, recipe)

    packets = read(path)

    assert b"".join(packet.data for packet in packets) == b"".join(demuxed(path))
    assert decoded_order(packets) == [number * FRAME_NS for number in range(30)]
    assert {(packet.format.width, packet.format.height) for packet in packets} == {(64, 48)}
    assert packets[0].keyframe


def test_keyframes_are_marked(tmp_path: Path) -> None:
    packets = read(make_video(tmp_path / "a.mp4"))

    assert [number for number, packet in enumerate(packets) if packet.keyframe] == [0, 10, 20]


@pytest.mark.parametrize(
    ("name", "encoder"),
    [pytest.param("a.avi", "mpeg4", id="MPEG-4 part 2"), pytest.param("a.webm", "libvpx", id="VP8")],
)
def test_other_codecs_become_jpeg(name: str, encoder: str, tmp_path: Path) -> None:
    packets = read(make_video(tmp_path / name, Recipe(encoder, options={"b": "1000000"})))

    assert [packet.pts_ns for packet in packets] == [number * FRAME_NS for number in range(30)]
    assert {packet.format.codec for packet in packets} == {"mjpeg"}
    shown = cv2.imdecode(np.frombuffer(packets[9].data, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert np.abs(shown[:, 20:40].astype(int) - picture(9)[:, 20:40]).max() < 30


def test_a_raw_stream_that_changes_its_size_changes_its_format(tmp_path: Path) -> None:
    small = make_video(tmp_path / "small.264", RAW_H264)
    large = make_video(tmp_path / "large.264", Recipe(container="h264", width=96, height=80))
    both = tmp_path / "both.264"
    both.write_bytes(small.read_bytes() + large.read_bytes())

    packets = read(both)

    sizes = [(packet.format.width, packet.format.height) for packet in packets]
    assert sizes == [(64, 48)] * 30 + [(96, 80)] * 30
    assert len({id(packet.format) for packet in packets}) == 2
    assert len({packet.pts_ns for packet in packets}) == 60


def test_a_live_stream_without_timestamps_is_timed_by_arrival(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mjpeg", Recipe("mjpeg", frames=4, options={}))
    arrivals = [7_000_000_000, 7_200_000_000, 7_200_000_000, 9_000_000_000][::-1]

    with av.open(str(path)) as opened:
        demuxer = Demuxer(opened, opened.streams.video[0], IngestSettings(), finite=False, arrival_ns=arrivals.pop)
        times = [pts_ns for _, pts_ns in demuxer.timed()]

    assert times == [0, 200_000_000, 200_000_001, 2_000_000_000]


def test_the_size_of_a_jpeg_is_what_its_decoder_says() -> None:
    for width, height in [(1, 1), (64, 48), (300, 7)]:
        assert size_of(jpeg_of(0, width, height)) == (width, height)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00", b"GIF89a", b"\xff\xd8\x00\x00" * 9])
def test_what_is_no_jpeg_has_no_size(data: bytes) -> None:
    assert size_of(data) is None


def fails(url: Path | str, **fields: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read(url, **fields)
    return caught.value


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    error = fails(tmp_path / "nothing.mp4")

    assert isinstance(error, NotFound)
    assert "does not exist" in str(error)


@pytest.mark.parametrize("name", ["notes.mp4", "notes.txt"])
def test_text_is_no_video(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("hello " * 1000)

    assert isinstance(fails(path), NoVideo)


def test_sound_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))

    assert "contains no video" in str(fails(path))


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_what_answers_and_is_no_camera_is_said_to_be_none(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(2 if scheme == "http" else 1):  # what a web server sends is looked at for pictures first
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")

        answering = threading.Thread(target=answer)
        answering.start()
        error = fails(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/stream")
        answering.join()

    assert isinstance(error, NoVideo)
    assert str(error) == "what answers at this address is not a video that can be read"


def test_a_device_that_is_not_there_is_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    error = fails("97")
    assert isinstance(error, NotFound)
    assert str(error).startswith("there is no /dev/video97; this machine has ")
    assert capfd.readouterr().err == ""


def test_nobody_at_the_address_is_unreachable(free_port: Callable[[], int]) -> None:
    error = fails(f"rtsp://user:secret@127.0.0.1:{free_port()}/x")

    assert isinstance(error, Unreachable)
    assert "secret" not in str(error)
