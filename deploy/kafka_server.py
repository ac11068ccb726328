"""Run one Apache Kafka node (KRaft, Java 17) from its Maven artifacts, on a loopback port.

Maven downloads the jars once to the cache folder. `prepare` makes a node whose data stays; `start` runs one whose data
is deleted at the end.
"""

import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from wire.bus import MAX_RECORD_BYTES
from wire.errors import TransientError, WireError
from wire.signals import stop_on_signals

KAFKA_VERSION = "4.4.0"
JAVA_VERSION = 17
LOG4J_VERSION = "2.25.5"  # the version this Kafka ships with; without its bridge Kafka's warnings are lost
OUT = "out"  # the log of a node
FETCH_TIMEOUT_S = 600
PORTS = range(20_000, 32_768)  # systems take the ports of outgoing connections from above these
START_TIMEOUT_S = 180  # ten seconds, on a busy two-core machine half a minute

_POM = f"""\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>climbtrack</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

# The first members of groups ask for one topic at once, and all but one of them are told that it exists.
_LOGGING = """\
<Configuration status="ERROR">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c: %m%n"/></Console></Appenders>
  <Loggers>
    <Logger name="org.apache.kafka.server.DefaultAutoTopicCreationManager" level="ERROR"/>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
"""

# Single node: replication factors are 1 instead of 3, and a first group member need not wait for others.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs=data
message.max.bytes={max_bytes}
replica.fetch.max.bytes={max_bytes}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""

# A small heap, and a JIT compiler that does not compete with the services being tried out.
_JAVA = ("java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class KafkaNode:
    """A running node; leaving the context stops it and deletes its data."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
        self.servers = f"127.0.0.1:{port}"
        self.process = process
        self._folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the node: its data is deleted anyway, so nothing needs flushing."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def wait_until_ready(self, port: int) -> None:
        """Wait until the node accepts connections on its port.

        Raises:
            TransientError: The node exited or did not respond in time; the message holds the end of its log.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise TransientError(f"Kafka did not start:\n{_tail(self._folder / OUT)}")


def start(port: int = 0, more: str = "") -> KafkaNode:
    """Download Kafka unless it is in the cache, and start a node; port 0 picks a free one.

    `more` holds additional lines of server properties, which override the defaults; `{port}` and `{controller_port}`
    are replaced by the port numbers.

    Raises:
        WireError: Java or Maven is not installed, or the port is in use.
        TransientError: The jars cannot be downloaded, or the node does not start.
    """
    check_tools()
    ports = _free_ports(port)
    libraries = fetch()
    folder = Path(tempfile.mkdtemp(prefix="climbtrack-kafka-"))
    try:
        command = prepare(folder, libraries, ports, more)
        with (folder / OUT).open("wb") as out:
            node = KafkaNode(subprocess.Popen(command, cwd=folder, stdout=out, stderr=out), folder, ports[0])
    except TransientError:
        shutil.rmtree(folder)
        raise
    try:
        node.wait_until_ready(ports[0])
    except TransientError:
        node.close()
        raise
    return node


def prepare(folder: Path, libraries: Path, ports: tuple[int, int], more: str = "") -> list[str]:
    """Write the files of a node into a folder and return the command to run there; data that is there is kept.

    `libraries` is the folder of the jars (`fetch`), `ports` are those of clients and of the controller, and `more` is
    explained in `start`. Paths are relative to the folder, since Kafka misreads some characters in them.

    Raises:
        TransientError: The folder cannot be formatted; the message holds what Kafka said.
    """
    values = {"port": ports[0], "controller_port": ports[1], "max_bytes": MAX_RECORD_BYTES + 1024 * 1024}
    (folder / "server.properties").write_text((_PROPERTIES + more).format(**values))
    (folder / "log4j2.xml").write_text(_LOGGING)
    java = [*_JAVA, "-Dlog4j2.configurationFile=log4j2.xml", "-cp", f"{libraries}/*"]
    if not (folder / "data" / "meta.properties").exists():
        words = [*java, "kafka.tools.StorageTool", "format", "-t", str(uuid.uuid4()), "-c", "server.properties"]
        done = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True, timeout=START_TIMEOUT_S)
        if done.returncode:
            raise TransientError(f"Kafka cannot use {folder / 'data'}:\n{(done.stdout + done.stderr)[-2000:]}")
    return [*java, "kafka.Kafka", "server.properties"]


def fetch() -> Path:
    """Return the folder with Kafka's jars; Maven downloads them if they are not in the cache.

    Raises:
        TransientError: Maven failed.
    """
    libraries = _libraries()
    if libraries.is_dir():
        return libraries
    base = libraries.parent
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base) as work:
        Path(work, "pom.xml").write_text(_POM)
        command = [
            "mvn",
            "-B",
            "-q",
            "dependency:copy-dependencies",
            "-DoutputDirectory=jars",
            "-DincludeScope=runtime",
        ]
        done = subprocess.run(command, cwd=work, check=False, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S)
        if done.returncode:
            raise TransientError(f"Maven could not download Kafka {KAFKA_VERSION}:\n{done.stdout[-2000:]}")
        if not libraries.is_dir():  # another process may have been faster
            Path(work, "jars").rename(libraries)
    return libraries


def is_fetched() -> bool:
    """Return whether Kafka's jars are in the cache."""
    return _libraries().is_dir()


def missing_tools() -> list[str]:
    """Return the required programs that are not installed: Java, and Maven while the jars are not in the cache."""
    return [tool for tool in ("java", "mvn") if shutil.which(tool) is None and not (tool == "mvn" and is_fetched())]


def check_tools() -> None:
    """Check that Kafka can run here.

    Raises:
        WireError: Java or Maven is not installed, or Java is too old; the message says what to install.
    """
    remedy = f"install a Java {JAVA_VERSION} runtime and Maven (Debian: apt-get install default-jre-headless maven)"
    if missing := missing_tools():
        raise WireError(f"Kafka needs {' and '.join(missing)}: {remedy}")
    words = [str(shutil.which("java")), "-version"]
    said = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60).stderr
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < JAVA_VERSION:
        first = said.strip().partition("\n")[0]
        raise WireError(f"Kafka {KAFKA_VERSION} needs Java {JAVA_VERSION} or newer, and `java -version` says: {first}")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses at the moment, and that no outgoing connection is given."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def serve(port: int, on_ready: Callable[[str], None]) -> None:
    """Run a node until SIGTERM or SIGINT; call `on_ready` with its address once it responds.

    Raises:
        WireError: As `start`.
        TransientError: As `start`, or the node exited unexpectedly.
    """
    with stop_on_signals() as stop, start(port) as node:
        on_ready(node.servers)
        while not stop.wait(0.5):
            if node.process.poll() is not None:
                raise TransientError(f"Kafka exited with code {node.process.returncode}")


def _libraries() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "climbtrack" / "kafka" / KAFKA_VERSION


def _free_ports(wanted: int) -> tuple[int, int]:
    """Return the node's port, and a free one for its controller."""
    with socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            first.bind(("127.0.0.1", wanted or free_port()))
        except OSError as error:
            raise WireError(f"port {wanted} of 127.0.0.1: {error.strerror}; choose another with --port") from error
        return first.getsockname()[1], free_port()


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-2000:] if path.exists() else ""
