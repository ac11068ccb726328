"""Recognises files that were already processed to their end, by the states that workers store."""

from ingest.sources.address import has_end
from ingest.state import CameraJob, start_of_file
from ingest.writer import name_of_file
from wire import codec
from wire.bus import WORKER_STATE, Bus, Record
from wire.errors import DecodeError
from wire.messages import WorkerState


class FinishedFiles:
    """A snapshot of the worker states, read when the first file is checked.

    A file whose picture size changes consists of several streams, of which only the last state is visible; if a crash
    hits between two of them, the rest of the file is wrongly considered processed.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._states: dict[str, Record] | None = None

    def has(self, job: CameraJob) -> bool:
        """Tell whether a worker has finished this file since its camera was added.

        Raises:
            TransientError: The bus is unavailable.
        """
        spec = job.spec
        if not has_end(spec.url) or spec.loop or (spec.realtime and spec.start_ns is None):
            return False
        if self._states is None:
            self._states = self._bus.table(WORKER_STATE.name)
        record = self._states.get(spec.camera_id)
        if record is None or record.value is None or record.time_ns < job.sent_ns:
            return False
        try:
            state = codec.decode(record.value)
        except DecodeError:
            return False
        if not isinstance(state, WorkerState) or not state.ended:
            return False
        name, _, part = state.stream_id.rpartition("-")
        return name == name_of_file(spec, start_of_file(job), 0) and part.isdecimal()
