"""Run one Apache Kafka node (KRaft, Java 17) from its Maven artifacts, on a loopback port.

Maven downloads the jars once to the cache folder; the data is kept in a temporary folder and deleted at the end.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from wire.bus import MAX_RECORD_BYTES
from wire.errors import TransientError, WireError
from wire.signals import stop_on_signals

KAFKA_VERSION = "4.4.0"
LOG4J_VERSION = "2.25.5"  # the version this Kafka ships with; without its bridge Kafka's warnings are lost
FETCH_TIMEOUT_S = 600
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

_LOGGING = """\
<Configuration status="ERROR">
  <Appenders><File name="file" fileName="${sys:kafka.log}"><PatternLayout pattern="%d %p %c: %m%n"/></File></Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="file"/></Root></Loggers>
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
log.dirs={data}
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
        raise TransientError(f"Kafka did not start:\n{_tail(self._folder / 'kafka.log')}{_tail(self._folder / 'out')}")


def start(port: int = 0, more: str = "") -> KafkaNode:
    """Download Kafka unless it is in the cache, and start a node; port 0 picks a free one.

    `more` holds additional lines of server properties, which override the defaults; `{port}` and `{controller_port}`
    are replaced by the port numbers.

    Raises:
        WireError: Java or Maven is not installed, or the port is in use.
        TransientError: The jars cannot be downloaded, or the node does not start.
    """
    if missing := missing_tools():
        raise WireError(f"Kafka needs {' and '.join(missing)}: install a Java 17 runtime and Maven")
    ports = _free_ports(port)
    libraries = fetch()
    folder = Path(tempfile.mkdtemp(prefix="climbtrack-kafka-"))
    port, controller_port = ports
    properties = folder / "server.properties"
    properties.write_text(
        (_PROPERTIES + more).format(
            port=port,
            controller_port=controller_port,
            data=folder / "data",
            max_bytes=MAX_RECORD_BYTES + 1024 * 1024,
        )
    )
    (folder / "log4j2.xml").write_text(_LOGGING)
    java = [
        *_JAVA,
        f"-Dlog4j2.configurationFile={folder / 'log4j2.xml'}",
        f"-Dkafka.log={folder / 'kafka.log'}",
        "-cp",
        f"{libraries}/*",
    ]
    format_data = ["kafka.tools.StorageTool", "format", "-t", str(uuid.uuid4()), "-c", str(properties)]
    with (folder / "out").open("wb") as out:
        subprocess.run([*java, *format_data], check=False, stdout=out, stderr=out, timeout=START_TIMEOUT_S)
        process = subprocess.Popen([*java, "kafka.Kafka", str(properties)], stdout=out, stderr=out)
    node = KafkaNode(process, folder, port)
    try:
        node.wait_until_ready(port)
    except TransientError:
        node.close()
        raise
    return node


def fetch() -> Path:
    """Return the folder with Kafka's jars; Maven downloads them if they are not in the cache.

    Raises:
        TransientError: Maven failed.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "climbtrack" / "kafka"
    libraries = base / KAFKA_VERSION
    if libraries.is_dir():
        return libraries
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


def missing_tools() -> list[str]:
    """Return the required programs that are not installed."""
    return [tool for tool in ("java", "mvn") if shutil.which(tool) is None]


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


def _free_ports(wanted: int) -> tuple[int, int]:
    """Return the node's port, and a free one for its controller."""
    with socket.socket() as first, socket.socket() as second:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            first.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise WireError(f"port {wanted} of 127.0.0.1: {error.strerror}; choose another with --port") from error
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-2000:] if path.exists() else ""
