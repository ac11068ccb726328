"""Pictures in which nobody can be found are named: black, frozen and broken ones."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from reid_worker.decode import Frame
from reid_worker.metrics import WorkerMetrics
from reid_worker.picture_watch import PictureWatch
from tests.ingest_tools import picture

Picture = Callable[[int], NDArray[np.uint8]]
BLACK = np.full((48, 64, 3), 12, np.uint8)


class Watched:
    """A watch and its metrics; frames come ten times a second."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._watch = PictureWatch(WorkerMetrics(self.registry))
        self._number = 0

    def show(self, seconds: int, image: Picture, camera_id: str = "door") -> None:
        for _ in range(seconds * 10):
            self._number += 1
            time_ns = self._number * 100_000_000
            self._watch.look(camera_id, Frame(self._number, time_ns, time_ns, image(self._number)))

    def fault(self, fault: str, camera_id: str = "door") -> float | None:
        labels = {"camera": camera_id, "fault": fault}
        return self.registry.get_sample_value("climbtrack_picture_fault", labels)


def noise(number: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 30, (48, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("image", [lambda _: BLACK, noise], ids=["even", "with noise"])
def test_a_black_picture_is_named_after_ten_seconds_and_again_when_it_is_over(
    image: Picture, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="reid_worker.picture_watch")
    watched = Watched()

    watched.show(9, image)
    assert watched.fault("black") == 0
    watched.show(3, image)
    assert watched.fault("black") == 1
    watched.show(1, picture)

    assert watched.fault("black") == 0
    assert caplog.text.count("camera door: the picture is black: check the lens cap") == 1
    assert caplog.text.count("no longer black") == 1


def test_a_picture_of_which_no_pixel_changes_for_a_minute_is_frozen(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched()

    watched.show(59, lambda _: picture(20))
    assert watched.fault("frozen") == 0
    watched.show(3, lambda _: picture(20))

    assert watched.fault("frozen") == 1
    assert "the picture is frozen" in caplog.text
    assert watched.fault("black") == 0


def test_a_change_of_size_is_a_change_of_the_picture() -> None:
    watched = Watched()

    watched.show(40, lambda _: picture(20))
    watched.show(1, lambda _: picture(20, 32, 24))
    watched.show(40, lambda _: picture(20))

    assert watched.fault("frozen") == 0


def test_cameras_are_watched_each_for_itself() -> None:
    watched = Watched()
    for _ in range(70):
        watched.show(1, lambda _: BLACK, "door")
        watched.show(1, picture, "hall")

    assert watched.fault("black", "door") == 1
    assert watched.fault("black", "hall") == 0
    assert watched.fault("frozen", "hall") == 0


def test_the_counters_of_a_camera_begin_at_0_whatever_is_looked_at_first() -> None:
    registry = CollectorRegistry()
    stream: Any = SimpleNamespace(info=SimpleNamespace(camera_id="door", stream_id="s"), broken=0, fault="", static=0)
    PictureWatch(WorkerMetrics(registry)).count(stream)

    for outcome in ("analysed", "too-old", "broken"):
        assert registry.get_sample_value("climbtrack_worker_frames_total", {"camera": "door", "outcome": outcome}) == 0
    assert registry.get_sample_value("climbtrack_picture_fault", {"camera": "door", "fault": "black"}) == 0
