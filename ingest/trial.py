"""Tests addresses of cameras before they are added: opens each once, and returns what it shows first."""

import logging
import threading
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import pairwise
from queue import Empty, SimpleQueue
from statistics import median

from msgspec.structs import replace

from ingest.clock import NS
from ingest.errors import NO_FRAMES, NOT_PLAYED, NoVideo, SourceError
from ingest.source import Source, SourcePacket
from ingest.sources.interrupt import interrupted_by
from ingest.state import Surroundings
from wire.camera_tests import FirstPictures
from wire.mask import hide, secrets_of
from wire.messages import CameraSpec, CameraTest, CameraTested

log = logging.getLogger(__name__)

LONGEST_S = 12.0  # whoever asked waits for 15
MOST = 4  # tests at once
SPAN_NS = NS  # of the frames that are counted and sent: enough for a rate
MOST_BYTES = 4 * 1024 * 1024  # of a record of 8 MiB
BUSY = f"{MOST} other addresses are being tested, which is the most: try again in a few seconds"
NO_PICTURE = (
    f"no picture within {LONGEST_S:g} s: check that it shows a picture in another program, and set its keyframe "
    "interval (GOP, I-frame interval) to 1 to 2 s"
)
INTERNAL = "it cannot be opened for a reason that is not known; the log of ingest has the details"


class Trials:
    """Runs tests in threads of their own, at most `MOST` at once; call its methods from one thread."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._running: list[tuple[threading.Thread, threading.Event]] = []
        self._done: SimpleQueue[CameraTested] = SimpleQueue()

    def begin(self, test: CameraTest) -> None:
        """Begin a test."""
        self._running = [(thread, stop) for thread, stop in self._running if thread.is_alive()]
        if len(self._running) >= MOST:
            self._done.put(_failed(test, BUSY))
            return
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(test, stop), name="camera-test", daemon=True)
        self._running.append((thread, stop))
        thread.start()

    def results(self) -> Iterator[CameraTested]:
        """Yield the tests that are done."""
        try:
            while True:
                yield self._done.get_nowait()
        except Empty:
            return

    def close(self) -> None:
        """End all tests, without waiting for them."""
        for _, stop in self._running:
            stop.set()

    def _run(self, test: CameraTest, stop: threading.Event) -> None:
        try:
            with interrupted_by(stop), _ended_after(LONGEST_S, stop):
                self._done.put(tried(test, self._around, stop))
        except Exception:  # noqa: BLE001 - an error ends this test only, and is logged without its password
            log.error("test of an address: %s", hide(traceback.format_exc(), secrets_of(test.url)))  # noqa: TRY400
            self._done.put(_failed(test, INTERNAL))


def tried(test: CameraTest, around: Surroundings, stop: threading.Event) -> CameraTested:
    """Open the address of a test and return what it shows; once `stop` is set, say that it showed nothing in time."""
    began_s = around.clock.monotonic_s()
    spec = CameraSpec(camera_id="test", site_id="test", url=test.url, bounds=test.bounds)
    try:
        with closing(around.opener(spec, around.settings)) as source:
            packets = _from_keyframe(source, stop)
            first = next(packets, None)
            waited_s = around.clock.monotonic_s() - began_s
            if first is None:
                return _failed(
                    test,
                    NO_PICTURE if stop.is_set() or not source.finite else NoVideo(NO_FRAMES, NOT_PLAYED).explained(),
                )
            shown = _shown(first, packets)
            if around.settings.privacy != "full":
                shown = replace(shown, packets=())
    except SourceError as error:
        return _failed(test, NO_PICTURE if stop.is_set() else error.explained())
    return CameraTested(query_id=test.query_id, asker=test.asker, first=shown, waited_ms=round(waited_s * 1000))


def _from_keyframe(source: Source, stop: threading.Event) -> Iterator[SourcePacket]:
    begun = False
    for packet in source.packets():
        if stop.is_set():
            return
        begun = begun or packet.keyframe
        if begun:
            yield packet


def _shown(first: SourcePacket, rest: Iterable[SourcePacket]) -> FirstPictures:
    """Return the first second of a stream; it may break off, since there is a picture by then."""
    packets, size = [first], len(first.data)
    try:
        for packet in rest:
            size += len(packet.data)
            if packet.format is not first.format or size > MOST_BYTES:
                break
            packets.append(packet)
            if packet.pts_ns - first.pts_ns >= SPAN_NS:
                break
    except SourceError:
        pass
    look = first.format
    return FirstPictures(
        codec=look.codec,
        width=look.width,
        height=look.height,
        extradata=look.extradata,
        packets=tuple(packet.data for packet in packets),
        fps=_rate(packets),
        orientation=look.orientation,
    )


def _rate(packets: Sequence[SourcePacket]) -> float:
    """Return frames per second by the usual time between two; of the last frames, those in between may be missing."""
    times = sorted({packet.pts_ns for packet in packets if packet.shown})
    return NS / median(later - earlier for earlier, later in pairwise(times)) if len(times) > 1 else 0.0


def _failed(test: CameraTest, problem: str) -> CameraTested:
    return CameraTested(query_id=test.query_id, asker=test.asker, problem=problem)


@contextmanager
def _ended_after(seconds: float, stop: threading.Event) -> Iterator[None]:
    timer = threading.Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
