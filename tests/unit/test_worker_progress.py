"""How far a stream is said to be: its own frames, whatever came before it in the source."""

import msgspec
import pytest

from reid_worker.stream import CameraStream, StreamOptions
from tests.worker_tools import Video, numbered_image, packets

N = 10


@pytest.fixture(scope="module")
def video() -> Video:
    return packets([numbered_image(number) for number in range(1, N + 1)], codec="mjpeg")


@pytest.mark.parametrize(
    ("seq", "first_index", "dropped_before", "frames", "dropped"),
    [
        pytest.param(0, 0, 0, 10, 0, id="the first stream of a source"),
        pytest.param(0, 30, 0, 10, 0, id="behind another stream of the same file"),
        pytest.param(0, 32, 2, 12, 2, id="and behind two frames that could not be read"),
        pytest.param(7, 35, 0, 45, 35, id="joined in its middle: what was missed is lost"),
    ],
)
def test_a_stream_counts_its_own_frames(
    seq: int, first_index: int, dropped_before: int, frames: int, dropped: int, video: Video
) -> None:
    whole = video.chunk(video.packets, first_index, seq=seq, camera="door", stream="s-1", mode="complete")
    chunk = msgspec.structs.replace(whole, dropped_before=dropped_before, ended=True)
    stream = CameraStream.begin(chunk, StreamOptions())

    numbers = [frame.number for frame in stream.decode(chunk)]

    assert numbers == list(range(first_index + 1, first_index + N + 1))
    progress = stream.progress(ended=True)
    assert (progress.frames, progress.dropped) == (frames, dropped)
