"""Servers and data that tests share. What is missing skips a test here, and fails it under CI=true."""

import logging
import multiprocessing.popen_fork
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

from deploy import kafka_server
from wire.bus import Bus, TopicSpec
from wire.kafka.bus import KafkaBus
from wire.memory import MemoryBus
from wire.settings import KafkaSettings

# Examples by the hundred are for a quiet evening; a deadline measures the neighbours of a shared machine.
settings.register_profile("suite", max_examples=40, deadline=None)
settings.load_profile("suite")

MISSING = ": missing"
PATIENCE_S = 120.0  # with what takes a second on an idle machine, on one that has thirty times as much to do

# The threads of numpy and torch wait for each other by turning: beside other work two take thirty times the processor
# time of one. A plugin has imported numpy already; torch reads this later, and the processes that tests start.
threadpool_limits(1)
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

LOGGERS = ("wire", "ingest", "reid_worker", "gallery", "deploy", "training", "kafka")

BUS_TOPICS = (
    TopicSpec("frames", partitions=4, retention_s=600),
    TopicSpec("tracklets", partitions=4, retention_s=600),
    TopicSpec("dead-letters", partitions=1, retention_s=600),
    TopicSpec("cameras", partitions=4, retention_s=None),
)


def need(*, found: bool, what: str) -> None:
    """Skip the test that asks when `what` is missing; under CI=true it fails."""
    if found:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}: missing, and CI runs everything")
    pytest.skip(f"{what}{MISSING}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> None:
    """Make a test that ran out of time a failure like any other.

    The alarm may interrupt a loop where Python knows no line, for which pytest's report raises a TypeError that ends
    the whole suite without a word about the test.
    """
    error = None if call.excinfo is None else call.excinfo.value
    if error is not None and give_lines(error):
        call.excinfo = pytest.ExceptionInfo.from_exception(error)


def give_lines(error: BaseException) -> bool:
    """Give every entry of the tracebacks of an error and its causes a line; return whether one had none."""
    chain = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None and all(
        one is not before for one in chain
    ):
        chain.append(before)
    entries = [(one, list(_entries(one.__traceback__))) for one in chain]  # not a mapping: an error may have no hash
    missing = [(one, found) for one, found in entries if any(entry.tb_lineno is None for entry in found)]
    for one, found in missing:
        after: TracebackType | None = None
        for entry in reversed(found):
            line = entry.tb_lineno if entry.tb_lineno is not None else entry.tb_frame.f_code.co_firstlineno
            after = TracebackType(after, entry.tb_frame, entry.tb_lasti, line)
        one.__traceback__ = after
    return bool(missing)


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Say in the very last line what could not be tested here, behind pytest's own."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reasons = [report.longrepr[2] for report in reporter.stats.get("skipped", []) if type(report.longrepr) is tuple]
        if line := not_tested(reasons, asked=os.environ.get("SERVERS") == "no"):
            reporter.write_line(line)


def not_tested(reasons: Iterable[str], *, asked: bool) -> str:
    """Return one line about what was missing, from the reasons of skipped tests; empty when nothing was.

    `asked` says so also when nothing was.
    """
    counts = Counter(
        reason.removeprefix("Skipped: ").removesuffix(MISSING) for reason in reasons if reason.endswith(MISSING)
    )
    if not counts:
        return "SERVERS=no: no test was skipped for a missing server" if asked else ""
    parts = "; ".join(f"{what} ({count})" for what, count in counts.most_common())
    total = counts.total()
    return f"Not tested: {total} {'test needs' if total == 1 else 'tests need'} what is missing here: {parts}"


@pytest.fixture(autouse=True, scope="session")
def no_forks() -> Iterator[None]:
    """Refuse to fork a Python process: it copies the locks that threads hold, Kafka's among them, and may wait forever.

    It does so once in hundreds of times, which no test of what the process makes would notice.
    """

    def refuse(*_: object) -> None:
        raise AssertionError('use multiprocessing.get_context("spawn"): a fork copies locks that other threads hold')

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiprocessing.popen_fork.Popen, "_launch", refuse)
        yield


@pytest.fixture(autouse=True)
def loggers_as_at_first() -> Iterator[None]:
    """Give every test the loggers of a fresh process: a service that ran in this one has set levels for all of it."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    _reset_loggers()
    yield
    root.setLevel(level)
    root.handlers = handlers
    _reset_loggers()


@pytest.fixture(autouse=True)
def threads_as_at_first() -> Iterator[None]:
    """Give every test the threads of torch of a fresh process: a command that ran in this one has set them for all."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _reset_loggers() -> None:
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
        logger.handlers = []


@pytest.fixture(scope="session")
def kafka_node() -> Iterator[kafka_server.KafkaNode]:
    """One real Kafka node, started for this run."""
    missing = kafka_server.missing_tools()
    need(found=not missing, what=f"{' and '.join(missing)}, to start Kafka")
    with kafka_server.start() as node:
        yield node


@pytest.fixture(scope="session")
def kafka_servers(kafka_node: kafka_server.KafkaNode) -> str:
    """Address of the real Kafka node."""
    return kafka_node.servers


@pytest.fixture
def kafka_settings(kafka_servers: str) -> KafkaSettings:
    """Settings whose topics and groups no other test sees, and that notice lost members quickly."""
    return settings_of_its_own(kafka_servers)


def settings_of_its_own(kafka_servers: str) -> KafkaSettings:
    """Return settings for new topics and groups, under which lost members are noticed quickly."""
    return KafkaSettings(
        servers=kafka_servers,
        topic_prefix=f"test-{uuid.uuid4().hex[:8]}-",
        session_timeout_ms=6000,
        heartbeat_interval_ms=200,
    )


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    """A bus of each kind, with `BUS_TOPICS`."""
    made: Bus
    if request.param == "memory":
        made = MemoryBus(topics=BUS_TOPICS)
    else:
        made = KafkaBus(request.getfixturevalue("kafka_settings"), topics=BUS_TOPICS)
    made.ensure_topics()
    yield made
    made.close()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of one real Redis on a unix socket, started for this run; tests share its databases 0 to 15."""
    program = shutil.which("redis-server")
    need(found=program is not None, what="redis-server")
    path = tmp_path_factory.mktemp("redis") / "socket"
    command = [str(program), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(path.parent)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _answers(path))
            yield f"unix://{path}"
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real videos: CLIMBTRACK_SHARED, else `../shared` beside the repository."""
    root = Path(__file__).parent.parent
    folder = Path(os.environ.get("CLIMBTRACK_SHARED") or root.parent / "shared")
    need(found=(folder / "data").is_dir(), what=f"shared data in {folder}")
    return folder / "data"


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Return a function that finds a free loopback port, another one each time."""
    found: set[int] = set()

    def find() -> int:
        while (port := kafka_server.free_port()) in found:
            pass
        found.add(port)
        return port

    return find


def wait_until(true: Callable[[], bool], *, timeout_s: float = PATIENCE_S) -> None:
    """Return when `true` says so; fail when it never does."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"not true within {timeout_s} s"
        time.sleep(0.02)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
