"""A whole system in this process: asked and changed while it runs, and what happens when a part of it ends."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import redis

from deploy.cli.main import main
from deploy.errors import RunError
from deploy.local.api_server import bind
from deploy.local.embedded import Embedded
from deploy.local.settings import EmbeddedSettings
from deploy.local.watch import CameraTotals, Watch
from tests.conftest import PATIENCE_S, wait_until
from training.synthetic.site import write_site

WAIT_S = 120.0


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded") / "data"


@pytest.fixture(scope="module")
def system(data_dir: Path) -> Iterator[Embedded]:
    """A system that these tests share; their cameras have names of their own."""
    with embedded(data_dir) as running:
        yield running


@contextmanager
def embedded(data_dir: Path) -> Iterator[Embedded]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIMBTRACK_WORKER_DETECTOR", "hog")  # needs no file
        patch.setenv("CLIMBTRACK_WORKER_THREADS", "1")
        patch.setenv("CLIMBTRACK_API_CAMERA_FOLDERS", "/")
        with bind("127.0.0.1", 0) as taken, Embedded(EmbeddedSettings.load(None), data_dir, "mall", taken) as running:
            yield running


def test_cameras_come_and_go_while_it_runs(
    system: Embedded, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a video
    watch = Watch(system.bus)
    (name,) = write_site(tmp_path / "site", seed=1, cameras=1, people=1, seconds=1).cameras
    where = ["--data-dir", str(data_dir)]
    # When it is added over the API that the data folder tells of
    assert main(["cameras", "add", f"door={tmp_path}/site/{name}.mp4", *where]) == 0
    totals: dict[str, CameraTotals] = {}

    def done() -> bool:
        totals.update(watch.poll(0.0))
        return bool(totals) and system.finished(totals)

    wait_until(done, timeout_s=WAIT_S)
    # Then it is listed with what was done, and gone once it is removed
    capsys.readouterr()
    assert main(["cameras", "ls", "--json", *where]) == 0
    (camera,) = json.loads(capsys.readouterr().out)["cameras"]
    assert (camera["site_id"], camera["state"]["analysed"], camera["state"]["ended"]) == ("mall", 10, True)
    assert main(["cameras", "rm", "door", *where]) == 0
    assert httpx.get(f"{system.api_url}/v1/cameras", timeout=PATIENCE_S).json() == {"cameras": []}


def test_naming_a_camera_or_a_person_that_is_not_there_is_a_wrong_use(
    system: Embedded, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert system.api_url
    assert main(["cameras", "rm", "nowhere", "--data-dir", str(data_dir)]) == 2
    assert capsys.readouterr().err == "climbtrack: there is no camera 'nowhere'\n"
    assert main(["identities", "show", "999", "--data-dir", str(data_dir)]) == 2
    assert capsys.readouterr().err == "climbtrack: there is no identity 999\n"


def test_a_data_folder_in_use_is_said_by_a_second_run(
    system: Embedded, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--camera", "a=b", "--port", "0", "--data-dir", str(data_dir)]) == 1
    assert f"in use by another climbtrack run (process {os.getpid()}, {system.api_url})" in capsys.readouterr().err


def test_a_redis_that_dies_ends_the_run_with_its_cause(tmp_path: Path) -> None:
    with embedded(tmp_path) as system:
        system.check()
        with redis.Redis(unix_socket_path=str(tmp_path / "redis" / "redis.sock")) as client:
            os.kill(client.info("server")["process_id"], signal.SIGKILL)

        def never() -> bool:
            system.check()
            return False

        with pytest.raises(RunError, match="private Redis ended with code -9"):
            wait_until(never, timeout_s=WAIT_S)


def test_one_endpoint_shows_the_metrics_of_all_stages(system: Embedded) -> None:
    text = httpx.get(f"{system.api_url}/metrics", timeout=PATIENCE_S).text
    for stage in ("ingest", "reid_worker", "gallery"):
        assert f'climbtrack_consumer_lag{{service="{stage}"}}' in text
    assert httpx.get(f"{system.api_url}/readyz", timeout=PATIENCE_S).status_code == httpx.codes.OK
