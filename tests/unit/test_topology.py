"""The list of processes agrees with what the services do by default."""

import pytest
import yaml

from deploy.topology import BY_NAME, PROCESSES, SERVICES, Process
from gallery.config import ApiSettings, GallerySettings
from gallery.outputs.config import AlertSettings
from ingest.config import IngestSettings
from reid_worker.config import WorkerSettings
from tests.docs_tools import ROOT

DEFAULT_PORTS = {
    "ingest": IngestSettings().health_port,
    "worker": WorkerSettings.model_validate({}).health_port,
    "gallery": GallerySettings().health_port,
    "alerts": AlertSettings().health_port,
    "api": ApiSettings().port,
}


def test_services_listen_on_the_default_ports_of_their_settings() -> None:
    assert {service.name: service.port for service in SERVICES} == DEFAULT_PORTS


def test_what_a_process_needs_starts_before_it() -> None:
    names = [process.name for process in PROCESSES]
    for process in PROCESSES:
        assert all(names.index(needed) < names.index(process.name) for needed in process.needs), process.name


def test_names_ports_and_volumes_are_unique() -> None:
    volumes = [volume.name for process in PROCESSES for volume in process.volumes]
    assert len(BY_NAME) == len({process.port for process in PROCESSES}) == len(PROCESSES)
    assert len(set(volumes)) == len(volumes)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_prometheus_scrapes_every_service_where_it_listens(service: Process) -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    targets = [target for job in config["scrape_configs"] for target in job["static_configs"]]
    assert {"targets": [f"127.0.0.1:{service.port}"], "labels": {"service": service.label}} in targets
