"""Crops that a worker keeps, as the recorder deletes them with a person who is erased."""

import shutil
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from gallery.recording.erasures import MARGIN_NS
from gallery.recording.folder import RecordingFolder
from gallery.recording.kept_crops import KeptCrops
from gallery.recording.metrics import RecordingMetrics
from gallery.recording.recorder import CROPS_NS, Recorder
from gallery.recording.ring import Bounds
from gallery.store.said import Seen
from reid_worker.crops import Crop, Cutout
from reid_worker.keep import CropKeeper, KeepOptions, folder_of
from reid_worker.metrics import WorkerMetrics
from tests.worker_tools import START_NS
from wire.tracklet_id import TrackletId

S = 10**9
SEEN = Seen("door 1", START_NS + 20 * S, START_NS + 30 * S)


class Keeping:
    """A worker that keeps crops in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._keeper = CropKeeper(KeepOptions(folder, 10**9, 10**18), WorkerMetrics(CollectorRegistry()))

    def keep(self, number: int, *seconds: float, camera: str = "door 1") -> Path:
        """Keep a track with a crop at each of these times."""
        track = TrackletId(camera, "s/1-0", number, 0, 0)
        crops = [Crop(START_NS + round(second * S), Cutout.restored(b"jpeg")) for second in seconds]
        self._keeper.keep(track, crops)
        return folder_of(self.folder, track)


@pytest.fixture
def keeping(tmp_path: Path) -> Keeping:
    return Keeping(tmp_path / "crops")


def test_every_track_with_a_crop_of_the_time_goes_and_no_other(keeping: Keeping) -> None:
    margin = MARGIN_NS / S
    gone = [keeping.keep(1, 22), keeping.keep(2, 5, 25, 40), keeping.keep(3, 30 + margin), keeping.keep(4, 20 - margin)]
    left = [keeping.keep(5, 0, 14.9), keeping.keep(6, 35.1), keeping.keep(7, 25, camera="hall")]

    assert KeptCrops(keeping.folder).delete([SEEN]) == 4

    assert [track.exists() for track in gone + left] == [False] * 4 + [True] * 3
    assert {path.name for path in keeping.folder.rglob("*") if path.is_dir() and path.name.startswith(".")} == set()


def test_what_a_worker_has_half_written_or_half_removed_goes_too(keeping: Keeping) -> None:
    track = keeping.keep(1, 22)
    track.rename(track.with_name(f".{track.name}"))

    assert KeptCrops(keeping.folder).delete([SEEN]) == 1

    assert list(track.parent.iterdir()) == []


def test_a_folder_that_is_not_there_or_not_known_has_nothing_to_delete(tmp_path: Path) -> None:
    assert KeptCrops(tmp_path / "nowhere").delete([SEEN]) == 0
    assert KeptCrops().delete([SEEN]) == 0


def test_what_is_written_after_an_erasure_goes_within_ten_minutes(keeping: Keeping, tmp_path: Path) -> None:
    # Given a recorder that has deleted an erased person's crops
    clock = [START_NS + 60 * S]
    with RecordingFolder(tmp_path / "recordings", Bounds(10**9, None, 10**18)) as folder:
        crops = KeptCrops(keeping.folder)
        metrics = RecordingMetrics(CollectorRegistry())
        recorder = Recorder(folder, metrics, 0, clock=lambda: clock[0], crops=crops)
        keeping.keep(1, 22)
        recorder.erase(SEEN)
        assert recorder.delete_crops() == 1
        recorder.look_after()
        # When a worker reads the recording again
        again = keeping.keep(2, 22)
        clock[0] += CROPS_NS
        recorder.look_after()
    # Then these crops go, too
    assert not again.exists()


def test_a_disk_that_deletes_nothing_stops_no_recording(
    keeping: Keeping, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keeping.keep(1, 22)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with RecordingFolder(tmp_path / "recordings", Bounds(10**9, None, 10**18)) as folder:
        metrics = RecordingMetrics(CollectorRegistry())
        recorder = Recorder(folder, metrics, 0, clock=lambda: START_NS, crops=KeptCrops(keeping.folder))
        recorder.never(SEEN)
        monkeypatch.setattr(shutil, "rmtree", refuse)
        recorder.look_after()
    assert "Permission denied; they are tried again" in caplog.text
