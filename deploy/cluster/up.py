"""Run a cluster on this machine: start everything in order, show its logs and failures, and stop it in reverse."""

import os
import shlex
import signal
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from threading import Event
from time import monotonic

from rich.console import Console
from rich.text import Text

from deploy import kafka_server
from deploy.cameras import configured_cameras
from deploy.cluster.changes import Change, Changes
from deploy.cluster.logs import LogFollower, tail
from deploy.cluster.plan import ClusterOptions, Plan, Program, make_plan
from deploy.cluster.servers import kafka_program, prometheus_programs, redis_program
from deploy.cluster.status import StatusFile, entry_of, print_state, why_not_ready
from deploy.cluster.supervisor import State, Supervisor
from deploy.errors import RunError
from deploy.local.data_dir import DataDir
from deploy.local.private_redis import RedisFolder, find_binary
from deploy.terminal import command, print_line
from wire.config_file import site_of
from wire.errors import TransientError
from wire.kafka.bus import KafkaBus
from wire.settings import KafkaSettings
from wire.signals import stop_on_signals

START_S = 300.0  # models are loaded, and perhaps a detector is downloaded
POLL_S = 0.25
SUPERVISOR = "supervisord"  # name of its log
COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "red")


def up(options: ClusterOptions, data_dir: Path, console: Console) -> None:
    """Start a cluster with its data in a folder, show what it logs, and stop it after a signal.

    Raises:
        SettingsError, UsageError: A setting is invalid, a port is in use, or the folder cannot be used.
        WireError, RunError: Java is missing, or a process does not start; the message has its last lines.
    """
    if data_dir.is_dir():
        with DataDir(data_dir):  # whoever uses it has its ports as well, which would be named instead
            pass
    plan = make_plan(options)
    kafka_server.check_tools()
    binary = find_binary()
    cameras = configured_cameras(options.config)
    for note in plan.notes:
        print_line(console, f"note: {note}")
    if not cameras:
        print_line(console, "note: the settings name no camera; `climbtrack cameras add` adds one to a running cluster")
    data_dir = data_dir.resolve()
    with (
        DataDir(data_dir) as held,
        closing(RedisFolder(data_dir, fsync="always", log="")) as redis,
        stop_on_signals() as stop,
    ):
        if not kafka_server.is_fetched():
            print_line(console, f"downloading Kafka {kafka_server.KAFKA_VERSION} with Maven, once")
        programs = (
            redis_program(redis, binary),
            kafka_program(plan, data_dir),
            *prometheus_programs(plan, data_dir),
            *plan.services(),
        )
        with Supervisor(programs, data_dir, plan.environment(redis.url, data_dir)) as supervisor:
            cluster = Cluster(programs, supervisor, data_dir, console, partial(make_topics, plan))
            try:
                cluster.start(stop)
                held.announce(site_of(options.config), f"http://{plan.addresses['api'].reachable}")
                cluster.watch(stop)
            finally:
                cluster.stop()


def make_topics(plan: Plan) -> str:
    """Make the topics on the cluster's Kafka; return why that is not possible yet, or nothing.

    Raises:
        WireError: They are there and cannot be used.
    """
    servers = plan.addresses["kafka"].reachable
    settings = KafkaSettings.load(plan.config, servers=servers, replication_factor=1, request_timeout_ms=5000)
    with closing(KafkaBus(settings)) as bus:
        try:
            bus.ensure_topics()
        except TransientError as error:
            return str(error)
    return ""


class Cluster:
    """Programs under a supervisor that runs.

    `make_topics` makes Kafka's topics, and returns why that is not possible yet, or nothing.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        supervisor: Supervisor,
        data_dir: Path,
        console: Console,
        make_topics: Callable[[], str],
    ) -> None:
        self._programs = programs
        self._make_topics = make_topics
        self._supervisor = supervisor
        self._data_dir = data_dir
        self._logs = LogFollower(data_dir / "logs", [*(one.name for one in programs), SUPERVISOR])
        self._console = console
        self._status = StatusFile(data_dir)
        self._states: dict[str, State] = {}
        self._changes = Changes()
        self._width = max(len(name) for name in ("cluster", *(program.name for program in programs)))

    def start(self, stop: Event) -> None:
        """Start every program once what it needs is ready; return when all are ready, or `stop` is set.

        Raises:
            RunError: A program ended, or is not ready in time; the message has its last lines.
        """
        self._status.write(self._supervisor.socket, self._programs)
        deadline = monotonic() + START_S
        waiting, ready = list(self._programs), set[str]()
        started: set[str] = set()
        while waiting and not stop.wait(POLL_S):
            self._start_those_with_all_they_need(waiting, ready, started)
            self._show_logs()
            self._check_start(started)
            reasons = {one.name: self._why_not_ready(one) for one in waiting if one.name in started}
            ready |= {name for name, reason in reasons.items() if not reason}
            waiting = [one for one in waiting if one.name not in ready]
            if waiting and monotonic() > deadline:
                name = waiting[0].name
                why = reasons.get(name, "waits for others")
                raise RunError(f"{name} is not ready after {START_S:g} s: {why}\n{self._tail(name)}")
        if not waiting:
            self._show_state()

    def watch(self, stop: Event) -> None:
        """Show logs, and which programs ended and were started again, until `stop` is set.

        Raises:
            RunError: The supervisor does not answer any more.
        """
        while not stop.wait(POLL_S):
            self._states = self._supervisor.control.states()
            self._show_logs()  # after that question: what ended was logged before it was answered
            for name, state in self._states.items():
                self._show(self._changes.next(name, state), name, state)

    def stop(self) -> None:
        """Stop everything, services before servers, and show what is logged meanwhile."""
        self._say("stopping the services, then the servers")
        if self._supervisor.ended():
            self._end_orphans()
        self._supervisor.stop()
        pause = Event()
        while not self._supervisor.ended():
            self._show_logs()
            pause.wait(POLL_S)
        self._show_logs()
        self._logs.close()
        self._status.remove()
        self._say("everything has stopped")

    def _start_those_with_all_they_need(self, waiting: Sequence[Program], ready: set[str], started: set[str]) -> None:
        kinds = {program.process.name for program in self._programs if program.name in ready}
        for program in waiting:
            if program.name not in started and kinds.issuperset(program.process.needs):
                self._supervisor.control.start(program)
                started.add(program.name)

    def _why_not_ready(self, program: Program) -> str:
        """Return why others must wait for a program; Kafka is waited for until it has the topics."""
        reason = why_not_ready(entry_of(program))
        return self._make_topics() if program.process.name == "kafka" and not reason else reason

    def _check_start(self, started: set[str]) -> None:
        self._states = self._supervisor.control.states()
        for name, state in self._states.items():
            self._changes.next(name, state)
            if name in started and state.ended:
                raise RunError(f"{name} ended while it started; its last lines:\n{self._tail(name)}")

    def _show_state(self) -> None:
        rows = self._status.rows()
        print_state(rows)
        where = f"--data-dir {shlex.quote(str(self._data_dir))}"
        print_line(self._console, f"data and logs are in {self._data_dir}; Ctrl-C stops everything")
        print_line(self._console, f"in another terminal: {command()} cluster status {where}")
        print_line(self._console, f"                     {command()} identities ls {where}")

    def _show(self, change: Change, name: str, now: State) -> None:
        if change == "given up":
            self._say(
                f"{name} ended with code {now.code} and is not started again; its last lines:\n{self._tail(name)}"
            )
        elif change == "started again":
            self._say(f"{name} ended and was started again (process {now.pid}); see its lines above")

    def _end_orphans(self) -> None:
        """End the programs of a supervisor that was killed."""
        for state in self._states.values():
            with suppress(ProcessLookupError):
                if state.pid:
                    os.kill(state.pid, signal.SIGTERM)

    def _show_logs(self) -> None:
        for name, line in self._logs.lines():
            if name != SUPERVISOR:
                self._print(name, line)
            elif " WARN " in line and "exited" in line:
                self._print("cluster", line.partition(" WARN ")[2])

    def _say(self, text: str) -> None:
        for line in text.splitlines():
            self._print("cluster", line)

    def _print(self, name: str, line: str) -> None:
        colour = COLOURS[sum(map(ord, name)) % len(COLOURS)]
        prefix = Text(f"{name:<{self._width}} | ", style=colour)
        self._console.print(Text.assemble(prefix, line), soft_wrap=True, highlight=False)

    def _tail(self, name: str) -> str:
        return tail(self._data_dir / "logs", name)
