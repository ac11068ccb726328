"""Frames become BGR pictures in the right colours, whatever the camera sends, and on the thread that asks."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from reid_worker.colours import BgrConverter

TASKS = Path("/proc/self/task")


def _picture(height: int, width: int) -> NDArray[np.uint8]:
    """Return soft patches of every colour, as pictures have: a border of colours is a pixel wide at half of them."""
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3)).astype(np.uint8)
    return np.repeat(np.repeat(patches, 16, axis=0), 16, axis=1)[:height, :width]


@pytest.mark.parametrize("size", [(64, 96), (65, 97)], ids=["even", "odd"])
@pytest.mark.parametrize(
    "sent", ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuvj444p", "yuv420p10le", "yuv444p10le", "gray", "gbrp"]
)
def test_a_picture_has_the_colours_that_were_sent(sent: str, size: tuple[int, int]) -> None:
    picture = _picture(*size)
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=sent)

    found = BgrConverter().of(frame)

    exact = frame.to_ndarray(format="bgr24").astype(int)
    assert found.shape == picture.shape
    middles = np.abs(found - exact)[8::16, 8::16]  # of the patches
    assert middles.max() <= 4


def test_one_converter_serves_a_stream_whose_format_and_size_change() -> None:
    converter = BgrConverter()
    for sent, size in (("yuv444p", (64, 96)), ("yuv420p", (32, 48)), ("yuv444p", (48, 64)), ("gray", (48, 64))):
        frame = av.VideoFrame.from_ndarray(_picture(*size), format="bgr24").reformat(format=sent)
        assert converter.of(frame).shape == (*size, 3)


@pytest.mark.skipif(not TASKS.exists(), reason="threads are listed by Linux")
def test_a_conversion_starts_no_threads() -> None:
    before = len([*TASKS.iterdir()])
    converter = BgrConverter()
    frames = [
        av.VideoFrame.from_ndarray(_picture(720, 1280), format="bgr24").reformat(format=sent, threads=1)
        for sent in ("yuv420p", "yuv444p")
    ]
    for frame in frames:
        converter.of(frame)

    assert len([*TASKS.iterdir()]) == before
