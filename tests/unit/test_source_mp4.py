"""MP4 files beyond what encoders write: several sample descriptions, edit lists, empty samples, missing ends."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from ingest.errors import Broken, NoVideo
from tests.mp4_tools import Description, Movie, Sample, track_of, write_mp4
from tests.video_tools import CLOSED, see, write_numbered

BASELINE = {"g": "10", "profile": "baseline", "x264-params": "scenecut=0"}
HEVC = {"x265-params": "log-level=none:keyint=10"}
Track = tuple[Description, list[Sample]]


def track(tmp_path: Path, first: int, last: int, **how: object) -> Track:
    """Return a track whose pictures show these numbers."""
    return track_of(write_numbered(tmp_path / f"{first}.mp4", range(first, last + 1), **how))  # type: ignore[arg-type]


def joined(path: Path, *tracks: Track) -> Path:
    """Write one track of several, each with a sample description of its own."""
    samples = [replace(one, description=i) for i, (_, own) in enumerate(tracks) for one in own]
    return write_mp4(path, Movie([description for description, _ in tracks], samples))


def test_every_sample_is_decoded_by_its_own_description(tmp_path: Path) -> None:
    parts = [track(tmp_path, 1, 20), track(tmp_path, 21, 40, options=BASELINE)]

    seen = see(joined(tmp_path / "joined.mp4", *parts))

    assert seen.error is None
    assert seen.shown == seen.numbers == list(range(1, 41))
    assert len({chunk.stream_id for chunk in seen.chunks}) == 2


def test_a_description_may_change_the_size(tmp_path: Path) -> None:
    parts = [track(tmp_path, 1, 20), track(tmp_path, 21, 40, size=(256, 96))]

    seen = see(joined(tmp_path / "joined.mp4", *parts))

    assert seen.shown == seen.numbers == list(range(1, 41))
    assert seen.sizes == [(320, 64), (256, 96)]
    assert {(chunk.width, chunk.height) for chunk in seen.chunks} == {(320, 64), (256, 96)}


def test_a_description_may_come_back(tmp_path: Path) -> None:
    first, second = track(tmp_path, 1, 10), track(tmp_path, 11, 20, size=(256, 96))
    again = [replace(one, description=0) for one in track(tmp_path, 21, 30)[1]]
    samples = [*first[1], *(replace(one, description=1) for one in second[1]), *again]

    seen = see(write_mp4(tmp_path / "aba.mp4", Movie([first[0], second[0]], samples)))

    assert seen.shown == seen.numbers == list(range(1, 31))


def test_a_description_of_another_codec_is_said_to_be_left_out(tmp_path: Path) -> None:
    parts = [track(tmp_path, 1, 20), track(tmp_path, 21, 40, encoder="libx265", options=HEVC)]

    seen = see(joined(tmp_path / "joined.mp4", *parts))

    assert seen.shown == list(range(1, 21))
    assert isinstance(seen.error, Broken)
    assert "20 of 40 frames use another codec" in str(seen.error)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        pytest.param((1700, 1000), range(16, 26), id="from within a group of pictures"),
        pytest.param((1200, 1000), range(11, 21), id="from a keyframe"),
        pytest.param((200, 1000), range(1, 11), id="from the beginning"),
    ],
)
def test_what_an_edit_list_cuts_away_is_not_seen(edit: tuple[int, int], expected: range, tmp_path: Path) -> None:
    description, samples = track(tmp_path, 1, 40, options=CLOSED)  # shown 200 ms after they are decoded

    seen = see(write_mp4(tmp_path / "trimmed.mp4", Movie([description], samples, edit=edit)))

    assert seen.error is None
    assert seen.shown == list(expected)
    assert seen.numbers == list(range(1, len(expected) + 1))
    assert seen.times_s == [round(0.1 * number, 3) for number in range(len(expected))]


def test_an_empty_sample_is_a_picture_left_out(tmp_path: Path) -> None:
    description, samples = track(tmp_path, 1, 20, options=BASELINE)
    samples[19] = replace(samples[19], data=b"")

    seen = see(write_mp4(tmp_path / "hole.mp4", Movie([description], samples)))

    assert seen.error is None
    assert seen.shown == list(range(1, 20))


def test_the_rest_of_a_truncated_video_is_missed_after_what_is_there(tmp_path: Path) -> None:
    whole = joined(tmp_path / "whole.mp4", track(tmp_path, 1, 40))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])

    seen = see(cut)

    assert seen.shown[:20] == list(range(1, 21))  # the last group of pictures may be damaged
    assert "of 40 frames are present; copy the file again" in str(seen.error)


def test_bytes_behind_the_last_box_are_nothing(tmp_path: Path) -> None:
    path = joined(tmp_path / "padded.mp4", track(tmp_path, 1, 10))
    path.write_bytes(path.read_bytes() + bytes(100) + b"\xff\xfe\x00\x01" * 20)

    seen = see(path)

    assert seen.error is None
    assert len(seen.frames) == 10


@pytest.fixture
def fragments(tmp_path: Path) -> Path:
    muxing = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    return write_numbered(tmp_path / "fragments.mp4", range(1, 61), muxing=muxing)


def test_fragments_are_read_to_their_end(fragments: Path) -> None:
    seen = see(fragments)

    assert seen.error is None
    assert seen.shown == list(range(1, 61))


def test_fragments_that_break_off_are_truncated(fragments: Path) -> None:
    fragments.write_bytes(fragments.read_bytes()[: fragments.stat().st_size * 6 // 10])

    seen = see(fragments)

    assert 20 <= len(seen.frames) < 40
    assert "bytes are missing; copy the file again" in str(seen.error)


def test_a_video_cut_off_before_its_index_cannot_be_read(tmp_path: Path) -> None:
    whole = write_numbered(tmp_path / "index_behind.mov", range(1, 41))
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    seen = see(whole)

    assert isinstance(seen.error, NoVideo)
    assert "cut off before its index was written" in str(seen.error)


def test_the_cover_of_a_sound_recording_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as opened:
        sound, cover = opened.add_stream("aac", rate=48000), opened.add_stream("mjpeg", rate=1)
        sound.layout = "mono"
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        opened.mux([*cover.encode(av.VideoFrame(64, 48, "yuvj420p")), *cover.encode(None)])
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        opened.mux([*sound.encode(frame), *sound.encode(None)])

    assert isinstance(see(path).error, NoVideo)
