"""A camera: one thread that reads it, and one state to report."""

import logging
import threading
import traceback
from collections.abc import Iterator

from ingest.camera_clock import CameraClock
from ingest.clock import NS
from ingest.errors import NO_FRAMES, NOT_PLAYED, AccessDenied, Broken, NoVideo, SourceError, Stalled
from ingest.keyframes import KeyframeGate
from ingest.outbox import LatestOutbox, Link, PatientOutbox
from ingest.source import Source
from ingest.sources.address import has_end
from ingest.sources.interrupt import interrupted_by
from ingest.stamp import FileTime, Stamped, stamped_live
from ingest.state import FINAL, Backoff, CameraJob, CameraStatus, Outcome, State, Surroundings, start_of_file
from ingest.writer import SMALLER, TOO_LARGE, StreamWriter, name_of_connection, name_of_file
from wire.mask import hide, secrets_of

log = logging.getLogger(__name__)

STEADY_S = 10.0  # a connection that lasted this long resets the back-off
STOP_S = 1.9  # how long anybody waits for a camera to stop
LOCK_S = 0.4  # of that for a thread that is still sending
LIVE_IS_OVER = "the live stream is over, and only its recording is left at this address, which is not read"
NEXT_STREAM = "wait: it is read again when its playlist grows"
INTERNAL = "internal error; the log of ingest has the details, and pausing and resuming the camera reads it again"


class Camera:
    """Reads one camera in a background thread until it ends or is stopped.

    connecting -> live -> ended | failed (files), or -> [stalled ->] backing off -> connecting (cameras);
    any state -> stopped.
    """

    def __init__(self, job: CameraJob, around: Surroundings) -> None:
        self.job = job
        self._spec = job.spec
        self._around = around
        self._clock = around.clock
        self._stop = threading.Event()
        self._paused = threading.Event()
        self._end_reason: str | None = None
        self._state, self._cause = State.CONNECTING, ""
        self._warned = ""
        self._reconnects = 0
        self._last_s = 0.0
        self._burst_s = 0.0
        self._was_live = False
        self._camera_clock = CameraClock(self._spec.camera_id, round(around.settings.camera_clock_s * NS))
        self._file_time: FileTime | None = None
        # A file read at full speed always waits: there is no clock to keep up with.
        self._patient = self._spec.mode_in_use == "complete" or (has_end(self._spec.url) and not self._spec.realtime)
        self._gate = KeyframeGate(self._spec.camera_id, around.metrics, self._clock)
        self._writer = StreamWriter(self._spec, self._outbox(), around.metrics, around.settings.privacy)
        self._thread = threading.Thread(target=self._run, name=f"camera-{self._spec.camera_id}", daemon=True)

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    def pause(self) -> None:
        """Keep the connection but send nothing until `resume`."""
        self._paused.set()

    def resume(self) -> None:
        """Resume sending."""
        self._paused.clear()

    def signal_stop(self, end_reason: str | None) -> None:
        """Ask the camera to stop, without waiting.

        Args:
            end_reason: Reason in the stream's last chunk; None sends no last chunk.
        """
        self._end_reason = end_reason
        self._stop.set()

    def join(self, seconds: float = STOP_S) -> None:
        """Wait until nothing more is sent; a read that cannot be interrupted may end later, by its own timeout."""
        deadline_s = self._clock.monotonic_s() + seconds
        self._thread.join(max(0.0, seconds - LOCK_S))
        self._writer.close(self._end_reason, max(0.0, deadline_s - self._clock.monotonic_s()))

    def wait(self) -> None:
        """Wait for the end of the file, or until the camera was stopped."""
        self._thread.join()

    def status(self) -> CameraStatus:
        """Return the current state; a connection that delivers nothing for `stall_s` is stalled."""
        state, cause = self._state, self._cause
        silent_s = self._clock.monotonic_s() - self._last_s
        is_file = self._file_time is not None
        if state is State.LIVE and silent_s > self._around.settings.stall_s + self._burst_s and not is_file:
            state, cause = State.STALLED, f"no data for {silent_s:.0f} s; {Stalled.usual_remedy}"
        if state is State.LIVE and self._writer.too_large and not self._writer.written:
            cause = f"{self._too_large()}; {SMALLER}"
        elif state is State.LIVE:
            cause = self._gate.cause or self._camera_clock.complaint
        clock = self._camera_clock
        return CameraStatus(self._spec.camera_id, state, cause, self._reconnects, clock.offset_ns, clock.drift_ratio)

    def waiting(self) -> int:
        """Return the number of chunks that have not been sent."""
        return self._writer.waiting()

    def _run(self) -> None:
        settings = self._around.settings
        backoff = Backoff(settings.backoff_first_s, settings.backoff_max_s, self._around.jitter)
        try:
            with interrupted_by(self._stop):
                self._read_until_over(backoff)
        except Exception:  # noqa: BLE001 - an error ends this camera only, and is logged without its password
            trace = hide(traceback.format_exc(), secrets_of(self._spec.url))
            log.error("camera %s: internal error: %s", self._spec.camera_id, trace)  # noqa: TRY400 - it may show the URL
            if has_end(self._spec.url) and not self._stop.is_set():
                self._finish(Outcome(finite=True, kind=SourceError, text=INTERNAL))  # or a run would wait for its end
        finally:
            if self._stop.is_set():
                self._enter(State.STOPPED)
            elif self._state not in FINAL:
                self._end_reason = INTERNAL
                self._enter(State.FAILED, self._end_reason)
            self._writer.close(self._end_reason, LOCK_S)

    def _read_until_over(self, backoff: Backoff) -> None:
        while not self._stop.is_set():
            self._enter(State.CONNECTING)
            began_s = self._clock.monotonic_s()
            outcome = self._attempt()
            if self._stop.is_set():
                return
            if not outcome.finite:
                self._back_off(outcome, backoff, self._clock.monotonic_s() - began_s)
            elif outcome.kind is None and self._spec.loop:
                self._writer.end()
            else:
                self._finish(outcome)
                return

    def _attempt(self) -> "Outcome":
        try:
            source = self._around.opener(self._spec, self._around.settings)
        except SourceError as error:
            return Outcome.of(error, finite=has_end(self._spec.url))
        try:
            if source.finite and self._was_live:
                return Outcome.of(Broken(LIVE_IS_OVER, NEXT_STREAM), finite=False)
            self._last_s, self._burst_s = self._clock.monotonic_s(), source.burst_ns / NS
            self._enter(State.LIVE)
            self._read(source)
        except SourceError as error:
            return Outcome.of(error, finite=source.finite)
        finally:
            source.close()
        return Outcome.of(None, finite=source.finite)

    def _read(self, source: Source) -> None:
        offset_ns = round(self._spec.clock_offset_ms * 1e6)
        empty = True
        for item in self._stamped(source):
            if self._stop.is_set():
                return
            empty = False
            self._last_s = self._clock.monotonic_s()
            if self._gate.passes(item.packet):
                self._writer.write(item.packet, item.time_ns + offset_ns)
        if empty and not self._stop.is_set():
            raise NoVideo(NO_FRAMES, NOT_PLAYED)
        if source.finite and self._writer.too_large:
            raise Broken(self._too_large(), SMALLER)

    def _too_large(self) -> str:
        left_out = self._writer.too_large
        return f"{left_out} of {left_out + self._writer.written} frames are {TOO_LARGE}"

    def _stamped(self, source: Source) -> Iterator[Stamped]:
        if not source.finite:
            self._was_live = True
            self._gate.begin()
            self._writer.begin(name_of_connection())
            return stamped_live(source, self._clock, self._camera_clock)
        time = self._name_file()
        items = time.stamped(source)
        if self._spec.realtime or not self._patient:
            return time.paced(items, self._clock, self._stop)
        return items

    def _name_file(self) -> FileTime:
        """Name the next stream of a file; its time continues over the turns of a loop."""
        if self._file_time is None:
            self._file_time = FileTime(self._start_ns(), self._clock.monotonic_s())
        self._writer.begin(name_of_file(self._spec, self._file_time.start_ns, self._file_time.turn))
        return self._file_time

    def _start_ns(self) -> int:
        plays_live = self._spec.realtime and self._spec.start_ns is None
        return self._clock.now_ns() if plays_live else start_of_file(self.job)

    def _finish(self, outcome: "Outcome") -> None:
        if self._file_time is None:
            self._name_file()
        self._writer.finish(outcome.cause)
        if not self._stop.is_set():
            self._enter(State.ENDED if outcome.kind is None else State.FAILED, outcome.cause)

    def _back_off(self, outcome: "Outcome", backoff: Backoff, held_s: float) -> None:
        if outcome.is_a(Stalled):
            self._enter(State.STALLED, outcome.cause)
        self._writer.end(outcome.cause)
        if held_s >= STEADY_S:
            backoff.reset()
        pause_s = backoff.longest_s() if outcome.is_a(AccessDenied) else backoff.next_s()
        self._reconnects += 1
        self._around.metrics.reconnects.labels(camera=self._spec.camera_id).inc()
        self._enter(State.BACKING_OFF, outcome.cause)
        self._clock.wait(self._stop, pause_s)

    def _enter(self, state: State, cause: str = "") -> None:
        self._state, self._cause = state, cause
        what = f"trying again: {cause}" if state is State.BACKING_OFF else f"{state}: {cause}" if cause else str(state)
        news = state in {State.BACKING_OFF, State.FAILED} and cause != self._warned  # once, not at every attempt
        if news or state is State.LIVE:
            self._warned = cause
        level = logging.WARNING if news else logging.INFO
        log.log(level, "camera %s (%s): %s", self._spec.camera_id, self._spec.safe_url, what)

    def _outbox(self) -> PatientOutbox | LatestOutbox:
        link = Link(
            camera_id=self._spec.camera_id,
            bus=self._around.bus,
            producer=self._around.bus.producer(),
            settings=self._around.settings,
            metrics=self._around.metrics,
            clock=self._clock,
            stop=self._stop,
            paused=self._paused,
        )
        return PatientOutbox(link) if self._patient else LatestOutbox(link)
