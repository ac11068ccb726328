"""How far a clock is ahead of the brokers', from records that they stamp."""

import logging
import math
from dataclasses import dataclass

import pytest

from wire.kafka.broker_clock import KEPT_S, BrokerClock

START_S = 1_700_000_000.0


@dataclass
class Machine:
    """A machine and a broker, whose clocks are ahead of the true one."""

    ahead_s: float = 0.0
    broker_s: float = 0.0
    passed_s: float = 0.0

    def __post_init__(self) -> None:
        self.clock = BrokerClock("kafka:9092", time_ns=self.local_ns, monotonic_s=lambda: self.passed_s)

    def local_ns(self) -> int:
        return round((START_S + self.passed_s + self.ahead_s) * 1e9)

    def sends(self, there_s: float = 0.004, back_s: float = 0.004, *, stamped_by_broker: bool = True) -> None:
        sent_ms, sent_s = self.local_ns() // 1_000_000, self.passed_s
        self.passed_s += there_s
        stamp_ms = round((START_S + self.passed_s + self.broker_s) * 1e3) if stamped_by_broker else sent_ms
        self.passed_s += back_s
        self.clock.stored(sent_ms, sent_s, stamp_ms)

    def apart(self) -> list[float]:
        return [self.clock.ahead_s(), (self.local_ns() - self.clock.now_ns()) / 1e9]


def test_before_anything_was_stored_nothing_is_known_and_our_own_clock_counts() -> None:
    machine = Machine(300.0)
    assert math.isnan(machine.clock.ahead_s())
    assert machine.clock.now_ns() == machine.local_ns()


@pytest.mark.parametrize("ahead_s", [0.0, 300.0, -300.0, 86_400.0 * 400])
def test_a_record_tells_how_far_the_clock_is_ahead(ahead_s: float) -> None:
    machine = Machine(ahead_s)
    machine.sends()
    assert machine.apart() == pytest.approx([ahead_s, ahead_s], abs=0.006)


def test_a_topic_whose_records_are_stamped_by_who_sends_them_tells_nothing() -> None:
    machine = Machine(300.0)
    machine.sends(stamped_by_broker=False)
    assert math.isnan(machine.clock.ahead_s())


def test_a_record_that_waited_long_on_its_way_does_not_replace_one_that_did_not() -> None:
    machine = Machine(1.0)
    machine.sends()
    machine.sends(there_s=3.0)
    assert machine.apart() == pytest.approx([1.0, 1.0], abs=0.006)


def test_after_a_minute_the_next_record_counts_however_long_it_took() -> None:
    machine = Machine(0.0)
    machine.sends()
    machine.broker_s, machine.passed_s = -0.05, 2 * KEPT_S  # as far as a bad clock drifts in that time
    machine.sends(there_s=0.1, back_s=0.1)
    assert machine.clock.ahead_s() == pytest.approx(0.05, abs=0.002)


def test_a_clock_of_ours_that_is_set_is_noticed_at_once_and_changes_nothing() -> None:
    machine = Machine(0.0)
    machine.sends()
    now_ns, machine.ahead_s = machine.clock.now_ns(), -120.0
    assert machine.clock.ahead_s() == pytest.approx(-120.0, abs=0.006)
    assert machine.clock.now_ns() == now_ns


def test_a_broker_whose_clock_is_set_is_noticed_with_the_next_record() -> None:
    machine = Machine(0.0)
    machine.sends()
    machine.broker_s = 120.0
    machine.sends(there_s=0.2, back_s=0.2)
    assert machine.apart() == pytest.approx([-120.0, -120.0], abs=0.25)


def test_clocks_that_are_apart_are_named_once_and_so_is_that_they_agree_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = Machine(0.5)
    with caplog.at_level(logging.WARNING):
        machine.sends(there_s=5.0, back_s=5.0)  # it may be up to 5 s, which is nothing to complain of
        machine.ahead_s = 300.0
        machine.sends()
        machine.sends()
        machine.ahead_s = 0.0
        machine.sends()
        machine.ahead_s = -90.0
        machine.sends()
    assert [record.getMessage().partition(": let all")[0] for record in caplog.records] == [
        "the clock of this machine is 300.0 s ahead of that of Kafka at kafka:9092",
        "the clocks of this machine and of Kafka at kafka:9092 agree again",
        "the clock of this machine is 90.0 s behind that of Kafka at kafka:9092",
    ]
