"""The pace of a worker: how many frames it analyses, so that live cameras stay within the latency budget."""

import pytest

from reid_worker.pace import AT_FLOOR, GIVES_WAY, PERIOD_S, TARGET, Pace, PaceOptions
from reid_worker.rate import RateMeter

BUDGET_S = 2.0


class Machine:
    """A worker that analyses frames of live cameras one after the other, each in `cost_s`."""

    def __init__(self, *, cameras: int = 4, fps: float = 10.0, cost_s: float) -> None:
        self.pace = Pace(PaceOptions(BUDGET_S))
        self.cost_s = cost_s
        self.waits_s: list[float] = []
        self.shares: list[float] = []
        self._per_s = cameras * fps
        self._now_s = 0.0
        self._done_s = 0.0  # capture time up to which everything is analysed

    def run(self, seconds: float) -> None:
        """Analyse in steps of a chunk's half second, or wait for the next chunk."""
        end_s = self._now_s + seconds
        while self._now_s < end_s:
            wait_s = self._now_s - self._done_s
            self.waits_s.append(wait_s)
            if wait_s >= 0.5:
                self.pace.waited(wait_s - 0.5)
                frames = 0.5 * self._per_s * self.pace.fps(10.0, 1.0, wait_s - 0.5) / 10.0
                self._now_s += 0.001 + frames * self.cost_s
                self._done_s += 0.5
            else:
                self.pace.waited(0.0)
                self._now_s += 0.1
            self.pace.update(self._now_s)
            self.shares.append(self.pace.share)


def test_a_machine_that_is_fast_enough_analyses_everything() -> None:
    machine = Machine(cost_s=0.02)  # 80 % of its time

    machine.run(60)

    assert set(machine.shares) == {1.0}


@pytest.mark.parametrize("cost_s", [0.03, 0.05, 0.1, 0.2])
def test_a_machine_that_is_too_slow_stays_within_the_budget_and_uses_all_of_its_time(cost_s: float) -> None:
    machine = Machine(cost_s=cost_s)
    machine.run(30)  # settle
    machine.waits_s, machine.shares = [], []

    machine.run(120)

    possible = 1 / (cost_s * 40)
    assert max(machine.waits_s) < BUDGET_S
    assert sum(machine.shares) / len(machine.shares) == pytest.approx(possible, rel=0.25)


def test_the_wait_stays_bounded_when_half_of_the_machine_is_taken_away_and_returns_when_it_comes_back() -> None:
    machine = Machine(cost_s=0.02)
    machine.run(30)
    machine.cost_s = 0.05
    machine.run(60)
    assert max(machine.waits_s) < 1.5 * BUDGET_S
    machine.cost_s = 0.02
    machine.run(30)

    assert machine.pace.share == 1.0
    assert machine.waits_s[-1] < 1.0


def test_the_shortest_wait_of_a_period_counts() -> None:
    pace = Pace(PaceOptions(BUDGET_S))
    pace.update(0.0)
    for wait_s in (3.0, 0.1, 2.0):
        pace.waited(wait_s)

    assert pace.update(PERIOD_S)
    assert pace.wait_s == 0.1
    assert pace.share == 1.0


def test_nothing_changes_without_a_chunk() -> None:
    pace = Pace(PaceOptions(BUDGET_S))
    pace.update(0.0)

    assert not pace.update(100.0)
    assert pace.share == 1.0


def strained() -> Pace:
    """Return a pace whose cameras have waited for the target and half of the budget more."""
    pace = Pace(PaceOptions(BUDGET_S))
    pace.update(0.0)
    pace.waited(TARGET * BUDGET_S + BUDGET_S / 2)
    pace.update(PERIOD_S)
    assert 0 < pace.share < 1
    return pace


def test_equal_cameras_are_analysed_at_equal_shares_and_important_ones_at_larger_ones() -> None:
    pace = strained()

    assert pace.fps(10.0, 1.0, 0.0) == pytest.approx(10.0 * pace.share)
    assert pace.fps(4.0, 1.0, 0.0) == pytest.approx(4.0 * pace.share)
    assert pace.fps(10.0, 2.0, 0.0) == pytest.approx(10.0 * pace.share**0.5)
    assert pace.fps(10.0, 0.5, 0.0) == pytest.approx(10.0 * pace.share**2)


def test_priority_changes_nothing_while_there_is_time() -> None:
    pace = Pace(PaceOptions(BUDGET_S))

    assert [pace.fps(10.0, priority, 0.0) for priority in (0.1, 1.0, 10.0)] == [10.0] * 3


@pytest.mark.parametrize(
    ("wait_s", "fps"),
    [
        pytest.param(GIVES_WAY * BUDGET_S, 10.0, id="in time"),
        pytest.param((GIVES_WAY + AT_FLOOR) / 2 * BUDGET_S, 5.0, id="in between"),
        pytest.param(AT_FLOOR * BUDGET_S, 3.0, id="late, at the floor"),
        pytest.param(2 * BUDGET_S, 3.0, id="very late, at the floor"),
    ],
)
def test_the_longer_a_chunk_has_waited_the_more_thinly_it_is_analysed(wait_s: float, fps: float) -> None:
    assert Pace(PaceOptions(BUDGET_S, floor_fps=3.0)).fps(10.0, 1.0, wait_s) == pytest.approx(fps)


def test_a_chunk_that_has_waited_for_twice_the_budget_is_hopeless() -> None:
    pace = Pace(PaceOptions(BUDGET_S))

    assert not pace.is_hopeless(2 * BUDGET_S)
    assert pace.is_hopeless(2 * BUDGET_S + 0.1)


def test_a_camera_that_is_slower_than_the_floor_keeps_its_rate_however_late_it_is() -> None:
    assert Pace(PaceOptions(BUDGET_S, floor_fps=3.0)).fps(2.0, 1.0, BUDGET_S + 0.1) == 2.0


def test_a_machine_of_which_half_is_taken_away_is_behind_for_a_moment_only() -> None:
    machine = Machine(cost_s=0.02)
    machine.run(30)
    machine.cost_s = 0.05
    machine.waits_s = []

    machine.run(60)

    assert max(machine.waits_s) < 0.75 * BUDGET_S
    assert max(machine.waits_s[len(machine.waits_s) // 4 :]) < 0.6 * BUDGET_S


def test_a_rate_is_measured_over_the_last_five_seconds() -> None:
    meter = RateMeter()
    assert meter.fps(0) == 0.0
    for tenth in range(100):  # 10 frames a second for 10 s
        meter.analysed(tenth * 100_000_000)
    assert meter.fps(9_900_000_000) == pytest.approx(10.0)
    assert meter.fps(12_400_000_000) == pytest.approx(5.0)
    assert meter.fps(60_000_000_000) == 0.0
    assert len(meter.times_ns) == 50  # no more are kept


def test_a_rate_is_right_from_the_second_frame_on() -> None:
    meter = RateMeter()
    meter.analysed(7_000_000_000)
    assert meter.fps(7_000_000_000) == 0.0
    meter.analysed(7_200_000_000)
    assert meter.fps(7_200_000_000) == pytest.approx(5.0)
