"""Dockerfile, compose file and locks: linted by their own tools, and equal to the list of processes."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.cameras import configured_cameras
from deploy.topology import BY_NAME, PROCESSES, SERVICES, Process
from tests.conftest import need
from tests.docs_tools import ROOT
from wire.probe import asked

DOCKER = ROOT / "deploy" / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
TARGETS = (*(service.name for service in SERVICES), "worker-cuda")
LOCKS = {
    "ingest": ("base", "ingest", "otel"),
    "gallery": ("base", "gallery", "otel"),
    "worker-cpu": ("base", "worker", "otel"),
    "worker-cuda": ("base", "worker", "otel"),
}
# Installed in another form: torch from its own index, and one of two builds of the same module.
ELSEWHERE = {"torch", "opencv-python", "onnxruntime"}


def tool(name: str) -> str:
    """Return the path of a program beside this Python, as pip installs it."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    need(found=found is not None, what=name)
    return str(found)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file with all profiles, as docker-compose understands it."""
    done = understood("compose.yaml")
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


def understood(*files: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Return what docker-compose makes of files of deploy/, with all profiles, as JSON."""
    profiles = [word for name in ("cpu", "gpu", "recording", "monitoring", "demo") for word in ("--profile", name)]
    named = [word for file in files for word in ("--file", str(ROOT / "deploy" / file))]
    words = [tool("docker-compose"), *named, *profiles, "config", "--format", "json"]
    return subprocess.run(words, env=os.environ | variables, capture_output=True, text=True, check=False)


def bases(target: str) -> list[str]:
    """Return the stages that a target rests on, down to the first."""
    (below,) = re.findall(rf"^FROM (\S+) AS {target}$", DOCKERFILE, re.MULTILINE)
    return [] if "{" in below else [below, *bases(below)]


def stage(target: str) -> str:
    """Return the part of the Dockerfile that makes a target."""
    return re.split(r"^FROM ", DOCKERFILE[DOCKERFILE.index(f" AS {target}\n") :], maxsplit=1, flags=re.MULTILINE)[0]


def pinned(lock: str) -> dict[str, str]:
    text = (DOCKER / "locks" / f"{lock}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([tool("hadolint"), str(DOCKER / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_listens_and_is_probed_where_the_list_says(target: str) -> None:
    process = BY_NAME[target.removesuffix("-cuda")]
    assert re.findall(r"^EXPOSE (\d+)$", stage(target), re.MULTILINE) == [str(process.port)]
    assert f'"wire.probe", "http://127.0.0.1:{process.port}{process.alive}"' in stage(target)
    assert f'CMD ["{process.name}"]' in stage(target)


def test_every_final_stage_has_a_user_without_rights_and_tini() -> None:
    assert 'ENTRYPOINT ["/usr/bin/tini", "--", "climbtrack"]' in stage("runtime")
    for target in TARGETS:
        assert bases(target)[-1] == "runtime"
        assert re.findall(r"^USER (\S+)$", stage(target), re.MULTILINE) == ["10001:10001"]
    assert "USER 10001:10001" in stage("camera")


def test_what_installs_and_the_weights_stay_out_of_images_that_need_neither() -> None:
    carried = {target: "".join(stage(one) for one in (target, *bases(target))) for target in TARGETS}
    assert [target for target in TARGETS if "COPY --from=uv" in carried[target]] == []
    assert [target for target in TARGETS if "--from=code /weights" in carried[target]] == ["worker", "worker-cuda"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_change_of_code_leaves_the_layer_of_the_libraries_as_it_is(target: str) -> None:
    text = stage(bases(target)[0])
    libraries = max(text.find("install_libraries.sh /opt"), text.find("--from=worker-cuda-libraries /opt/climbtrack"))
    assert 0 < libraries < text.index("COPY --from=code /code")


def test_a_volume_of_an_image_belongs_to_the_user_of_its_container() -> None:
    """An empty volume takes over who owns the folder of the image that it is mounted at, whichever starts first."""
    made = " ".join(re.findall(r"install -d -o 10001 -g 10001 (.+?)(?: \\)?\n", stage("runtime")))
    assert {volume.path for service in SERVICES for volume in service.volumes} <= set(made.split())


def test_base_images_are_arguments_with_exact_versions() -> None:
    assert {base for base in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) if "{" in base} == {
        "${PYTHON_IMAGE}",
        "${CUDA_IMAGE}",
        "${DEBIAN_IMAGE}",
        "${UV_IMAGE}",
    }
    assert all(
        re.search(r":\d+\.\d+", image) for image in re.findall(r"^ARG \w+_IMAGE=(\S+)", DOCKERFILE, re.MULTILINE)
    )


@pytest.mark.parametrize("process", [one for one in PROCESSES if one.kind != "demo"], ids=lambda one: one.name)
def test_compose_runs_what_the_list_says(process: Process, compose: dict[str, Any]) -> None:
    service = compose[process.name]
    assert set(service.get("depends_on", {})) == set(process.needs)
    assert all(one["condition"] == "service_healthy" for one in service.get("depends_on", {}).values())
    mounted = {
        (one["source"], one["target"], one.get("read_only", False))
        for one in service.get("volumes", [])
        if one["type"] == "volume"
    }
    written = {(volume.name, volume.path, False) for volume in process.volumes}
    assert mounted == written | {(volume.name, volume.path, True) for volume in process.reads}
    assert service.get("deploy", {}).get("replicas", 1) == process.replicas
    probe = " ".join(service["healthcheck"]["test"])
    assert f":{process.port}{process.alive}" in probe or f"/{process.port}" in probe or process.name == "redis"
    assert service["stop_grace_period"] == f"{process.stop_s}s"
    assert (service.get("profiles") == ["recording"]) is process.optional


def test_compose_lets_nothing_have_more_than_it_needs(compose: dict[str, Any]) -> None:
    for name, service in compose.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("read_only", False) is (name != "kafka"), name
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", [])), name
    readers = {name: {one["source"] for one in service.get("secrets", [])} for name, service in compose.items()}
    assert {name: keys for name, keys in readers.items() if keys} == {
        "redis": {"redis-password"},
        "gallery": {"redis-password"},
        "alerts": {"redis-password"},
        "recorder": {"redis-password"},
        "api": {"redis-password", "api-token"},
    }


def test_redis_keeps_what_it_confirms_and_evicts_nothing(compose: dict[str, Any]) -> None:
    command = " ".join(compose["redis"]["command"])
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        assert option in command


def test_prometheus_finds_every_service_of_compose() -> None:
    (job,) = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
    found = {name: entry["port"] for entry in job["dns_sd_configs"] for name in entry["names"]}
    assert found == {service.name: service.port for service in SERVICES} | {"worker-cuda": BY_NAME["worker"].port}
    labels = {rule["replacement"] for rule in job["relabel_configs"] if "replacement" in rule}
    assert labels == {service.label for service in SERVICES if service.label != service.name}


def test_dashboards_run_in_a_grafana_that_the_user_names_with_no_more_than_it_needs() -> None:
    unnamed = understood("compose.yaml", "dashboards.yaml", GRAFANA_IMAGE="")
    assert unnamed.returncode != 0
    assert "names the image of a Grafana of yours" in unnamed.stderr
    done = understood("compose.yaml", "dashboards.yaml", GRAFANA_IMAGE="registry.example.org/grafana:1")
    assert done.returncode == 0, done.stderr
    service = json.loads(done.stdout)["services"]["dashboards"]
    assert service["image"] == "registry.example.org/grafana:1"
    assert (service["cap_drop"], service["read_only"]) == (["ALL"], True)
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [port["host_ip"] for port in service["ports"]] == ["127.0.0.1"]
    assert [secret["source"] for secret in service["secrets"]] == ["grafana-password"]
    assert {Path(one["source"]).name: one["target"] for one in service["volumes"] if one["type"] == "bind"} == {
        "grafana": "/etc/climbtrack/dashboards",
        "provisioning": "/etc/grafana/provisioning",
    }
    assert all(one["read_only"] for one in service["volumes"] if one["type"] == "bind")


def test_no_image_of_grafana_is_named_by_us() -> None:
    texts = [path.read_text() for path in (ROOT / "deploy").rglob("*.yaml")]
    assert [text for text in texts if re.search(r"image:.*grafana/", text)] == []


def test_grafana_is_given_the_prometheus_and_the_dashboards_of_compose(compose: dict[str, Any]) -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "climbtrack.yaml").read_text())["providers"]
    # The keys are those of Grafana's documentation on provisioning, which ignores what it does not know
    assert source.keys() <= {"name", "uid", "type", "access", "url", "isDefault", "editable", "jsonData"}
    assert provider.keys() == {
        "name",
        "type",
        "disableDeletion",
        "allowUiUpdates",
        "updateIntervalSeconds",
        "options",
    }
    host, port = source["url"].removeprefix("http://").split(":")
    assert int(port) == BY_NAME[host].port
    assert host in compose
    scraped = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped
    service = yaml.safe_load((ROOT / "deploy" / "dashboards.yaml").read_text())["services"]["dashboards"]
    mounted = dict(volume.split(":")[:2] for volume in service["volumes"])
    assert mounted["./grafana"] == provider["options"]["path"]
    home = service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "deploy" / "grafana" / Path(home).name).is_file()


def test_the_site_of_the_demo_can_be_read_and_names_its_camera() -> None:
    (spec,) = configured_cameras(DOCKER / "demo.yaml").values()
    assert spec.url.startswith(f"rtsp://camera:{BY_NAME['camera'].port}/")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_every_library_with_hashes_and_no_address(lock: str) -> None:
    text = (DOCKER / "locks" / f"{lock}.txt").read_text()
    entries = [entry for entry in re.split(r"\n(?=\w)", text) if "==" in entry]
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text
    names = {
        re.split(r"[<>=; ]", line)[0].lower().replace("_", "-")
        for listed in LOCKS[lock]
        for line in (ROOT / "requirements" / f"{listed}.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert names - ELSEWHERE - set(pinned(lock)) == set()
    assert not {"opencv-python"} & set(pinned(lock))


def imported(package: str) -> Iterator[str]:
    """Yield the modules that the files of a package import, wherever they do."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                yield node.module


@pytest.mark.parametrize("service", ["ingest", "gallery"])
def test_an_image_has_every_library_that_its_service_imports(service: str) -> None:
    names = {name.partition(".")[0] for package in ("wire", service) for name in imported(package)}
    libraries = names - sys.stdlib_module_names - {"wire", service}
    found = packages_distributions()
    known = {name: {one.lower().replace("_", "-") for one in found.get(name, [])} for name in libraries}
    assert {name for name, distributions in known.items() if not distributions & set(pinned(service))} == set()


def test_both_workers_have_one_build_of_each_module() -> None:
    cpu, cuda = pinned("worker-cpu"), pinned("worker-cuda")
    assert "onnxruntime" in cpu
    assert "onnxruntime-gpu" in cuda
    assert not {"torch", "onnxruntime-gpu"} & set(cpu)
    assert "onnxruntime" not in cuda
    (torch,) = re.findall(r"^torch==(\S+)$", (DOCKER / "locks" / "torch-cpu.txt").read_text(), re.MULTILINE)
    assert cuda["torch"] == torch


def test_the_list_of_an_image_names_what_its_wheels_bring(tmp_path: Path) -> None:
    words = [sys.executable, str(DOCKER / "sbom.py"), "--name", "worker", "--out", str(tmp_path / "sbom.json")]
    subprocess.run(words, check=True)
    document = json.loads((tmp_path / "sbom.json").read_text())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    licences = {
        (one["name"], one.get("description", "")): one["licenses"][0]["license"]["name"]
        for one in document["components"]
    }
    assert licences["libx264", "inside of the wheel av"] == "GPL-2.0-or-later"
    assert licences["libavcodec", "inside of the wheel av"] == "GPL-2.0-or-later"
    assert licences["numpy", ""].startswith("BSD")
    assert len({one["bom-ref"] for one in document["components"]}) == len(document["components"])


def test_a_probe_that_fails_says_why(free_port: Any) -> None:
    assert "Connection refused" in asked(f"http://127.0.0.1:{free_port()}/healthz")


def test_the_trial_takes_down_nothing_but_itself() -> None:
    installation = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["name"]
    script = (DOCKER / "try.sh").read_text()
    (project,) = re.findall(r"^project=(\S+)", script, re.MULTILINE)
    assert project != installation
    assert set(re.findall(r"--project-name (\S+)", script)) == {'"$project"'}
    assert set(re.findall(r"--filter (\"\S+?\")", script)) == {
        '"name=$project-redis"',
        '"name=$project-kafka"',
        '"$label"',
    }
    assert "\nlabel=label=com.docker.compose.project=$project\n" in script
