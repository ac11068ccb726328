"""Publishes what cameras see in NVIDIA's `nvschema`, frame by frame, to a topic of its own."""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import closing

from gallery.outputs.nvschema import Known, frames_of
from gallery.store.store import Store
from wire import codec
from wire.bus import BOXES, NVSCHEMA, Bus, Record, TopicPartition
from wire.errors import DecodeError, WireError
from wire.messages import SeenPeople
from wire.outage import Outage

log = logging.getLogger(__name__)

GROUP = "nvschema"
MOST = 64  # records at a time
POLL_S = 0.5
RETRY_S = 1.0
FLUSH_S = 10.0


class FramePublisher:
    """Reads `boxes` as a group, so that several processes share the cameras; a frame may be sent twice, never less."""

    def __init__(self, bus: Bus, open_store: Callable[[str], Store]) -> None:
        self._bus = bus
        self._open_store = open_store

    def run(self, stop: threading.Event) -> None:
        """Publish until `stop` is set."""
        outage = Outage(log, "frames in nvschema")
        while not stop.is_set():
            try:
                self._follow(stop, outage)
            except WireError as error:
                outage.met(error)
                stop.wait(RETRY_S)

    def _follow(self, stop: threading.Event, outage: Outage) -> None:
        with closing(self._bus.consumer(GROUP, [BOXES.name])) as consumer, closing(self._bus.producer()) as producer:
            while not stop.is_set():
                records = consumer.poll(MOST, POLL_S)
                for seen in _people_in(records):
                    for frame in frames_of(seen, self._known(seen)):
                        producer.send(NVSCHEMA.name, seen.camera_id, frame)
                if records:
                    producer.flush(FLUSH_S)
                    consumer.commit(_next_offsets(records))
                outage.over()

    def _known(self, seen: SeenPeople) -> Known:
        rows = self._open_store(seen.site_id).tracklets(seen.tracklet_ids) if seen.tracklet_ids else []
        return {
            row.tracklet.tracklet_id: (row.identity_id, row.probability) for row in rows if row.identity_id is not None
        }


def _people_in(records: Iterable[Record]) -> list[SeenPeople]:
    found = []
    for record in records:
        try:
            message = codec.decode(record.value or b"")
        except DecodeError:
            continue  # live views leave it out as well
        if isinstance(message, SeenPeople):
            found.append(message)
    return found


def _next_offsets(records: Iterable[Record]) -> dict[TopicPartition, int]:
    return {record.source: record.offset + 1 for record in records}
