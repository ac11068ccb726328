"""`climbtrack run` on a small generated site: in one process, real parts only."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.cli.main import main
from gallery.score.mot import read_boxes
from training.data.dataset import LabelledTracklet
from training.data.files import FileTracklets
from training.data.site import read_site
from training.synthetic.site import write_site

SECONDS, FPS = 4, 10


@dataclass(frozen=True, slots=True)
class Run:
    """What one run printed and left."""

    code: int
    lines: Sequence[str]
    said: str
    out: Path
    crops: Path

    @property
    def report(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.lines[-1])
        return content


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture(scope="module")
def videos(folder: Path) -> dict[str, Path]:
    site = folder / "site"
    summary = write_site(site, seed=3, cameras=2, people=4, seconds=SECONDS)
    return {name: site / f"{name}.mp4" for name in summary.cameras}


@pytest.fixture(scope="module")
def runs(folder: Path, videos: dict[str, Path]) -> tuple[Run, Run]:
    """The same videos twice, the second time with a camera that fails."""
    broken = folder / "broken.mp4"
    broken.write_bytes(b"no video at all" * 1000)
    first = _run(folder, "first", videos)
    return first, _run(folder, "second", {**videos, "broken": broken}, "--no-pictures")


@pytest.fixture(scope="module", autouse=True)
def offline() -> Iterator[None]:
    """Take the detector that is at hand: what these tests claim holds for any."""
    models = Path(os.environ.get("CLIMBTRACK_SHARED") or Path(__file__).parents[3] / "shared") / "models"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIMBTRACK_WORKER_DOWNLOAD", "false")
        patch.setenv("CLIMBTRACK_WORKER_THREADS", "1")
        if models.is_dir():
            patch.setenv("CLIMBTRACK_MODELS", str(models))
        yield


def _run(folder: Path, name: str, cameras: dict[str, Path], *more: str) -> Run:
    out = folder / name
    given = [word for camera, path in cameras.items() for word in ("--camera", f"{camera}={path}")]
    words = ["run", *given, "--data-dir", str(folder / "data"), "--out", str(out), "--port", "0", "--json"]
    words += ["--keep-crops", str(folder / f"{name}-crops"), *more]
    stdout, stderr = folder / f"{name}.out", folder / f"{name}.err"
    with stdout.open("w") as standard, stderr.open("w") as error, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", standard)
        patch.setattr("sys.stderr", error)
        code = main(words)
    return Run(code, stdout.read_text().splitlines(), stderr.read_text(), out, folder / f"{name}-crops")


def test_all_frames_of_all_files_are_analysed(runs: tuple[Run, Run], videos: dict[str, Path]) -> None:
    first, _ = runs
    assert first.code == 0, first.said
    counted = {name: (camera["frames"], camera["analysed"]) for name, camera in first.report["cameras"].items()}
    assert counted == dict.fromkeys(videos, (SECONDS * FPS, SECONDS * FPS))


def test_the_machine_readable_line_is_all_that_stands_on_stdout(runs: tuple[Run, Run]) -> None:
    first, _ = runs
    assert len(first.lines) == 1
    assert set(first.report) == {"identities", "cameras", "seconds", "pictures", "videos"}
    assert all(set(one) == {"id", "cameras", "first", "last", "sightings", "way"} for one in first.report["identities"])


def test_a_picture_of_everybody_on_every_camera_is_written(runs: tuple[Run, Run]) -> None:
    first, _ = runs
    assert first.report["pictures"] == str(first.out / "people.html")
    page = (first.out / "people.html").read_text()
    assert page.count("data:image/jpeg") == sum(len(one["cameras"]) for one in first.report["identities"]) > 0
    assert f"Next: open {first.out}/people.html" in first.said


def test_no_picture_is_written_where_none_is_wanted(runs: tuple[Run, Run]) -> None:
    _, second = runs
    assert second.report["pictures"] is None
    assert not (second.out / "people.html").exists()


def test_people_are_found_and_stand_in_the_written_tracks_under_the_same_numbers(
    runs: tuple[Run, Run], videos: dict[str, Path]
) -> None:
    first, _ = runs
    boxes = {name: read_boxes(first.out / f"{name}.txt") for name in videos}
    told = {(name, one["id"]) for one in first.report["identities"] for name in one["cameras"]}
    written = {(name, int(number)) for name, rows in boxes.items() for number in rows.ids}
    assert told == written != set()
    assert all(1 <= frame <= SECONDS * FPS for rows in boxes.values() for frame in rows.frames)


def test_crops_are_kept_as_adapting_to_the_site_reads_them(runs: tuple[Run, Run]) -> None:
    first, _ = runs
    site = read_site(first.crops)
    assert set(site.cameras) == {camera for one in first.report["identities"] for camera in one["cameras"]}
    spans = [one.span_ns for one in site.tracklets]
    assert all(span and 0 <= span[1] - span[0] <= SECONDS * 10**9 for span in spans)
    people = FileTracklets([LabelledTracklet(one.paths, 0, one.camera) for one in site.tracklets])
    images = [image for row, length in enumerate(people.lengths) for image in people.read(row, np.arange(length))]
    assert {image.shape[2] for image in images} == {3}
    assert str(first.crops) in first.said


def test_a_second_run_knows_the_people_of_the_first(runs: tuple[Run, Run]) -> None:
    first, second = ({one["id"] for one in run.report["identities"]} for run in runs)
    assert second == first


def test_a_second_run_counts_its_own_sightings_only(runs: tuple[Run, Run]) -> None:
    first, second = ({one["id"]: one["sightings"] for one in run.report["identities"]} for run in runs)
    assert second == first


def test_a_file_that_is_no_video_fails_alone_and_is_named(runs: tuple[Run, Run], videos: dict[str, Path]) -> None:
    first, second = runs
    assert second.code == 1
    assert "camera broken failed: it is not a video" in second.said
    assert {name: second.report["cameras"][name] for name in videos} == first.report["cameras"]
    assert (second.out / "broken.txt").read_text() == ""


def test_what_a_run_left_behind_can_be_asked_for(
    runs: tuple[Run, Run], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = runs
    assert main(["identities", "ls", "--data-dir", str(folder / "data"), "--json"]) == 0
    known = json.loads(capsys.readouterr().out)["identities"]
    assert {one["id"] for one in known} == {one["id"] for one in first.report["identities"]}


def test_what_a_run_has_learnt_can_be_shown_and_held_against_its_truth(
    runs: tuple[Run, Run], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["calibrate", "--show", "--data-dir", str(folder / "data")]
    assert main([*words, "--truth", str(folder / "site" / "gt"), "--json"]) == 0
    out = capsys.readouterr().out
    learnt = json.loads(out.splitlines()[-1])
    (model,) = learnt["models"].values()
    assert -1 <= model["different"]["mean"] < model["same"]["mean"] <= 1
    assert learnt["people"] >= len(runs[0].report["identities"]) > 0
    assert set(learnt["truth"]["cameras"]) == {name for one in runs[0].report["identities"] for name in one["cameras"]}
    assert main(words) == 0
    assert "What site site has learnt" in capsys.readouterr().out


def test_a_site_without_data_is_named_with_those_that_have_some(
    runs: tuple[Run, Run], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", "--show", "--data-dir", str(folder / "data"), "--site", "mall"]) == 2
    assert "site mall has no data here; there is data of site: name one with --site" in capsys.readouterr().err


def test_a_run_can_be_scored_against_its_truth(
    runs: tuple[Run, Run], videos: dict[str, Path], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = runs
    assert main(["score", "--truth", str(folder / "site" / "gt"), "--result", str(first.out), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["cameras"]) == set(videos)


def test_stale_tracks_of_an_earlier_run_do_not_stay(runs: tuple[Run, Run], folder: Path) -> None:
    """A camera that sees nobody gets an empty file."""
    first, _ = runs
    out = folder / "stale"
    shutil.copytree(first.out, out)
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    name = next(iter(first.report["cameras"]))
    run = _run(folder, "stale", {name: empty})
    assert run.code == 1
    assert (out / f"{name}.txt").read_text() == ""
