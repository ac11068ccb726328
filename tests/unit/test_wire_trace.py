"""A trace follows one chunk from the camera to the identity event, through every service's log."""

import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from gallery.config import GallerySettings
from gallery.handler import build_service
from gallery.store.memory import MemoryStore
from reid_worker.handler import NAME as WORKER
from reid_worker.handler import HandlerOptions, WorkerHandler
from reid_worker.pipeline import Pipeline
from reid_worker.stream import StreamOptions
from tests.conftest import wait_until
from tests.ingest_tools import IngestWorker, spec_of
from tests.worker_tools import FakeEmbedder, ScriptedDetector, encoded, numbered_image, reporting
from wire import codec, trace
from wire.bus import Bus
from wire.health import ServiceMonitor
from wire.memory import MemoryBus
from wire.messages import IdentityEvent
from wire.metrics import ServiceMetrics
from wire.service import Service

W3C = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01")
FRAMES = 30
WALKER = {n: [(10.0 + 5 * n, 18.0, 30.0 + 5 * n, 62.0, 0.9)] for n in range(1, FRAMES + 1)}


@given(st.lists(st.text(max_size=8) | st.integers(), max_size=4))
def test_a_context_has_the_form_of_the_standard_and_is_the_same_for_the_same_names(names: list[object]) -> None:
    assert W3C.fullmatch(trace.started(*names))
    assert trace.started(*names) == trace.started(*names)


def test_other_names_begin_another_trace() -> None:
    chunks = {trace.trace_id(trace.started("door", "s1", seq)) for seq in range(100)}
    assert len(chunks) == 100


def test_what_follows_keeps_the_trace_and_has_a_span_of_its_own() -> None:
    chunk = trace.started("door", "s1", 7)
    one, other = (trace.continued(chunk, "door/s1/0.0/0", revision) for revision in (0, 1))

    assert {trace.trace_id(one), trace.trace_id(other)} == {trace.trace_id(chunk)}
    assert len({chunk, one, other}) == 3
    assert W3C.fullmatch(one)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param("", id="nothing"),
        pytest.param("00-1-2-01", id="too short"),
        pytest.param(f"00-{'0' * 32}-{'1' * 16}-01", id="no trace"),
        pytest.param(f"00-{'1' * 32}-{'0' * 16}-01", id="no span"),
        pytest.param(f"ff-{'1' * 32}-{'1' * 16}-01", id="the forbidden version"),
        pytest.param(f"00-{'A' * 32}-{'1' * 16}-01", id="capitals"),
        pytest.param(f"00-{'1' * 32}-{'1' * 16}-01\n", id="a line break behind it"),
    ],
)
def test_what_is_not_a_valid_context_begins_a_new_trace(broken: str) -> None:
    assert trace.trace_id(broken) == ""
    assert trace.continued(broken, "x") == trace.started("x")


def test_one_chunk_can_be_followed_from_the_camera_to_the_identity_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for package in ("ingest", "wire"):
        caplog.set_level(logging.DEBUG, package)
    bus = MemoryBus()
    _ingest(bus, tmp_path / "door.mkv")
    _work(bus)
    _decide(bus)

    event = _created(bus)
    followed = [
        r.getMessage() for r in caplog.records if getattr(r, "trace_id", "") == trace.trace_id(event.traceparent)
    ]
    steps = [re.sub(r" trace=.*", "", line) for line in followed]

    chunk = steps[0].removeprefix("ingest: publishes to frames ")
    partition = bus.topic("frames").partition_of("door")
    assert re.fullmatch(r"chunk door/[0-9a-f]+-0#\d+", chunk)
    assert re.fullmatch(rf"reid_worker: read frames\[{partition}\]@\d+ {re.escape(chunk)}", steps[1])
    tracklet = f"tracklet {event.tracklet_id} revision"
    assert re.fullmatch(rf"reid_worker: publishes to tracklets {re.escape(tracklet)} \d+", steps[2])
    assert re.fullmatch(rf"gallery: read tracklets\[\d\]@\d+ {re.escape(tracklet)} \d+", steps[3])
    assert steps[4] == f"gallery: publishes to identities event {event.event_id}"
    assert all(line.endswith(trace.trace_id(event.traceparent)) for line in followed)


class _When(threading.Event):
    """Is set once something is true."""

    def __init__(self, true: Callable[[], bool]) -> None:
        super().__init__()
        self._true = true

    def is_set(self) -> bool:
        return self._true()


def _ingest(bus: Bus, path: Path) -> None:
    path.write_bytes(encoded([numbered_image(n) for n in range(1, FRAMES + 1)]))
    with IngestWorker(bus) as worker:
        worker.add(spec_of(path, mode="complete"))
        wait_until(lambda: str(worker.state("door")) == "ended", timeout_s=20)


def _work(bus: Bus) -> None:
    registry = CollectorRegistry()
    load, own, report = reporting(registry)
    pipeline = Pipeline(ScriptedDetector(WALKER), FakeEmbedder(), load, own, threads=1, embed_batch=2)
    handler = WorkerHandler(pipeline, bus, HandlerOptions(StreamOptions()), report)
    monitor = ServiceMonitor(WORKER, ServiceMetrics(CollectorRegistry()))
    service = Service(WORKER, bus, handler, topics=["frames"], monitor=monitor)
    service.run(_When(lambda: bus.backlog("frames", WORKER, "door") == 0))


def _decide(bus: Bus) -> None:
    store, registry = MemoryStore("site"), CollectorRegistry()
    service = build_service(GallerySettings(), bus, ServiceMetrics(registry), registry, lambda _: store)
    service.run(_When(lambda: store.counts().identities > 0))


def _created(bus: Bus) -> IdentityEvent:
    consumer = bus.consumer("reader", ["identities"])
    events = [codec.decode(record.value or b"") for record in consumer.poll(10, 1.0)]
    consumer.close()
    (created,) = [event for event in events if isinstance(event, IdentityEvent) and event.kind == "created"]
    return created
