"""Hold the API against its OpenAPI document with schemathesis: `python -m tests.bench.api_schema [examples]`.

It takes minutes, so that it is no test: a site of three people, a gallery that listens, no cameras, and a
worker and an ingest that find nothing.
Whether requests that fit the document are taken is for `api_schema_hooks` to say, in place of a check of its own.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

import gallery.api.live
from deploy.local.api_server import ApiServer, bind
from gallery.access.attempts import Attempts
from gallery.api.app import create_app
from gallery.config import ApiSettings, GallerySettings
from gallery.handler import build_service
from tests.answers import look_at_pictures, open_addresses
from tests.words_tools import several_people
from wire.memory import MemoryBus
from wire.metrics import ServiceMetrics

LEFT_OUT = ("/v1/events", "/v1/alerts/stream")  # a stream never ends

HOOKS = {"SCHEMATHESIS_HOOKS": "tests.bench.api_schema_hooks", "PYTHONPATH": str(Path(__file__).parents[2])}


def main(examples: str = "8") -> int:
    """Return the exit code of schemathesis: 0 if every answer was as documented."""
    gallery.api.live.PICTURE_WAIT_S = 0.05
    Attempts.begin = lambda *_: None  # type: ignore[method-assign]  # thousands of wrong tokens are 401 each
    store, bus, registry, stop = several_people().store, MemoryBus(), CollectorRegistry(), threading.Event()
    bus.ensure_topics()
    service = build_service(GallerySettings(), bus, ServiceMetrics(registry), registry, lambda _: store)
    threads = [threading.Thread(target=target, args=(bus, stop)) for target in (look_at_pictures, open_addresses)]
    threads.append(threading.Thread(target=service.run, args=(stop,)))
    for thread in threads:
        thread.start()
    settings = ApiSettings(token=SecretStr("fuzz"), camera_folders=("/",))
    try:
        with ApiServer(create_app(store, bus, settings), bind("127.0.0.1", 0)) as server:
            options = ["--header", "Authorization: Bearer fuzz", "--max-examples", examples, "--seed", "1"]
            options += [word for path in LEFT_OUT for word in ("--exclude-path", path)]
            options += ["--exclude-checks", "positive_data_acceptance"]
            command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", *options]
            with TemporaryDirectory() as folder:  # it writes a report
                return subprocess.run(command, check=False, cwd=folder, env={**os.environ, **HOOKS}).returncode
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        bus.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
