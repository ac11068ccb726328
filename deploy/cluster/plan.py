"""What runs in a cluster on this machine: one program per process of `deploy.topology`, from the user's settings."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.cluster.ports import Address, instance, take
from deploy.errors import UsageError
from deploy.topology import BY_NAME, PROCESSES, Process
from gallery.config import ApiSettings, GallerySettings
from gallery.outputs.config import AlertSettings
from gallery.recording.config import RecordingSettings
from ingest.config import IngestSettings
from reid_worker.config import WorkerSettings
from wire.settings import KafkaSettings, RedisSettings, Settings

LOOPBACK = "127.0.0.1"
# A node and a Redis that only this machine can reach ask for neither.
_OF_OTHERS = ("security_protocol", "sasl_", "ssl_", "username", "password", "sentinel_")


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What `climbtrack cluster up` was asked for; a Prometheus port of None leaves Prometheus out."""

    config: Path | None
    workers: int = 2
    kafka_port: int = BY_NAME["kafka"].port
    prometheus_port: int | None = BY_NAME["prometheus"].port


@dataclass(frozen=True, slots=True)
class Program:
    """One process to run.

    Attributes:
        name: Unique, like `worker-2`.
        process: Its kind.
        words: The command.
        address: Where it listens on TCP.
        socket: The unix socket it listens at, instead.
        folder: Where it runs; None for where this process does.
        environment: Its own variables, besides those of the cluster.
    """

    name: str
    process: Process
    words: tuple[str, ...]
    address: Address | None = None
    socket: Path | None = None
    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """Return its address for people."""
        if self.address is None:
            return f"unix://{self.socket}"
        return f"http://{self.address.reachable}" if self.process.ready else self.address.reachable


@dataclass(frozen=True, slots=True)
class Plan:
    """The checked wishes of the user, before anything runs.

    Attributes:
        config: The configuration file, absolute.
        addresses: Where everything listens, by the name of the program.
        notes: What a user should know about the settings.
    """

    config: Path | None
    addresses: Mapping[str, Address]
    notes: tuple[str, ...]

    def services(self) -> tuple[Program, ...]:
        """Return the programs that are climbtrack's own."""
        return tuple(self._service(name) for name in self.addresses if kind_of(name).kind == "service")

    def environment(self, redis_url: str, data_dir: Path) -> dict[str, str]:
        """Return the variables that all of climbtrack's programs share: where the servers and the recordings are."""
        return {
            "CLIMBTRACK_KAFKA_SERVERS": self.addresses["kafka"].reachable,
            "CLIMBTRACK_KAFKA_REPLICATION_FACTOR": "1",
            "CLIMBTRACK_REDIS_URL": redis_url,
            "CLIMBTRACK_REDIS_SENTINELS": "",
            "CLIMBTRACK_WORKER_THREADS": str(self._threads()),
            "CLIMBTRACK_RECORDING_FOLDER": str(RecordingSettings.load(self.config).within(data_dir).folder),
        }

    def _service(self, name: str) -> Program:
        kind, address = kind_of(name), self.addresses[name]
        config = () if self.config is None else ("--config", str(self.config))
        key = "PORT" if kind.name == "api" else "HEALTH_PORT"
        environment = {f"CLIMBTRACK_{kind.settings.upper()}_{key}": str(address.port)}
        words = (sys.executable, "-m", "deploy.cli", kind.name, *config)
        return Program(name, kind, words, address, environment=environment)

    def _threads(self) -> int:
        """Return the threads of one worker: those of the settings, else its share of the cores."""
        workers = sum(kind_of(name).name == "worker" for name in self.addresses)
        return WorkerSettings.load(self.config).threads or max(1, (os.cpu_count() or 1) // workers)


def kind_of(name: str) -> Process:
    """Return the kind of a program by its name: that of `worker-2` is `worker`."""
    return BY_NAME[name.partition("-")[0]]


def make_plan(options: ClusterOptions) -> Plan:
    """Check the settings and ports of a cluster.

    Raises:
        SettingsError: A setting is unknown or invalid.
        UsageError: A port is in use, or the settings ask for servers that need a login.
    """
    kafka, redis = KafkaSettings.load(options.config), RedisSettings.load(options.config)
    for settings in (kafka, redis):
        _refuse_logins(settings)
    notes = [
        f"{given} of the settings is not used: a cluster on one machine has servers of its own"
        for given in _named(kafka, "servers") + _named(redis, "url") + _named(redis, "sentinels")
    ]
    wanted = [*_services(options), Address("kafka", LOOPBACK, options.kafka_port, "--kafka-port")]
    if options.prometheus_port is not None and shutil.which("prometheus") is None:
        notes.append("Prometheus is not installed (Debian: apt-get install prometheus); everything else runs without")
    elif options.prometheus_port is not None:
        wanted.append(Address("prometheus", LOOPBACK, options.prometheus_port, "--prometheus-port"))
    config = options.config and options.config.resolve()
    return Plan(config, _in_order(take(wanted)), tuple(notes))


def _services(options: ClusterOptions) -> list[Address]:
    """Return where the services are asked to listen."""
    ingest, worker = IngestSettings.load(options.config), WorkerSettings.load(options.config)
    gallery, api = GallerySettings.load(options.config), ApiSettings.load(options.config)
    if api.tls_certificate_file is not None:
        raise UsageError("api.tls_certificate_file: `climbtrack cluster up` serves HTTP; put a proxy with TLS in front")
    alerts, recording = AlertSettings.load(options.config), RecordingSettings.load(options.config)
    first = Address("worker", worker.health_host, worker.health_port, "worker.health_port")
    recorder = Address("recorder", recording.health_host, recording.health_port, "recording.health_port")
    return [
        Address("ingest", ingest.health_host, ingest.health_port, "ingest.health_port"),
        *(instance(first, number) for number in range(1, options.workers + 1)),
        Address("gallery", gallery.health_host, gallery.health_port, "gallery.health_port"),
        Address("alerts", alerts.health_host, alerts.health_port, "alerts.health_port"),
        *([] if recording.cameras == "none" else [recorder]),
        Address("api", api.host, api.port, "api.port"),
    ]


def _in_order(addresses: Mapping[str, Address]) -> dict[str, Address]:
    """Return the addresses in the order in which their programs start."""
    order = [process.name for process in PROCESSES]
    return dict(sorted(addresses.items(), key=lambda item: order.index(kind_of(item[0]).name)))


def _named(settings: Settings, key: str) -> list[str]:
    changed = getattr(settings, key) != type(settings).model_fields[key].default
    return [f"{settings.section}.{key}"] if changed else []


def _refuse_logins(settings: Settings) -> None:
    keys = [key for key in type(settings).model_fields if key.startswith(_OF_OTHERS)]
    if given := next((name for key in keys for name in _named(settings, key)), None):
        raise UsageError(
            f"{given} is set, but a cluster on one machine has servers of its own, without logins and TLS: leave it "
            "out, or start `climbtrack ingest`, `worker`, `gallery`, `alerts`, `recorder` and `api` with these settings"
            " (docs/operating.md)"
        )
