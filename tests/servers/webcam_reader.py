"""Reads one camera as ingest does until stdin ends, and says what happens, a line of JSON each: a process for tests.

`python -m tests.servers.webcam_reader URL SETTINGS`
"""

import base64
import json
import logging
import sys
import threading
import time
from typing import Any

from prometheus_client import CollectorRegistry

from ingest.camera import Camera
from ingest.config import IngestSettings
from ingest.metrics import IngestMetrics
from ingest.state import CameraJob, Surroundings
from tests.ingest_tools import ChunkReader, spec_of
from wire.memory import MemoryBus
from wire.messages import FrameChunk


def main(url: str, settings: dict[str, Any]) -> None:
    """Read the camera, stop it when stdin ends, and say what is left of it."""
    bus = MemoryBus()
    reader = ChunkReader(bus)
    around = Surroundings(bus, IngestSettings(**settings), IngestMetrics(CollectorRegistry()))
    camera = Camera(CameraJob(spec_of(url), 0), around)
    ended = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    logging.getLogger("ingest").addHandler(Log())
    camera.start()
    seen = 0
    last: dict[str, Any] = {}
    while not ended.wait(0.02):
        status = camera.status()
        now = {"state": str(status.state), "cause": status.cause, "reconnects": status.reconnects}
        if now != last:
            say(now)
            last = now
        for chunk in reader.read()[seen:]:
            say(described(chunk))
            seen += 1
    camera.signal_stop("the camera was removed")
    camera.join()
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("camera-")]
    say({"state": str(camera.status().state), "threads": left})


def described(chunk: FrameChunk) -> dict[str, Any]:
    """Return what a test looks at."""
    return {
        "stream": chunk.stream_id,
        "codec": chunk.codec,
        "size": [chunk.width, chunk.height],
        "times": [packet.time_ns for packet in chunk.packets],
        "pictures": [base64.b64encode(packet.data).decode() for packet in chunk.packets],
        "reason": chunk.reason,
        "read_ns": time.time_ns(),
    }


def say(line: dict[str, Any]) -> None:
    """Print a line of JSON, whole also where several threads do."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Log(logging.Handler):
    """Says what ingest logs: a state may be over before anybody looks at it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say one message."""
        say({"logged": record.getMessage()})


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
