"""When a window of event time is complete."""

import pytest

from gallery.timeline import Timeline, Update, Waiting, Window
from tests.gallery_tools import START, S, progress, tracklet

WAITING = Waiting(window_ns=S, latency_wait_s=2.0, complete_wait_s=30.0)


def update(name: str, last_s: float, offset: int = 0, revision: int = 0) -> Update:
    return Update(tracklet(name, last_s - 1, last_s, revision=revision), offset)


def names(window: Window | None) -> list[str]:
    assert window is not None
    return sorted(update.tracklet.tracklet_id for update in window.updates)


def two_cameras() -> Timeline:
    timeline = Timeline(WAITING)
    timeline.expect({"a": "complete", "b": "complete"}, 0.0)
    return timeline


def test_a_window_waits_for_every_expected_camera() -> None:
    timeline = two_cameras()
    timeline.update(update("a/s/1/0", 3.0))
    timeline.progress(progress("a", 3.2), 0.0, 0)
    timeline.progress(progress("a", 9.0), 0.0, 0)
    assert timeline.due(0.0) is None

    timeline.progress(progress("b", 3.9), 0.0, 0)
    assert timeline.due(0.0) is None
    timeline.progress(progress("b", 4.0), 0.0, 0)

    window = timeline.due(0.0)
    assert names(window) == ["a/s/1/0"]
    assert window is not None
    assert window.end_ns == START + 4 * S


def test_a_tracklet_belongs_to_the_window_of_the_next_progress_not_of_its_last_box() -> None:
    timeline = two_cameras()
    timeline.update(update("a/s/1/0", 1.0))  # closed long after the person left
    timeline.progress(progress("a", 5.5), 0.0, 0)
    timeline.progress(progress("a", 7.0), 0.0, 0)
    timeline.progress(progress("b", 5.9), 0.0, 0)
    assert timeline.due(0.0) is None

    timeline.progress(progress("b", 6.0), 0.0, 0)

    assert names(timeline.due(0.0)) == ["a/s/1/0"]


def test_windows_are_due_in_order_and_stay_until_they_are_done() -> None:
    timeline = two_cameras()
    for second in (2, 1):
        timeline.update(update(f"a/s/{second}/0", second))
    timeline.progress(progress("a", 1.5), 0.0, 0)
    timeline.update(update("a/s/3/0", 2.0))
    timeline.progress(progress("a", 9.0), 0.0, 0)
    timeline.progress(progress("b", 10.0), 0.0, 0)
    timeline.progress(progress("a", 10.0), 0.0, 0)

    first = timeline.due(0.0)
    assert names(first) == names(timeline.due(0.0)) == ["a/s/1/0", "a/s/2/0"]
    assert first is not None
    timeline.done(first)
    second_window = timeline.due(0.0)
    assert names(second_window) == ["a/s/3/0"]
    assert second_window is not None
    timeline.done(second_window)
    assert timeline.due(0.0) is None
    assert timeline.waiting() == 0


def test_an_ended_camera_is_not_waited_for() -> None:
    timeline = two_cameras()
    timeline.update(update("a/s/1/0", 3.0))
    timeline.progress(progress("a", 5.0, ended=True), 0.0, 0)
    timeline.progress(progress("b", 1.0, ended=True), 0.0, 0)

    assert names(timeline.due(0.0)) == ["a/s/1/0"]


def test_a_latency_camera_holds_a_window_for_two_seconds_of_wall_clock() -> None:
    timeline = Timeline(WAITING)
    timeline.expect({"a": "latency", "b": "latency"}, 0.0)
    timeline.progress(progress("b", 3.4, mode="latency"), 9.9, 0)
    timeline.update(update("a/s/1/0", 3.0))
    timeline.progress(progress("a", 3.5, mode="latency"), 10.0, 0)
    timeline.progress(progress("a", 4.5, mode="latency"), 10.0, 0)

    assert timeline.due(11.9) is None
    assert names(timeline.due(12.0)) == ["a/s/1/0"]


def test_who_was_found_in_a_round_is_due_with_its_last_report_whenever_its_pictures_were_taken() -> None:
    timeline = Timeline(Waiting())
    timeline.expect({"a": "latency", "b": "latency"}, 0.0)
    timeline.update(update("a/s/1/0", 3.4))
    timeline.progress(progress("a", 3.45, mode="latency", round_s=3.45), 0.0, 0)
    assert timeline.due(0.0) is None

    timeline.progress(progress("b", 3.2, mode="latency", round_s=3.45), 0.0, 1)

    assert names(timeline.due(0.0)) == ["a/s/1/0"]


def test_live_cameras_of_a_worker_of_an_earlier_version_are_waited_for_by_capture_time() -> None:
    timeline = Timeline(Waiting())
    timeline.expect({"a": "latency", "b": "latency"}, 0.0)
    timeline.update(update("a/s/1/0", 3.4))
    timeline.progress(progress("a", 3.45, mode="latency"), 0.0, 0)
    timeline.progress(progress("b", 3.4, mode="latency"), 0.0, 1)
    assert timeline.due(0.0) is None

    timeline.progress(progress("b", 3.6, mode="latency"), 0.0, 2)

    assert names(timeline.due(0.0)) == ["a/s/1/0"]


def test_a_live_camera_that_is_switched_off_delays_nobody() -> None:
    timeline = Timeline(WAITING)
    timeline.expect({"a": "latency", "off": "latency"}, 0.0)
    timeline.update(update("a/s/1/0", 3.0))
    timeline.progress(progress("a", 3.0, mode="latency"), 1.9, 0)
    timeline.progress(progress("a", 4.0, mode="latency"), 1.9, 0)
    assert timeline.due(1.9) is None  # it may still be connecting

    assert names(timeline.due(2.0)) == ["a/s/1/0"]


def test_a_live_camera_that_was_as_far_as_the_others_before_everything_stood_still_is_waited_for() -> None:
    timeline = Timeline(WAITING)
    timeline.progress(progress("b", 2.9, mode="latency"), 0.0, 0)
    timeline.update(update("a/s/1/0", 3.0))
    timeline.progress(progress("a", 3.0, mode="latency"), 60.0, 0)  # the store did not answer for a minute
    timeline.progress(progress("a", 4.0, mode="latency"), 60.0, 0)

    assert timeline.due(60.0) is None
    timeline.progress(progress("b", 4.0, mode="latency"), 60.0, 0)

    assert names(timeline.due(60.0)) == ["a/s/1/0"]


@pytest.mark.parametrize(
    ("live_window_ns", "expected"),
    [
        (0, [(3.2, ["live/s/0/0"]), (3.9, ["live/s/1/0"]), (4.0, ["file/s/1/0"]), (4.1, ["live/s/2/0"])]),
        (S // 4, [(3.25, ["live/s/0/0"]), (4.0, ["file/s/1/0", "live/s/1/0"]), (4.25, ["live/s/2/0"])]),
    ],
)
def test_windows_of_live_cameras_are_shorter_and_all_windows_come_in_the_order_in_which_they_end(
    live_window_ns: int, expected: list[tuple[float, list[str]]]
) -> None:
    timeline = Timeline(Waiting(S, live_window_ns, 2.0, 30.0))
    timeline.expect({"live": "latency", "file": "complete"}, 0.0)
    timeline.update(update("file/s/1/0", 3.0))
    timeline.progress(progress("file", 3.1), 0.0, 0)
    for n, moment in enumerate((3.2, 3.9, 4.1)):
        timeline.update(update(f"live/s/{n}/0", 3.0))
        timeline.progress(progress("live", moment, mode="latency"), 0.0, 0)
    timeline.progress(progress("file", 9.0), 0.0, 0)
    timeline.progress(progress("live", 9.0, mode="latency"), 0.0, 0)

    found = []
    while (window := timeline.due(0.0)) is not None:
        found.append((round((window.end_ns - START) / S, 3), names(window)))
        timeline.done(window)

    assert found == expected


def test_a_window_tells_for_how_long_it_waited_and_whether_it_waited_for_live_cameras_only() -> None:
    timeline = Timeline(WAITING)
    timeline.expect({"a": "latency", "file": "complete"}, 0.0)
    timeline.update(update("a/s/1/0", 3.0))
    timeline.progress(progress("a", 4.5, mode="latency"), 10.0, 0)
    timeline.progress(progress("a", 5.0, mode="latency"), 10.5, 0)
    timeline.progress(progress("file", 5.0), 11.0, 0)

    recorded = timeline.due(11.0)
    timeline.progress(progress("file", 5.0, ended=True), 12.0, 0)
    live = timeline.due(13.0)

    assert recorded is not None
    assert live is not None
    assert (recorded.waited_s, recorded.mode) == (1.0, "complete")
    assert (live.waited_s, live.mode) == (3.0, "latency")


def waiting_for_b() -> Timeline:
    timeline = two_cameras()
    timeline.update(update("a/s/1/0", 3.0))
    timeline.progress(progress("a", 9.0), 0.0, 0)
    timeline.progress(progress("b", 1.0), 0.0, 0)
    return timeline


def test_complete_cameras_hold_windows_until_all_have_been_silent_for_half_a_minute() -> None:
    timeline = waiting_for_b()
    timeline.progress(progress("a", 10.0), 100.0, 0)

    assert timeline.due(129.0) is None
    assert names(timeline.due(130.0)) == ["a/s/1/0"]


def test_a_complete_camera_silent_while_others_progress_is_given_up_after_five_minutes() -> None:
    timeline = waiting_for_b()
    for moment in range(10, 310, 10):
        timeline.progress(progress("a", float(moment)), float(moment), 0)
        assert (timeline.due(float(moment)) is None) == (moment < 300)


def test_a_camera_that_is_removed_is_not_waited_for_and_loses_nothing() -> None:
    timeline = two_cameras()
    timeline.update(update("b/s/1/0", 3.0))
    timeline.progress(progress("a", 9.0), 0.0, 0)
    timeline.expect({"a": "complete"}, 0.0)

    assert names(timeline.due(0.0)) == ["b/s/1/0"]


def test_duplicates_are_ignored_and_old_progress_has_no_effect() -> None:
    timeline = two_cameras()
    for _ in range(2):
        timeline.update(update("a/s/1/0", 3.0))
        timeline.progress(progress("a", 9.0), 0.0, 0)
        timeline.progress(progress("b", 9.0), 0.0, 0)
        timeline.progress(progress("b", 5.0), 0.0, 0)
    timeline.progress(progress("a", 10.0), 0.0, 0)
    timeline.progress(progress("b", 10.0), 0.0, 0)

    assert names(timeline.due(0.0)) == ["a/s/1/0"]
    assert timeline.waiting() == 1


def test_the_first_undecided_offset_is_needed() -> None:
    timeline = two_cameras()
    assert timeline.needed_from() is None
    timeline.update(update("a/s/1/0", 3.0, offset=7))
    timeline.update(update("b/s/1/0", 3.0, offset=5))
    assert timeline.needed_from() == 5

    timeline.progress(progress("b", 3.0, ended=True), 0.0, 0)
    assert timeline.needed_from() == 5
    timeline.progress(progress("a", 9.0), 0.0, 0)
    window = timeline.due(0.0)
    assert window is not None
    timeline.done(window)

    assert timeline.needed_from() == 7


def test_the_last_report_of_its_camera_is_needed_with_a_tracklet() -> None:
    timeline = two_cameras()
    timeline.restore("b", "complete", (2, START + S), 0.0, ended=False)
    timeline.progress(progress("a", 2.0), 0.0, 3)
    timeline.progress(progress("a", 1.5), 0.0, 6)  # an earlier one again, without effect
    timeline.update(update("a/s/1/0", 3.0, offset=7))
    assert timeline.needed_from() == 3

    timeline.update(update("b/s/1/0", 3.0, offset=8))
    assert timeline.needed_from() == 2
