"""The list of processes agrees with what the services do by default."""

import re
from typing import Any

import pytest
import yaml

from deploy.topology import BY_NAME, PROCESSES, SERVICES, Process
from docs.tables import SECTIONS
from gallery.config import ApiSettings, GallerySettings
from gallery.outputs.config import AlertSettings
from gallery.recording.config import RecordingSettings
from ingest.config import IngestSettings
from reid_worker.config import WorkerSettings
from tests.docs_tools import ROOT

DEFAULT_PORTS = {
    "ingest": IngestSettings().health_port,
    "worker": WorkerSettings.model_validate({}).health_port,
    "gallery": GallerySettings().health_port,
    "alerts": AlertSettings().health_port,
    "recorder": RecordingSettings().health_port,
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


def test_a_volume_that_is_read_is_written_by_one_process() -> None:
    written = [volume for process in PROCESSES for volume in process.volumes]
    assert [volume for process in PROCESSES for volume in process.reads if volume not in written] == []


def test_the_recorder_and_the_api_share_the_default_folder_of_recordings() -> None:
    folder = str(RecordingSettings().folder)
    assert [volume.path for volume in BY_NAME["recorder"].volumes] == [folder]
    assert [volume.path for volume in BY_NAME["api"].reads] == [folder]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_service_names_its_section_of_the_settings(service: Process) -> None:
    section = next(section for section in SECTIONS if section.section == service.settings)
    assert service.port in {getattr(section.model_validate({}), key, None) for key in ("port", "health_port")}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_prometheus_scrapes_every_service_where_it_listens(service: Process) -> None:
    """Of a service that runs only where it is asked for, the lines are there as a comment, since it would be `down`."""
    shipped = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    target = {"targets": [f"127.0.0.1:{service.port}"], "labels": {"service": service.label}}
    assert (target in static_targets(shipped)) is not service.optional
    assert target in static_targets(re.sub(r"^( +)# (?=- targets|  labels)", r"\1", shipped, flags=re.MULTILINE))


def static_targets(text: str) -> list[dict[str, Any]]:
    return [target for job in yaml.safe_load(text)["scrape_configs"] for target in job["static_configs"]]
