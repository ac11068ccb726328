"""A real Prometheus scrapes every service of a cluster."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import need, wait_until
from tests.servers.cluster import Cluster, SiteOnDisk

pytestmark = [pytest.mark.kafka, pytest.mark.prometheus, pytest.mark.timeout(600)]

SERVICES = ("ingest", "worker", "gallery", "api")
SHIPPED = Path(__file__).parents[2] / "deploy" / "prometheus" / "prometheus.yml"


def config_for(ports: dict[str, int]) -> dict[str, Any]:
    """Return the shipped configuration with the ports of this test, scraping at once."""
    config: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
    config["global"]["scrape_interval"] = "1s"
    for target, service in zip(config["scrape_configs"][0]["static_configs"], SERVICES, strict=True):
        target["targets"] = [f"127.0.0.1:{ports[service]}"]
    return config


def ask(port: int, query: str) -> dict[str, float]:
    """Return the value of a query by service label."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": query})
    except httpx.TransportError:
        return {}
    if answer.status_code != httpx.codes.OK:  # while it starts, it says so in plain text
        return {}
    return {row["metric"].get("service", ""): float(row["value"][1]) for row in answer.json()["data"]["result"]}


def test_prometheus_scrapes_all_four_services(
    cluster: Cluster, site: SiteOnDisk, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    program = shutil.which("prometheus")
    need(found=program is not None, what="prometheus")
    # Given a cluster that has watched a site
    for service in SERVICES:
        cluster.start(service)
    specs = site.specs(cluster.site_id)[:1]
    cluster.add_cameras(specs)
    cluster.wait_until_done(specs)
    # When Prometheus runs with the shipped configuration
    path, port = tmp_path / "prometheus.yml", free_port()
    path.write_text(yaml.safe_dump(config_for(cluster.ports)))
    command = [str(program), f"--config.file={path}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        try:
            # Then every service is up, and counts what it did
            wait_until(lambda: set(ask(port, "up == 1")) == {"ingest", "reid_worker", "gallery", "api"}, timeout_s=60)
            frames = ask(port, "sum by (service) (climbtrack_ingest_frames_total)")
            people = ask(port, "climbtrack_gallery_identities")
        finally:
            process.terminate()
            process.wait()
    assert frames["ingest"] == cluster.progress()[specs[0].camera_id].frames
    assert people["gallery"] == len(cluster.store.identities(0, 100))
