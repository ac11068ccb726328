"""The processes of an installation: their ports, probes, volumes, and what they wait for.

`climbtrack cluster up` starts these on one machine. `deploy/compose.yaml`, the chart in `deploy/helm` and
`deploy/prometheus` are written for people to read, so they repeat some of it; tests hold them equal to this list.
"""

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["server", "service", "monitoring", "demo"]


@dataclass(frozen=True, slots=True)
class Volume:
    """A folder that must survive a restart: the volume's name, and where it is mounted in a container."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Process:
    """One kind of process.

    Attributes:
        name: Of the process here, of the service in compose, and of the component in the chart.
        kind: `server`: somebody else's, may be replaced by an external one; `service`: `climbtrack NAME`;
            `monitoring` and `demo` are optional.
        port: The TCP port it listens on by default.
        alive: HTTP path that answers 200 while the process works; empty for a server that does not speak HTTP.
        ready: HTTP path that answers 200 once it can do its work.
        metrics: HTTP path of its Prometheus metrics; empty where there are none.
        label: Its `service` label in Prometheus.
        needs: Names of the processes that have to be ready before it is.
        settings: Its section of the settings.
        optional: Whether it runs only where that is asked for, though it is a `service`.
        volumes: What has to survive a restart.
        reads: Volumes of others, which it mounts read-only.
        replicas: How many run by default.
        stop_s: How long it may take to stop, in seconds, before it is killed.
    """

    name: str
    kind: Kind
    port: int
    alive: str = ""
    ready: str = ""
    metrics: str = ""
    label: str = ""
    needs: tuple[str, ...] = ()
    settings: str = ""
    optional: bool = False
    volumes: tuple[Volume, ...] = ()
    reads: tuple[Volume, ...] = ()
    replicas: int = 1
    stop_s: int = 30


def _service(name: str, port: int, *needs: str) -> Process:
    """Return one of our services, which all have the same probes."""
    return Process(name, "service", port, "/healthz", "/readyz", "/metrics", name, needs, settings=name)


RECORDINGS = Volume("recordings", "/var/lib/climbtrack/recordings")

# In the order in which they start; they stop in the reverse order.
PROCESSES = (
    Process("redis", "server", 6379, volumes=(Volume("redis", "/data"),)),
    Process("kafka", "server", 9092, volumes=(Volume("kafka", "/var/lib/kafka/data"),)),
    Process(
        "prometheus",
        "monitoring",
        9090,
        "/-/healthy",
        "/-/ready",
        "/metrics",
        "prometheus",
        volumes=(Volume("prometheus", "/prometheus"),),
    ),
    replace(_service("api", 8080, "kafka", "redis"), reads=(RECORDINGS,)),
    _service("gallery", 9103, "kafka", "redis"),
    _service("alerts", 9104, "kafka", "redis"),
    replace(_service("recorder", 9105, "kafka", "redis"), settings="recording", optional=True, volumes=(RECORDINGS,)),
    replace(
        _service("worker", 9102, "kafka"),
        label="reid_worker",
        replicas=2,
        volumes=(Volume("worker", "/var/cache/climbtrack"),),
    ),
    Process("camera", "demo", 8554),
    _service("ingest", 9101, "kafka"),
)

BY_NAME = {process.name: process for process in PROCESSES}
SERVICES = tuple(process for process in PROCESSES if process.kind == "service")
