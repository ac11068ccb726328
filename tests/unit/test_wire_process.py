"""How a service runs as a process: it answers probes while it runs, and a signal ends it cleanly."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry

from tests.conftest import PATIENCE_S
from wire import codec
from wire.bus import TopicPartition
from wire.errors import PermanentError, SettingsError, TransientError
from wire.health import ServiceMonitor
from wire.memory import MemoryBus
from wire.messages import CameraSpec
from wire.metrics import ServiceMetrics
from wire.process import exit_code, run_service
from wire.service import Outgoing, Received, Rejected, Service


class StopWhenFed:
    """Asks its own process to stop as soon as there is a record."""

    def __init__(self, port: int) -> None:
        self.probe = ""
        self._port = port

    def handle(self, batch: Sequence[Received]) -> Iterable[Outgoing | Rejected]:
        if batch:
            with urlopen(f"http://127.0.0.1:{self._port}/healthz", timeout=PATIENCE_S) as answer:
                self.probe = answer.read().decode()
            os.kill(os.getpid(), signal.SIGTERM)
        return []

    def flushed(self) -> None:
        """Wait for nothing."""

    def waiting(self) -> int:
        return 0

    def busy(self) -> bool:
        return False

    def needed_from(self) -> Mapping[TopicPartition, int]:
        return {}

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Need nothing."""

    def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Keep nothing."""


def test_sigterm_ends_a_service_after_its_round_and_commit(free_port: Callable[[], int]) -> None:
    bus, registry, port = MemoryBus(), CollectorRegistry(), free_port()
    bus.producer().send("cameras", "door", codec.encode(CameraSpec(camera_id="door", site_id="home", url="0")))
    monitor = ServiceMonitor("ingest", ServiceMetrics(registry))
    handler = StopWhenFed(port)
    service = Service("ingest", bus, handler, topics=["cameras"], monitor=monitor)

    code = run_service(service, monitor, registry, host="127.0.0.1", port=port)

    assert code == 0
    assert '"service": "ingest"' in handler.probe
    assert bus.backlog("cameras", "ingest", "door") == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(SettingsError("kafka.servers = '': must not be empty"), 2, id="a wrong setting"),
        pytest.param(TransientError("Kafka at broker:9092: refused"), 1, id="a server that is away"),
        pytest.param(PermanentError("too large"), 1, id="what can never succeed"),
    ],
)
def test_our_errors_are_one_line_and_an_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> int:
        raise error

    assert exit_code(fail) == code
    assert capsys.readouterr().err == f"climbtrack: {error}\n"


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        pytest.param(True, r"note: no people today", id="to somebody at a terminal"),
        pytest.param(False, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ WARNING gallery: no people today", id="in a log"),
    ],
)
def test_a_warning_is_a_sentence_for_people_and_a_dated_line_for_logs(plain: bool, said: str) -> None:
    program = (
        "import logging; from wire.logs import log_to_stderr; "
        f"log_to_stderr(logging.WARNING, plain={plain}); logging.getLogger('gallery').warning('no people today')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert re.fullmatch(said, done.stderr.strip())
