"""A real Prometheus scrapes every service of a cluster: rules, dashboards and documented metrics are about what is."""

import math
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from docs.dashboards import read_dashboards
from docs.tables import metrics
from tests.conftest import PATIENCE_S, need, wait_until
from tests.docs_tools import ROOT
from tests.servers.cluster import Cluster, SiteOnDisk
from tests.servers.rtsp import need_rtsp_server, serving
from wire.messages import CameraSpec

pytestmark = [pytest.mark.kafka, pytest.mark.prometheus, pytest.mark.rtsp, pytest.mark.timeout(1200)]

SERVICES = ("ingest", "worker", "gallery", "alerts", "api")
OPTIONAL = ("recorder",)
SHIPPED = ROOT / "deploy" / "prometheus"
CHOSEN = {"$job": "climbtrack", "$camera": ".*", "$__rate_interval": "30s"}
# Panels that may be empty: what another exporter tells, and what is measured only with thousands of people.
MAY_BE_EMPTY = {"GPU busy", "GPU memory", "GPU decoder busy", "Recall of the index", "One search"}
BUSY = {"ClimbtrackLatencyBudgetBurnsFast", "ClimbtrackLatencyBudgetBurnsSlowly"}  # true alarms of a busy machine
BOUNDED = {"camera", "cause", "decision", "device", "dtype", "fault", "file", "le", "mode", "model_id", "outcome",
           "python", "reason", "scan", "server", "service", "stage", "topic", "version", "when"}  # fmt: skip


class Prometheus:
    """A Prometheus with the shipped configuration and rules, for the ports of a cluster, which looks every second."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Return the series of a query; none while it starts."""
        try:
            answer = httpx.get(f"{self._url}/query", params={"query": query}, timeout=PATIENCE_S)
        except httpx.TransportError:
            return []
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return []
        assert answer.status_code == httpx.codes.OK, f"{query}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def values(self, query: str) -> dict[str, float]:
        """Return the value of a query by service label."""
        return {row["metric"].get("service", ""): float(row["value"][1]) for row in self.ask(query)}

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules with their health."""
        groups = httpx.get(f"{self._url}/rules", timeout=PATIENCE_S).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextmanager
def prometheus_of(ports: dict[str, int], folder: Path, port: int) -> Iterator[Prometheus]:
    program = shutil.which("prometheus")
    need(found=program is not None, what="prometheus")
    config: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(SHIPPED / name) for name in config["rule_files"]]
    for target, service in zip(config["scrape_configs"][0]["static_configs"], SERVICES, strict=True):
        target["targets"] = [f"127.0.0.1:{ports[service]}"]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    command = [str(program), f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        try:
            yield Prometheus(port)
        finally:
            process.terminate()
            process.wait()


def test_rules_and_dashboards_show_a_cluster_that_watches_a_live_camera(
    cluster: Cluster, site: SiteOnDisk, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    need_rtsp_server()
    # Given a cluster and a Prometheus as shipped
    for service in (*SERVICES, *OPTIONAL):
        cluster.start(service)
    recorded = [msgspec.structs.replace(spec, analysed_fps=4) for spec in site.specs(cluster.site_id)]
    with (
        serving(site.folder / f"{site.cameras[0]}.mp4") as camera,
        prometheus_of(cluster.ports, tmp_path, free_port()) as prometheus,
    ):
        live = CameraSpec(camera_id="live", site_id=cluster.site_id, url=camera.url(), analysed_fps=2)
        wait_until(lambda: len(prometheus.ask("up == 1")) == len(SERVICES))
        # When a live camera and recordings of others are watched
        cluster.add_cameras([live, *recorded])
        # Then every panel soon shows something, every rule works, and nobody is alarmed
        cluster.wait(lambda: empty_panels(prometheus) <= MAY_BE_EMPTY, "every panel to show something")
        assert {rule["health"] for rule in prometheus.rules()} == {"ok"}
        firing = {row["metric"]["alertname"] for row in prometheus.ask('ALERTS{alertstate="firing"}')}
        assert firing <= BUSY
        people = prometheus.values("climbtrack_gallery_identities")
        assert people["gallery"] == len(cluster.store.identities(0, 100))
        # And all cameras were recorded
        cluster.wait(lambda: len(recorded_cameras(cluster)) == len(recorded) + 1, "every camera to be recorded")
    # And what the services export is what is documented, with labels that name nobody
    check_documented(cluster)


def empty_panels(prometheus: Prometheus) -> set[str]:
    """Return the titles of panels that show nothing."""
    return {
        panel.title
        for dashboard in read_dashboards(ROOT)
        for panel in dashboard.panels
        for expression in panel.lines.values()
        if all(math.isnan(float(row["value"][1])) for row in prometheus.ask(chosen(expression)))
    }


def chosen(expression: str) -> str:
    """Return an expression with the values of the dashboards' variables."""
    for name, value in CHOSEN.items():
        expression = expression.replace(name, value)
    return expression


def recorded_cameras(cluster: Cluster) -> set[Path]:
    return {path.parent.parent for path in (cluster.folder / "recordings").glob("*/*/*.mp4")}


def check_documented(cluster: Cluster) -> None:
    exported: set[str] = set()
    for service in (*SERVICES, *OPTIONAL):
        text = httpx.get(f"http://127.0.0.1:{cluster.ports[service]}/metrics", timeout=PATIENCE_S).text
        families = list(text_string_to_metric_families(text))
        exported |= {f"{one.name}{'_total' if one.type == 'counter' else ''}" for one in families}
        assert {label for one in families for sample in one.samples for label in sample.labels} <= BOUNDED
    assert exported == set(metrics())
