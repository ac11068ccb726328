"""What a cluster expects of supervisord, tried with small programs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.cluster.plan import Program
from deploy.cluster.supervisor import State, Supervisor
from deploy.errors import RunError
from deploy.topology import BY_NAME
from tests.conftest import wait_until

LIMIT_S = 120.0
STEADY = "trap 'echo stopped; exit' TERM; echo up; while :; do sleep 0.05; done"


def program(name: str, script: str, folder: Path | None = None) -> Program:
    return Program(name, BY_NAME[name.partition("-")[0]], ("sh", "-c", script), folder=folder)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Supervisor]]:
    """Start programs; the folder's name has what configuration files give a meaning."""
    running: list[Supervisor] = []
    folder = tmp_path / "a b;c #d%s 'e\" %(here)s"
    folder.mkdir()

    def start(*programs: Program) -> Supervisor:
        supervisor = Supervisor(programs, folder, {"SHARED": "1"}).__enter__()
        running.append(supervisor)
        for one in programs:
            supervisor.control.start(one)
        return supervisor

    yield start
    for supervisor in running:
        supervisor.__exit__(None, None, None)


def log_of(supervisor_folder: Path, name: str) -> str:
    (found,) = supervisor_folder.glob(f"a b*/logs/{name}.log")
    return found.read_text()


def state(supervisor: Supervisor, name: str) -> State:
    return supervisor.control.states()[name]


def test_what_dies_is_started_again(run: Callable[..., Supervisor], tmp_path: Path) -> None:
    supervisor = run(program("worker-1", STEADY), program("worker-2", "kill -9 $$"))
    wait_until(lambda: state(supervisor, "worker-1").word == "RUNNING", timeout_s=LIMIT_S)
    wait_until(lambda: state(supervisor, "worker-2").word == "BACKOFF", timeout_s=LIMIT_S)
    assert "exited: worker-2 (terminated by SIGKILL; not expected)" in log_of(tmp_path, "supervisord")


def test_services_stop_before_the_servers_that_they_need(run: Callable[..., Supervisor], tmp_path: Path) -> None:
    supervisor = run(program("kafka", STEADY), program("ingest", STEADY), program("gallery", STEADY))
    wait_until(lambda: all("up" in log_of(tmp_path, one) for one in ("kafka", "ingest", "gallery")), timeout_s=LIMIT_S)
    supervisor.stop()
    wait_until(supervisor.ended, timeout_s=LIMIT_S)
    ends = [line.split()[4] for line in log_of(tmp_path, "supervisord").splitlines() if " stopped: " in line]
    assert sorted(ends[:2]) == ["gallery", "ingest"]
    assert ends[2:] == ["kafka"]


def test_a_program_runs_in_its_folder_with_the_shared_variables(run: Callable[..., Supervisor], tmp_path: Path) -> None:
    own = tmp_path / "own # 100% 'folder'"
    own.mkdir()
    run(program("api", f"pwd; echo shared $SHARED; {STEADY}", own))
    wait_until(lambda: "up" in log_of(tmp_path, "api"), timeout_s=LIMIT_S)
    assert log_of(tmp_path, "api").splitlines()[:2] == [str(own), "shared 1"]


def test_a_command_that_is_not_there_is_named(run: Callable[..., Supervisor]) -> None:
    with pytest.raises(RunError, match="api cannot be started: "):
        run(Program("api", BY_NAME["api"], ("/no/such/program",)))
