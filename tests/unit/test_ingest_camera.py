"""A camera's states, with sources and a clock that do as told."""

import gc
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ingest.camera import INTERNAL, Camera
from ingest.config import IngestSettings
from ingest.errors import AccessDenied, NotFound, SourceError, Stalled, Unreachable
from ingest.source import Opener, Source, SourcePacket, VideoFormat
from ingest.state import CameraJob, CameraStatus, State
from ingest.writer import MAX_FRAME_BYTES
from tests.ingest_tools import FRAME_NS, ChunkReader, FakeClock, FakeSource, around, data_of, opens, packets, spec_of
from wire.memory import MemoryBus
from wire.messages import CameraSpec, FrameChunk

SENT_NS = 5_000_000_000
LIVE_URL = "rtsp://user:secret@host/x"


class Stage:
    """One camera on a memory bus; it is stopped when its sources run out."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.clock = FakeClock()
        self.reader = ChunkReader(self.bus)
        self.seen: list[CameraStatus] = []
        self.camera: Camera

    def live(self, given: int, error: SourceError | None = None) -> FakeSource:
        return FakeSource(packets(given), finite=False, error=error, clock=self.clock)

    def run(self, spec: CameraSpec, *results: Source | SourceError) -> list[FrameChunk]:
        """Run the camera through these openings to its end; note its state at each opening and pause."""
        next_result = opens(*results)
        left = len(results)

        def opener(spec: CameraSpec, settings: IngestSettings) -> Source:
            nonlocal left
            self.note()
            if left == 0:
                self.camera.signal_stop(None)
                return FakeSource([])
            left -= 1
            return next_result(spec, settings)

        self.make(spec, opener)
        self.clock.on_wait = self.note
        self.camera.start()
        self.camera.wait()  # to its end, however busy the machine is
        self.camera.join()
        return self.reader.read()

    def make(self, spec: CameraSpec, opener: Opener) -> None:
        self.camera = Camera(CameraJob(spec, SENT_NS), around(self.bus, self.clock, opener))

    def note(self) -> None:
        self.seen.append(self.camera.status())

    @property
    def states(self) -> list[State]:
        return [status.state for status in self.seen]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_file_is_sent_and_ends(stage: Stage) -> None:
    source = FakeSource(packets(23))

    chunks = stage.run(spec_of("a.mp4"), source)

    assert data_of(chunks) == [packet.data for packet in packets(23)]
    assert [len(chunk.packets) for chunk in chunks] == [5, 5, 5, 5, 3]
    assert [chunk.ended for chunk in chunks] == [False] * 4 + [True]
    assert chunks[-1].reason == ""
    assert stage.camera.status().state is State.ENDED
    assert source.closed


@pytest.mark.parametrize(
    ("fields", "first_ns"),
    [
        pytest.param({"start_ns": 77}, 77, id="as the camera says"),
        pytest.param({}, SENT_NS, id="when the camera was added"),
        pytest.param({"realtime": True}, 1000_000_000_000, id="when a file that plays a camera was opened"),
        pytest.param({"start_ns": 77, "clock_offset_ms": 2.5}, 2_500_077, id="corrected by the clock offset"),
    ],
)
def test_a_file_begins(fields: dict[str, Any], first_ns: int, stage: Stage) -> None:
    chunks = stage.run(spec_of("a.mp4", **fields), FakeSource(packets(3)))

    assert [packet.time_ns for chunk in chunks for packet in chunk.packets] == [
        first_ns,
        first_ns + FRAME_NS,
        first_ns + 2 * FRAME_NS,
    ]


def stream_of(**fields: Any) -> str:
    return Stage().run(spec_of("a.mp4", **fields), FakeSource(packets(1)))[0].stream_id


def test_the_same_file_at_the_same_time_is_the_same_stream() -> None:
    assert stream_of(start_ns=1) == stream_of(start_ns=1)


def test_another_start_or_camera_is_another_stream() -> None:
    assert len({stream_of(start_ns=1), stream_of(start_ns=2), stream_of(start_ns=1, camera_id="gate")}) == 3


def test_a_file_that_cannot_be_opened_ends_with_the_cause_and_a_placeholder_size(stage: Stage) -> None:
    (chunk,) = stage.run(spec_of("a.mp4"), NotFound("the file does not exist"))

    assert (chunk.ended, chunk.reason, chunk.packets) == (True, NotFound("the file does not exist").explained(), ())
    assert (chunk.width, chunk.height) == (1, 1)
    assert stage.camera.status() == CameraStatus("door", State.FAILED, chunk.reason, 0)


def test_a_file_that_breaks_off_ends_with_what_was_there_and_the_cause(stage: Stage) -> None:
    chunks = stage.run(spec_of("a.mp4"), FakeSource(packets(7), error=SourceError("truncated", "copy it")))

    assert data_of(chunks) == [packet.data for packet in packets(7)]
    assert (chunks[-1].ended, chunks[-1].reason) == (True, "truncated; copy it")
    assert stage.camera.status().state is State.FAILED


@pytest.mark.parametrize("given", [0, 7])
def test_a_fault_of_ours_ends_a_file_so_that_nobody_waits_for_the_rest(given: int, stage: Stage) -> None:
    def fault() -> None:
        raise ZeroDivisionError

    chunks = stage.run(spec_of("a.mp4"), FakeSource(packets(given), before_end=fault))

    assert len(data_of(chunks)) == given
    assert [chunk.reason for chunk in chunks if chunk.ended] == [INTERNAL]
    assert stage.camera.status() == CameraStatus("door", State.FAILED, INTERNAL, 0)


def test_a_file_without_a_frame_fails(stage: Stage) -> None:
    (chunk,) = stage.run(spec_of("a.mp4", loop=True), FakeSource([]))

    assert "it contains no frames" in chunk.reason


def test_a_loop_is_a_new_stream_every_turn_and_time_goes_on(stage: Stage) -> None:
    chunks = stage.run(spec_of("a.mp4", loop=True, start_ns=0), FakeSource(packets(3)), FakeSource(packets(3)))

    assert [chunk.ended for chunk in chunks] == [True, True]
    assert chunks[0].stream_id != chunks[1].stream_id
    assert [p.time_ns for chunk in chunks for p in chunk.packets] == [number * FRAME_NS for number in range(6)]


def test_a_file_in_real_time_is_paced_by_its_timestamps(stage: Stage) -> None:
    stage.run(spec_of("a.mp4", realtime=True), FakeSource(packets(21)))

    assert stage.clock.seconds == pytest.approx(1002.0)


def test_another_picture_size_is_another_stream(stage: Stage) -> None:
    small, large = packets(3), packets(2, look=VideoFormat("h264", 96, 80, b""))

    chunks = stage.run(spec_of("a.mp4"), FakeSource([*small, *large]))

    assert [(chunk.width, len(chunk.packets), chunk.ended) for chunk in chunks] == [(64, 3, True), (96, 2, True)]
    assert [chunk.seq for chunk in chunks] == [0, 0]
    assert chunks[0].stream_id != chunks[1].stream_id


def with_large(count: int, large: Sequence[int]) -> list[SourcePacket]:
    """Return packets of which some are larger than a record may be."""
    enormous = bytes(MAX_FRAME_BYTES + 1)
    return [replace(packet, data=enormous) if i in large else packet for i, packet in enumerate(packets(count))]


def test_a_file_of_frames_that_no_record_can_hold_fails_with_the_cause(stage: Stage) -> None:
    (chunk,) = stage.run(spec_of("a.mp4"), FakeSource(with_large(3, range(3))))

    assert (chunk.ended, chunk.packets) == (True, ())
    assert chunk.reason.startswith("3 of 3 frames are larger than the 8 MiB that can be sent at once; ")
    assert "lower resolution" in chunk.reason
    assert stage.camera.status().state is State.FAILED


def test_a_frame_that_no_record_can_hold_keeps_its_number(stage: Stage) -> None:
    chunks = stage.run(spec_of("a.mp4"), FakeSource(with_large(5, [2])))

    assert [(chunk.first_index, chunk.dropped_before, len(chunk.packets)) for chunk in chunks] == [(0, 0, 2), (3, 1, 2)]
    assert chunks[-1].reason.startswith("1 of 5 frames are larger")


def test_a_live_camera_of_frames_that_no_record_can_hold_stays_connected_and_says_so_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    source = FakeSource(with_large(20, range(20)), finite=False, clock=stage.clock)
    source.before_end = stage.note

    chunks = stage.run(spec_of(LIVE_URL), source)

    assert chunks == []
    assert stage.seen[1].state is State.LIVE
    assert stage.seen[1].cause.startswith("20 of 20 frames are larger than the 8 MiB")
    assert sum("larger than the 8 MiB" in message for message in caplog.messages) == 1


def test_frames_that_a_source_could_not_read_keep_their_numbers(stage: Stage) -> None:
    given = packets(4)
    given[2] = replace(given[2], lost_before=3)

    chunks = stage.run(spec_of("a.mp4"), FakeSource(given))

    assert [(chunk.first_index, chunk.dropped_before, len(chunk.packets)) for chunk in chunks] == [(0, 0, 2), (5, 3, 2)]


def test_numbers_go_on_over_a_change_of_format(stage: Stage) -> None:
    small, large = packets(3), packets(2, look=VideoFormat("h264", 96, 80, b""))

    chunks = stage.run(spec_of("a.mp4"), FakeSource([*small, replace(large[0], lost_before=1), large[1]]))

    assert [(chunk.first_index, chunk.dropped_before) for chunk in chunks] == [(0, 0), (4, 1)]


@pytest.mark.parametrize(
    ("url", "fields", "mode"),
    [
        pytest.param("a.mp4", {}, "complete", id="a file is read completely"),
        pytest.param("a.mp4", {"realtime": True}, "latency", id="a file that plays a camera stays current"),
        pytest.param("a.mp4", {"mode": "latency"}, "latency", id="what is said wins"),
    ],
)
def test_the_mode_of_a_camera_travels_with_its_frames(
    url: str, fields: dict[str, Any], mode: str, stage: Stage
) -> None:
    chunks = stage.run(spec_of(url, **fields), FakeSource(packets(3)))

    assert {chunk.mode for chunk in chunks} == {mode}


def test_a_live_stream_that_breaks_ends_with_the_cause_and_comes_back_as_another(stage: Stage) -> None:
    chunks = stage.run(spec_of(LIVE_URL), stage.live(12, SourceError("the connection broke")), stage.live(12))

    ends = [chunk for chunk in chunks if chunk.ended]
    assert [chunk.reason.partition(";")[0] for chunk in ends] == ["the connection broke", "the camera ended the stream"]
    assert len({chunk.stream_id for chunk in chunks}) == 2
    assert stage.camera.status().reconnects == 2
    assert State.BACKING_OFF in stage.states
    assert stage.camera.status().state is State.STOPPED


def test_live_frames_are_timed_by_their_arrival(stage: Stage) -> None:
    chunks = stage.run(spec_of(LIVE_URL), stage.live(12))

    times = [packet.time_ns for chunk in chunks for packet in chunk.packets]
    assert times == [1000_100_000_000 + number * FRAME_NS for number in range(12)]


def test_a_live_camera_whose_clock_drifts_says_so_in_its_state(stage: Stage) -> None:
    began_ns = stage.clock.now_ns()
    given = [replace(one, camera_ns=began_ns + round(1.01 * one.pts_ns)) for one in packets(700)]
    found: list[CameraStatus] = []

    def look() -> None:
        found.append(stage.camera.status())

    stage.run(spec_of(LIVE_URL), FakeSource(given, finite=False, clock=stage.clock, before_end=look))

    assert found[0].state is State.LIVE
    assert found[0].clock_drift_ratio == pytest.approx(0.01, rel=0.01)
    assert found[0].cause.startswith("its clock gains 36.0 s an hour")


def test_a_camera_that_cannot_be_reached_is_tried_again_with_growing_pauses(stage: Stage) -> None:
    chunks = stage.run(spec_of(LIVE_URL), *[Unreachable("nobody there")] * 9)

    assert stage.clock.pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert chunks == []
    assert stage.seen[-2] == CameraStatus("door", State.BACKING_OFF, Unreachable("nobody there").explained(), 9)


def test_a_connection_that_held_makes_the_next_pause_short_again(stage: Stage) -> None:
    gone = Unreachable("nobody there")

    stage.run(spec_of(LIVE_URL), gone, gone, gone, stage.live(101), stage.live(1))

    assert stage.clock.pauses == [0.5, 1, 2, 0.5, 1]


def test_a_wrong_password_is_tried_again_at_the_slowest_so_that_no_account_is_locked(stage: Stage) -> None:
    stage.run(spec_of(LIVE_URL), AccessDenied("refused"), AccessDenied("refused"))

    assert stage.clock.pauses == [30, 30]


def test_a_silent_connection_shows_as_stalled_before_it_is_given_up(stage: Stage) -> None:
    silent = stage.live(10, Stalled("no data for 10 s"))

    def fall_silent() -> None:
        stage.clock.seconds += 4
        stage.note()

    silent.before_end = fall_silent
    chunks = stage.run(spec_of(LIVE_URL), silent)

    assert stage.states == [State.CONNECTING, State.STALLED, State.BACKING_OFF, State.CONNECTING]
    assert chunks[-1].reason == Stalled("no data for 10 s").explained()


def test_what_keeps_a_camera_away_is_said_once_and_again_after_it_was_there(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    away = Unreachable("cannot be reached: refused")

    stage.run(spec_of(LIVE_URL), away, away, Unreachable("no answer within 10 s"), stage.live(3, away), away)

    said = [message.removeprefix("camera door (rtsp://***@host/x): ").partition(";")[0] for message in caplog.messages]
    assert said == [
        "trying again: cannot be reached: refused",
        "trying again: no answer within 10 s",
        "trying again: cannot be reached: refused",
    ]


def test_the_password_is_never_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    stage.run(spec_of(LIVE_URL), AccessDenied("refused"), stage.live(3), Stalled("silent"))

    assert "rtsp://***@host/x" in caplog.text
    assert "secret" not in caplog.text


class Waiting(FakeSource):
    """Gives its packets and then waits for ever, as a camera does."""

    def __init__(self, count: int) -> None:
        self.release = threading.Event()
        self.reached = threading.Event()
        super().__init__(packets(count), finite=False, before_end=self._wait)

    def _wait(self) -> None:
        self.reached.set()
        self.release.wait()


def test_a_camera_that_is_removed_announces_the_end_even_while_a_read_hangs(stage: Stage) -> None:
    source = Waiting(30)
    source.clock = stage.clock
    stage.make(spec_of(LIVE_URL), opens(source))
    stage.camera.start()
    source.reached.wait()

    stage.camera.signal_stop("the camera was removed")
    stage.camera.join(0.5)
    chunks = stage.reader.read()
    source.release.set()

    assert data_of(chunks) == [packet.data for packet in packets(30)]
    assert (chunks[-1].ended, chunks[-1].reason) == (True, "the camera was removed")


def test_a_camera_that_moves_to_another_worker_leaves_its_stream_open(stage: Stage) -> None:
    source = Waiting(30)
    source.clock = stage.clock
    stage.make(spec_of(LIVE_URL), opens(source))
    stage.camera.start()
    source.reached.wait()

    stage.camera.signal_stop(None)
    source.release.set()
    stage.camera.join()

    assert not any(chunk.ended for chunk in stage.reader.read())
    assert stage.camera.status().state is State.STOPPED


def stop_in_back_off(stage: Stage) -> None:
    stage.clock.on_wait = lambda: stage.camera.signal_stop(None)
    stage.make(spec_of(LIVE_URL), opens(Unreachable("nobody there")))


def stop_while_paced(stage: Stage) -> None:
    stage.clock.on_wait = lambda: stage.camera.signal_stop(None)
    stage.make(spec_of("a.mp4", realtime=True), opens(FakeSource(packets(50))))


def stop_while_connecting(stage: Stage) -> None:
    def opener(spec: CameraSpec, settings: IngestSettings) -> Source:
        stage.camera.signal_stop(None)
        return FakeSource(packets(50))

    stage.make(spec_of("a.mp4"), opener)


@pytest.mark.parametrize("scene", [stop_in_back_off, stop_while_paced, stop_while_connecting])
def test_a_camera_stops_from_any_state(scene: Callable[[Stage], None], stage: Stage) -> None:
    scene(stage)

    stage.camera.start()
    stage.camera.join()

    assert stage.camera.status().state is State.STOPPED
    assert not any(chunk.ended for chunk in stage.reader.read())


def test_thousands_of_reconnects_leave_no_thread_behind(stage: Stage) -> None:
    before = set(threading.enumerate())

    results: list[Source | SourceError] = [Unreachable("nobody there"), stage.live(2)]

    stage.run(spec_of(LIVE_URL), *results * 1000)

    assert set(threading.enumerate()) <= before
    assert stage.camera.status().reconnects == 2000


def test_what_comes_before_the_first_keyframe_is_counted_and_named_if_it_takes_long(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    minute = [replace(packet, keyframe=False) for packet in packets(600)]
    causes = set()

    def look() -> None:
        causes.add(stage.camera.status().cause)

    given = FakeSource([*minute, *packets(5)], finite=False, clock=stage.clock, before_end=look)
    source = FakeSource([*minute], finite=False, clock=stage.clock, before_end=look)

    chunks = stage.run(spec_of(LIVE_URL), source, given)

    assert data_of(chunks) == [packet.data for packet in packets(5)]
    assert {cause.partition(",")[0] for cause in causes} == {"no keyframe for more than 10 s", ""}
    assert caplog.text.count("keyframe interval") == 1


def test_a_live_stream_of_which_only_the_recording_is_left_is_not_read_again(stage: Stage) -> None:
    recording = FakeSource(packets(50))

    chunks = stage.run(spec_of("http://host/live.m3u8"), stage.live(7), recording, stage.live(3))

    assert data_of(chunks) == [packet.data for packet in (*packets(7), *packets(3))]
    assert recording.closed
    assert any("only its recording is left" in status.cause for status in stage.seen)


def lose() -> None:
    raise Stalled("no data for 10 s")


@pytest.mark.parametrize("ending", [lose, lambda: None], ids=["an error", "the end of the stream"])
def test_what_a_lost_connection_held_is_released_by(ending: Callable[[], None], stage: Stage) -> None:
    sources: list[weakref.ref[Source]] = []
    alive: list[bool] = []

    def opener(spec: CameraSpec, settings: IngestSettings) -> Source:
        alive.extend(ref() is not None for ref in sources[-1:])
        if len(sources) == 5:
            stage.camera.signal_stop(None)
        source = FakeSource(packets(9), finite=False, clock=stage.clock, before_end=ending)
        sources.append(weakref.ref(source))
        return source

    gc.disable()  # cycles would keep connections until it runs
    try:
        stage.make(spec_of(LIVE_URL), opener)
        stage.camera.start()
        stage.camera.join()
    finally:
        gc.enable()

    assert alive == [False] * 5
