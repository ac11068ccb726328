"""Small people are looked for in tiles; whoever several tiles show is found once, and whole."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reid_worker.attention import DetailState, grid_of, learn, next_chunk
from reid_worker.detectors.detection import Detections
from reid_worker.detectors.tiles import WHOLE, detect_in_tiles, grid_for, merged, tiles_of

HEIGHT, WIDTH = 400, 600


class PatchDetector:
    """Finds every bright rectangle that is high enough for it once a picture is shrunk to 100 px."""

    name = "patches"

    def __init__(self, least_px: float) -> None:
        self.frames: list[tuple[int, ...]] = []
        self._least_px = least_px

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Return one box for each grey level above 100, the brighter the surer."""
        return [self._detect_one(frame) for frame in frames]

    def _detect_one(self, frame: NDArray[np.uint8]) -> Detections:
        self.frames.append(frame.shape)
        rows = []
        for level in np.unique(frame[frame > 100]):
            y, x = np.nonzero(frame[..., 0] == level)
            box = (x.min(), y.min(), x.max() + 1, y.max() + 1, level / 255)
            if (box[3] - box[1]) * 100 / max(frame.shape[:2]) >= self._least_px:
                rows.append(box)
        table = np.array(sorted(rows, key=lambda row: -row[4]), np.float32).reshape(-1, 5)
        return Detections(table[:, :4], table[:, 4])


def _picture(*people: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for number, (left, top, right, bottom) in enumerate(people):
        image[top:bottom, left:right] = 250 - 10 * number
    return image


@given(st.integers(32, 4000), st.integers(32, 4000), st.integers(1, 4), st.integers(1, 4))
def test_tiles_cover_the_frame_and_overlap(height: int, width: int, rows: int, columns: int) -> None:
    tiles = tiles_of(height, width, (rows, columns))
    assert len(tiles) == rows * columns
    for axis, length, count in ((1, height, rows), (0, width, columns)):
        spans = sorted({(tile[axis], tile[axis + 2]) for tile in tiles})
        assert (spans[0][0], spans[-1][1], len(spans)) == (0, length, count)
        for (start, end), (following, _) in itertools.pairwise(spans):
            assert end - following >= 0.15 * (end - start) - 2


def test_small_people_are_found_in_tiles_only_and_where_they_are() -> None:
    small = (420, 120, 432, 150)
    detector = PatchDetector(least_px=8)

    (whole,) = detect_in_tiles(detector, [_picture(small)], [WHOLE])
    (tiled,) = detect_in_tiles(detector, [_picture(small)], [(2, 2)])

    assert len(whole) == 0
    assert tiled.boxes.tolist() == [list(small)]


@pytest.mark.parametrize(
    "person",
    [
        pytest.param((20, 20, 60, 120), id="in one tile"),
        pytest.param((290, 20, 320, 100), id="in the overlap of two"),
        pytest.param((250, 150, 330, 260), id="across the middle"),
        pytest.param((100, 5, 260, 395), id="larger than a tile"),
    ],
)
def test_somebody_whom_several_tiles_show_is_found_once_and_whole(person: tuple[int, int, int, int]) -> None:
    (found,) = detect_in_tiles(PatchDetector(least_px=8), [_picture(person)], [(2, 2)])
    assert found.boxes.tolist() == [list(person)]


def test_two_people_side_by_side_stay_two() -> None:
    pair = ((280, 50, 310, 150), (305, 50, 335, 150))
    (found,) = detect_in_tiles(PatchDetector(least_px=8), [_picture(*pair)], [(2, 3)])
    assert len(found) == 2


def test_a_part_is_dropped_however_sure_its_tile_is_of_it() -> None:
    whole = Detections(np.array([[250, 100, 350, 300]], np.float32), np.array([0.5], np.float32))
    part = Detections(np.array([[250, 100, 330, 220]], np.float32), np.array([0.95], np.float32))
    found = merged(whole, [((0, 0, 330, 220), part)], WIDTH, HEIGHT)
    assert found.boxes.tolist() == whole.boxes.tolist()


def test_frames_without_tiles_go_to_the_detector_unchanged_and_in_order() -> None:
    detector = PatchDetector(least_px=8)
    frames = [_picture((20, 20, 60, 120)), _picture((220, 20, 260, 120))[:300]]
    answers = detect_in_tiles(detector, frames, [WHOLE, WHOLE])
    assert detector.frames == [frame.shape for frame in frames]
    assert [found.boxes[0, 0] for found in answers] == [20, 220]


@pytest.mark.parametrize(("height", "width"), [(432, 768), (720, 1280), (1920, 1080), (2160, 3840)])
def test_high_detail_uses_tiles_at_any_size(height: int, width: int) -> None:
    assert grid_of("high", DetailState(), height, width) == grid_for(height, width)
    assert grid_of("fast", DetailState(tiled=True), height, width) == WHOLE
    assert min(grid_for(height, width)) >= 2


def _chunks(state: DetailState, heights_px: list[float], *, chunks: int, start_s: float = 0.0) -> list[bool]:
    """Show people of these heights in 720p, two frames a second; return which chunks were looked at in tiles."""
    boxes = np.array([[10, 0, 30, height] for height in heights_px], np.float32).reshape(-1, 4)
    found = Detections(boxes, np.full(len(boxes), 0.9, np.float32))
    tiled = []
    for n in range(chunks):
        next_chunk(state, start_s + n / 2)
        tiled.append(grid_of("auto", state, 720, 1280) != WHOLE)
        learn(state, found, 720, 1280, 0.5)
    return tiled


def test_auto_looks_closer_as_long_as_the_camera_shows_small_people() -> None:
    state = DetailState()
    small, large = [40.0] * 4, [300.0] * 4

    assert all(_chunks(state, small, chunks=20))
    assert _chunks(state, large, chunks=120, start_s=10.0)[-50:].count(True) <= 1


def test_auto_looks_closely_at_large_people_twice_a_minute_only() -> None:
    tiled = _chunks(DetailState(), [300.0] * 4, chunks=240)
    assert [n / 2 for n, close in enumerate(tiled) if close] == [0, 30, 60, 90]


def test_auto_stays_as_it_is_while_nobody_is_there() -> None:
    state = DetailState()
    _chunks(state, [40.0] * 4, chunks=20)
    assert all(_chunks(state, [], chunks=200, start_s=10.0))
