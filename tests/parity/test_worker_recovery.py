"""A worker that starts again from any of its states, or gets its chunks in other batches, says exactly the same."""

import random
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from reid_worker.handler import HandlerOptions, WorkerHandler
from reid_worker.keep import CropKeeper, KeepOptions
from reid_worker.networks import Networks
from reid_worker.pipeline import Pipeline
from reid_worker.stream import StreamOptions
from reid_worker.tracklet import TrackletOptions
from tests.bus_tools import FlakyBus
from tests.worker_tools import COLOURS, FakeEmbedder, ScriptedDetector, Video, numbered_image, packets, reporting
from wire import codec
from wire.bus import Bus, Record
from wire.errors import TransientError
from wire.health import ServiceMonitor
from wire.memory import MemoryBus
from wire.messages import CameraProgress, FrameChunk, Tracklet, WorkerState
from wire.metrics import ServiceMetrics
from wire.service import Outgoing, Received, Service
from wire.tracklet_id import TrackletId

FRAMES = 90
CAMERAS = ("door", "hall", "yard")
OPTIONS = HandlerOptions(
    StreamOptions(tracklet=TrackletOptions(min_picks=1, part_s=3.5)), state_interval_ns=2_000_000_000
)


def _script() -> dict[int, list[tuple[float, float, float, float, float]]]:
    """Return people who walk, meet, vanish for a moment and come back, and a chair that is seen weakly all the time."""
    rng = random.Random(7)
    script = {}
    for n in range(1, FRAMES + 1):
        boxes = [(280.0, 20.0, 300.0, 60.0, 0.3 + 0.1 * rng.random())]
        if n % 40 < 33:
            x = 10 + 2.5 * n + rng.uniform(-1, 1)
            boxes.append((x, 18.0, x + 20, 62.0, rng.uniform(0.3, 0.95)))
        if 20 < n < 75:
            x = 250 - 2.5 * n + rng.uniform(-1, 1)
            boxes.append((x, 16.0, x + 22, 64.0, rng.uniform(0.45, 0.95)))
        script[n] = boxes
    return script


@pytest.fixture(scope="module")
def video() -> Video:
    return packets([numbered_image(n) for n in range(1, FRAMES + 1)])


@pytest.fixture(scope="module")
def records(video: Video) -> list[Received]:
    """The chunks of three cameras in the partitions where a bus puts them, all of one moment together."""
    partitions = _partitions()
    offsets = dict.fromkeys(partitions.values(), 0)
    received = []
    for chunks in zip(*(video.chunks(camera=name) for name in CAMERAS), strict=True):
        for chunk in chunks:
            partition = partitions[chunk.camera_id]
            received.append(Received(Record("frames", partition, offsets[partition], chunk.camera_id, b"", 0), chunk))
            offsets[partition] += 1
    return received


def _partitions() -> dict[str, int]:
    bus = MemoryBus()
    bus.ensure_topics()
    producer = bus.producer()
    for name in CAMERAS:
        producer.send("worker-state", name, b"any")
    return {name: record.partition for name, record in bus.table("worker-state").items()}


def _handler(bus: Bus, options: HandlerOptions = OPTIONS, crops: Path | None = None) -> WorkerHandler:
    registry = CollectorRegistry()
    load, metrics, report = reporting(registry)
    pipeline = Pipeline(
        ScriptedDetector(_script()),
        Networks(FakeEmbedder(COLOURS), FakeEmbedder(model_id="shadow")),
        load,
        metrics,
        threads=2,
        embed_batch=4,
        keeper=CropKeeper(KeepOptions(crops, 10**9, 10**18), metrics) if crops else None,
    )
    return WorkerHandler(pipeline, bus, options, report)


def _run(handler: WorkerHandler, records: Sequence[Received], sizes: Sequence[int]) -> list[Outgoing]:
    out: list[Outgoing] = []
    handler.assigned({item.record.source for item in records})
    start = 0
    for size in sizes:
        out += [item for item in handler.handle(records[start : start + size]) if isinstance(item, Outgoing)]
        handler.flushed()
        start += size
    assert start >= len(records), "the sizes must cover everything"
    return out


def _said(out: Sequence[Outgoing]) -> dict[tuple[str, int], bytes]:
    """Return every emission by (tracklet, revision); a repeated one must be equal."""
    said: dict[tuple[str, int], bytes] = {}
    for item in out:
        if isinstance(item.message, Tracklet):
            key, value = (item.message.tracklet_id, item.message.revision), codec.encode(item.message)
            assert said.setdefault(key, value) == value, f"{key} was said again, differently"
    return said


def _last_progress(out: Sequence[Outgoing]) -> dict[str, bytes]:
    return {o.message.camera_id: codec.encode(o.message) for o in out if isinstance(o.message, CameraProgress)}


@pytest.fixture(scope="module")
def undisturbed(records: list[Received]) -> list[Outgoing]:
    return _run(_handler(MemoryBus()), records, [len(records)])


def test_the_script_gives_several_tracklets_revisions_legs_parts_and_states(undisturbed: list[Outgoing]) -> None:
    keys = _said(undisturbed)
    assert len({name for name, _ in keys}) >= 3 * len(CAMERAS)
    assert any(revision > 1 for _, revision in keys)
    assert any(TrackletId.parse(name).part for name, _ in keys)
    assert any(TrackletId.parse(name).leg for name, _ in keys)
    assert sum(not o.message.ended for o in undisturbed if isinstance(o.message, WorkerState)) >= 3 * len(CAMERAS)


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_the_size_of_batches_changes_nothing(records: list[Received], undisturbed: list[Outgoing], size: int) -> None:
    out = _run(_handler(MemoryBus()), records, [size] * (len(records) // size + 1))

    assert _said(out) == _said(undisturbed)
    assert _last_progress(out) == _last_progress(undisturbed)


def test_a_worker_that_dies_anywhere_is_replaced_without_a_trace(
    records: list[Received], undisturbed: list[Outgoing]
) -> None:
    for cut in range(1, len(records), 9):
        before, after = _replaced(records, cut)

        assert _said([*before, *after]) == _said(undisturbed), f"after a death at chunk {cut}"
        assert _last_progress(after) == {
            name: value for name, value in _last_progress(undisturbed).items() if name in _last_progress(after)
        }


def test_a_worker_whose_states_hold_no_pictures_is_replaced_without_a_trace(records: list[Received]) -> None:
    private = [_private(item) for item in records]
    undisturbed = _run(_handler(MemoryBus()), private, [len(private)])
    for cut in range(4, len(private), 31):
        before, after = _replaced(private, cut)

        assert _said([*before, *after]) == _said(undisturbed), f"after a death at chunk {cut}"


def _replaced(records: list[Received], cut: int) -> tuple[list[Outgoing], list[Outgoing]]:
    """Return what a worker says that dies at a chunk, and what its replacement says."""
    bus = MemoryBus()
    bus.ensure_topics()
    first = _handler(bus)
    before = _run(first, records[:cut], [cut])
    _publish_states(bus, before)
    again = _from(first, records, cut)
    return before, _run(_handler(bus), again, [len(again)])


def _private(item: Received) -> Received:
    assert isinstance(item.message, FrameChunk)
    return Received(item.record, replace(item.message, privacy="embeddings"))


@pytest.mark.parametrize("rounds", [0, 2, 5])
def test_a_power_cut_between_flush_and_commit_gives_the_same_tracklets_again(
    rounds: int, records: list[Received], undisturbed: list[Outgoing]
) -> None:
    bus = FlakyBus(MemoryBus())
    producer = bus.producer()
    for item in records:
        assert item.message is not None
        producer.send("frames", item.record.key, codec.encode(item.message))
    bus.before["flush"] = [None, TransientError("the broker is away")]
    bus.after["send"] = [None, TransientError("the broker is away")]
    bus.before["commit"] = [*[None] * rounds, RuntimeError("a power cut")]

    with pytest.raises(RuntimeError, match="a power cut"):
        _serve(bus)
    _serve(bus)

    assert _said(_published(bus)) == _said(undisturbed)


class _UntilRead(threading.Event):
    """Is set once no chunk of any camera is left to read."""

    def __init__(self, bus: FlakyBus) -> None:
        super().__init__()
        self._bus = bus

    def is_set(self) -> bool:
        return not any(self._bus.backlog("frames", "reid_worker", name) for name in CAMERAS)


def _serve(bus: FlakyBus) -> None:
    monitor = ServiceMonitor("reid_worker", ServiceMetrics(CollectorRegistry()))
    Service("reid_worker", bus, _handler(bus), topics=["frames"], monitor=monitor, max_records=lambda: 7).run(
        _UntilRead(bus)
    )


def _published(bus: FlakyBus) -> list[Outgoing]:
    consumer = bus.consumer("reader", ["tracklets"], start="beginning")
    found = [record for _ in range(2) for record in consumer.poll(100_000, 0)]
    return [Outgoing(record.topic, record.key, codec.decode(record.value or b"")) for record in found]


def test_a_worker_that_dies_anywhere_leaves_the_same_crops(records: list[Received], tmp_path: Path) -> None:
    said = _said(_run(_handler(MemoryBus(), crops=tmp_path / "whole"), records, [len(records)]))
    whole = _files(tmp_path / "whole")
    assert {len(path.parents) for path in whole} == {3}, "camera, tracklet, moment"
    assert len({path.parent for path in whole}) == len({name for name, _ in said})
    for cut in range(5, len(records), 27):
        bus = MemoryBus()
        bus.ensure_topics()
        first = _handler(bus, crops=tmp_path / "died")
        _publish_states(bus, _run(first, records[:cut], [cut]))
        again = _from(first, records, cut)
        _run(_handler(bus, crops=tmp_path / "died"), again, [len(again)])
        assert _files(tmp_path / "died") == whole, f"after a death at chunk {cut}"
        shutil.rmtree(tmp_path / "died")


def _files(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_restart_repeats_little(records: list[Received]) -> None:
    handler = _handler(MemoryBus())
    cut = len(records) - 10
    _run(handler, records[:cut], [cut])

    repeated = [item.message for item in _from(handler, records[:cut], cut)]

    seconds = sum(len(chunk.packets) for chunk in repeated if isinstance(chunk, FrameChunk)) / 10 / len(CAMERAS)
    assert 0 < seconds <= 2 * OPTIONS.state_interval_ns / 1e9


def _from(handler: WorkerHandler, records: Sequence[Received], cut: int) -> list[Received]:
    """Return what a successor reads when the handler died after `cut` records and had committed all it may."""
    needed = handler.needed_from()
    late = {id(item) for item in records[cut:]}
    return [
        item
        for item in records
        if id(item) in late or item.record.offset >= needed.get(item.record.source, item.record.offset + 1)
    ]


def _publish_states(bus: MemoryBus, out: Sequence[Outgoing]) -> None:
    producer = bus.producer()
    for item in out:
        if isinstance(item.message, WorkerState):
            producer.send(item.topic, item.key, codec.encode(item.message))
    producer.flush(1.0)
