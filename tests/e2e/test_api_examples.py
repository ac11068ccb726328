"""Every request of the API has an example, and the examples work: beside a gallery and an ingest, over HTTP."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from deploy.local.api_server import ApiServer, bind
from docs import api_examples
from gallery.api.app import create_app
from gallery.api.rules import RULES
from gallery.config import ApiSettings, GallerySettings
from gallery.handler import build_service
from tests.answers import look_at_pictures
from tests.ingest_tools import IngestWorker, Recipe, make_video, spec_of
from tests.words_tools import several_people
from wire.memory import MemoryBus
from wire.metrics import ServiceMetrics

# Shown elsewhere: sign-in at a provider needs one, sockets are no requests, and recordings need a recorder.
ELSEWHERE = re.compile(r"/v1/session/oidc|/v1/live|/v1/events/ws|/recordings|/clip")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A site of three people and a camera, with all that answers requests."""
    store, bus, registry, stop = several_people().store, MemoryBus(), CollectorRegistry(), threading.Event()
    bus.ensure_topics()
    service = build_service(GallerySettings(), bus, ServiceMetrics(registry), registry, lambda _: store)
    threads = [
        threading.Thread(target=service.run, args=(stop,)),
        threading.Thread(target=look_at_pictures, args=(bus, stop)),
    ]
    for thread in threads:
        thread.start()
    with IngestWorker(bus) as ingest:
        ingest.add(spec_of(make_video(tmp_path / "lobby.mp4", Recipe(frames=30)), "lobby"))
        with ApiServer(
            create_app(store, bus, ApiSettings(camera_folders=(str(tmp_path),))), bind("127.0.0.1", 0)
        ) as server:
            yield server.url
    stop.set()
    for thread in threads:
        thread.join()
    bus.close()


def test_every_example_works(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    api_examples.main(address)

    statuses = [int(line.split()[0]) for line in capsys.readouterr().out.splitlines() if line[:3].isdecimal()]
    assert len(statuses) > 60
    assert set(statuses) <= {200, 201, 204, *api_examples.EXCUSED.values()}


def test_every_request_has_an_example() -> None:
    source = Path(api_examples.__file__).read_text(encoding="utf-8")
    shown = set(re.findall(r'\(\s*"([A-Z]+)", "(/[^"]+)"', source))

    assert {rule for rule in RULES if not ELSEWHERE.search(rule[1])} - shown == set()
