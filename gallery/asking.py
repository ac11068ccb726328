"""Ask other services over the bus, and wait for the answer: searches for people, tests of cameras."""

import logging
import threading
import uuid
from concurrent.futures import Future
from contextlib import closing

from gallery.errors import NoAnswer, TooManySearches
from wire import codec
from wire.bus import CAMERA_TESTS, PICTURE_QUERIES, QUERY_ANSWERS, TRACKLETS, GrouplessBus, Producer, Record
from wire.errors import DecodeError, WireError
from wire.messages import CameraTest, CameraTested, LookalikeQuery, PictureQuery, QueryAnswer
from wire.outage import Outage

log = logging.getLogger(__name__)

WAIT_S = 15.0  # a worker that keeps its latency budget answers in two
MOST = 8  # searches at once; a worker takes a twentieth of a second for each
POLL_S = 0.1
RETRY_S = 1.0
SINCE_S = 5.0  # answers sent while the first search of a process still connects
FLUSH_S = 5.0

_Query = PictureQuery | LookalikeQuery | CameraTest


class Asker:
    """Sends queries, and gives each its answer; one background thread, which begins with the first. Thread-safe."""

    def __init__(self, bus: GrouplessBus) -> None:
        self._bus = bus
        self._lock = threading.Lock()  # guards what follows
        self._waiting: dict[str, Future[QueryAnswer | CameraTested]] = {}
        self._thread: threading.Thread | None = None
        self._producer: Producer | None = None
        self._stop = threading.Event()
        self.name = f"api-{uuid.uuid4().hex}"

    def ask(self, query: PictureQuery | LookalikeQuery) -> QueryAnswer:
        """Return the answer to a search whose `asker` is our `name`.

        Raises:
            TooManySearches: `MOST` wait already.
            NoAnswer: None came within `WAIT_S`.
            TransientError: The bus is unavailable.
        """
        answer = self._answer_to(query, "a worker running and a gallery")
        assert isinstance(answer, QueryAnswer), "the kind is that of the query"
        return answer

    def ask_camera(self, test: CameraTest) -> CameraTested:
        """Return what became of the test of an address; errors as of `ask`."""
        answer = self._answer_to(test, "an ingest running")
        assert isinstance(answer, CameraTested), "the kind is that of the query"
        return answer

    def _answer_to(self, query: _Query, who: str) -> QueryAnswer | CameraTested:
        answer: Future[QueryAnswer | CameraTested] = Future()
        with self._lock:
            if len(self._waiting) >= MOST:
                raise TooManySearches(MOST)
            self._waiting[query.query_id] = answer
            if self._thread is None:
                self._producer = self._bus.producer()
                self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
                self._thread.start()
        try:
            self._send(query)
            return answer.result(WAIT_S)
        except TimeoutError:
            raise NoAnswer(WAIT_S, who) from None
        finally:
            with self._lock:
                del self._waiting[query.query_id]

    def close(self) -> None:
        """End the thread, and release the connection."""
        self._stop.set()
        if self._thread is not None and self._producer is not None:
            self._thread.join()
            self._producer.close()

    def _send(self, query: _Query) -> None:
        assert self._producer is not None, "made with the thread"
        if isinstance(query, CameraTest):
            self._producer.send(CAMERA_TESTS.name, query.query_id, codec.encode(query))
        elif isinstance(query, PictureQuery):
            self._producer.send(PICTURE_QUERIES.name, query.query_id, codec.encode(query))
        else:
            self._producer.send(TRACKLETS.name, query.site_id, codec.encode(query))
        self._producer.flush(FLUSH_S)

    def _run(self) -> None:
        outage = Outage(log, "answers to searches")
        while not self._stop.is_set():
            try:
                with closing(self._bus.watch(QUERY_ANSWERS.name, self.name, SINCE_S)) as answers:
                    while not self._stop.is_set():
                        for record in answers.poll(POLL_S):
                            self._take(record)
                        outage.over()
            except WireError as error:
                outage.met(error)
                self._stop.wait(RETRY_S)

    def _take(self, record: Record) -> None:
        try:
            message = codec.decode(record.value or b"")
        except DecodeError:
            return
        if isinstance(message, QueryAnswer | CameraTested):
            with self._lock:
                waiting = self._waiting.get(message.query_id)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
