"""Where crops are kept, which of them go, and what a full disk does; whole runs keep them in `test_embedded_run`."""

import logging
import math
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from reid_worker.config import WorkerSettings
from reid_worker.crops import Crop, Cutout
from reid_worker.keep import CropKeeper, KeepOptions, Kept, folder_of, surplus
from reid_worker.metrics import WorkerMetrics
from wire.errors import SettingsError
from wire.tracklet_id import TrackletId

DAY_NS = 86_400 * 10**9
CROPS = [Crop(1_700_000_000_000_000_000 + k, Cutout.restored(b"jpeg" * 3000)) for k in range(3)]  # three blocks each
SIZE = 4096 * (1 + 3 * 3)
WORDS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=8)


class World:
    """A folder for crops, a clock, and what is counted."""

    def __init__(self, folder: Path, *, tracklets: float = 1000, days: float = 30) -> None:
        self.folder = folder
        self.now_ns = 1000 * DAY_NS
        self.options = KeepOptions(folder, int(tracklets * SIZE), int(days * DAY_NS))
        self.registry = CollectorRegistry()
        self.keeper = self.started()

    def started(self) -> CropKeeper:
        self.registry = CollectorRegistry()
        self.keeper = CropKeeper(self.options, WorkerMetrics(self.registry), clock=lambda: self.now_ns)
        return self.keeper

    def keep(self, *numbers: int) -> None:
        for number in numbers:
            self.now_ns += 1_000_000_000
            self.keeper.keep(TrackletId("door", "s-1", number, 0, 0), CROPS)

    @property
    def there(self) -> list[int]:
        return sorted(int(place.name.split("_")[1].partition(".")[0]) for place in self.folder.glob("door/*"))

    def counted(self, outcome: str) -> float:
        return self.registry.get_sample_value("climbtrack_kept_tracklets_total", {"outcome": outcome}) or 0.0


@given(st.lists(st.tuples(WORDS, st.integers(0, 20), st.integers(0, 20), st.integers(0, 9)), unique=True))
def test_no_two_tracklets_share_a_place_and_none_leaves_its_camera(
    tracklets: list[tuple[str, int, int, int]],
) -> None:
    folder = Path("crops")
    places = [folder_of(folder, TrackletId("door", *parts)) for parts in tracklets]
    assert len(set(places)) == len(places)
    assert all(place.parent == folder / "door" and place.name not in {".", ".."} for place in places)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 50))), st.integers(1, 200), st.integers(0, 100))
def test_the_fewest_of_the_oldest_go_that_keep_both_bounds(
    tracklets: list[tuple[int, int]], most: int, longest: int
) -> None:
    kept = [Kept(Path("x"), written, size) for written, size in sorted(tracklets)]
    options = KeepOptions(Path(), most, longest)

    def bounded(rest: list[Kept]) -> bool:
        return sum(one.size for one in rest) <= most and all(100 - one.written_ns <= longest for one in rest)

    fits = [count for count in range(len(kept) + 1) if bounded(kept[count:])]
    assert surplus(kept, 100, options) == fits[0]


def test_crops_are_named_by_the_moments_they_show(tmp_path: Path) -> None:
    World(tmp_path / "site" / "crops").keep(7)
    place = folder_of(tmp_path / "site" / "crops", TrackletId("door", "s-1", 7, 0, 0))
    assert {file.name: file.read_bytes() for file in place.iterdir()} == {
        f"{crop.time_ns}.jpg": crop.cutout.jpeg() for crop in CROPS
    }


def test_nobody_else_may_look_at_them(tmp_path: Path) -> None:
    World(tmp_path / "crops").keep(7)
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "crops").rglob("*") if path.is_dir()} == {0}


def test_work_that_is_repeated_changes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "crops")
    world.keep(1, 2)
    before = {path: path.stat().st_mtime_ns for path in world.folder.rglob("*")}
    world.started()
    world.keep(1, 2)
    assert {path: path.stat().st_mtime_ns for path in world.folder.rglob("*")} == before
    assert world.counted("kept") == 0


@pytest.mark.parametrize("restarted", [False, True])
def test_beyond_so_many_bytes_the_oldest_go(tmp_path: Path, restarted: bool) -> None:
    world = World(tmp_path / "crops", tracklets=3.5)
    world.keep(9, 3, 5)
    if restarted:
        world.started()
    world.keep(1, 7)
    assert world.there == [1, 5, 7]
    assert world.counted("removed") == 2


@pytest.mark.parametrize("restarted", [False, True])
def test_what_is_too_old_goes_although_nobody_comes(tmp_path: Path, restarted: bool) -> None:
    world = World(tmp_path / "crops", days=2)
    world.keep(1)
    world.now_ns += DAY_NS
    world.keep(2)
    world.now_ns += DAY_NS + 1
    if restarted:
        world.started()
    else:
        world.keeper.clean_up()
    assert world.there == [2]


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "crops"
    (folder / "2019" / "holiday_1").mkdir(parents=True)
    (folder / "2019" / "holiday_1" / "1.jpg").write_bytes(b"a picture" * 100_000)
    world = World(folder, tracklets=1, days=1)
    world.keep(1, 2)
    assert (folder / "2019" / "holiday_1" / "1.jpg").exists()
    assert world.there == [2]


def test_what_a_dead_worker_left_half_written_goes(tmp_path: Path) -> None:
    world = World(tmp_path / "crops")
    world.keep(1)
    left = folder_of(world.folder, TrackletId("door", "s-1", 1, 0, 0))
    left.rename(left.with_name(f".{left.name}"))
    world.now_ns += DAY_NS
    world.started()
    assert list((world.folder / "door").iterdir()) == []


def test_a_disk_that_takes_nothing_is_told_once_counted_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path / "crops")
    (world.folder / "door").write_text("a file where a folder should be")
    with caplog.at_level(logging.WARNING):
        world.keep(1, 2, 3)
    (line,) = caplog.messages
    assert str(world.folder) in line
    assert "the worker continues" in line
    assert (world.counted("failed"), world.counted("kept")) == (3, 0)
    (world.folder / "door").unlink()
    world.keep(4)
    assert world.there == [4]


def test_the_free_space_of_the_disk_is_a_metric(tmp_path: Path) -> None:
    world = World(tmp_path / "crops")
    free = world.registry.get_sample_value("climbtrack_crops_free_bytes")
    assert free is not None
    assert 0 < free <= shutil.disk_usage(tmp_path).total

    shutil.rmtree(world.folder)
    assert math.isnan(world.registry.get_sample_value("climbtrack_crops_free_bytes") or 0)


def test_half_of_a_tracklet_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "crops")
    written = Path.write_bytes

    def full_after_one(path: Path, data: bytes) -> int:
        if path.name != f"{CROPS[0].time_ns}.jpg":
            raise OSError(28, "No space left on device")
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", full_after_one)
    world.keep(1)
    assert [path for path in world.folder.rglob("*") if path != world.folder / "door"] == []
    assert world.counted("failed") == 1


def test_a_folder_that_cannot_be_had_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SettingsError, match=r"worker.keep_crops = .*file/crops'.*choose a writable folder"):
        World(tmp_path / "file" / "crops")


def test_nothing_is_kept_unless_asked_for() -> None:
    assert WorkerSettings.load().keep_options() is None


def test_the_bounds_are_given_in_gigabytes_and_days() -> None:
    settings = WorkerSettings.load(None, keep_crops=Path("x"), keep_crops_gb=2.5, keep_crops_days=1.0)
    assert settings.keep_options() == KeepOptions(Path("x"), 2_500_000_000, DAY_NS)
