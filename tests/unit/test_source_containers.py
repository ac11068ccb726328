"""Files of every container: AVI's times and holes, unusual pixels, and files that end too early."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from ingest.errors import Broken, NoVideo
from tests.mp4_tools import Movie, track_of, write_mp4
from tests.video_tools import CLOSED, see, write_numbered
from tests.worker_tools import numbered_image

INTERLACED = {"flags": "+ilme+ildct", "x264-params": "tff=1"}
MPEG4 = {"qscale": "2", "g": "10"}


def avi_at(path: Path, places: list[int], encoder: str = "mpeg4") -> Path:
    """Write an AVI at 10 fps with a picture at each of these places, and empty frames between them."""
    with av.open(str(path), "w") as opened:
        stream = opened.add_stream(encoder, rate=10, options=MPEG4)
        stream.width, stream.height, stream.pix_fmt = 320, 64, "yuv420p"
        for number, place in enumerate(places, 1):
            frame = av.VideoFrame.from_ndarray(numbered_image(number), format="bgr24")
            frame.pts = place
            opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))
    return path


def test_empty_frames_of_an_avi_are_time_without_pictures(tmp_path: Path) -> None:
    places = [0, 1, 2, 7, 8, 12, 20]

    seen = see(avi_at(tmp_path / "a.avi", places))

    assert seen.error is None
    assert seen.shown == [1, 2, 3, 4, 5, 6, 7]
    assert seen.times_s == [round(0.1 * place, 3) for place in places]


def remuxed(path: Path, source: Path, spacing: int) -> Path:
    """Copy a video into an AVI with `spacing` places a picture, in decoding order, which is all that AVI can tell."""
    with av.open(str(source)) as given, av.open(str(path), "w") as opened:
        stream = given.streams.video[0]
        out = opened.add_stream_from_template(stream)
        out.time_base = Fraction(1, 10 * spacing)
        place = 0
        for packet in given.demux(stream):
            if packet.size:
                packet.pts = packet.dts = place * spacing
                packet.time_base, packet.stream = out.time_base, out
                opened.mux(packet)
                place += 1
    return path


@pytest.mark.parametrize("spacing", [1, 2])
def test_b_frames_copied_into_an_avi_are_shown_in_order(spacing: int, tmp_path: Path) -> None:
    seen = see(remuxed(tmp_path / "a.avi", write_numbered(tmp_path / "a.ts", range(1, 41)), spacing))

    assert seen.error is None
    assert seen.shown == seen.numbers == list(range(1, 41))
    assert seen.times_s == [round(0.1 * place, 3) for place in range(40)]


@pytest.mark.parametrize("suffix", ["mkv", "flv", "avi", "asf", "mov"])
def test_a_file_that_ends_too_early_is_truncated(suffix: str, tmp_path: Path) -> None:
    muxing = {"movflags": "faststart"} if suffix == "mov" else {}
    encoder, options = ("mpeg4", MPEG4) if suffix == "avi" else ("libx264", CLOSED)
    path = write_numbered(tmp_path / f"a.{suffix}", range(1, 61), encoder, options=options, muxing=muxing)
    assert see(path).error is None

    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seen = see(path)

    assert 0 < len(seen.frames) < 60
    assert isinstance(seen.error, Broken)
    assert str(seen.error).startswith("truncated: ")
    assert str(seen.error).endswith("copy the file again")


@pytest.mark.parametrize(
    ("encoder", "pixels", "size", "options"),
    [
        pytest.param("libx265", "yuv422p10le", (320, 64), {"x265-params": "log-level=none"}, id="10 bits, 4:2:2"),
        pytest.param("libx264", "yuv444p", (319, 63), {}, id="odd sizes"),
        pytest.param("libx264", "yuv420p", (322, 66), {}, id="cropped from whole macroblocks"),
        pytest.param("libx264", "yuv420p", (320, 64), INTERLACED, id="interlaced"),
        pytest.param("libx264", "gray", (320, 64), {}, id="grey"),
        pytest.param("ffv1", "yuv420p", (320, 64), {}, id="FFV1"),
        pytest.param("mpeg2video", "yuv420p", (320, 64), {"bf": "2", "qscale": "2"}, id="MPEG-2 with B-frames"),
    ],
)
def test_unusual_pixels_are_seen(
    encoder: str, pixels: str, size: tuple[int, int], options: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as opened:
        stream = opened.add_stream(encoder, rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        for number in range(1, 13):
            picture = av.VideoFrame.from_ndarray(numbered_image(number, *size), format="bgr24")
            frame = picture.reformat(format=pixels)
            frame.pts = number - 1
            opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))

    seen = see(path)

    assert seen.error is None
    assert seen.shown == seen.numbers == list(range(1, 13))
    assert seen.sizes == [size]


def test_times_are_kept_where_the_rate_varies(tmp_path: Path) -> None:
    path, times_ms = tmp_path / "a.mkv", [0, 33, 66, 500, 510, 2000, 2033, 5000]
    with av.open(str(path), "w") as opened:
        stream = opened.add_stream("libx264", rate=30, options=CLOSED)
        stream.width, stream.height, stream.pix_fmt = 320, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_ms in enumerate(times_ms, 1):
            frame = av.VideoFrame.from_ndarray(numbered_image(number), format="bgr24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))

    seen = see(path)

    assert seen.shown == list(range(1, 9))
    assert seen.times_s == [time_ms / 1000 for time_ms in times_ms]


def test_times_begin_at_the_first_picture_even_where_they_are_negative(tmp_path: Path) -> None:
    description, samples = track_of(write_numbered(tmp_path / "a.mp4", range(1, 11)))
    early = [type(one)(one.data, one.keyframe, one.shift - 500) for one in samples]

    seen = see(write_mp4(tmp_path / "early.mp4", Movie([description], early)))

    assert seen.shown == list(range(1, 11))
    assert seen.times_s == [round(0.1 * place, 3) for place in range(10)]


def test_raw_streams_one_behind_the_other_are_one(tmp_path: Path) -> None:
    parts: list[dict[str, Any]] = [{}, {"size": (256, 96)}, {"options": {"g": "10", "profile": "baseline"}}]
    path = tmp_path / "all.264"
    path.write_bytes(
        b"".join(
            write_numbered(tmp_path / f"{i}.264", range(1 + 10 * i, 11 + 10 * i), container="h264", **part).read_bytes()
            for i, part in enumerate(parts)
        )
    )

    seen = see(path)

    assert seen.shown == seen.numbers == list(range(1, 31))
    assert seen.sizes == [(320, 64), (256, 96), (320, 64)]


@pytest.mark.parametrize("suffix", ["flv", "mp4", "mov", "wmv"])
def test_a_recording_appended_to_another_is_missed_where_it_cannot_be_read(suffix: str, tmp_path: Path) -> None:
    encoder, options = ("wmv2", {"qscale": "2"}) if suffix == "wmv" else ("libx264", CLOSED)
    path = write_numbered(tmp_path / f"a.{suffix}", range(1, 21), encoder, options=options)
    first = path.read_bytes()
    path.write_bytes(first + first)

    seen = see(path)

    assert len(seen.frames) == 20
    assert f"another recording follows at byte {len(first)}, which was not read" in str(seen.error)


def test_a_matroska_appended_to_another_goes_on_in_time(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mkv", range(1, 41))
    path.write_bytes(path.read_bytes() + write_numbered(tmp_path / "b.mkv", range(41, 81)).read_bytes())

    seen = see(path)

    assert seen.error is None
    assert seen.shown == list(range(1, 81))
    assert seen.times_s == [round(0.1 * place, 3) for place in range(80)]


def test_a_short_recording_behind_another_that_is_decoded_goes_on_in_time(tmp_path: Path) -> None:
    options = {"qscale": "2", "bf": "0"}
    path = write_numbered(tmp_path / "a.mkv", range(1, 11), "mpeg4", options=options)
    path.write_bytes(
        path.read_bytes() + write_numbered(tmp_path / "b.mkv", range(11, 21), "mpeg4", options=options).read_bytes()
    )

    seen = see(path)

    assert seen.error is None
    assert seen.shown == list(range(1, 21))
    assert seen.times_s == [round(0.1 * place, 3) for place in range(20)]


def test_a_matroska_that_is_damaged_inside_is_missed_from_there_on(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mkv", range(1, 61))
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half:] = bytes(len(data) - half)
    path.write_bytes(data)

    seen = see(path)

    assert 0 < len(seen.frames) < 60
    assert "of 6.0 s are present; copy the file again" in str(seen.error)


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    error = see(tmp_path / "a.mp4").error

    assert isinstance(error, NoVideo)
    assert str(error).startswith("the file is empty; ")


def test_a_broken_packet_costs_its_own_picture_and_no_number(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mov", range(1, 11), "png", options={})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        fourth = list(container.demux(video=0))[3]
        assert fourth.pos is not None
        data[fourth.pos : fourth.pos + 100] = bytes(100)
    path.write_bytes(data)

    seen = see(path)

    assert seen.shown == seen.numbers == [1, 2, 3, 5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize(
    ("lost", "cause"),
    [
        pytest.param(range(9, 10), "its last picture cannot be decoded", id="the last"),
        pytest.param(range(7, 10), "its last 3 pictures cannot be decoded", id="the last three"),
        pytest.param(range(10), "none of its pictures can be decoded", id="all"),
    ],
)
@pytest.mark.parametrize("encoder", ["png", "mjpeg"])
def test_broken_packets_behind_the_last_picture_are_missed(
    encoder: str, lost: range, cause: str, tmp_path: Path
) -> None:
    path = write_numbered(tmp_path / "a.mov", range(1, 11), encoder, options={})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in list(container.demux(video=0))[lost.start : lost.stop]:
            assert packet.pos is not None
            data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)

    seen = see(path)

    assert seen.shown == list(range(1, lost.start + 1))
    assert isinstance(seen.error, Broken)
    assert str(seen.error).startswith(f"{cause}; copy the file again")


def test_a_format_that_nothing_here_decodes_is_named(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", range(1, 4))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1"))

    error = see(path).error

    assert isinstance(error, NoVideo)
    assert str(error).startswith("its video is in a format for which there is no decoder; convert it to H.264")


def test_a_file_that_ends_inside_its_header_is_no_camera_that_cannot_be_reached(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.webm", range(1, 11), "libvpx-vp9", options={})
    path.write_bytes(path.read_bytes()[:200])

    error = see(path).error

    assert isinstance(error, Broken)
    assert "bytes are missing; copy the file again" in str(error)


def test_a_link_that_leads_nowhere_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to("gone.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")

    for name in ("a.mp4", "loop.mp4"):
        assert str(see(tmp_path / name).error).startswith("it is a link to a file that does not exist; check the path")
