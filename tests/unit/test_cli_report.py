"""What a run tells at its end."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.report import Person, Report, covered_s, people_since
from deploy.local.run import Outcome
from deploy.local.watch import CameraTotals, Watch
from gallery.store.presence import Sighting
from tests.gallery_tools import CAMERAS, make_world, run_whole
from wire import codec
from wire.bus import TRACKLETS
from wire.memory import MemoryBus
from wire.messages import CameraProgress

SECOND = 1_000_000_000


def test_the_machine_readable_report_has_the_keys_that_are_promised() -> None:
    door, hall = (
        Sighting("door", 0, SECOND, ("a",), live=False),
        Sighting("hall", 0, 3 * SECOND // 2, ("b",), live=False),
    )
    person = Person(3, (door, hall), visible_s=1.5, known_since_ns=0)
    report = Report((person,), {"door": CameraTotals("s", 30, 15, 1, 2)}, 4.25)
    assert json.loads(json.dumps(Outcome(report, False, Path("out/people.html")).as_json())) == {
        "identities": [
            {
                "id": 3,
                "cameras": ["door", "hall"],
                "first": "1970-01-01T00:00:00.000Z",
                "last": "1970-01-01T00:00:01.500Z",
                "sightings": 2,
                "way": [
                    {"camera": "door", "first": "1970-01-01T00:00:00.000Z", "last": "1970-01-01T00:00:01.000Z"},
                    {"camera": "hall", "first": "1970-01-01T00:00:00.000Z", "last": "1970-01-01T00:00:01.500Z"},
                ],
            }
        ],
        "cameras": {"door": {"frames": 30, "analysed": 15, "dropped": 1, "tracklets": 2}},
        "seconds": 4.25,
        "pictures": "out/people.html",
        "videos": {},
    }


def test_a_run_tells_of_its_own_cameras_and_not_of_files_that_an_earlier_one_dated_later() -> None:
    store = run_whole(make_world(1)).store

    told = people_since(store, 0, {"a"})

    assert {camera for person in told for camera in (*person.cameras, *person.best)} == {"a"}
    seen_by_a = {person.number for person in people_since(store, 0, CAMERAS) if "a" in person.cameras}
    assert {person.number for person in told} == seen_by_a
    assert people_since(store, 0, {"yard"}) == ()


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)).map(sorted), max_size=8))
def test_visible_time_counts_every_moment_once(seconds: list[list[int]]) -> None:
    seen = np.zeros(50, bool)
    for first, last in seconds:
        seen[first:last] = True
    assert covered_s((first * SECOND, last * SECOND) for first, last in seconds) == seen.sum()


def test_a_camera_that_reconnects_keeps_what_it_counted() -> None:
    totals = _watched([_progress("one", 10), _progress("one", 25, ended=True), _progress("two", 5)])
    assert (totals.stream_id, totals.frames, totals.ended) == ("two", 30, False)


def test_the_reason_of_an_end_is_kept() -> None:
    totals = _watched([_progress("one", 10, ended=True, reason="the file is cut off")])
    assert (totals.ended, totals.reason) == (True, "the file is cut off")


def test_bytes_that_are_no_message_are_left_to_the_gallery() -> None:
    bus = MemoryBus()
    watch = Watch(bus)
    bus.producer().send(TRACKLETS.name, "site", b"garbage")
    assert watch.poll(0.0) == {}


def _watched(messages: Iterable[CameraProgress]) -> CameraTotals:
    bus = MemoryBus()
    watch = Watch(bus)
    for message in messages:
        bus.producer().send(TRACKLETS.name, "site", codec.encode(message))
    return watch.poll(0.0)["door"]


def _progress(stream: str, frames: int, *, ended: bool = False, reason: str = "") -> CameraProgress:
    return CameraProgress(
        camera_id="door",
        site_id="site",
        stream_id=stream,
        time_ns=0,
        frames=frames,
        analysed=frames,
        dropped=0,
        tracklets=1,
        ended=ended,
        reason=reason,
    )


@pytest.mark.parametrize("camera", [CameraTotals(), CameraTotals(ended=True)])
def test_a_camera_without_any_stream_counts_nothing(camera: CameraTotals) -> None:
    assert Report((), {"door": camera}, 0.0).as_json()["cameras"]["door"] == dict.fromkeys(
        ("frames", "analysed", "dropped", "tracklets"), 0
    )
