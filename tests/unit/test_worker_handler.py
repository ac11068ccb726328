"""What the worker's handler says, counts and refuses."""

import dataclasses
import logging
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from msgspec import structs
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from reid_worker.handler import Clocks, HandlerOptions, WorkerHandler
from reid_worker.networks import Networks
from reid_worker.pipeline import Pipeline
from reid_worker.saved import MAX_STATE_BYTES
from reid_worker.stream import CameraStream, StreamOptions
from reid_worker.stream_state import decoded, encoded
from reid_worker.tracklet import TrackletOptions
from tests.worker_tools import (
    COLOURS,
    START_NS,
    FakeEmbedder,
    ScriptedDetector,
    Video,
    numbered_image,
    packets,
    reporting,
)
from wire import codec
from wire.bus import MAX_RECORD_BYTES, Record, TopicPartition, record_bytes
from wire.memory import MemoryBus
from wire.message import Mode
from wire.messages import AnyMessage, CameraProgress, CameraSpec, FrameChunk, SeenPeople, Tracklet, WorkerState
from wire.service import Outgoing, Received, Rejected

FRAMES = 30
SENT_NS = 5_000_000_000
Script = dict[int, list[tuple[float, float, float, float, float]]]
WALKER: Script = {n: [(10.0 + 5 * n, 18.0, 30.0 + 5 * n, 62.0, 0.9)] for n in range(1, FRAMES + 1)}


class World:
    """A handler with what it is made of."""

    def __init__(
        self, *, now_ns: int = SENT_NS, bus: MemoryBus | None = None, script: Script = WALKER, **tracklet: float
    ) -> None:
        self.registry = CollectorRegistry()
        self.detector = ScriptedDetector(script)
        self.embedder = FakeEmbedder(COLOURS)
        load, metrics, report = reporting(self.registry)
        pipeline = Pipeline(self.detector, Networks(self.embedder), load, metrics, threads=2, embed_batch=2)
        tracklets = TrackletOptions(min_picks=1, **tracklet)  # type: ignore[arg-type]
        options = HandlerOptions(StreamOptions(tracklet=tracklets), state_interval_ns=1_000_000_000)
        self.now_ns, self.now_s = now_ns, 0.0
        clocks = Clocks(lambda: self.now_ns, lambda: self.now_s)
        self.handler = WorkerHandler(pipeline, MemoryBus() if bus is None else bus, options, report, clocks=clocks)

    def say(self, *items: Received) -> list[AnyMessage]:
        """Run one round of the service loop; return what it publishes."""
        said = [item.message for item in self.handler.handle(items) if isinstance(item, Outgoing)]
        self.handler.flushed()
        return said

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture(scope="module")
def video() -> Video:
    return packets([numbered_image(n) for n in range(1, FRAMES + 1)])


def _received(message: AnyMessage | None, offset: int = 0, *, partition: int = 0) -> Received:
    key = getattr(message, "camera_id", "")
    return Received(Record("frames", partition, offset, key, b"", SENT_NS), message)


def _all(video: Video, *, first_offset: int = 0, **chunks: str) -> list[Received]:
    return [_received(chunk, first_offset + i) for i, chunk in enumerate(video.chunks(**chunks))]  # type: ignore[arg-type]


def _later(items: list[Received]) -> list[Received]:
    """Return the same chunks, sent after everything else."""
    return [Received(dataclasses.replace(item.record, time_ns=2**62), item.message) for item in items]


def _tracklets(messages: list[AnyMessage]) -> list[Tracklet]:
    return [message for message in messages if isinstance(message, Tracklet)]


def _progress(messages: list[AnyMessage]) -> list[CameraProgress]:
    return [message for message in messages if isinstance(message, CameraProgress)]


def test_a_walker_becomes_one_tracklet_that_is_sent_early_refreshed_and_closed(video: Video) -> None:
    tracklets = _tracklets(World().say(*_all(video)))

    assert {tracklet.tracklet_id for tracklet in tracklets} == {"door/s1/0.0/0"}
    assert [tracklet.revision for tracklet in tracklets] == list(range(len(tracklets)))
    assert [tracklet.closed for tracklet in tracklets] == [False] * (len(tracklets) - 1) + [True]
    assert tracklets[0].last_ns - tracklets[0].first_ns == 1_000_000_000
    last = tracklets[-1]
    assert last.frames.tolist() == list(range(1, FRAMES + 1))
    assert (last.times_ns - START_NS).tolist() == [100_000_000 * (n - 1) for n in last.frames]
    assert last.boxes[:, 0].tolist() == [10.0 + 5 * n for n in last.frames]
    assert last.model_id == "fake"
    assert 0 < last.frames_used <= 8
    assert last.crop.startswith(b"\xff\xd8")


def test_the_boxes_of_a_person_are_sent_with_every_chunk_for_live_views(video: Video) -> None:
    said = World().say(*_all(video))

    seen = [message for message in said if isinstance(message, SeenPeople)]
    times = np.concatenate([one.times_ns for one in seen])
    boxes = np.concatenate([one.boxes for one in seen])
    whole = _tracklets(said)[-1]
    sure = len(whole.times_ns) - len(times)  # the first boxes, before there is enough evidence for a person
    assert 0 < sure < 5
    assert times.tolist() == whole.times_ns[sure:].tolist()
    assert boxes.tolist() == whole.boxes[sure:].tolist()
    assert {name for one in seen for name in one.tracklet_ids} == {whole.tracklet_id}
    assert {(one.width, one.height) for one in seen} == {(320, 64)}
    assert [one.until_ns for one in seen] == sorted({one.until_ns for one in seen})


def test_two_people_who_cross_give_legs_that_share_no_track(video: Video) -> None:
    crossing = {n: [*WALKER[n], (160.0 - 5 * n, 18.0, 180.0 - 5 * n, 62.0, 0.9)] for n in WALKER}

    closed = {t.tracklet_id: t for t in _tracklets(World(script=crossing).say(*_all(video))) if t.closed}

    assert sorted(closed) == [f"door/s1/{track}.{leg}/0" for track in (0, 1) for leg in (0, 1)]
    for track in (0, 1):
        before, after = (closed[f"door/s1/{track}.{leg}/0"] for leg in (0, 1))
        assert before.frames.tolist() + after.frames.tolist() == list(range(1, FRAMES + 1))
        assert before.frames[-1] == 16  # the last one in which they touch


def test_who_was_hidden_for_longer_than_a_track_is_open_comes_back_as_another_leg_of_it(video: Video) -> None:
    """A leg is a decision for the gallery; meanwhile it need not wait for somebody who may never come back."""
    hidden = range(11, 24)
    script = {n: [] if n in hidden else boxes for n, boxes in WALKER.items()}

    said = World(script=script).say(*_all(video))
    closed = {t.tracklet_id: t.frames.tolist() for t in _tracklets(said) if t.closed}

    assert closed == {
        "door/s1/0.0/0": list(range(1, hidden.start)),
        "door/s1/0.1/0": list(range(hidden.stop, FRAMES + 1)),
    }


def test_a_camera_in_high_detail_is_looked_at_in_tiles_too(video: Video) -> None:
    world = World()
    world.say(*(_received(replace(chunk, detail="high"), i) for i, chunk in enumerate(video.chunks())))
    assert len(world.detector.seen) == FRAMES * (1 + 2 * 2)


def test_people_outside_of_the_regions_of_a_camera_are_not_followed(video: Video) -> None:
    """The walker's feet are at 20 + 5 n of 320 px; only what is left of the middle counts."""
    left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    chunks = [replace(chunk, regions=(left,)) for chunk in video.chunks()]

    (last,) = [t for t in _tracklets(World().say(*(_received(c, i) for i, c in enumerate(chunks)))) if t.closed]

    assert last.frames.tolist() == [n for n in range(1, FRAMES + 1) if 20 + 5 * n < video.width / 2]


def test_a_restored_stream_looks_as_closely_as_the_saved_one(video: Video) -> None:
    first, second, keyframe, *_ = (replace(chunk, detail="auto") for chunk in video.chunks())
    stream = CameraStream.begin(first, StreamOptions())
    tried = [stream.grid(frame) for frame in stream.decode(first)]
    assert list(stream.decode(second))
    again = CameraStream.restored(stream.save(keyframe), StreamOptions())

    grids = [[one.grid(frame) for frame in one.decode(keyframe)] for one in (stream, again)]

    assert set(tried) == {(2, 2)}
    assert set(grids[0]) == set(grids[1]) == {(1, 1)}


def test_two_people_who_walk_side_by_side_keep_their_tracks(video: Video) -> None:
    pair = {n: [*WALKER[n], (25.0 + 5 * n, 18.0, 45.0 + 5 * n, 62.0, 0.9)] for n in WALKER}

    closed = [t.tracklet_id for t in _tracklets(World(script=pair).say(*_all(video))) if t.closed]

    assert sorted(closed) == ["door/s1/0.0/0", "door/s1/1.0/0"]


def test_progress_follows_every_chunk_and_ends_with_the_totals(video: Video) -> None:
    progress = _progress(World().say(*_all(video)))

    assert len(progress) == len(video.chunks())
    times = [item.time_ns for item in progress]
    assert times == sorted(times)
    last = progress[-1]
    assert (last.frames, last.analysed, last.dropped, last.tracklets, last.ended) == (FRAMES, FRAMES, 0, 1, True)
    assert last.time_ns == START_NS + 100_000_000 * (FRAMES - 1)


def test_nothing_is_sent_about_a_time_before_the_last_progress(video: Video) -> None:
    reached = 0
    for message in World().say(*_all(video)):
        if isinstance(message, Tracklet):
            assert message.last_ns > reached
        elif isinstance(message, CameraProgress):
            reached = message.time_ns


@pytest.mark.parametrize(
    ("mode", "reached"),
    [
        pytest.param("complete", 14, id="a recording waits for the end of their tracklet"),
        pytest.param("latency", 18, id="a live camera does not"),
    ],
)
def test_somebody_out_of_sight_holds_back_the_progress_of_recordings_only(
    mode: str, reached: int, video: Video
) -> None:
    leaving = {n: boxes for n, boxes in WALKER.items() if n <= 14}
    progress = _progress(World(script=leaving).say(*_all(video, mode=mode)))

    (moment,) = [item for item in progress if item.frames == 18]

    assert (moment.time_ns - START_NS) / 100_000_000 == pytest.approx(reached - 1, abs=1e-6)


@pytest.mark.parametrize(("still_share", "chairs", "tracklets"), [(0.65, 1, 0), (0.0, 0, 1)])
def test_a_chair_that_is_found_now_and_then_is_nobody_and_counted(
    still_share: float, chairs: int, tracklets: int, video: Video
) -> None:
    chair = {n: [(10.0, 18.0, 30.0, 62.0, 0.9 if n % 3 == 0 else 0.4)] for n in range(1, FRAMES + 1)}
    world = World(script=chair, still_share=still_share)

    said = world.say(*_all(video))

    assert len({tracklet.tracklet_id for tracklet in _tracklets(said)}) == tracklets
    assert world.sample("climbtrack_static_tracks_total", camera="door") == chairs


def test_chunks_that_were_handled_before_are_skipped(video: Video) -> None:
    world = World()
    items = _all(video)
    world.say(*items[:3])

    seen = len(world.detector.seen)
    said = world.say(*items[:2])

    assert said == []
    assert len(world.detector.seen) == seen


@pytest.mark.parametrize("taken", [1, 2, 4, 6])
@pytest.mark.parametrize("size", [5, 3])
def test_a_recording_that_is_sent_again_from_its_beginning_is_counted_once(video: Video, taken: int, size: int) -> None:
    undisturbed = World().say(*_all(video))
    world = World()

    said = world.say(*_all(video)[:taken])
    again = [_received(chunk, taken + i) for i, chunk in enumerate(video.chunks(size=size))]
    said += world.say(*again)

    def last(messages: list[AnyMessage]) -> dict[str, Tracklet]:
        return {tracklet.tracklet_id: tracklet for tracklet in _tracklets(messages)}

    assert {name: one.frames.tolist() for name, one in last(said).items()} == {
        name: one.frames.tolist() for name, one in last(undisturbed).items()
    }
    assert structs.asdict(_progress(said)[-1]) == structs.asdict(_progress(undisturbed)[-1])
    assert len(world.detector.seen) == FRAMES


def test_a_recording_that_was_sent_again_before_its_end_was_reached_is_not_analysed_again(video: Video) -> None:
    """Another version may follow people differently, and would count them again under other numbers."""
    world = World(now_ns=SENT_NS + 1)
    world.say(*_all(video))

    assert world.say(*_all(video, first_offset=100)) == []
    assert len(world.detector.seen) == FRAMES


def test_a_recording_that_was_ended_halfway_is_analysed_from_its_beginning_when_it_is_sent_again(video: Video) -> None:
    """Ingest ends it when the settings of its camera change, and sends it again at once."""
    world = World(now_ns=SENT_NS + 1)
    first, second, *_ = video.chunks()
    world.say(_received(first, 0), _received(replace(second, ended=True, reason="the camera's settings changed"), 1))

    said = world.say(*_all(video, first_offset=100))

    assert _tracklets(said)[-1].frames.tolist() == list(range(1, FRAMES + 1))


def test_the_rest_of_a_repeated_recording_is_left_out_by_the_next_worker_too(video: Video) -> None:
    bus = MemoryBus()
    bus.ensure_topics()
    (ended,) = [one for one in World(bus=bus).say(*_all(video)) if isinstance(one, WorkerState) and one.ended]
    bus.producer().send("worker-state", "door", codec.encode(ended))
    partition = bus.table("worker-state")["door"].partition
    rest = _later([_received(chunk, 100 + i, partition=partition) for i, chunk in enumerate(video.chunks())])[2:]
    world = World(bus=bus)
    world.handler.assigned({rest[0].record.source})

    assert world.say(*rest) == []
    assert world.detector.seen == []


def test_a_recording_whose_camera_is_added_again_after_its_end_is_analysed_again(video: Video) -> None:
    world = World()
    said = world.say(*_all(video))

    again = world.say(*_later(_all(video, first_offset=100)))

    assert [t.tracklet_id for t in _tracklets(again)] == [t.tracklet_id for t in _tracklets(said)]
    assert len(world.detector.seen) == 2 * FRAMES


def test_an_empty_batch_says_nothing() -> None:
    assert list(World().handler.handle([])) == []


def test_what_is_no_chunk_is_rejected_and_the_rest_goes_on(video: Video) -> None:
    world = World()
    stray = _received(CameraSpec(camera_id="door", site_id="site", url="x"), 0)

    answer = list(world.handler.handle([stray, *_all(video, first_offset=1)]))

    rejected = [item for item in answer if isinstance(item, Rejected)]
    assert [(item.record.offset, item.reason) for item in rejected] == [(0, "expected a FrameChunk, got a CameraSpec")]
    assert _tracklets([item.message for item in answer if isinstance(item, Outgoing)])


def test_a_new_connection_closes_what_the_old_one_left_open(video: Video) -> None:
    world = World()
    old = _all(video)[:3]
    said = world.say(*old, *_all(video, first_offset=3, stream="s2"))

    closed = [tracklet.tracklet_id for tracklet in _tracklets(said) if tracklet.closed]
    ended = [(item.stream_id, item.reason) for item in _progress(said) if item.ended]
    assert closed == ["door/s1/0.0/0", "door/s2/0.0/0"]
    assert ended == [("s1", "the camera reconnected"), ("s2", "")]


@pytest.mark.parametrize(
    ("mode", "analysed"),
    [pytest.param("latency", 0, id="latency drops"), pytest.param("complete", FRAMES, id="complete keeps")],
)
def test_chunks_that_waited_too_long_are_dropped_in_latency_mode(video: Video, mode: str, analysed: int) -> None:
    world = World(now_ns=SENT_NS + 11_000_000_000)

    last = _progress(world.say(*_all(video, mode=mode)))[-1]

    assert (last.frames, last.analysed, last.dropped) == (FRAMES, analysed, FRAMES - analysed)
    assert len(world.detector.seen) == analysed


def test_needed_from_moves_with_the_states_and_vanishes_at_the_end(video: Video) -> None:
    world = World()
    items = _all(video)

    world.say(*items[:3])
    early = dict(world.handler.needed_from())
    states = [message for message in world.say(*items[3:-1]) if isinstance(message, WorkerState)]
    later = dict(world.handler.needed_from())
    world.say(items[-1])

    assert list(early.values()) == [2]  # the first keyframe after a second
    assert list(later.values()) == [states[-1].next_offset]
    assert world.handler.needed_from() == {}


def test_a_state_that_is_not_published_yet_covers_nothing(video: Video) -> None:
    world = World()
    items = _all(video)
    world.say(*items[:1])
    before = dict(world.handler.needed_from())

    said = [item.message for item in world.handler.handle(items[1:]) if isinstance(item, Outgoing)]
    unpublished = [dict(world.handler.needed_from()) for _ in range(2)]
    world.handler.flushed()

    assert any(isinstance(message, WorkerState) for message in said)
    assert unpublished == [before, before] == [{items[0].record.source: 0}] * 2
    assert world.handler.needed_from() == {}


def test_a_state_too_large_for_the_bus_waits_for_a_smaller_one_and_what_it_covers_stays_needed(
    video: Video, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("reid_worker.saved.MAX_STATE_BYTES", 10)
    world = World()
    *items, last = _all(video)

    said = world.say(*items)

    assert _tracklets(said)
    assert not [message for message in said if isinstance(message, WorkerState)]
    assert world.handler.needed_from() == {last.record.source: 0}
    assert "camera door: with so many people in view its state takes" in caplog.text
    assert [message.ended for message in world.say(last) if isinstance(message, WorkerState)] == [True]
    assert world.handler.needed_from() == {}


def test_the_largest_state_that_is_saved_fits_into_a_record() -> None:
    name = "x" * 64
    state = WorkerState(
        camera_id=name, site_id=name, stream_id="x" * 1000, next_offset=2**62, blob=bytes(MAX_STATE_BYTES)
    )
    assert record_bytes(name, codec.encode(state)) <= MAX_RECORD_BYTES


def test_revoked_partitions_are_forgotten_and_others_kept(video: Video) -> None:
    world = World()
    first, second = _all(video)[:2], video.chunks(camera="hall")[:2]
    other = [_received(chunk, i, partition=1) for i, chunk in enumerate(second)]
    world.say(*first, *other)

    world.handler.revoked([first[0].record.source])

    assert list(world.handler.needed_from()) == [other[0].record.source]


def _of_another_tracker(video: Video) -> bytes:
    """Return a state whose tracks remember too little."""
    stream, _ = _just_sent(video)
    state = decoded(stream.save(video.chunks()[3]))
    tracks = tuple(msgspec.structs.replace(track, covariance=bytes(24)) for track in state.tracker.tracks)
    tracker = msgspec.structs.replace(state.tracker, tracks=tracks)
    return encoded(msgspec.structs.replace(state, tracker=tracker))


@pytest.mark.parametrize("made", [lambda _: b"junk", _of_another_tracker], ids=["junk", "of another tracker"])
def test_a_state_that_cannot_be_read_starts_the_camera_afresh(
    made: Callable[[Video], bytes], video: Video, caplog: pytest.LogCaptureFixture
) -> None:
    bus = MemoryBus()
    bus.ensure_topics()
    state = WorkerState(camera_id="door", site_id="site", stream_id="s1", next_offset=0, blob=made(video))
    bus.producer().send("worker-state", "door", codec.encode(state))
    partition = bus.table("worker-state")["door"].partition
    world = World(bus=bus)
    items = [_received(chunk, i, partition=partition) for i, chunk in enumerate(video.chunks())]
    world.handler.assigned({items[0].record.source})

    with caplog.at_level(logging.WARNING):
        said = world.say(*items)

    assert _tracklets(said)
    assert "camera door: starting afresh" in caplog.text


def test_a_partition_of_another_topic_that_goes_takes_no_state_along(video: Video) -> None:
    # Given a worker that has read the states of its partitions, and no chunk of the camera yet
    bus = MemoryBus()
    bus.ensure_topics()
    undisturbed = World().say(*_all(video))
    (state, *_) = [message for message in undisturbed if isinstance(message, WorkerState)]
    bus.producer().send("worker-state", "door", codec.encode(state))
    partition = bus.table("worker-state")["door"].partition
    rest = [_received(chunk, i, partition=partition) for i, chunk in enumerate(video.chunks())][state.next_offset :]
    world = World(bus=bus)
    world.handler.assigned({rest[0].record.source})
    world.say(_received(None, partition=partition))
    # When it hands over a partition of another topic, with the same number
    world.handler.revoked({TopicPartition("picture-queries", partition)})
    # Then it goes on with the camera where it was saved
    said = world.say(*rest)
    assert {t.tracklet_id for t in _tracklets(said)} == {"door/s1/0.0/0"}
    assert _tracklets(said)[-1].frames.tolist() == _tracklets(undisturbed)[-1].frames.tolist()


@pytest.mark.parametrize(
    ("mode", "remedy"),
    [
        pytest.param("latency", "over UDP, try TCP", id="of a camera"),
        pytest.param("complete", "the recording is damaged, or encrypted", id="in a recording"),
    ],
)
def test_garbage_instead_of_pictures_ends_with_no_tracklet_all_frames_dropped_and_the_remedy(
    mode: Mode, remedy: str, video: Video, caplog: pytest.LogCaptureFixture
) -> None:
    chunk = video.chunks()[0]
    junk = FrameChunk(
        camera_id="door",
        site_id="site",
        stream_id="s1",
        seq=0,
        codec="h264",
        width=64,
        height=48,
        extradata=b"junk",
        packets=tuple(type(packet)(packet.pts_ns, packet.time_ns, True, b"junk") for packet in chunk.packets),
        first_index=0,
        ended=True,
        mode=mode,
    )

    said = World().say(_received(junk))

    assert _tracklets(said) == []
    assert [(item.frames, item.dropped, item.ended) for item in _progress(said)] == [(5, 5, True)]
    assert remedy in caplog.text


def test_crops_that_stay_the_same_are_embedded_once(video: Video) -> None:
    fading = {n: [(10.0 + 5 * n, 18.0, 30.0 + 5 * n, 62.0, 0.95 if n < 6 else 0.65)] for n in range(1, FRAMES + 1)}
    world = World(script=fading, spans=1)

    sent = [tracklet for message in _all(video) for tracklet in _tracklets(world.say(message))]

    assert len(sent) > 1
    assert len({tracklet.crop for tracklet in sent}) == 1
    assert len({tracklet.embedding.tobytes() for tracklet in sent}) == 1
    assert sum(world.embedder.batches) == 1


def test_the_embedding_of_a_closed_tracklet_or_another_leg_changes_no_stream(video: Video) -> None:
    stream, sent = _just_sent(video)
    before = stream.save(video.chunks()[-2])

    for name in ("door/s1/9.0/0", "door/s1/0.1/0", "door/s1/0.0/1", "door/s2/0.0/0"):
        stream.take_embeddings(msgspec.structs.replace(sent, tracklet_id=name))
    assert stream.save(video.chunks()[-2]) == before

    stream.take_embeddings(sent)
    assert stream.save(video.chunks()[-2]) != before


def _just_sent(video: Video) -> tuple[CameraStream, Tracklet]:
    """Follow the walker until his tracklet is sent for the first time; return the stream at that moment, and it."""
    chunks, detector = video.chunks(), ScriptedDetector(WALKER)
    stream = CameraStream.begin(chunks[0], StreamOptions(tracklet=TrackletOptions(min_picks=1)))
    frames = (frame for chunk in chunks for frame in stream.decode(chunk))
    emission = next(e for frame in frames for e in stream.advance(frame, detector.detect([frame.image])[0]))
    fields = msgspec.structs.asdict(emission.tracklet)
    return stream, Tracklet(**fields, embedding=np.array([0.6, 0.8], np.float16), model_id="fake")


@pytest.mark.parametrize("step_ns", [0, -100_000_000], ids=["stands still", "runs backwards"])
def test_a_clock_that_does_not_go_on_costs_frames_and_not_the_worker(video: Video, step_ns: int) -> None:
    def stamped(chunk: FrameChunk) -> FrameChunk:
        times = [
            START_NS + packet.pts_ns if packet.pts_ns < 15 * 10**8 else START_NS + step_ns for packet in chunk.packets
        ]
        packets = [msgspec.structs.replace(p, time_ns=time_ns) for p, time_ns in zip(chunk.packets, times, strict=True)]
        return msgspec.structs.replace(chunk, packets=tuple(packets))

    said = World().say(*(_received(stamped(chunk), i) for i, chunk in enumerate(video.chunks())))

    assert [tracklet.closed for tracklet in _tracklets(said)][-1]
    last = _progress(said)[-1]
    assert (last.frames, last.analysed, last.dropped) == (FRAMES, 15, FRAMES - 15)


def test_metrics_count_tracklets_frames_batches_and_time_per_stage(video: Video) -> None:
    world = World()
    sent = len(_tracklets(world.say(*_all(video))))

    assert world.sample("climbtrack_tracklets_total", camera="door", outcome="sent") == 1
    assert world.sample("climbtrack_tracklets_total", camera="door", outcome="closed") == 1
    assert world.sample("climbtrack_worker_frames_total", camera="door", outcome="analysed") == FRAMES
    assert world.sample("climbtrack_detections_total", camera="door") == FRAMES
    embedded = world.sample("climbtrack_reid_batch_size_sum")
    assert embedded is not None
    assert 1 <= embedded <= sent
    for stage in ("decode", "detect", "track", "embed"):
        assert world.sample("climbtrack_stage_duration_seconds_count", stage=stage)
