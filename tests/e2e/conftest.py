"""What end-to-end tests share: one generated site, its embedded run, and clusters of processes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.conftest import need
from tests.page_tools import PATIENCE_MS
from tests.servers.cluster import Cluster, EmbeddedRun, SiteOnDisk
from training.synthetic.site import write_site
from wire.settings import KafkaSettings

UNSEEN_SEED = 4_711  # of these tests alone


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> SiteOnDisk:
    """A generated site of three cameras and six people, who are in nobody's training."""
    folder = tmp_path_factory.mktemp("site")
    summary = write_site(folder, seed=UNSEEN_SEED, cameras=3, people=6, seconds=30)
    return SiteOnDisk(folder, summary.cameras)


@pytest.fixture(scope="session")
def detector(shared_data: Path) -> Path:
    """YOLOX-nano, the detector that users have."""
    return shared_data.parent / "models" / "yolox-nano" / "yolox_nano_416x416.onnx"


@pytest.fixture(scope="session")
def embedded(site: SiteOnDisk, detector: Path, tmp_path_factory: pytest.TempPathFactory) -> EmbeddedRun:
    """The same site, run in one process by the command line."""
    folder = tmp_path_factory.mktemp("embedded")
    cameras = [part for name in site.cameras for part in ("--camera", f"{name}={site.folder / name}.mp4")]
    command = [
        sys.executable,
        "-m",
        "deploy.cli",
        "run",
        *cameras,
        "--json",
        "--port",
        "0",
        "--detector",
        str(detector),
    ]
    folders = ["--data-dir", str(folder / "data"), "--out", str(folder / "out")]
    environment = os.environ | {"CLIMBTRACK_WORKER_THREADS": "1"}  # as the workers of clusters have
    done = subprocess.run([*command, *folders], check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return EmbeddedRun(folder / "out", json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")  # while it is open no other event loop can run in this thread
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    need(found=program is not None, what="chromium, to open the page")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def cluster(
    tmp_path: Path, kafka_settings: KafkaSettings, redis_url: str, free_port: Callable[[], int], detector: Path
) -> Iterator[Cluster]:
    """A cluster without services yet; what is started in it ends with the test."""
    made = Cluster(tmp_path, kafka_settings, redis_url, free_port, detector)
    yield made
    made.stop()
