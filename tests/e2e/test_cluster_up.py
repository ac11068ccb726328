"""`climbtrack cluster up`, as an operator has it: one command, real Kafka, Redis and Prometheus, people over HTTP."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.kafka_server import missing_tools
from reid_worker.detectors.choose import BUNDLED
from tests.conftest import PATIENCE_S, need, wait_until
from tests.docs_tools import ROOT
from training.synthetic.site import write_site

pytestmark = [pytest.mark.kafka, pytest.mark.prometheus, pytest.mark.timeout(1200)]

LIMIT_S = 300.0
CLIMBTRACK = (sys.executable, "-m", "deploy.cli")


class Up:
    """A running `climbtrack cluster up` over a generated site, and what it printed."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.data = folder / "data"
        self._out = folder / "out"
        words = [*CLIMBTRACK, "cluster", "up", "--config", str(folder / "site.yaml"), "--data-dir", str(self.data)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CLIMBTRACK_")}
        with self._out.open("w") as out:
            self.process = subprocess.Popen(
                [*words, "--kafka-port", "0", "--prometheus-port", "0", *options],
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        """Return what it printed so far."""
        return self._out.read_text()

    def wait_for(self, words: str) -> None:
        """Return when it has printed something; fail when it ends before."""

        def there() -> bool:
            assert words in self.text or self.process.poll() is None, self.text
            return words in self.text

        wait_until(there, timeout_s=LIMIT_S)

    def status(self) -> dict[str, dict[str, Any]]:
        """Return what `climbtrack cluster status` says of every process."""
        words = [*CLIMBTRACK, "cluster", "status", "--data-dir", str(self.data), "--json"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
        return {one["name"]: one for one in json.loads(done.stdout)["processes"]}

    def people(self, address: str) -> int:
        """Return how many people the API knows."""
        return len(httpx.get(f"{address}/v1/identities", timeout=PATIENCE_S).json()["identities"])

    def clips(self, address: str) -> int:
        """Return how many clips of the camera the API has of this hour."""
        now = time.time()
        times = {"from": f"{now - 1800:.0f}", "to": f"{now + 1800:.0f}"}
        found = httpx.get(f"{address}/v1/cameras/one/recordings", params=times, timeout=PATIENCE_S)
        return len(found.json()["clips"])

    def interrupt(self) -> None:
        """Press Ctrl-C and wait."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(LIMIT_S) == 0, self.text

    def close(self) -> None:
        """End what is left."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(LIMIT_S)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    missing = missing_tools()
    need(found=not missing, what=f"{' and '.join(missing)}, to start Kafka")
    for program in ("redis-server", "prometheus"):
        need(found=shutil.which(program) is not None, what=program)
    write_site(tmp_path / "site", seed=31, cameras=1, people=2, seconds=6)
    (video,) = (tmp_path / "site").glob("*.mp4")
    (tmp_path / "site.yaml").write_text(
        f"cameras: {{one: {{url: '{video}', loop: true, realtime: true}}}}\n"
        f"ingest: {{health_port: 0}}\nworker: {{health_port: 0, threads: 1, detector: '{BUNDLED}'}}\n"
        "gallery: {health_port: 0}\nalerts: {health_port: 0}\napi: {port: 0}\n"
        "recording: {cameras: all, health_port: 0}\n"
    )
    running = Up(tmp_path)
    yield running
    running.close()


def gone(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_cluster_finds_people_survives_a_kill_stops_and_goes_on(up: Up, tmp_path: Path) -> None:
    # Given everything, started by one command
    up.wait_for("Ctrl-C stops everything")
    before = up.status()
    assert {name: one["state"] for name, one in before.items()} == dict.fromkeys(
        ("redis", "kafka", "prometheus", "api", "gallery", "alerts", "recorder", "worker-1", "worker-2", "ingest"),
        "ready",
    )
    # When people walk by, the API knows them
    api = before["api"]["address"]
    wait_until(lambda: up.people(api) > 0, timeout_s=LIMIT_S)
    # And it has what the recorder keeps, in the data folder: first of the segment that is being written, then finished
    wait_until(lambda: up.clips(api) > 0, timeout_s=LIMIT_S)
    wait_until(lambda: any((up.data / "recordings").glob("*/*/*.mp4")), timeout_s=LIMIT_S)
    # When a process is killed, it is started again and named, below the supervisor's own line
    os.kill(before["gallery"]["pid"], signal.SIGKILL)
    up.wait_for("gallery ended and was started again")
    assert re.search(r"exited: gallery \(terminated by SIGKILL(.*\n)*.*gallery ended and was started again", up.text)
    wait_until(lambda: up.status()["gallery"]["state"] == "ready", timeout_s=LIMIT_S)
    # When Prometheus is asked, it sees every service
    query = {"query": "count(up{job='climbtrack'} == 1)"}
    metrics = f"{before['prometheus']['address']}/api/v1/query"
    wait_until(
        lambda: (
            [row["value"][1] for row in httpx.get(metrics, params=query, timeout=PATIENCE_S).json()["data"]["result"]]
            == ["7"]
        ),
        timeout_s=LIMIT_S,
    )
    assert 'climbtrack_ready{service="api"} 1.0' in httpx.get(f"{api}/metrics", timeout=PATIENCE_S).text
    # When Ctrl-C is pressed, everything ends and nothing is left
    pids, known = [one["pid"] for one in up.status().values()], up.people(api)
    began_s = time.monotonic()
    up.interrupt()
    print(f"stopped in {time.monotonic() - began_s:.1f} s")  # shown by pytest -rP
    assert gone(pids)
    assert not list(up.data.glob("cluster.json"))
    assert re.search(r"stopping the services, then the servers\n(.*\n)*.*everything has stopped", up.text)
    # When it is started again, it goes on with whom it knew
    again = Up(tmp_path, "--workers", "1", "--no-prometheus")
    try:
        again.wait_for("api: http://")
        wait_until(lambda: "api" in again.status() and again.status()["api"]["state"] == "ready", timeout_s=LIMIT_S)
        assert again.people(again.status()["api"]["address"]) >= known
        again.interrupt()
    finally:
        again.close()
