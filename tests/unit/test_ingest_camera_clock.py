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


def drifting(ratio: float, minutes: int, *, delay_ns: int = 0) -> tuple[CameraClock, list[int]]:
    """Follow a camera whose clock gains this much; return its clock, and the capture times less the true ones."""
    clock, camera = FakeClock(), clock_of()
    frames = minutes * 600
    began_ns = clock.now_ns()
    given = [
        replace(
            packet,
            pts_ns=round(packet.pts_ns * (1 + ratio)),
            camera_ns=began_ns + FRAME_NS - delay_ns + round(packet.pts_ns * (1 + ratio)),
        )
        for packet in packets(frames)
    ]
    source = FakeSource(given, finite=False, clock=clock)
    stamped = list(stamped_live(source, clock, camera))
    true_ns = [began_ns + FRAME_NS - delay_ns + number * FRAME_NS for number in range(frames)]
    return camera, [item.time_ns - true for item, true in zip(stamped, true_ns, strict=True)]


@pytest.mark.parametrize("ratio", [pytest.param(0.01, id="gains"), pytest.param(-0.01, id="loses")])
def test_a_clock_that_runs_one_per_cent_wrong_is_measured_and_named_with_the_remedy(
    ratio: float, caplog: pytest.LogCaptureFixture
) -> None:
    camera, _ = drifting(ratio, minutes=2)

    assert camera.drift_ratio == pytest.approx(ratio, rel=0.01)
    assert "36.0 s an hour" in camera.complaint
    assert "NTP" in camera.complaint
    assert sum("an hour" in record.message for record in caplog.records) == 1


def test_what_a_clock_that_runs_one_per_cent_fast_may_do_to_capture_times_is_bounded() -> None:
    camera, errors = drifting(0.01, minutes=8)

    assert camera.offset_ns is not None
    assert camera.offset_ns > 4 * NS, "by its own clock, it would be seconds ahead of other cameras"
    assert max(abs(error) for error in errors) <= LIMIT_NS + NS // 2
    assert abs(errors[-1]) < NS // 5, "its arrival counts by now"


def test_two_cameras_drift_apart_by_the_difference_of_their_ratios() -> None:
    (one, _), (other, _) = drifting(0.002, minutes=6), drifting(-0.001, minutes=6, delay_ns=300_000_000)

    assert one.drift_ratio is not None
    assert other.drift_ratio is not None
    assert one.drift_ratio - other.drift_ratio == pytest.approx(0.003, rel=0.02)


def test_a_clock_that_is_right_has_no_drift_and_no_complaint(caplog: pytest.LogCaptureFixture) -> None:
    camera, _ = drifting(0.0, minutes=2)

    assert camera.drift_ratio == pytest.approx(0.0, abs=1e-9)
    assert (camera.complaint, caplog.records) == ("", [])


def test_a_clock_that_was_set_or_runs_right_again_is_no_longer_complained_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    camera, _ = drifting(0.01, minutes=2)
    now = NOW_NS
    for second in range(300):
        camera.reference_ns(second * NS, now + second * NS, now + second * NS)

    assert camera.complaint == ""
    assert camera.drift_ratio == pytest.approx(0.0, abs=1e-4)
    assert "like this machine's again" in caplog.text
