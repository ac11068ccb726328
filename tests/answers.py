"""Stand-ins for a worker and an ingest that answer what the API asks them, and find nothing."""

import threading
from collections.abc import Callable

from wire import codec
from wire.bus import CAMERA_TESTS, PICTURE_QUERIES, QUERY_ANSWERS
from wire.memory import MemoryBus
from wire.messages import AnyMessage, CameraTest, CameraTested, PictureQuery
from wire.queries import refusal


def look_at_pictures(bus: MemoryBus, stop: threading.Event) -> None:
    """Be a worker who finds nobody."""

    def refused(query: AnyMessage) -> tuple[str, AnyMessage]:
        assert isinstance(query, PictureQuery)
        return query.asker, refusal(query.query_id, query.asker, "nobody was found in the picture")

    _answer(bus, PICTURE_QUERIES.name, refused, stop)


def open_addresses(bus: MemoryBus, stop: threading.Event) -> None:
    """Be an ingest for which nothing listens anywhere."""

    def refused(query: AnyMessage) -> tuple[str, AnyMessage]:
        assert isinstance(query, CameraTest)
        return query.asker, CameraTested(query_id=query.query_id, asker=query.asker, problem="nothing listens there")

    _answer(bus, CAMERA_TESTS.name, refused, stop)


def _answer(
    bus: MemoryBus, topic: str, answer: Callable[[AnyMessage], tuple[str, AnyMessage]], stop: threading.Event
) -> None:
    consumer, producer = bus.consumer(f"answers {topic}", [topic]), bus.producer()
    while not stop.is_set():
        for record in consumer.poll(8, 0.05):
            asker, said = answer(codec.decode(record.value or b""))
            producer.send(QUERY_ANSWERS.name, asker, codec.encode(said))
    consumer.close()
