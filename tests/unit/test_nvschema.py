"""What other programs get in NVIDIA's nvschema: frames as its schema.proto describes them, with people's numbers."""

import json
import threading
from typing import Any

import jsonschema
import numpy as np
import pytest

from gallery.outputs.frames import FramePublisher
from gallery.outputs.nvschema import frames_of
from gallery.store.memory import MemoryStore
from gallery.store.store import StoredTracklet, Write
from tests.conftest import wait_until
from tests.gallery_tools import tracklet
from wire import codec
from wire.bus import BOXES, NVSCHEMA
from wire.memory import MemoryBus
from wire.messages import SeenPeople

# `nv.Frame` and `nv.Object` of schema.proto as JSON; an object must have id, bbox, type and confidence.
TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
BOX: dict[str, Any] = {
    "type": "object",
    "required": ["leftX", "topY", "rightX", "bottomY"],
    "additionalProperties": {"type": "number"},
}
FRAME: dict[str, Any] = {
    "type": "object",
    "required": ["version", "id", "timestamp", "sensorId", "objects"],
    "properties": {
        "version": {"const": "4.0"},
        "id": {"type": "string"},
        "timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
        "sensorId": {"type": "string"},
        "info": TEXTS,
        "objects": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "bbox", "type", "confidence"],
                "properties": {
                    "id": {"type": "string"},
                    "bbox": BOX,
                    "type": {"const": "Person"},
                    "confidence": {"type": "number", "minimum": 0, "maximum": 1},
                    "info": TEXTS,
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
KNOWN, UNKNOWN = "door/s/1.0/0", "door/s/2.0/0"


def seen(*, scores: tuple[float, ...] = (0.9, 0.8, 0.7)) -> SeenPeople:
    return SeenPeople(
        camera_id="door",
        site_id="site",
        stream_id="s",
        width=640,
        height=480,
        until_ns=2_000_000_000,
        tracklet_ids=(KNOWN, UNKNOWN),
        times_ns=np.array([10**9, 10**9, 11 * 10**8], np.int64),
        which=np.array([0, 1, 0], np.int64),
        boxes=np.array([[1, 2, 30, 40.04], [5, 6, 7, 8], [2, 2, 31, 40]], np.float32),
        scores=scores,
    )


def read(frame: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(frame)
    jsonschema.validate(found, FRAME)
    return found


def test_a_frame_is_one_message_with_the_number_of_everybody_who_has_one() -> None:
    first, second = (read(frame) for frame in frames_of(seen(), {KNOWN: (7, 0.98765)}))

    assert (first["sensorId"], first["timestamp"]) == ("door", "1970-01-01T00:00:01.000Z")
    assert first["objects"] == [
        {
            "id": "7",
            "bbox": {"leftX": 1.0, "topY": 2.0, "rightX": 30.0, "bottomY": 40.0},
            "type": "Person",
            "confidence": 0.9,
            "info": {"tracklet": KNOWN, "identity": "7", "probability": "0.9877"},
        },
        {
            "id": UNKNOWN,
            "bbox": {"leftX": 5.0, "topY": 6.0, "rightX": 7.0, "bottomY": 8.0},
            "type": "Person",
            "confidence": 0.8,
            "info": {"tracklet": UNKNOWN},
        },
    ]
    assert [one["id"] for one in second["objects"]] == ["7"]


def test_boxes_of_an_earlier_worker_have_no_confidence_of_their_own() -> None:
    assert [one["confidence"] for frame in frames_of(seen(scores=()), {}) for one in read(frame)["objects"]] == [
        1.0
    ] * 3


@pytest.mark.parametrize("scores", [(0.9,), (0.9, 0.8, 1.7), (0.9, 0.8, float("nan"))])
def test_scores_that_do_not_fit_the_boxes_are_refused(scores: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="scores must be none, or one"):
        seen(scores=scores)


def test_what_cameras_see_is_published_with_the_decisions_of_the_store_and_garbage_is_left_out() -> None:
    bus, store = MemoryBus(), MemoryStore("site")
    row = StoredTracklet(tracklet(KNOWN, 0, 2), 3, 0.9, None)
    store.write(Write(version=store.load(0).version, now_ns=0, next_identity=4, tracklets=[row]))
    for value in (b"garbage", codec.encode(seen())):
        bus.producer().send(BOXES.name, "door", value)
    stop = threading.Event()
    thread = threading.Thread(target=FramePublisher(bus, lambda _: store).run, args=(stop,))
    thread.start()

    reader = bus.follow(NVSCHEMA.name)
    found: list[dict[str, Any]] = []

    def all_came() -> bool:
        found.extend(read(record.value or b"") for record in reader.poll(0.05))
        return len(found) >= 2

    wait_until(all_came)
    stop.set()
    thread.join()
    bus.close()

    assert [[one["id"] for one in frame["objects"]] for frame in found] == [["3", UNKNOWN], ["3"]]
    assert {frame["sensorId"] for frame in found} == {"door"}
