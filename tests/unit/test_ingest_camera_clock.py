"""Whose clock gives the capture times of a live camera: its own while it can be right, the arrival otherwise."""

import itertools
from dataclasses import replace

import pytest

from ingest.camera_clock import CameraClock
from ingest.clock import NS, LiveClock
from ingest.stamp import stamped_live
from tests.ingest_tools import FRAME_NS, FakeClock, FakeSource, packets

LIMIT_NS = 2 * NS
NOW_NS = 1_800_000_000 * NS


def clock_of(limit_ns: int = LIMIT_NS) -> CameraClock:
    return CameraClock("door", limit_ns)


def references(clock: CameraClock, ahead_ns: list[int], delay_ns: list[int]) -> list[int]:
    """Return the reference of each packet, less its true capture time."""
    found = []
    for number, (ahead, delay) in enumerate(zip(ahead_ns, delay_ns, strict=True)):
        captured = NOW_NS + number * FRAME_NS
        found.append(clock.reference_ns(number * FRAME_NS, captured + ahead, captured + delay) - captured)
    return found


def test_a_camera_that_follows_ntp_gives_its_capture_times_whatever_the_network_does() -> None:
    assert references(clock_of(), [0] * 6, [50, 90_000_000, 50, 900_000_000, 3 * NS, 60]) == [0] * 6


@pytest.mark.parametrize("ahead_s", [pytest.param(3600, id="ahead"), pytest.param(-3600, id="behind")])
def test_a_camera_whose_clock_is_wrong_is_timed_by_arrival_and_named(
    ahead_s: int, caplog: pytest.LogCaptureFixture
) -> None:
    clock = clock_of()

    assert references(clock, [ahead_s * NS] * 3, [7, 8, 9]) == [7, 8, 9]
    assert clock.offset_ns == ahead_s * NS - 7
    (record,) = caplog.records
    assert "3600.0 s" in record.message
    assert "NTP" in record.message


def test_a_camera_that_does_not_state_its_time_is_timed_by_arrival_and_has_no_offset() -> None:
    clock = clock_of()

    assert clock.reference_ns(0, None, 7) == 7
    assert clock.offset_ns is None


def test_a_limit_of_zero_times_every_camera_by_arrival_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    clock = clock_of(0)

    assert references(clock, [0, 3600 * NS], [7, 8]) == [7, 8]
    assert not [record for record in caplog.records if "NTP" in record.message]


@pytest.mark.parametrize("step_s", [pytest.param(3600, id="forward"), pytest.param(-3600, id="back")])
def test_a_clock_that_is_set_an_hour_and_back_is_followed_at_once(
    step_s: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    found = references(clock_of(), [0, 0, step_s * NS, step_s * NS, 0, 0], [5] * 6)

    assert found == [0, 0, 5, 5, 0, 0]
    said = " ".join(record.message for record in caplog.records)
    assert said.count("its clock was set") == 2
    assert "right again" in said


def test_a_reconnection_starts_a_new_comparison() -> None:
    clock = clock_of()
    references(clock, [0] * 3, [5] * 3)
    clock.reconnected()

    assert references(clock, [-NS] * 3, [5] * 3) == [-NS] * 3
    assert clock.offset_ns == -NS - 5


def test_two_cameras_that_film_one_moment_agree_although_one_comes_over_a_slow_network() -> None:
    streams = []
    for delay_ns in (0, 400_000_000):
        clock = FakeClock()
        given = [
            replace(packet, camera_ns=round((1000 + 0.1 * (number + 1)) * 1e9) - delay_ns)
            for number, packet in enumerate(packets(200))
        ]
        source = FakeSource(given, finite=False, clock=clock)
        streams.append([item.time_ns - item.packet.pts_ns for item in stamped_live(source, clock, clock_of())])
    differences = [one - other for one, other in zip(*streams, strict=True)]

    assert set(differences) == {400_000_000}


def test_segments_that_arrive_at_once_are_timed_by_their_last_picture() -> None:
    per_segment, segments = 60, 20
    clock = LiveClock(12 * NS)
    times: list[int] = []
    pts = [number * FRAME_NS for number in range(per_segment * segments)]
    for number, at in enumerate(pts):
        published = (number // per_segment + 1) * per_segment * FRAME_NS - FRAME_NS
        times += clock.capture_ns(at, NOW_NS + published)

    assert all(before < after for before, after in itertools.pairwise(times))
    assert times[-1] - NOW_NS == pts[len(times) - 1]
