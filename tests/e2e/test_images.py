"""The images as they are built, and the demo of the compose file from its camera to an identity.

Building them takes longer than all tests together, so these run where an engine has them (docs/containers.md).
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs_tools import ROOT

CPU_IMAGES = ("ingest", "gallery", "alerts", "recorder", "api", "worker")
ENGINES = ("docker", "podman")
USER = "10001"
DEMO_S = 1200
MORE = "CLIMBTRACK_TRY_OPTIONS"  # such as `--file mount-torch.yaml`, for a worker image without torch


class Engine:
    """Docker or podman."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([self._name, *words], capture_output=True, text=True, check=False)

    def has_images(self) -> bool:
        """Tell whether all images of the CPU are built."""
        return all(self("image", "inspect", f"climbtrack/{name}").returncode == 0 for name in CPU_IMAGES)

    def run(self, image: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of an image with no network, no capability and nothing to write but memory."""
        bounds = ("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        entry = ("--tmpfs", "/tmp", "--entrypoint", words[0])
        return self("run", "--rm", *bounds, *entry, f"climbtrack/{image}", *words[1:])


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Return an engine with the images; skip without one, also under CI=true, since what builds them is no test."""
    installed = [Engine(found) for name in ENGINES if (found := shutil.which(name))]
    usable = [one for one in installed if one.has_images()]
    if not usable:
        pytest.skip("no engine here has the images")
    return usable[0]


@pytest.mark.parametrize("image", CPU_IMAGES)
def test_an_image_runs_as_a_user_without_rights_on_a_file_system_that_cannot_be_written(
    image: str, engine: Engine
) -> None:
    assert engine.run(image, "id", "-u").stdout.strip() == USER
    assert engine.run(image, "touch", "/opt/climbtrack/mark").returncode != 0
    assert engine.run(image, "climbtrack", image, "--help").returncode == 0
    contents = json.loads(engine.run(image, "cat", "/opt/climbtrack/sbom.json").stdout)
    assert {"numpy", "pydantic"} <= {part["name"] for part in contents["components"]}


@pytest.mark.timeout(DEMO_S + 120)
def test_the_demo_knows_somebody_over_http_and_takes_everything_down_again(engine: Engine) -> None:
    words = ["deploy/docker/try.sh", *os.environ.get(MORE, "").split()]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # docker-compose is beside this Python
    env = os.environ | {"LIMIT_S": str(DEMO_S), "PATH": path}
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "the first identity after" in done.stdout
    assert "climbtrack" not in engine("ps", "--format", "{{.Names}}").stdout
