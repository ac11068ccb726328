"""The numbers of frames stay right, whatever happens to the packets."""

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import av
import msgspec
import pytest

from reid_worker.decode import DecoderState, Frame, Sampler, StreamDecoder
from tests.worker_tools import START_NS, Video, number_of, numbered_image, packets
from wire.messages import FrameChunk

N = 40


@pytest.fixture(scope="module")
def video() -> Video:
    return packets([numbered_image(n) for n in range(1, N + 1)])


def _decoder(video: Video, fps: float = 10.0) -> StreamDecoder:
    return StreamDecoder(video.codec, video.extradata, fps, DecoderState())


def _decode(decoder: StreamDecoder, chunks: Sequence[FrameChunk]) -> list[Frame]:
    return [frame for chunk in chunks for frame in decoder.decode(chunk)]


def _shown(frames: Sequence[Frame]) -> list[int]:
    return [number_of(frame.image) for frame in frames]


def test_the_test_video_has_frames_out_of_order(video: Video) -> None:
    times = [packet.pts_ns for packet in video.packets]
    assert times != sorted(times)


@pytest.mark.parametrize("size", [1, 3, 5, 40])
def test_every_frame_of_a_slow_video_comes_out_with_its_number_and_time(video: Video, size: int) -> None:
    frames = _decode(_decoder(video), video.chunks(size=size))

    assert [frame.number for frame in frames] == _shown(frames) == list(range(1, N + 1))
    assert [frame.time_ns - START_NS for frame in frames] == [100_000_000 * n for n in range(N)]


def test_motion_jpeg_is_decoded_the_same_way() -> None:
    video = packets([numbered_image(n) for n in range(1, 9)], codec="mjpeg")

    frames = _decode(_decoder(video), video.chunks())

    assert [frame.number for frame in frames] == _shown(frames) == list(range(1, 9))


def test_a_broken_packet_is_survived_and_later_numbers_stay_right(video: Video) -> None:
    decoder = _decoder(video)
    chunks = video.chunks()
    broken = msgspec.structs.replace(chunks[1].packets[1], data=b"\x00\x00\x00\x04junk")
    chunks[1] = msgspec.structs.replace(chunks[1], packets=(chunks[1].packets[0], broken, *chunks[1].packets[2:]))

    frames = _decode(decoder, chunks)

    assert decoder.frames == N
    clean = [frame for frame in frames if frame.number > 10]  # from the next keyframe on
    assert [frame.number for frame in clean] == _shown(clean) == list(range(11, N + 1))


def test_a_packet_that_the_decoder_refuses_is_counted() -> None:
    video = packets([numbered_image(n) for n in range(1, 5)], codec="mjpeg")
    chunk = video.chunk(video.packets, 0, seq=0, camera="door", stream="s1", mode="complete")
    end = video.chunk((), 4, seq=1, camera="door", stream="s1", mode="complete")
    junk = msgspec.structs.replace(chunk.packets[1], data=b"no picture")
    decoder = _decoder(video)

    packets_ = (chunk.packets[0], junk, *chunk.packets[2:])
    frames = _decode(decoder, [msgspec.structs.replace(chunk, packets=packets_), end])

    assert (decoder.broken, decoder.frames, decoder.decoded) == (1, 4, 3)
    assert _shown(frames) == [1, 3, 4]


def test_after_a_gap_it_waits_for_a_keyframe_and_counts_what_was_lost(video: Video) -> None:
    decoder = _decoder(video)
    chunks = [chunk for chunk in video.chunks() if chunk.seq not in (1, 2)]  # frames 6-15 never arrive

    frames = _decode(decoder, chunks)

    later = [frame for frame in frames if frame.number > 15]
    assert [frame.number for frame in later] == _shown(later) == list(range(21, N + 1))
    assert decoder.frames == N
    assert decoder.decoded == len(frames)


def test_a_stream_that_is_joined_in_the_middle_keeps_its_own_numbers(video: Video) -> None:
    chunks = video.chunks()[3:]

    frames = _decode(_decoder(video), chunks)

    assert [frame.number for frame in frames] == _shown(frames) == list(range(21, N + 1))


def test_times_in_decoding_order_lose_no_frame(video: Video) -> None:
    times = sorted(packet.pts_ns for packet in video.packets)
    raw = [msgspec.structs.replace(packet, pts_ns=pts) for packet, pts in zip(video.packets, times, strict=True)]
    chunk = msgspec.structs.replace(video.chunks(size=N)[0], packets=tuple(raw), ended=True)

    frames = _decode(_decoder(video), [chunk])

    assert [frame.number for frame in frames] == _shown(frames) == list(range(1, N + 1))


def test_restarting_at_a_keyframe_changes_nothing(video: Video) -> None:
    decoder = _decoder(video)
    frames: list[Frame] = []
    for chunk in video.chunks():
        if chunk.starts_with_keyframe:
            frames += decoder.restart(chunk.first_index)
            decoder = StreamDecoder(video.codec, video.extradata, 10.0, decoder.save())
        frames += decoder.decode(chunk)

    assert [frame.number for frame in frames] == _shown(frames) == list(range(1, N + 1))


@pytest.mark.parametrize(
    ("source_fps", "fps", "expected"),
    [
        pytest.param(10, 10, [0, 1, 2, 3, 4, 5, 6], id="as fast as wanted: every frame"),
        pytest.param(5, 10, [0, 1, 2, 3, 4, 5, 6], id="slower than wanted: every frame"),
        pytest.param(60, 10, [0, 6, 12, 18, 24, 30, 36], id="60 fps: every sixth"),
        pytest.param(30, 10, [0, 3, 6, 9, 12, 15, 18], id="30 fps: every third"),
        pytest.param(25, 10, [0, 2, 5, 7, 10, 12, 15], id="25 fps: two and three in turn"),
    ],
)
def test_sampling_takes_the_frames_nearest_to_their_due_times(source_fps: int, fps: float, expected: list[int]) -> None:
    sampler = Sampler(fps)
    taken = [n for n in range(60) if sampler.wants(round(n * 1e9 / source_fps))]
    assert taken[: len(expected)] == expected


def test_sampling_takes_an_irregular_source_whole() -> None:
    sampler = Sampler(10)
    jitter_ms = (0, 30, -40, 45, -30, 0, 20, -20)
    assert all(sampler.wants((1000 + 100 * n + jitter) * 1_000_000) for n, jitter in enumerate(jitter_ms))


def test_sampling_goes_on_after_a_pause() -> None:
    sampler = Sampler(10)
    before = [sampler.wants(n * 20_000_000) for n in range(5)]
    after = [sampler.wants(60_000_000_000 + n * 20_000_000) for n in range(8)]
    assert before == [True, False, False, False, False]
    assert after[0]
    assert sum(after) == 2


def test_frames_cannot_be_changed(video: Video) -> None:
    frame = _decode(_decoder(video), video.chunks())[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame.number = 2  # type: ignore[misc]


def test_hidden_packets_are_decoded_for_others_and_neither_seen_nor_counted(video: Video) -> None:
    hidden = [msgspec.structs.replace(packet, shown=packet.pts_ns >= 500_000_000) for packet in video.packets]
    shown = sum(packet.shown for packet in hidden)
    whole = msgspec.structs.replace(video.chunks(size=N)[0], packets=tuple(hidden), ended=True)
    decoder = _decoder(video)

    frames = _decode(decoder, [whole])

    assert _shown(frames) == list(range(6, N + 1))
    assert [frame.number for frame in frames] == list(range(1, shown + 1))
    assert (decoder.frames, decoder.decoded, decoder.broken) == (shown, shown, 0)


class Flaky:
    """A decoder that raises what no decoder should at one packet."""

    def __init__(self, real: Any, at: int) -> None:
        vars(self).update(_real=real, _packets=iter(range(1, 1000)), _at=at)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)

    def decode(self, packet: object) -> Any:
        if next(self._packets) == self._at:
            raise RuntimeError("out of surfaces")
        return self._real.decode(packet)


def test_whatever_a_decoder_raises_costs_pictures_up_to_the_next_keyframe(
    video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = av.CodecContext.create
    made: list[object] = []

    def first_is_flaky(*how: Any) -> Any:
        made.append(how)
        return Flaky(create(*how), 6) if len(made) == 1 else create(*how)

    monkeypatch.setattr(av, "CodecContext", SimpleNamespace(create=first_is_flaky))
    decoder = _decoder(video)

    frames = _decode(decoder, video.chunks())

    assert (decoder.broken, decoder.fault) == (1, "RuntimeError: out of surfaces")
    assert _shown(frames) == [frame.number for frame in frames]
    assert frames[0].number == 1
    assert frames[-1].number == N
    assert len(frames) < N


@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])
def test_of_a_camera_held_to_its_keyframes_one_a_second_is_decoded_until_it_goes_on_at_a_keyframe(codec: str) -> None:
    video = packets([numbered_image(n) for n in range(1, 61)], fps=10, gop=5, codec=codec)
    decoder = StreamDecoder(video.codec, video.extradata, 10.0, DecoderState())
    numbers: list[int] = []
    for chunk in video.chunks(mode="latency"):
        decoder.keyframes_only = 10 <= chunk.first_index < 45
        numbers += [frame.number for frame in decoder.decode(chunk)]

    sparse = [number for number in numbers if 12 <= number <= 44]
    assert [later - earlier for earlier, later in pairwise(sparse)] == [10] * (len(sparse) - 1)
    assert len(sparse) >= 3
    assert numbers[-15:] == list(range(46, 61))
    assert decoder.frames == 60
