"""Probes and metrics: what a service answers about itself."""

import json
import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, Metric

from tests.conftest import PATIENCE_S, wait_until
from wire import health
from wire.errors import SettingsError
from wire.health import STALE_S, HealthServer, ServiceMonitor
from wire.metrics import ServiceMetrics
from wire.signals import stop_on_signals


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Probed:
    """Two services in one process, and what they answer."""

    clock: Clock = field(default_factory=Clock)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        metrics = ServiceMetrics(self.registry)
        self.ingest = ServiceMonitor("ingest", metrics, clock=self.clock)
        self.gallery = ServiceMonitor("gallery", metrics, clock=self.clock)
        self.server: HealthServer = health.serve("127.0.0.1", 0, self.registry, [self.ingest, self.gallery])

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{self.server.port}{path}", timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def probed() -> Iterator[Probed]:
    made = Probed()
    yield made
    made.server.close()


def test_a_starting_service_is_alive_and_not_ready(probed: Probed) -> None:
    assert probed.get("/healthz")[0] == 200
    status, body = probed.get("/readyz")

    assert status == 503
    assert [service["reason"] for service in json.loads(body)["services"]] == ["starting", "starting"]


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/readyz", 503), ("/metrics", 200), ("/other", 404)])
def test_head_answers_as_get_does_without_its_body(probed: Probed, path: str, status: int) -> None:
    connection = HTTPConnection("127.0.0.1", probed.server.port, timeout=PATIENCE_S)
    connection.request("HEAD", path)
    with closing(connection), connection.getresponse() as answer:
        assert (answer.status, answer.read()) == (status, b"")
        assert int(answer.headers["Content-Length"]) > 0


def test_a_process_is_ready_when_all_its_services_are(probed: Probed) -> None:
    probed.ingest.ready(yes=True)
    assert probed.get("/readyz")[0] == 503

    assert 'climbtrack_ready{service="gallery"} 0.0' in probed.get("/metrics")[1]

    probed.gallery.ready(yes=True)
    assert probed.get("/readyz")[0] == 200
    assert 'climbtrack_ready{service="gallery"} 1.0' in probed.get("/metrics")[1]


def test_what_a_service_waits_for_is_said(probed: Probed) -> None:
    probed.ingest.ready(yes=True)
    probed.gallery.ready(yes=False, reason="Redis at cache:6379 is away")

    status, body = probed.get("/readyz")

    assert status == 503
    assert json.loads(body)["services"][1] == {
        "service": "gallery",
        "alive": True,
        "ready": False,
        "reason": "Redis at cache:6379 is away",
    }


def test_a_loop_without_a_round_for_too_long_is_dead(probed: Probed) -> None:
    probed.ingest.ready(yes=True)
    probed.gallery.ready(yes=True)
    probed.clock.now_s = STALE_S + 1
    probed.ingest.alive(lag=0)

    status, body = probed.get("/healthz")

    assert status == 503
    assert [service["alive"] for service in json.loads(body)["services"]] == [True, False]
    assert probed.get("/readyz")[0] == 503


def test_a_service_that_says_it_is_not_ready_is_alive(probed: Probed) -> None:
    probed.clock.now_s = STALE_S + 1
    probed.ingest.ready(yes=False, reason="Kafka is away")
    probed.gallery.ready(yes=False, reason="Kafka is away")

    assert probed.get("/healthz")[0] == 200


def test_lag_and_dead_letters_are_metrics(probed: Probed) -> None:
    probed.ingest.alive(lag=7)
    probed.gallery.dead_letter("tracklets")
    probed.gallery.dead_letter("tracklets")

    status, body = probed.get("/metrics")

    assert status == 200
    assert 'climbtrack_consumer_lag{service="ingest"} 7.0' in body
    assert 'climbtrack_dead_letters_total{topic="tracklets"} 2.0' in body
    assert 'climbtrack_dead_letters_total{topic="frames"} 0.0' in body  # an increase needs something to start from
    assert "climbtrack_build_info{" in body


def test_a_stage_is_timed(probed: Probed) -> None:
    metrics = ServiceMetrics(CollectorRegistry())
    with metrics.stage("decode"):
        pass

    (family,) = metrics.stage_duration_seconds.collect()
    counts = {sample.labels["stage"]: sample.value for sample in family.samples if sample.name.endswith("_count")}
    assert family.name == "climbtrack_stage_duration_seconds"
    assert counts == {"decode": 1.0}


@dataclass(eq=False)
class Slow:
    """A part of the metrics that takes until it is told to go on, and can fail."""

    go_on: threading.Event = field(default_factory=threading.Event)
    fails: bool = False

    def collect(self) -> Iterator[Metric]:
        self.go_on.wait(PATIENCE_S)
        if self.fails:
            raise RuntimeError("cannot be collected")
        yield from ()


@pytest.mark.parametrize(("fails", "logged"), [(False, []), (True, ["a probe failed"])])
def test_who_hangs_up_before_the_answer_is_no_error_and_what_fails_is_logged(
    fails: bool, logged: list[str], probed: Probed, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    slow = Slow(fails=fails)
    probed.registry.register(slow)
    before = set(threading.enumerate())
    with socket.create_connection(("127.0.0.1", probed.server.port)) as prober:
        prober.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        wait_until(lambda: set(threading.enumerate()) - before != set())
        prober.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # as a prober that is killed
    slow.go_on.set()
    wait_until(lambda: set(threading.enumerate()) <= before)
    assert [record.message for record in caplog.records] == logged
    assert capfd.readouterr().err == ""


def test_other_paths_say_what_there_is(probed: Probed) -> None:
    status, body = probed.get("/elsewhere")

    assert status == 404
    assert "/metrics" in body


def test_a_port_in_use_is_named(probed: Probed) -> None:
    with pytest.raises(SettingsError, match=f"127.0.0.1:{probed.server.port}"):
        health.serve("127.0.0.1", probed.server.port, probed.registry, [])


def test_a_closed_server_frees_its_port(probed: Probed) -> None:
    first = health.serve("127.0.0.1", 0, probed.registry, [])
    first.close()
    second = health.serve("127.0.0.1", first.port, probed.registry, [])
    second.close()

    assert second.port == first.port


def test_a_signal_that_comes_twice_at_once_is_one_wish_and_a_later_one_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: later.append(number))
    times = iter([1.0, 1.1, 2.0])
    monkeypatch.setattr("wire.signals.time.monotonic", lambda: next(times))
    try:
        with stop_on_signals() as stop:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            assert stop.wait(PATIENCE_S)
            assert later == []
            signal.raise_signal(signal.SIGTERM)
            assert later == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_service_and_the_handlers_of_before_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    with stop_on_signals() as stop:
        assert isinstance(stop, threading.Event)
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(PATIENCE_S)

    assert signal.getsignal(number) is before
