"""A trace follows one chunk from the camera to the identity event, through every service's log."""

import itertools
import logging
import re
import subprocess
import sys
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
from reid_worker.networks import Networks
from reid_worker.pipeline import Pipeline
from reid_worker.stream import StreamOptions
from tests.conftest import wait_until
from tests.gallery_tools import S
from tests.ingest_tools import IngestWorker, spec_of
from tests.servers.collector import Collector
from tests.worker_tools import FakeEmbedder, ScriptedDetector, encoded, numbered_image, reporting
from wire import codec, trace, tracing
from wire.bus import Bus
from wire.errors import SettingsError
from wire.health import ServiceMonitor
from wire.memory import MemoryBus
from wire.messages import FrameChunk, IdentityEvent
from wire.metrics import ServiceMetrics
from wire.service import Service

W3C = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00")
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
        wait_until(lambda: str(worker.state("door")) == "ended")


def _work(bus: Bus) -> None:
    registry = CollectorRegistry()
    load, own, report = reporting(registry)
    pipeline = Pipeline(ScriptedDetector(WALKER), Networks(FakeEmbedder()), load, own, threads=1, embed_batch=2)
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


def test_the_spans_of_one_chunk_lead_without_gaps_from_the_camera_to_the_event(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    with Collector() as collector:
        with tracing.exported(_tracing(tmp_path, 1.0, collector.url), registry):
            bus = MemoryBus()
            _ingest(bus, tmp_path / "door.mkv")
            _work(bus)
            _decide(bus)
        event = _created(bus)
        spans = [one for one in collector.spans if one.trace == trace.trace_id(event.traceparent)]
    by_id = {one.span: one for one in spans}
    line = [by_id[event.traceparent.split("-")[2]]]
    while line[0].parent:
        line.insert(0, by_id[line[0].parent])
    assert [(one.service, one.name) for one in line] == [
        ("ingest", "send frames"),
        ("reid_worker", "receive frames"),
        ("reid_worker", "send tracklets"),
        ("gallery", "receive tracklets"),
        ("gallery", "send identities"),
    ]
    for one in line:
        assert one.start_ns <= one.end_ns
        assert one.attributes == {
            "messaging.destination.name": one.name.split()[1],
            "climbtrack.camera": "door",
        }  # nothing about who was seen, or what they look like
    for before, after in itertools.pairwise(line):
        assert after.start_ns <= before.end_ns + S  # a memory bus may be faster than its own clock
    assert registry.get_sample_value("climbtrack_trace_spans_total", {"outcome": "sent"}) == len(collector.spans)
    assert registry.get_sample_value("climbtrack_trace_spans_total", {"outcome": "dropped"}) == 0


def test_ingest_chooses_the_share_of_the_traces_that_everybody_exports(tmp_path: Path) -> None:
    with Collector() as collector:
        with tracing.exported(_tracing(tmp_path, 0.25, collector.url), CollectorRegistry()):
            chunks = [_chunk(seq) for seq in range(2_000)]
            assert [_chunk(seq).traceparent for seq in range(2_000)] == [one.traceparent for one in chunks]
            for chunk in chunks:
                trace.note_sent(logging.getLogger("wire"), "ingest", "frames", chunk)
        chosen = {one.trace for one in collector.spans}
    assert 400 < len(chosen) < 600
    assert {trace.trace_id(one.traceparent) for one in chunks if one.traceparent.endswith("-01")} == chosen
    followed = trace.continued(next(one.traceparent for one in chunks if one.traceparent.endswith("-01")), "x")
    assert followed.endswith("-01")


@pytest.mark.parametrize("down", [True, False])
def test_a_collector_that_is_down_or_busy_costs_only_spans_that_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, free_port: Callable[[], int], down: bool
) -> None:
    registry = CollectorRegistry()
    with Collector(busy=True) as collector:
        url = f"http://127.0.0.1:{free_port()}/v1/traces" if down else collector.url
        with tracing.exported(_tracing(tmp_path, 1.0, url), registry):
            for seq in range(10_000):  # more than any queue holds; nothing waits for the collector
                trace.note_sent(logging.getLogger("wire"), "ingest", "frames", _chunk(seq))
    assert registry.get_sample_value("climbtrack_trace_spans_total", {"outcome": "dropped"}) == 10_000
    said = [one.getMessage() for one in caplog.records if "collector" in one.getMessage()]
    assert said == [f"the collector at {url} takes no traces; they are dropped until it does"]


def test_without_a_ratio_nothing_of_opentelemetry_is_loaded_and_no_trace_is_chosen(tmp_path: Path) -> None:
    code = (
        "import sys, ingest.handler, reid_worker.handler, gallery.handler\nfrom wire import tracing\n"
        "from prometheus_client import CollectorRegistry\nwith tracing.exported(None, CollectorRegistry()):"
        " print([name for name in sys.modules if name.startswith('opentelemetry.sdk') or name == 'wire.otlp'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert trace.started("door", 1).endswith("-00")


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ("{sample_ratio: 2}", "tracing.sample_ratio = 2: "),
        ("{sample_ratio: .nan}", "tracing.sample_ratio = "),
        ("{sample_ratio: 1, endpoint: collector:4317}", "tracing.endpoint = 'collector:4317': malformed URL"),
        ("{sample_ratio: 1, endpoint: 'grpc://collector:4317'}", "expected http://HOST:4318/v1/traces"),
        ("{sample: 1}", "tracing.sample = 1: unknown key; did you mean sample_ratio?"),
    ],
)
def test_wrong_settings_of_tracing_are_named(tmp_path: Path, said: str, allowed: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"tracing: {said}\n")
    with pytest.raises(SettingsError) as refused, tracing.exported(path, CollectorRegistry()):
        pass
    assert allowed in str(refused.value)


def test_a_missing_library_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wire.otlp", None)
    settings = _tracing(tmp_path, 0.1, "http://127.0.0.1:4318/v1/traces")
    with (
        pytest.raises(SettingsError, match=r"pip install 'climbtrack\[otel\]', or set it to 0"),
        tracing.exported(settings, CollectorRegistry()),
    ):
        pass


def _tracing(folder: Path, ratio: float, url: str) -> Path:
    path = folder / "tracing.yaml"
    path.write_text(f"tracing: {{sample_ratio: {ratio}, endpoint: '{url}'}}\n")
    return path


def _chunk(seq: int) -> FrameChunk:
    return FrameChunk(
        camera_id="door",
        site_id="site",
        stream_id="s",
        seq=seq,
        codec="h264",
        width=1,
        height=1,
        extradata=b"",
        packets=(),
        first_index=0,
        ended=True,
        traceparent=trace.started("door", "s", seq),
    )
