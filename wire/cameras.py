"""The cameras that should run: the `cameras` topic, read once and followed from there."""

import logging
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Protocol, Self

from wire import codec
from wire.bus import CAMERAS, GrouplessBus, Record
from wire.errors import DecodeError, TransientError, WireError
from wire.messages import CameraSpec

log = logging.getLogger(__name__)

MAX_CAMERAS = 10_000  # per installation; further ones are ignored with a warning
POLL_S = 0.2  # upper bound on how long closing takes; a new record ends a poll at once
RETRY_S = 1.0
WAIT_S = 5.0  # the first read takes a second, or three while a broker starts


@dataclass(frozen=True, slots=True)
class ListedCamera:
    """A camera that should run, and when it was added or last changed."""

    spec: CameraSpec
    listed_ns: int


class CamerasUnknown(TransientError):  # noqa: N818 - it reads as the state it reports
    """Raised while the topic has not been read to its end."""


class Cameras(Protocol):
    """Read access to the cameras, sorted by id."""

    def cameras(self) -> Mapping[str, ListedCamera]:
        """Return the known cameras; the same object until something changes.

        Raises:
            CamerasUnknown: The topic has not been read to its end yet.
        """

    def catch_up(self) -> Mapping[str, ListedCamera]:
        """Return the cameras, including every change that was flushed before this call.

        Raises:
            CamerasUnknown: The changes could not be read in time.
        """


class CameraTable:
    """The cameras by id, kept up to date by a background thread; use as a context manager. Thread-safe.

    No cameras are known until the topic has been read to its end once. The last known list stays available while the
    broker is not.
    """

    def __init__(self, bus: GrouplessBus, *, wait_s: float = WAIT_S) -> None:
        self._bus = bus
        self._wait_s = wait_s
        self._changed = threading.Condition()  # guards the next four attributes
        self._cameras: Mapping[str, ListedCamera] | None = None
        self._requested = 0  # calls of `catch_up`; those up to `_answered` may return
        self._answered = 0
        self._last_error = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start reading."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="cameras", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop reading."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def loaded(self) -> bool:
        """Tell whether the topic has been read to its end at least once."""
        return self._cameras is not None

    def cameras(self) -> Mapping[str, ListedCamera]:
        """Return the known cameras, waiting for the first read; see `Cameras`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.loaded, self._wait_s) or self._cameras is None:
                raise self._unknown()
            return self._cameras

    def catch_up(self) -> Mapping[str, ListedCamera]:
        """Return the cameras, including every change that was flushed before this call; see `Cameras`."""
        with self._changed:
            self._requested += 1
            request = self._requested
            if not self._changed.wait_for(lambda: self._answered >= request, self._wait_s):
                raise self._unknown()
        return self.cameras()

    def _unknown(self) -> CamerasUnknown:
        return CamerasUnknown(
            f"the list of cameras is not available: {self._last_error or f'not read within {self._wait_s:g} s'}"
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except WireError as error:
                log.warning("list of cameras: %s; trying again", error)
                with self._changed:
                    self._last_error = str(error)
                self._stop.wait(RETRY_S)

    def _follow(self) -> None:
        """Read from the beginning, so that cameras removed in the meantime disappear; the old list stays until then."""
        known: dict[str, ListedCamera] = {}
        read = False
        with closing(self._bus.follow(CAMERAS.name)) as follower:
            while not self._stop.is_set():
                requested = self._requested
                if (requested > self._answered or not read) and follower.at_end():
                    read = True
                    self._publish(known, requested)
                records = follower.poll(POLL_S)
                _apply(known, records)
                if read and records:
                    self._publish(known, self._answered)

    def _publish(self, known: Mapping[str, ListedCamera], answered: int) -> None:
        with self._changed:
            self._cameras = MappingProxyType(dict(sorted(known.items())))
            self._answered = answered
            self._last_error = ""
            self._changed.notify_all()


def _apply(known: dict[str, ListedCamera], records: Iterable[Record]) -> None:
    """Apply records to the table; an invalid record removes its key's camera, which ingest does not read either."""
    for record in records:
        known.pop(record.key, None)
        spec = _spec_of(record)
        if spec is None:
            continue
        if len(known) < MAX_CAMERAS:
            known[record.key] = ListedCamera(spec, record.time_ns)
        else:
            log.warning("camera %s is ignored: the limit of %d cameras is reached", spec.camera_id, MAX_CAMERAS)


def _spec_of(record: Record) -> CameraSpec | None:
    try:
        message = codec.decode(record.value or b"")
    except DecodeError:
        return None  # ingest, which consumes the topic as a stream, sends it to the dead letters
    return message if isinstance(message, CameraSpec) and message.camera_id == record.key else None
