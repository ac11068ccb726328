"""Generated people on disk: what is written can be read by the loaders of the data sets."""

import errno
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from deploy.cli.main import main
from training.data.dataset import DataSet, DataSetError, LabelledTracklet
from training.data.load import load_dataset
from training.synthetic.folders import SEEDS, FolderPlan, FolderTakenError, Layout, write_people
from training.synthetic.people import PeopleGenerator


def plan(layout: Layout = "market", identities: int = 4, seed: int = 3, tracklets: int = 1) -> FolderPlan:
    return FolderPlan(layout, identities, seed, cameras=2, tracklets=tracklets, frames=2, height=32)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("made") / "people", plan())


@pytest.fixture(scope="module")
def mars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("made") / "people", plan("mars", identities=5, tracklets=2))


def who(items: tuple[LabelledTracklet, ...]) -> list[int]:
    return sorted({item.identity for item in items})


def cameras(items: tuple[LabelledTracklet, ...]) -> set[int]:
    return {item.camera for item in items}


def images(data: DataSet) -> int:
    return sum(len(item.paths) for part in (data.train, data.query, data.gallery) for item in part)


def test_market_holds_one_half_for_training_and_one_for_testing(market: Path) -> None:
    data = load_dataset("market", market)
    assert (who(data.train), who(data.query), who(data.gallery)) == ([1, 2], [3, 4], [3, 4])
    assert images(data) == plan().images == 16


def test_every_query_of_market_has_a_match_on_another_camera(market: Path) -> None:
    data = load_dataset("market", market)
    for query in data.query:
        assert any(g.identity == query.identity and g.camera != query.camera for g in data.gallery)


def test_the_halves_share_no_camera(market: Path) -> None:
    data = load_dataset("market", market)
    assert cameras(data.train) == {1, 2}
    assert cameras(data.query) == cameras(data.gallery) == {3, 4}


def test_mars_has_a_query_for_every_person_and_camera_of_the_test_half(mars: Path) -> None:
    data = load_dataset("mars", mars)
    assert who(data.train) == [1, 2, 3]
    assert sorted((q.identity, q.camera) for q in data.query) == [(4, 3), (4, 4), (5, 3), (5, 4)]
    assert len(data.gallery) == 2 * len(data.query) == 8
    assert all(len(item.paths) == 2 for item in data.train + data.gallery)


def test_an_image_is_what_the_generator_draws(mars: Path) -> None:
    item = load_dataset("mars", mars).train[0]
    drawn = PeopleGenerator().tracklet(4 * SEEDS + item.identity - 1, 4 * SEEDS + item.camera - 1, 0, 2, (32, 16))
    for path, crop in zip(item.paths, drawn, strict=True):
        read = cv2.cvtColor(np.asarray(cv2.imread(str(path))), cv2.COLOR_BGR2RGB)
        assert np.abs(read.astype(int) - crop).mean() < 6  # JPEG


def test_two_processes_write_what_one_writes(market: Path, tmp_path: Path) -> None:
    assert files(write_people(tmp_path / "people", plan(), workers=2)) == files(market)


def test_another_seed_draws_other_people(market: Path, tmp_path: Path) -> None:
    other = files(write_people(tmp_path / "people", plan(seed=4)))
    assert other.keys() == files(market).keys()
    assert all(other[name] != data for name, data in files(market).items())


def test_progress_ends_with_all_images(tmp_path: Path) -> None:
    told: list[int] = []
    write_people(tmp_path / "people", plan(), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == plan().images


def test_a_folder_that_is_not_empty_is_left_unchanged(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FolderTakenError, match="is not empty: give another folder"):
        write_people(tmp_path, plan())
    assert files(tmp_path) == {"mine.txt": b"mine"}


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "people").mkdir()
    assert load_dataset("market", write_people(tmp_path / "people", plan())).train


def test_a_full_disk_ends_with_its_reason_and_without_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path, __: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataSetError, match="cannot be written: No space left on device"):
        write_people(tmp_path / "people", plan())
    assert not (tmp_path / "people").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"identities": 1}, "identities must be at least 2, got 1", id="nobody to search for"),
        pytest.param({"cameras": 1}, "cameras must be at least 2, got 1", id="no other camera"),
        pytest.param({"frames": 1}, "frames must be at least 2, got 1", id="a query without another image"),
        pytest.param(
            {"setting": "moon"}, "unknown setting 'moon': must be one of default, other", id="unknown setting"
        ),
    ],
)
def test_a_plan_that_cannot_be_searched_is_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        FolderPlan(**{"layout": "market", "identities": 4, "seed": 1, **changed})  # type: ignore[arg-type]  # on purpose


def test_the_command_reports_images_and_seconds_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--layout",
        "mars",
        "--identities",
        "2",
        "--seed",
        "1",
        "--cameras",
        "2",
        "--frames",
        "1",
        "--height",
        "32",
    ]
    assert main(["synth", "people", "--out", str(tmp_path / "people"), *words, "--setting", "other", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["images"], said["identities"], said["layout"], said["setting"]) == (4, 2, "mars", "other")
    assert said["images_per_second"] > 0
    assert images(load_dataset("mars", tmp_path / "people")) == 6  # queries are searched in as well


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--frames", "1"], "a query needs another image", id="one image"),
        pytest.param([], "is not empty", id="folder taken"),
    ],
)
def test_the_command_rejects_impossible_arguments(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    base = ["synth", "people", "--out", str(tmp_path), "--layout", "market", "--identities", "2", "--seed", "1"]
    assert main([*base, *words]) == 2
    assert said in capsys.readouterr().err
