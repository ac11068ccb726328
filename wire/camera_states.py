"""The states in which ingest has the cameras: the `camera-states` topic, read once and followed from there."""

import logging
import threading
from contextlib import closing
from types import TracebackType
from typing import Self

from wire import codec
from wire.bus import CAMERA_STATES, GrouplessBus, Record
from wire.errors import DecodeError, WireError
from wire.messages import CameraHealth
from wire.outage import Outage

log = logging.getLogger(__name__)

POLL_S = 0.2
RETRY_S = 1.0


class CameraStates:
    """The last known state of every camera, kept by a background thread; use as a context manager. Thread-safe."""

    def __init__(self, bus: GrouplessBus) -> None:
        self._bus = bus
        self._known: dict[str, CameraHealth] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera-states", daemon=True)

    def __enter__(self) -> Self:
        """Start reading."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()

    def get(self, camera_id: str) -> CameraHealth | None:
        """Return the last known state of a camera."""
        return self._known.get(camera_id)

    def _run(self) -> None:
        outage = Outage(log, "states of cameras")
        while not self._stop.is_set():
            try:
                with closing(self._bus.follow(CAMERA_STATES.name)) as follower:
                    while not self._stop.is_set():
                        for record in follower.poll(POLL_S):
                            self._learn(record)
                        outage.over()
            except WireError as error:
                outage.met(error)
                self._stop.wait(RETRY_S)

    def _learn(self, record: Record) -> None:
        try:
            message = codec.decode(record.value or b"")
        except DecodeError:
            return
        if isinstance(message, CameraHealth):
            self._known[message.camera_id] = message
