"""Cameras that were added on the page are read again by the next run."""

import logging
from pathlib import Path

import pytest

from deploy.local.added_cameras import FILE, AddedCameras
from wire.cameras import ListedCamera
from wire.messages import CameraSpec


def listed(*names: str) -> dict[str, ListedCamera]:
    return {
        name: ListedCamera(CameraSpec(camera_id=name, site_id="home", url=f"rtsp://u:p@{name}/"), 0) for name in names
    }


def test_what_was_added_is_there_in_the_next_run_and_what_was_removed_is_not(tmp_path: Path) -> None:
    before = AddedCameras(tmp_path)
    before.keep(listed("yard", "door"))
    before.keep(listed("door"))

    assert [spec.url for spec in AddedCameras(tmp_path).load()] == ["rtsp://u:p@door/"]
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_cameras_of_the_command_line_are_not_kept_and_push_out_nobody(tmp_path: Path) -> None:
    AddedCameras(tmp_path).keep(listed("yard"))
    run = AddedCameras(tmp_path)
    run.leave_out(["film"])

    run.keep(listed("film", "gate"))

    assert sorted(spec.camera_id for spec in AddedCameras(tmp_path).load()) == ["gate", "yard"]


def test_a_run_without_added_cameras_writes_no_file(tmp_path: Path) -> None:
    run = AddedCameras(tmp_path)
    run.leave_out(["film"])

    run.keep(listed("film"))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", '{"cameras": {"yard": "AA=="}}', '{"cameras": {"yard": 3}}', "{}"])
def test_a_damaged_file_is_named_and_stops_nothing(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_text(text)

    assert AddedCameras(tmp_path).load() == ()
    assert str(tmp_path / FILE) in caplog.text


def test_a_disk_that_takes_nothing_is_named_and_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).with_suffix(".part").mkdir()

    AddedCameras(tmp_path).keep(listed("yard"))

    assert "forgotten when this run ends" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING
