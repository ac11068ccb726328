"""The images of deploy/docker on this machine: whether they are built, and how they are run."""

import faulthandler
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import MISSING, wait_until
from tests.docs_tools import ROOT

CPU_IMAGES = ("ingest", "gallery", "alerts", "recorder", "api", "worker")
DEMO_IMAGES = (
    *(f"climbtrack/{name}" for name in (*CPU_IMAGES, "camera")),
    "apache/kafka:4.1.0",
    "redis:7.2.11-bookworm",
)
PROMETHEUS = "prom/prometheus:v3.5.0"
ENGINES = ("docker", "podman")
BUILDING = "CLIMBTRACK_IMAGES_ARE_BUILT_IN"  # set by .ci/run, which builds them beside the tests
UNTIL = "CLIMBTRACK_IMAGES_ARE_TRIED_UNTIL"  # Unix time in s, set by .ci/run: what is left after it is for other tests
FOLDER = ROOT / ".cache" / "images"
BUILT, FORBIDDEN = "0", "77"  # how tests/servers/images.sh ended
OUT_OF_TIME = ("124", "137")  # as timeout says it of what ended when asked, and of what had to be killed
DOWN_S = 400  # to show what did not come up, and to take it down
BUILD_S = 900  # longer than .ci/run lets it take


@dataclass(frozen=True, slots=True)
class Engine:
    """Docker or podman, with the configuration under which it can run the images.

    Attributes:
        environment: What its programs need besides ours.
    """

    name: str
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str) -> "subprocess.CompletedProcess[str]":
        env = os.environ | self.environment
        return subprocess.run([self.name, *words], env=env, capture_output=True, text=True, check=False)

    def has(self, *images: str) -> bool:
        """Tell whether all these images are here."""
        return all(self("image", "inspect", image).returncode == 0 for image in images)

    def run(self, image: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of an image with no network, no capability and nothing to write but memory."""
        bounds = ("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        entry = ("--tmpfs", "/tmp", "--entrypoint", words[0])
        return self("run", "--rm", *bounds, *entry, f"climbtrack/{image}", *words[1:])

    def try_demo(self, port: int, limit_s: int) -> "subprocess.CompletedProcess[str]":
        """Bring the demo of the compose file up until somebody is known, and down again."""
        words = ["timeout", "--kill-after=60", str(limit_s + DOWN_S), "deploy/docker/try.sh", *self._options()]
        profiles = "cpu,demo,monitoring" if self.has(PROMETHEUS) else "cpu,demo"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # docker-compose is beside this Python
        wanted = {"PATH": path, "COMPOSE_PROFILES": profiles, "CLIMBTRACK_PORT": str(port), "LIMIT_S": str(limit_s)}
        env = os.environ | self.environment | wanted | {"ENGINE": self.name}
        # Into files: what an engine leaves running would hold a pipe open, and be waited for.
        with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as warned:
            done = subprocess.run(words, cwd=ROOT, env=env, stdout=said, stderr=warned, text=True, check=False)
            said.seek(0)
            warned.seek(0)
            return subprocess.CompletedProcess(words, done.returncode, said.read(), warned.read())

    def _options(self) -> list[str]:
        """Return what mounts torch into a worker that has none."""
        if not self.run("worker", "python3", "-c", "import torch").returncode:
            return []
        mount = FOLDER / "mount-torch.yaml"
        if not mount.exists():
            pytest.skip(f"the worker's image has no torch, and {mount}, which would mount one, was not written")
        return ["--file", str(mount)]


def usable_engine() -> Engine:
    """Return an engine that can run the images.

    Where something builds them meanwhile, wait for it. Then only a machine that forbids containers, or is too busy to
    build them in time, skips the test, also under CI=true: no change of ours can mend that. A build that fails is a
    failure.
    """
    folder = os.environ.get(BUILDING)
    if folder is not None:
        await_build(Path(folder))
        leave_time(time.time())
    give_up = pytest.skip if folder is None else pytest.fail
    found = [Engine(name, _configuration(name)) for name in ENGINES if shutil.which(name)]
    engines = [one for one in found if one.has(*DEMO_IMAGES)]
    if not engines:
        give_up("no engine here has the images")
    tried = engines[0].run("ingest", "id")
    if tried.returncode:
        give_up(f"{engines[0].name} has the images and cannot run them: {tried.stderr.strip()[-300:]}")
    return engines[0]


def await_build(folder: Path, limit_s: float = BUILD_S) -> None:
    """Return when tests/servers/images.sh has built the images in a folder."""
    outcome = folder / "outcome"
    faulthandler.cancel_dump_traceback_later()  # pytest takes whoever waits this long for one that hangs
    with suppress(AssertionError):
        wait_until(outcome.exists, timeout_s=limit_s)
    code = outcome.read_text().strip() if outcome.exists() else OUT_OF_TIME[0]
    lines = (folder / "log").read_text(errors="replace").splitlines() or ["nothing was logged"]
    if code in OUT_OF_TIME:  # a busy machine is no fault of a change; the last line of the run says what it left out
        pytest.skip(f"images, which were not built in time beside the tests (last: {lines[-1]}){MISSING}")
    if code == FORBIDDEN:
        pytest.skip(f"containers ({lines[-1]}){MISSING}")
    if code != BUILT:
        pytest.fail("\n".join([*lines[-40:], f"building the images ended with {code}"]), pytrace=False)


def leave_time(now_s: float) -> None:
    """Skip the images where a slow machine needs what is left of the time for all other tests."""
    if now_s > float(os.environ.get(UNTIL, "inf")):
        pytest.skip(f"images, which were built too late to be tried in time{MISSING}")


def _configuration(name: str) -> dict[str, str]:
    """Return what images.sh has built with, where podman's own configuration does not do."""
    known = FOLDER / "containers.conf"
    if name != "podman" or "CONTAINERS_CONF" in os.environ or not known.exists():
        return {}
    return {"CONTAINERS_CONF": str(known)}
