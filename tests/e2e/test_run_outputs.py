"""`climbtrack run` with an appearance model of others, videos, and boxes for every frame, on a small generated site."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from deploy.cli.main import main
from deploy.video.paint import colour_of
from gallery.score.mot import read_boxes
from tests.appearance_tools import colour_network
from training.synthetic.site import write_site

SECONDS, FPS, ANALYSED = 5, 10, 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two cameras of which every second frame is analysed."""
    folder = tmp_path_factory.mktemp("outputs")
    names = write_site(folder / "site", seed=31, cameras=2, people=6, seconds=SECONDS).cameras
    cameras = "".join(f"  {name}: {{url: site/{name}.mp4, analysed_fps: {ANALYSED}}}\n" for name in names)
    network = colour_network(folder / "colours.onnx", inside=True)
    config = folder / "site.yaml"
    config.write_text(f"cameras:\n{cameras}worker:\n  weights: {network}\n  detector: bundled\n")
    words = ["run", "--config", str(config), "--out", str(folder / "out"), "--video", str(folder / "video")]
    words += ["--every-frame", "--data-dir", str(folder / "data"), "--port", "0", "--json", "--no-pictures"]
    with (folder / "report.json").open("w") as out, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.stdout", out)
        assert main(words) == 0
    return folder


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return content


def test_people_are_found_with_the_model_of_others(report: dict[str, Any]) -> None:
    assert report["identities"]


def test_every_frame_between_two_analysed_ones_has_a_box(folder: Path, report: dict[str, Any]) -> None:
    rows = [read_boxes(folder / "out" / f"{name}.txt") for name in report["cameras"]]
    assert [camera["analysed"] for camera in report["cameras"].values()] == [SECONDS * ANALYSED] * 2
    even, odd = (sum(int((boxes.frames % 2 == rest).sum()) for boxes in rows) for rest in (0, 1))
    assert min(even, odd) > 0.6 * max(even, odd) > 0
    for boxes in rows:
        named = list(zip(boxes.frames.tolist(), boxes.ids.tolist(), strict=True))
        assert len(named) == len(set(named))


def test_each_camera_has_a_video_of_all_its_frames_with_its_people_in_their_colours(
    folder: Path, report: dict[str, Any]
) -> None:
    assert set(report["videos"]) == set(report["cameras"])
    right: list[bool] = []
    for name, path in report["videos"].items():
        with av.open(path) as container:
            pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
        assert len(pictures) == SECONDS * FPS
        boxes = read_boxes(folder / "out" / f"{name}.txt")
        right += [
            _has_colour(pictures[int(frame) - 1], box, int(person))
            for frame, person, box in zip(boxes.frames, boxes.ids, boxes.boxes, strict=True)
        ]
    assert np.mean(right) > 0.9  # others may stand in front


def _has_colour(picture: Any, box: Any, person: int) -> bool:
    """Return whether the left edge of a box, left and top first, has the colour of a person, after compression."""
    height, width = picture.shape[:2]
    x, y = int(np.clip(round(float(box[0])), 0, width - 1)), int(box[1] + box[3] / 2)
    near = picture[min(y, height - 1), max(x - 2, 0) : x + 3].astype(float)
    return bool(np.abs(near - np.array(colour_of(person))).sum(axis=1).min() < 150)


def test_boxes_that_cannot_be_written_take_no_results_along(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "out/a.txt")

    monkeypatch.setattr("deploy.local.run.write_mot", full)
    (video,) = sorted((folder / "site").glob("*.mp4"))[:1]
    words = ["run", "--camera", f"a={video}", "--out", str(tmp_path / "out"), "--data-dir", str(tmp_path / "data")]

    assert main([*words, "--detector", "bundled", "--port", "0", "--no-pictures"]) == 1

    told = capsys.readouterr()
    assert "frames analysed, 0 dropped" in told.out
    assert "--out out/a.txt: No space left on device; remove it, make room" in told.err.replace("\n", " ")


def test_boxes_of_an_earlier_run_are_named_and_stay(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "yard.txt").write_text("1,1,10,10,20,40,1,-1,-1,-1\n")
    (video,) = sorted((folder / "site").glob("*.mp4"))[:1]
    words = ["run", "--camera", f"a={video}", "--out", str(out), "--data-dir", str(tmp_path / "data")]

    assert main([*words, "--detector", "bundled", "--port", "0", "--no-pictures"]) == 0

    told = " ".join(capsys.readouterr().out.split())
    assert "in MOTChallenge text; yard.txt there: not of this run, but scored with it" in told
    assert {file.name for file in out.iterdir()} == {"a.txt", "yard.txt"}
