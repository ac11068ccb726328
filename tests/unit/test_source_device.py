"""Which node a USB camera is read from, and what is said if there is none; `test_ingest_webcam.py` reads one."""

from pathlib import Path

import pytest

from ingest.config import IngestSettings
from ingest.errors import NotFound, NoVideo
from ingest.sources import device
from ingest.sources.device import open_device


@pytest.mark.parametrize("name", ["7", "{folder}/video7"])
def test_a_camera_that_is_not_there_is_named_with_those_that_are(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "DEVICES", tmp_path)
    (tmp_path / "video0").touch()

    with pytest.raises(NotFound, match=f"there is no {tmp_path}/video7; this machine has {tmp_path}/video0"):
        open_device(name.format(folder=tmp_path), IngestSettings())


def test_on_another_system_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")

    with pytest.raises(NoVideo, match="on Linux only; let another program serve it over RTSP"):
        open_device("0", IngestSettings())


def test_a_node_that_is_no_camera_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "DEVICES", tmp_path)
    (tmp_path / "video0").write_bytes(b"no device")

    with pytest.raises(NoVideo, match="is no camera"):
        open_device("0", IngestSettings())
