"""A USB camera behind a device node: found, read, unplugged and plugged in again, and stopped.

No machine of the suite has one, so OpenCV's capture is replaced; the node is a file.
"""

from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.config import IngestSettings
from ingest.errors import AccessDenied, NotFound
from ingest.sources import device
from ingest.sources.device import open_device
from tests.conftest import wait_until
from tests.ingest_tools import IngestWorker, picture, spec_of


class Webcam:
    """Stands in for `cv2.VideoCapture`: gives twelve pictures each time it is plugged in."""

    opened: ClassVar[list[tuple[object, ...]]] = []
    released: ClassVar[int] = 0

    def __init__(self, *name: object) -> None:
        self.opened.append(name)
        self._left = 12

    def isOpened(self) -> bool:  # noqa: N802 - as OpenCV calls it
        return True

    def get(self, _: int) -> float:
        return 30.0

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        self._left -= 1
        return (True, picture(self._left)) if self._left >= 0 else (False, None)

    def release(self) -> None:
        type(self).released += 1


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a device node of a webcam."""
    monkeypatch.setattr(cv2, "VideoCapture", Webcam)
    monkeypatch.setattr(device, "DEVICES", tmp_path)
    monkeypatch.setattr("wire.url.DEVICE_NODES", (f"{tmp_path}/video",))
    monkeypatch.setattr(Webcam, "opened", [])
    monkeypatch.setattr(Webcam, "released", 0)
    (tmp_path / "video0").touch()
    return str(tmp_path / "video0")


def test_a_webcam_is_read_and_opened_again_when_it_is_plugged_in_again(node: str) -> None:
    with IngestWorker(backoff_first_s=0.05) as worker:
        worker.add(spec_of(node))
        wait_until(lambda: len(worker.streams("door")) >= 2)

    first = next(iter(worker.streams("door").values()))
    times = [packet.time_ns for chunk in first for packet in chunk.packets]
    assert len(times) == 12
    assert times == sorted(set(times))
    assert first[0].codec == "mjpeg"
    assert first[-1].reason.startswith("the device no longer delivers frames; ")
    assert Webcam.opened[0] == (node, cv2.CAP_V4L2)
    assert Webcam.released == len(Webcam.opened)


def test_a_node_that_is_not_there_is_named_with_those_that_are(node: str) -> None:
    missing = node.replace("video0", "video7")

    with pytest.raises(NotFound, match=f"there is no {missing}; this machine has {node}"):
        open_device(missing, IngestSettings())


def test_a_node_that_may_not_be_read_is_named_with_the_remedy(node: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)

    with pytest.raises(AccessDenied, match="no permission to read"):
        open_device(node, IngestSettings())
