"""`ReID-HOTA` is that of NIST's reid_hota to the last digit; `score_reid_hota.json` says how its figures were made."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery.score import Boxes, HotaScore, score_site
from gallery.score.mot import read_boxes
from tests.score_tools import shaken

GOLDEN = json.loads(Path(__file__).with_name("score_reid_hota.json").read_text())
CAMERAS = ("one", "other", "third")


def drawn(*, seed: int, cameras: int, frames: int, ids: int, grid: int) -> tuple[dict[str, Boxes], dict[str, Boxes]]:
    """Return truth and results: boxes on a coarse grid, so that overlaps and associations are often tied."""
    rng = np.random.default_rng(seed)
    sides: list[dict[str, Boxes]] = [{}, {}]
    for camera in CAMERAS[:cameras]:
        for side in sides:
            frame, identity = np.divmod(rng.permutation(frames * ids)[: frames * ids * 4 // 5], ids)
            left_top, sizes = rng.integers(0, grid, (2, len(frame), 2))
            boxes = np.hstack([2 * left_top, 3 + 3 * (sizes % 3)]).astype(np.float64)
            side[camera] = Boxes(frame + 1, identity + 1, boxes, np.ones(len(frame), np.bool_))
    return sides[0], sides[1]


def figures(score: HotaScore) -> dict[str, float]:
    return {
        "HOTA": score.hota,
        "DetA": score.det_a,
        "AssA": score.ass_a,
        "DetRe": score.det_re,
        "DetPr": score.det_pr,
        "AssRe": score.ass_re,
        "AssPr": score.ass_pr,
    }


def lab_4cam(folder: Path) -> tuple[dict[str, Boxes], dict[str, Boxes]]:
    truth = {path.stem: read_boxes(path) for path in sorted(folder.glob("cam*.txt"))}
    truth = {camera: boxes.chosen(boxes.counted) for camera, boxes in truth.items()}
    return truth, {camera: shaken(boxes, i) for i, (camera, boxes) in enumerate(truth.items())}


def assert_agrees(truth: dict[str, Boxes], results: dict[str, Boxes], expected: dict[str, Any]) -> None:
    table = score_site(truth, results)
    assert figures(table.overall.reid_hota) == pytest.approx(expected["global"], abs=1e-12)
    for camera, score in table.cameras.items():
        assert figures(score.reid_hota) == pytest.approx(expected["per_video"][camera], abs=1e-12)


@pytest.mark.parametrize("case", GOLDEN["drawn"], ids=lambda case: f"seed {case['input']['seed']}")
def test_drawn_scenes_agree_with_reid_hota(case: dict[str, Any]) -> None:
    assert_agrees(*drawn(**case["input"]), case)


def test_four_cameras_agree_with_reid_hota(shared_data: Path) -> None:
    assert_agrees(*lab_4cam(shared_data / "lab-4cam" / "gt"), GOLDEN["lab-4cam"])
