"""`climbtrack run` on video as people have it: turned, joined, full of holes, badly named, broken."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ingest_tools import Recipe, make_video

pytestmark = [pytest.mark.shared, pytest.mark.timeout(900)]

CASES = {
    "upright": "rotated-video/upright.mp4",
    "turned": "rotated-video/rot90.mp4",
    "holes": "avi-empty-frames/null_mpeg4.avi",
    "copied": "avi-empty-frames/remux_b.avi",
    "joined": "mp4-two-descriptions/stsd_profile.mp4",
    "colon": "2024-01-01T12:00:00.mp4",
    "escaped": "file:2024-01-01T12%3A00%3A00.mp4",
    "folder": "image-folder/bad",
    "misnamed": "image-folder/png",
}
SEEN = {  # frames that are there, and those that are lost
    "upright": (32, 0),
    "turned": (32, 0),
    "holes": (24, 0),
    "copied": (40, 0),
    "joined": (40, 0),
    "colon": (15, 0),
    "escaped": (15, 0),
    "folder": (20, 1),
    "misnamed": (3, 0),
}


@dataclass(frozen=True, slots=True)
class Run:
    """What one run printed and left."""

    code: int
    said: str
    out: Path
    cameras: dict[str, Any]

    def boxes(self, camera: str) -> dict[tuple[int, int], list[float]]:
        """Return left, top, width and height by frame and identity."""
        rows = [line.split(",") for line in (self.out / f"{camera}.txt").read_text().splitlines()]
        return {(int(row[0]), int(row[1])): [float(value) for value in row[2:6]] for row in rows}


def run(folder: Path, cameras: dict[str, str]) -> Run:
    """Run a configuration with these cameras; a worker that is behind would skip frames of live cameras at once."""
    config = folder / "site.yaml"
    config.write_text(json.dumps({"cameras": cameras, "worker": {"max_delay_s": 0.1, "detector": "bundled"}}))
    out = folder / "out"
    words = ["run", "--config", str(config), "--data-dir", str(folder / "data"), "--out", str(out), "--port", "0"]
    command = [sys.executable, "-m", "deploy.cli", *words, "--json", "--no-pictures"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return Run(done.returncode, done.stderr, out, json.loads(done.stdout.splitlines()[-1])["cameras"])


@pytest.fixture(scope="module")
def readable(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Run:
    """All cases beside their configuration, as paths from there."""
    folder = tmp_path_factory.mktemp("unusual")
    cases = shared_data.parent / "cases"
    for name in ("rotated-video", "avi-empty-frames", "mp4-two-descriptions", "image-folder"):
        shutil.copytree(cases / name, folder / name)
    _run_backwards(folder / CASES["folder"])
    shutil.copy(cases / "colon-in-file-name" / CASES["colon"], folder)
    return run(folder, CASES)


def _run_backwards(pictures: Path) -> None:
    """Replace the second half of 20 pictures by the first, backwards: whoever is in those is then in all of them."""
    for number in range(11, 21):
        before = 21 - number if number != 16 else 6  # the fifth is the one that cannot be read
        shutil.copy(pictures / f"{before:07d}.jpg", pictures / f"{number:07d}.jpg")


def test_all_of_it_is_read(readable: Run) -> None:
    assert readable.code == 0, readable.said
    assert {name: (one["frames"], one["dropped"]) for name, one in readable.cameras.items()} == SEEN


def test_files_of_a_configuration_are_read_completely_however_slow_the_machine_is(readable: Run) -> None:
    analysed = {name: one["analysed"] for name, one in readable.cameras.items()}

    assert analysed["upright"] == analysed["turned"] == 16  # ten of twenty frames a second
    assert (analysed["holes"], analysed["copied"], analysed["joined"]) == (24, 40, 40)


def iou(one: list[float], other: list[float]) -> float:
    a, b = np.array(one), np.array(other)
    overlap = np.clip(np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return float(overlap / (a[2:].prod() + b[2:].prod() - overlap))


def people(boxes: dict[tuple[int, int], list[float]]) -> set[int]:
    return {identity for _, identity in boxes}


def test_a_turned_video_gives_the_people_and_boxes_of_the_upright_one(readable: Run) -> None:
    upright, turned = readable.boxes("upright"), readable.boxes("turned")
    common = upright.keys() & turned.keys()

    assert len(people(upright)) >= 3
    assert people(upright) == people(turned)
    assert len(common) >= 0.9 * max(len(upright), len(turned))  # encoded twice: what is barely found may be lost
    assert np.median([iou(upright[key], turned[key]) for key in common]) > 0.95  # of the same pictures, encoded twice
    assert all(left + width < 400 for left, _, width, _ in turned.values())  # 360 px wide, as it is seen


def test_people_are_followed_to_the_end_of_a_joined_video(readable: Run) -> None:
    frames = sorted({frame for frame, _ in readable.boxes("joined")})

    assert frames[0] <= 5
    assert frames[-1] == 40
    assert any(frame in frames for frame in range(21, 26))


def test_pictures_of_a_folder_keep_their_numbers_beside_one_that_cannot_be_read(readable: Run) -> None:
    frames = {frame for frame, _ in readable.boxes("folder")}

    assert frames
    assert max(frames) > 5
    assert 5 not in frames
    assert "camera folder: 0000005.jpg cannot be read: it is empty; its frame stays empty" in readable.said


def test_the_same_file_is_the_same_by_its_url(readable: Run) -> None:
    assert readable.cameras["escaped"]["analysed"] == readable.cameras["colon"]["analysed"] == 15


@pytest.fixture(scope="module")
def unreadable(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Files that cannot be read, or not to their end, beside one that can."""
    folder = tmp_path_factory.mktemp("unreadable")
    good = make_video(folder / "good.mp4", Recipe(frames=40, width=320, height=240))
    (folder / "cut.mp4").write_bytes(good.read_bytes()[: good.stat().st_size * 2 // 3])
    (folder / "text.mp4").write_text("not a video\n" * 100)
    (folder / "empty.mp4").touch()
    (folder / "nothing").mkdir()
    return run(folder, {name: name for name in ("good.mp4", "cut.mp4", "text.mp4", "empty.mp4", "nothing")})


def test_each_failure_is_named_and_the_others_go_on(unreadable: Run) -> None:
    assert unreadable.code == 1
    assert (unreadable.cameras["good.mp4"]["frames"], unreadable.cameras["good.mp4"]["dropped"]) == (40, 0)
    assert unreadable.cameras["cut.mp4"]["frames"] > 10
    for camera, cause in [
        ("cut.mp4", "truncated: "),
        ("text.mp4", "it is not a video that can be read"),
        ("empty.mp4", "the file is empty"),
        ("nothing", "the folder contains no pictures"),
    ]:
        assert f"camera {camera} failed: {cause}" in unreadable.said
    assert "camera good.mp4 failed" not in unreadable.said


def test_what_nobody_was_seen_in_is_an_empty_file(unreadable: Run) -> None:
    assert (unreadable.out / "text.mp4.txt").read_text() == ""
