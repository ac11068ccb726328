"""What `make test` says about servers: before they are installed, and at the end about those it did without."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.conftest import not_tested

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "servers" / "install.sh"
PACKAGES = ("redis-server", "prometheus", "default-jre-headless", "maven", "gstreamer1.0-rtsp", "python3-gi")
TOOLS = ("bash", "env", "mktemp", "rm", "tail", "cat")


class Machine:
    """A path with nothing on it but what the script itself needs, and stand-ins that note how they were called."""

    def __init__(self, folder: Path) -> None:
        self.calls = folder / "calls"
        self._bin = folder / "bin"
        self._bin.mkdir()
        for tool in TOOLS:
            real = next(Path(part) / tool for part in os.defpath.split(":") if part and (Path(part) / tool).exists())
            (self._bin / tool).symlink_to(real)

    def put(self, name: str, body: str = "exit 0") -> None:
        path = self._bin / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>{self.calls}\n{body}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def debian(self, *, root: bool = True, installed: str = "") -> "Machine":
        self.put("dpkg-query", f"echo -n {installed}")
        self.put("apt-get")
        self.put("id", f"echo {0 if root else 1000}")
        return self

    def run(self, **environment: str) -> str:
        done = subprocess.run(
            ["bash", str(SCRIPT)],
            env={"PATH": str(self._bin), "TMPDIR": str(self.calls.parent), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout

    @property
    def installations(self) -> list[str]:
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if line.startswith("apt-get install")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_every_package_is_named_with_its_reason_before_it_is_installed(machine: Machine) -> None:
    said = machine.debian().run()
    for package in PACKAGES:
        (line,) = [line for line in said.splitlines() if line.strip().startswith(f"{package} ")]
        assert line.split(maxsplit=1)[1], f"no reason for {package}"
        assert package in machine.installations[0]
    assert said.index("will be installed now") < said.index("Installed.")


def test_only_what_is_missing_is_installed(machine: Machine) -> None:
    machine.debian().put("java")
    said = machine.run()
    assert "default-jre" not in said + machine.installations[0]
    assert "maven" in machine.installations[0]


def test_a_complete_machine_is_told_so_and_left_alone(machine: Machine) -> None:
    assert machine.debian(installed="installed").run() == "The servers that the tests run against are all here.\n"
    assert machine.installations == []


def test_servers_that_are_not_wanted_are_not_installed(machine: Machine) -> None:
    said = machine.debian().run(SERVERS="no")
    assert len(said.splitlines()) == 1
    assert "redis-server" in said
    assert machine.installations == []


def test_without_root_it_says_what_root_would_do(machine: Machine) -> None:
    said = machine.debian(root=False).run()
    assert "As root: apt-get install redis-server prometheus" in said
    assert machine.installations == []


def test_elsewhere_than_on_debian_it_says_what_is_missing(machine: Machine) -> None:
    said = machine.run()
    assert "redis-server" in said
    assert "apt-get install" not in said


def test_packages_that_cannot_be_had_are_named_and_the_tests_go_on(machine: Machine) -> None:
    machine.debian().put("apt-get", "echo E: no network; exit 100")
    said = machine.run()
    assert "E: no network" in said
    assert "could not be installed" in said


@pytest.mark.parametrize(
    ("reasons", "asked", "line"),
    [
        pytest.param([], False, "", id="nothing skipped"),
        pytest.param(["Skipped: no GPU"], False, "", id="skipped for another reason"),
        pytest.param([], True, "SERVERS=no: no test was skipped for a missing server", id="nothing to leave out"),
        pytest.param(
            ["Skipped: prometheus: missing", *["Skipped: redis-server: missing"] * 2],
            True,
            "Not tested: 3 tests need what is missing here: redis-server (2); prometheus (1)",
            id="two servers",
        ),
        pytest.param(
            ["Skipped: prometheus: missing"],
            False,
            "Not tested: 1 test needs what is missing here: prometheus (1)",
            id="one test",
        ),
    ],
)
def test_the_last_line_says_what_was_not_tested(reasons: list[str], asked: bool, line: str) -> None:
    assert not_tested(reasons, asked=asked) == line
