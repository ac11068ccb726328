"""Every picture has a time of its own, in the order in which it is shown, whatever clock its recorder has."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest

from ingest.errors import Broken
from ingest.source import SourcePacket
from ingest.sources.distinct import MOST_HELD, DistinctTimes
from tests.ingest_tools import H264
from tests.video_tools import CLOSED, see, write_numbered
from tests.worker_tools import numbered_image

MS = 1_000_000
FRAME_MS = 40
MANY = 20
PLAIN = {**CLOSED, "bf": "0"}
TIME_LAPSE = {"g": "20", "bf": "3", "x264-params": "scenecut=0:b-adapt=0:b-pyramid=normal"}


def placed(
    times_ms: list[int], *, reordered: bool = False, live: bool = False, frame_ms: int = FRAME_MS
) -> list[float]:
    """Return the times in ms that pictures get which state these."""
    packets = [SourcePacket(time_ms * MS, keyframe=True, data=b"x", format=H264) for time_ms in times_ms]
    times = DistinctTimes(frame_ms * MS, reordered=reordered, live=live)
    return [packet.pts_ns / MS for packet in times.place(packets)]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        pytest.param([0, 40, 80], [0, 40, 80], id="distinct ones stay"),
        pytest.param([0, 0, 80, 80, 160], [0, 40, 80, 120, 160], id="pairs"),
        pytest.param([0, 0, 0, 60, 60, 120], [0, 20, 40, 60, 90, 120], id="closer than frames are"),
        pytest.param([0, 0, 0], [0, 40, 80], id="a clock that stands still"),
        pytest.param([0, 0, 9000], [0, 40, 9000], id="before a pause"),
        pytest.param([80, 0, 40, 160, 160], [80, 0, 40, 160, 200], id="B-frames that nothing announced"),
    ],
)
def test_pictures_of_one_time_are_spread_until_the_next(stated: list[int], expected: list[float]) -> None:
    assert placed(stated) == expected


def test_a_rate_that_is_none_spreads_nothing_over_millionths_of_seconds() -> None:
    assert placed([0, 0, 0], frame_ms=0) == [0, 40, 80]


def test_a_picture_of_a_live_stream_does_not_wait_for_the_next_time() -> None:
    given = iter([SourcePacket(0, keyframe=True, data=b"x", format=H264)] * 2)

    times = DistinctTimes(FRAME_MS * MS, reordered=False, live=True).place(given)

    assert [next(times).pts_ns, next(times).pts_ns] == [0, FRAME_MS * MS]
    assert next(given, None) is None


def test_of_a_clock_that_stands_still_for_long_not_all_pictures_are_kept_in_memory() -> None:
    taken = []

    def given() -> list[SourcePacket]:
        taken.append(1)
        return [SourcePacket(0, keyframe=True, data=b"x", format=H264)]

    endless = (packet for _ in range(10 * MOST_HELD) for packet in given())
    times = DistinctTimes(FRAME_MS * MS, reordered=False, live=False).place(endless)
    got = [next(times).pts_ns for _ in range(5)]

    assert got == [place * FRAME_MS * MS for place in range(5)]
    assert len(taken) <= MOST_HELD + 1


def test_what_is_held_is_not_lost_with_a_source_that_breaks() -> None:
    def breaks() -> list[SourcePacket]:
        raise Broken("it broke")

    same = SourcePacket(0, keyframe=True, data=b"x", format=H264)
    given = (packet for part in ([same, same], None) for packet in (breaks() if part is None else part))
    times = DistinctTimes(FRAME_MS * MS, reordered=False, live=False).place(given)
    got: list[SourcePacket] = []

    with pytest.raises(Broken):
        got.extend(times)

    assert [packet.pts_ns // MS for packet in got] == [0, FRAME_MS]


def test_with_b_frames_pictures_of_one_time_differ_by_next_to_nothing() -> None:
    stated = [0, 120, 40, 40, 120]

    assert placed(stated, reordered=True) == [0, 120, 40, 40.000001, 120.000001]


def copied(source: Path, target: Path, time: Callable[[int], int]) -> Path:
    """Copy a video, its times in ms changed; `time` must never decrease."""
    with av.open(str(source)) as given, av.open(str(target), "w") as out:
        stream = given.streams.video[0]
        written = out.add_stream_from_template(stream)
        for packet in given.demux(stream):
            if packet.size:
                assert packet.pts is not None
                assert packet.dts is not None
                tick = 1000 * (stream.time_base or 1)
                packet.pts, packet.dts = (time(round(ticks * tick)) for ticks in (packet.pts, packet.dts))
                packet.time_base, packet.stream = Fraction(1, 1000), written
                out.mux_one(packet)
    return target


@pytest.mark.parametrize(
    ("time", "coarse_s"),
    [
        pytest.param(lambda ms: ms // 200 * 200, 0.2, id="every time twice"),
        pytest.param(lambda ms: ms // 1000 * 1000, 1.0, id="whole seconds"),
        pytest.param(lambda _: 0, 2.0, id="always 0"),
    ],
)
@pytest.mark.parametrize(
    ("suffix", "encoder", "options"),
    [
        pytest.param("mkv", "libx264", PLAIN, id="H.264 in Matroska"),
        pytest.param("flv", "libx264", PLAIN, id="H.264 in FLV"),
        pytest.param("mkv", "ffv1", {}, id="decoded"),
    ],
)
def test_no_picture_is_lost_that_states_the_time_of_another(
    suffix: str,
    encoder: str,
    options: dict[str, str],
    time: Callable[[int], int],
    coarse_s: float,
    tmp_path: Path,
) -> None:
    source = write_numbered(tmp_path / "source.mkv", range(1, MANY + 1), encoder, options=options)

    seen = see(copied(source, tmp_path / f"coarse.{suffix}", time))

    assert seen.shown == seen.numbers == list(range(1, MANY + 1))
    assert seen.times_s == sorted(set(seen.times_s))
    assert seen.times_s == pytest.approx([place / 10 for place in range(MANY)], abs=coarse_s)


@pytest.mark.parametrize("coarse_ms", [200, 300, 1000])
def test_with_b_frames_one_of_each_time_is_seen_and_all_keep_their_numbers(coarse_ms: int, tmp_path: Path) -> None:
    source = write_numbered(tmp_path / "source.mp4", range(1, MANY + 1))

    seen = see(copied(source, tmp_path / "coarse.mkv", lambda ms: ms // coarse_ms * coarse_ms))

    assert seen.shown == seen.numbers
    assert len(seen.shown) == len({time // coarse_ms for time in range(0, MANY * 100, 100)})


@pytest.mark.parametrize("seconds", [1, 5, 60])
def test_a_time_lapse_with_b_frames_keeps_its_times(seconds: int, tmp_path: Path) -> None:
    path = tmp_path / "slow.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(1, seconds), options=TIME_LAPSE)
        stream.width, stream.height, stream.pix_fmt = 320, 64, "yuv420p"
        for place in range(MANY):
            frame = av.VideoFrame.from_ndarray(numbered_image(1 + place), format="bgr24")
            frame.pts = place
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))

    seen = see(path)

    assert seen.shown == seen.numbers == list(range(1, MANY + 1))
    assert seen.times_s == [place * seconds for place in range(MANY)]
