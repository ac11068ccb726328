"""deploy/docker/try.sh where an engine hangs, a container ends again and again, or nothing gets healthy.

Programs in place of podman and docker-compose do what a test says; each case must end within its limit and say why.
"""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S
from tests.docs_tools import ROOT

NEVER = "exec sleep 600"
FINE = {"service": NEVER, "names": "echo climbtrack-try-kafka-1", "restarts": "echo 0", "check": "true", "rm": "true"}
UP = {"up": "true", "ps": "echo STATES", "logs": "echo LAST LINES", "down": "echo taken down"}


def program(path: Path, cases: str) -> None:
    path.write_text(f'#!/bin/bash\nset -f\nall=" $* "\n{cases}\n')
    path.chmod(0o755)


def tried(folder: Path, *, engine: dict[str, str], compose: dict[str, str], limit_s: int = 3) -> tuple[int, str]:
    """Run the script with these programs; return how it ended and all that it said, read from one pipe."""
    engine, compose = FINE | engine, UP | compose
    program(
        folder / "podman",
        'echo "$*" >>"$CALLS"\ncase "$1 $2" in\n'
        f'"system service") {engine["service"]};;\n"healthcheck run") {engine["check"]};;\n'
        f"ps*) {engine['names']};;\n*ls) echo left;;\ninspect*) {engine['restarts']};;\nrm*) {engine['rm']};;\nesac",
    )
    lines = "\n".join(f'*" {name} "*) {what};;' for name, what in compose.items())
    program(folder / "docker-compose", f'case "$all" in\n{lines}\nesac')
    wanted = {"PATH": f"{folder}:{os.environ['PATH']}", "ENGINE": "podman", "LIMIT_S": str(limit_s)}
    env = os.environ | wanted | {"CALLS": str(folder / "calls"), "CLIMBTRACK_PORT": "1"}
    done = subprocess.run(
        [ROOT / "deploy" / "docker" / "try.sh"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout


def test_what_ends_again_and_again_is_named_before_the_limit(tmp_path: Path) -> None:
    began_s = time.monotonic()
    code, said = tried(tmp_path, engine={"restarts": "echo 140"}, compose={"up": NEVER}, limit_s=600)
    assert code == 1
    assert "gave up: climbtrack-try-kafka-1 ended again and again; the last lines are above" in said
    assert said.index("LAST LINES") < said.index("gave up") < said.index("taken down")
    assert time.monotonic() - began_s < PATIENCE_S  # and not the ten minutes


def test_what_never_gets_healthy_is_waited_for_until_the_limit(tmp_path: Path) -> None:
    code, said = tried(tmp_path, engine={}, compose={"up": NEVER})
    assert code == 1
    assert "not everything was up within 3 s; what is still starting or unhealthy is above" in said
    assert said.index("STATES") < said.index("not everything")


def test_nobody_who_is_recognised_ends_it_too(tmp_path: Path) -> None:
    code, said = tried(tmp_path, engine={}, compose={})
    assert code == 1
    assert "nobody was recognised within 3 s" in said


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param({"check": "sleep 600 & disown; exec sleep 600"}, id="a health check that hangs"),
        pytest.param({"service": "kill -STOP $$"}, id="a service of podman that stands still"),
        pytest.param({"service": "exit 1"}, id="a service of podman that does not start"),
        pytest.param({"service": "trap '' TERM; while sleep 1; do :; done"}, id="a service that does not want to end"),
    ],
)
def test_an_engine_that_hangs_keeps_nobody_waiting(tmp_path: Path, engine: dict[str, str]) -> None:
    code, said = tried(tmp_path, engine=engine, compose={"up": NEVER})
    assert code == 1
    assert "not everything was up within 3 s" in said


def test_what_compose_leaves_is_removed_by_the_engine_itself(tmp_path: Path) -> None:
    code, said = tried(tmp_path, engine={}, compose={"up": "exit 1", "down": "exit 1"})
    assert code == 1
    assert "compose did not take everything down" in said
    calls = (tmp_path / "calls").read_text().splitlines()
    assert {"rm --force --volumes climbtrack-try-kafka-1", "volume rm left", "network rm left"} <= set(calls)
