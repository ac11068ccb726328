"""The evaluation cuts what the labels say, and its baselines behave."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.crops import CropSet
from training.evaluation.baseline import colour_histogram, random_embedder
from training.evaluation.evaluate import evaluate
from training.evaluation.real_people import read_boxes, real_crops


def image(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(colour, np.uint8), (32, 16, 3)).copy()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two cameras, 20 frames each; person 1 is a red box at the left, person 2 a blue one at the right."""
    (tmp_path / "gt").mkdir()
    for camera in ("east", "west"):
        with av.open(str(tmp_path / f"{camera}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 128, 64, "yuv420p", 4_000_000
            picture = np.full((64, 128, 3), 128, np.uint8)
            picture[8:56, 16:40] = (220, 20, 20)
            picture[8:56, 80:104] = (20, 20, 220)
            for _ in range(20):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        rows = [f"{f},{who},{left},8,24,48,{1 if f > 4 else 0},-1,-1,-1" for f in range(1, 21)
                for who, left in ((1, 16), (2, 80))]  # fmt: skip
        (tmp_path / "gt" / f"{camera}.txt").write_text("\n".join(rows))
    return tmp_path


def test_boxes_that_do_not_count_are_left_out(site: Path) -> None:
    boxes = read_boxes(site / "gt" / "east.txt")
    assert len(boxes) == 2 * 16
    assert boxes[5, 1].tolist() == [16, 8, 24, 48]


def test_real_tracklets_hold_the_person_of_their_label(site: Path) -> None:
    crops = real_crops(site, size=(24, 12), frames=4, span=8)
    assert crops.crops.shape == (8, 4, 24, 12, 3)
    red, blue = crops.crops[..., 0].mean((1, 2, 3)), crops.crops[..., 2].mean((1, 2, 3))
    assert ((red > blue) == (crops.identities == 1)).all()
    assert sorted(set(crops.cameras.tolist())) == [0, 1]


def test_colour_histogram_tells_colours_apart() -> None:
    features = colour_histogram([[image((200, 30, 30))], [image((200, 30, 30))] * 2, [image((30, 30, 200))]])
    assert features[0] @ features[1] == pytest.approx(1, rel=1e-5)
    assert features[0] @ features[2] == pytest.approx(0, abs=1e-6)


def test_a_report_is_perfect_for_features_that_are() -> None:
    crops = np.stack([np.stack([image(c)] * 2) for c in ((200, 30, 30), (30, 30, 200))] * 2)
    report = evaluate(colour_histogram, CropSet(crops, np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])))
    assert report.ranking.mean_ap == pytest.approx(1)
    assert report.gap.gap == pytest.approx(1, abs=1e-5)
    assert "mAP 1.000" in report.line()


def test_the_untrained_network_is_the_same_every_time() -> None:
    tracklets = [[image((10, 200, 90))]]
    np.testing.assert_array_equal(random_embedder(3).embed(tracklets), random_embedder(3).embed(tracklets))
