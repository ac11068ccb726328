"""Every page of the documentation, read by somebody who does what it says, in a fresh home, on small inputs."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import pytest
import torch

from deploy.kafka_server import missing_tools
from deploy.local.private_redis import PrivateRedis
from reid_worker.detectors.catalogue import YOLOX_NANO
from reid_worker.detectors.choose import BUNDLED
from reid_worker.model.weights import SHIPPED
from tests.appearance_tools import colour_network
from tests.conftest import need
from tests.docs_reader import NOT_RUN, PROBED, SMALLER, STAND_INS, Reader, difference, excuse
from tests.docs_tools import PAGES, blocks, commands
from tests.published_tools import published_checkpoint
from tests.training_tools import coloured_noise
from training.synthetic.folders import FolderPlan, write_people
from training.synthetic.site import write_site

pytestmark = pytest.mark.timeout(1800)

SEED = 3  # somebody is in the lobby from the start


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def belongings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages' examples name: videos, pictures, data sets, models and weights of a reader's own."""
    folder = tmp_path_factory.mktemp("belongings")
    write_site(folder / "site", seed=SEED, cameras=3, people=4, seconds=4)
    for name, video in {"lobby": "lobby", "office": "office", "door": "corridor", "hall": "office"}.items():
        shutil.copy(folder / "site" / f"{video}.mp4", folder / f"{name}.mp4")
    (folder / "frames").mkdir()
    capture = cv2.VideoCapture(str(folder / "door.mp4"))
    for number in range(8):
        cv2.imwrite(str(folder / "frames" / f"{number}.jpg"), capture.read()[1])
    cv2.imwrite(str(folder / "somebody.jpg"), cv2.VideoCapture(str(folder / "lobby.mp4")).read()[1])
    write_people(folder / "Market-1501", FolderPlan("market", 6, 1, 2, 1, 2, 32))
    write_people(folder / "MARS", FolderPlan("mars", 6, 2, 2, 1, 2, 32))
    for person in range(8):
        for camera in range(3):
            at = folder / "tracklets" / f"camera{camera}" / str(person)
            at.mkdir(parents=True)
            for frame, crop in enumerate(coloured_noise(person, camera, 0, 4, (32, 16))):
                cv2.imwrite(str(at / f"{person * 60_000_000_000 + frame * 1_000_000_000}.jpg"), crop)
    shutil.copy(BUNDLED, folder / "mine.onnx")
    colour_network(folder / "osnet.onnx", inside=True)
    shutil.copy(SHIPPED, folder / "other.safetensors")
    torch.save(published_checkpoint(), folder / "Market1501.pth")
    return folder


@pytest.fixture
def mirror(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of a web server that has YOLOX-nano, where this machine has; empty where not."""
    try:
        videos: Path = request.getfixturevalue("shared_data")
    except pytest.skip.Exception:
        yield ""
        return
    (tmp_path / "mirror").mkdir()
    shutil.copy(videos.parent / "models" / YOLOX_NANO.also[-1], tmp_path / "mirror" / YOLOX_NANO.file)
    handler = partial(Quiet, directory=str(tmp_path / "mirror"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def reader(tmp_path: Path, belongings: Path, mirror: str, free_port: Callable[[], int]) -> Iterator[Reader]:
    """Somebody in a folder with those belongings, whose home is empty and who has a Redis, not Kafka."""
    folder = tmp_path / "work"
    shutil.copytree(belongings, folder)
    (tmp_path / "home").mkdir()
    environment = {
        "HOME": str(tmp_path / "home"),
        "CLIMBTRACK_WORKER_THREADS": "1",
        "CLIMBTRACK_KAFKA_SERVERS": "127.0.0.1:1",
        "CLIMBTRACK_KAFKA_REPLICATION_FACTOR": "1",
    }
    if mirror:
        environment["CLIMBTRACK_WORKER_MIRROR"] = mirror
    else:
        environment |= {"CLIMBTRACK_WORKER_DETECTOR": "bundled", "CLIMBTRACK_WORKER_DOWNLOAD": "false"}
    (tmp_path / "redis").mkdir()
    with PrivateRedis(tmp_path / "redis") as redis:
        environment["CLIMBTRACK_REDIS_URL"] = redis.url
        with Reader(folder, environment, {name: free_port() for name in PROBED}, bool(mirror)) as made:
            yield made


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(block.commands for block in blocks(page))], ids=lambda page: page.stem
)
def test_a_page_does_what_it_says(page: Path, reader: Reader) -> None:
    need(found=shutil.which("curl") is not None, what="curl")
    if re.search("climbtrack (kafka|cluster up)", page.read_text()):
        missing = missing_tools()
        need(found=not missing, what=f"{' and '.join(missing)}, to start Kafka")
    reader.read(page)
    assert not reader.failures, "\n\n".join(reader.failures)


def test_nothing_is_excused_or_made_smaller_that_no_page_has() -> None:
    words = [command.words for command in commands()]
    texts = "\n".join(page.read_text() for page in PAGES)
    assert [documented for documented, _ in STAND_INS if documented not in texts] == []
    for pattern, _ in (*SMALLER, *NOT_RUN):
        assert any(re.match(pattern, line) for line in words), pattern
    assert sum(bool(excuse(command)) for command in commands()) <= 14


@pytest.mark.parametrize(
    ("shown", "answered", "differs"),
    [
        pytest.param({"a": 1, "b": [{"c": 2}]}, {"b": [{"c": 9}, {"d": 0}], "a": None}, False, id="other values"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, True, id="a new key"),
        pytest.param({"a": [{"b": 1}]}, {"a": [{"c": 1}]}, True, id="another key below"),
        pytest.param({"a": [1]}, {"a": []}, True, id="nothing answered"),
        pytest.param({"a": {}}, {"a": 3}, True, id="no object"),
    ],
)
def test_an_example_differs_from_an_answer_of_other_keys(shown: object, answered: object, differs: bool) -> None:
    assert bool(difference(shown, answered)) is differs
