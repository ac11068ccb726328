"""Run programs under supervisord: its configuration, its process, and questions to it over its socket."""

import getpass
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport

from deploy.cluster.plan import Program
from deploy.errors import RunError
from deploy.local.private_redis import end_with_parent

ANSWER_S = 20.0
LOG_BYTES = "20MB"  # of each process, twice
STEADY_S = 3  # who ends sooner is started again, after pauses, three times
COMING = {"STARTING", "RUNNING", "BACKOFF"}
INVALID_SETTING = 2  # exit code; starting again would not help


@dataclass(frozen=True, slots=True)
class State:
    """What supervisord says about a program.

    Attributes:
        word: `STOPPED`, `STARTING`, `RUNNING`, `BACKOFF` (ended early, starts again), `STOPPING`, `EXITED`, `FATAL`.
        pid: 0 while it does not run.
        code: How it ended last.
    """

    word: str
    pid: int
    code: int

    @property
    def ended(self) -> bool:
        """Return whether it ended by itself, whatever comes next."""
        return self.word in {"BACKOFF", "EXITED", "FATAL"}

    @property
    def given_up(self) -> bool:
        """Return whether it is not started again: supervisord says `EXITED` of whom it starts within a second, too."""
        return self.word == "FATAL" or (self.word == "EXITED" and self.code == INVALID_SETTING)


class Control:
    """Asks the supervisord at a socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def states(self) -> dict[str, State]:
        """Return the state of every program by name.

        Raises:
            RunError: Nobody answers.
        """
        try:
            with self._connected() as remote:
                rows = remote.getAllProcessInfo()
        except (OSError, HTTPException) as error:
            raise RunError("supervisord does not answer") from error
        return {row["name"]: State(row["statename"], row["pid"], row["exitstatus"]) for row in rows}

    def start(self, program: Program) -> None:
        """Start a program, and do not wait for it.

        Raises:
            RunError: It cannot be started at all.
        """
        try:
            with self._connected() as remote:
                remote.startProcess(f"{_group(program)}:{program.name}", False)  # noqa: FBT003
        except Fault as error:
            # One that has died before supervisord looked is an error too, but is started again like any that dies.
            if error.faultCode == Faults.SPAWN_ERROR and self.states()[program.name].word in COMING:
                return
            raise RunError(f"{program.name} cannot be started: {error.faultString}") from error

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """Yield a new connection: one that failed once fails for ever."""
        transport: Any = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            yield ServerProxy("http://127.0.0.1", transport=transport).supervisor
        finally:
            transport.close()


class Supervisor:
    """A supervisord for some programs, none of which is started yet; leaving the context stops all of them in order."""

    def __init__(self, programs: Sequence[Program], folder: Path, environment: Mapping[str, str]) -> None:
        self._programs = programs
        self._folder = folder
        self._environment = {**os.environ, **environment, **_expansions(programs, folder)}
        self._sockets = tempfile.TemporaryDirectory(prefix="climbtrack-")  # a socket's path has to be short
        self._environment["SUPERVISED_SOCKET"] = str(self.socket)
        self._process: subprocess.Popen[bytes] | None = None
        self.control = Control(self.socket)

    @property
    def socket(self) -> Path:
        """Return the path of its socket."""
        return Path(self._sockets.name) / "supervisor.sock"

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            RunError: It does not start; the message says why.
        """
        (self._folder / "logs").mkdir(exist_ok=True)
        config, out = self._folder / "supervisord.conf", self._folder / "logs" / "supervisord.out"
        config.write_text(configuration(self._programs))
        with out.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=self._environment,
                start_new_session=True,  # Ctrl-C must not reach the programs: they are stopped one after the other
                preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, prepared before the fork
            )
        deadline = time.monotonic() + ANSWER_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise RunError(f"supervisord did not start:\n{out.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the programs, the last one first, and supervisord; what does not stop in time is killed."""
        if self._process is not None:
            if not self.ended():
                self._process.terminate()
            self._process.wait()
            self._process = None
        self._sockets.cleanup()

    def stop(self) -> None:
        """Have everything stop, and do not wait for it."""
        if self._process is not None:
            self._process.terminate()

    def ended(self) -> bool:
        """Return whether supervisord itself has ended, after everything else unless it was killed."""
        return self._process is None or self._process.poll() is not None

    def _answers(self) -> bool:
        try:
            self.control.states()
        except RunError:
            return False
        return True


def configuration(programs: Sequence[Program]) -> str:
    """Return the file for supervisord. Paths and commands come from the environment, since the file has no quoting."""
    user = f"user={getpass.getuser()}\n" if os.geteuid() == 0 else ""
    parts = [
        f"[supervisord]\nnodaemon=true\nsilent=true\npidfile=%(ENV_SUPERVISED_SOCKET)s.pid\n"
        f"logfile=%(ENV_SUPERVISED_LOGS)s/supervisord.log\nlogfile_maxbytes={LOG_BYTES}\nlogfile_backups=1\n{user}",
        "[unix_http_server]\nfile=%(ENV_SUPERVISED_SOCKET)s\nchmod=0700\n",
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n",
    ]
    for priority, (group, members) in enumerate(_groups(programs).items(), 1):
        names = ",".join(program.name for program in members)
        parts.append(f"[group:{group}]\nprograms={names}\npriority={priority}\n")
        parts += map(_section, members)
    return "\n".join(parts)


def _groups(programs: Sequence[Program]) -> dict[str, list[Program]]:
    """Return the programs by what is stopped together, the last first: services in any order, then their servers."""
    groups: dict[str, list[Program]] = {"servers": [], "services": []}
    for program in programs:
        groups[_group(program)].append(program)
    return {name: members for name, members in groups.items() if members}


def _group(program: Program) -> str:
    return "services" if program.process.kind == "service" else "servers"


def _section(program: Program) -> str:
    values = {
        "command": f"%(ENV_{_variable(program)})s",
        "autostart": "false",
        "autorestart": "unexpected",
        "exitcodes": str(INVALID_SETTING),
        "startsecs": str(STEADY_S),
        "startretries": "3",
        "stopwaitsecs": str(program.process.stop_s),
        "redirect_stderr": "true",
        "stdout_logfile": f"%(ENV_SUPERVISED_LOGS_TWICE)s/{program.name}.log",
        "stdout_logfile_maxbytes": LOG_BYTES,
        "stdout_logfile_backups": "1",
        "environment": ",".join(f'{name}="{value}"' for name, value in program.environment.items()),
    }
    if program.folder is not None:
        values["directory"] = f"%(ENV_{_variable(program)}_FOLDER)s"
    return f"[program:{program.name}]\n" + "".join(f"{key}={value}\n" for key, value in values.items())


def _expansions(programs: Sequence[Program], folder: Path) -> dict[str, str]:
    """Return the variables that the configuration refers to."""
    commands = {_variable(program): shlex.join(program.words) for program in programs}
    folders = {f"{_variable(one)}_FOLDER": str(one.folder) for one in programs if one.folder is not None}
    logs = str(folder / "logs")  # supervisord expands the logs of programs twice
    return {**commands, **folders, "SUPERVISED_LOGS": logs, "SUPERVISED_LOGS_TWICE": logs.replace("%", "%%")}


def _variable(program: Program) -> str:
    return f"SUPERVISED_{program.name.upper().replace('-', '_')}"
