"""Check whether everything that climbtrack needs is present and, if not, explain what to do."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rich.console import Console

from deploy.errors import DeployError
from deploy.local.private_redis import find_binary
from deploy.terminal import print_line
from wire.errors import SettingsError, TransientError, WireError

State = Literal["ok", "optional", "missing", "refused"]
KAFKA_ADVICE = "needed by `climbtrack ingest|worker|gallery|api`: section kafka, or CLIMBTRACK_KAFKA_SERVERS"
KAFKA_TOPICS = "whichever of `climbtrack ingest|worker|gallery|api` starts first creates them"
REDIS_ADVICE = "needed by `climbtrack gallery` and `api`: section redis, or CLIMBTRACK_REDIS_URL"
MARKS: dict[State, str] = {"ok": "ok      ", "optional": "optional", "missing": "MISSING ", "refused": "REFUSED "}
SERVERS = {"Kafka": "Kafka", "Redis server": "Redis"}  # servers shared by many machines, by the name of their check


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one check; `advice` says what to do about it.

    State `optional`: absent, but `climbtrack run` does not need it. State `refused`: present, but unusable as it is.
    """

    name: str
    state: State
    found: str
    advice: str = ""

    @property
    def fine(self) -> bool:
        """Return whether everything that is configured works in spite of this result."""
        return self.state not in {"missing", "refused"}


def examine(config: Path | None) -> tuple[Check, ...]:
    """Run all checks; slow, because models are loaded and servers contacted.

    Raises:
        SettingsError: A setting is unknown or invalid.
    """
    checks: tuple[Callable[[Path | None], Check], ...] = (
        _ffmpeg,
        _weights,
        _detector,
        _gpu,
        _private_redis,
        _redis,
        _kafka,
    )
    return tuple(check(config) for check in checks)


def verdict(checks: Sequence[Check]) -> str:
    """Return one line: whether `climbtrack run` works on this machine and, if not, what to do first."""
    missing = [check for check in checks if check.state == "missing"]
    if missing:
        first = missing[0]
        names = " and ".join(check.name for check in missing)
        return f"Not ready: {names} missing. Do this first: {first.advice or first.found}"
    for check in checks:
        if check.state == "refused":
            return f"Not ready: {check.found}"
    lacking = [
        name for check, name in SERVERS.items() if any(one.name == check and one.state != "ok" for one in checks)
    ]
    verb = "is" if len(lacking) == 1 else "are"
    many = f" For many machines, {' and '.join(lacking)} {verb} still to be configured." if lacking else ""
    return f"Ready: `climbtrack run` works on this machine.{many}"


def print_checks(console: Console, checks: Sequence[Check]) -> None:
    """Print one line per check with its advice below it, and finally the verdict."""
    for check in checks:
        print_line(console, f"{MARKS[check.state]}  {check.name}: {check.found}")
        if check.advice:
            print_line(console, f"          {check.advice}")
    print_line(console, "")
    print_line(console, verdict(checks), "bold")


def _ffmpeg(_: Path | None) -> Check:
    try:
        import av

        versions = ", ".join(
            f"{name} {'.'.join(map(str, av.library_versions[name]))}" for name in ("libavformat", "libavcodec")
        )
        lacking = [name for name in ("h264", "hevc", "mjpeg") if name not in av.codecs_available]
    except ImportError as error:
        return Check("ffmpeg libraries", "missing", str(error), "reinstall PyAV: pip install --force-reinstall av")
    if lacking:
        return Check(
            "ffmpeg libraries",
            "missing",
            f"{versions} without {', '.join(lacking)}",
            "pip install --only-binary :all: av",
        )
    return Check("ffmpeg libraries", "ok", versions)


def _weights(config: Path | None) -> Check:
    from reid_worker.appearance.choose import load_network
    from reid_worker.config import WorkerSettings
    from reid_worker.model import WeightsError
    from reid_worker.model.weights import SHIPPED

    path = WorkerSettings.load(config).weights or SHIPPED
    with _warnings() as said:
        try:
            network = load_network(path, device="cpu")
        except WeightsError as error:
            remedy = "train some with `climbtrack train`, or use the shipped ones"
            return Check("weights", "missing", str(error), remedy)
    unsaid = "" if network.prior else ", without a similarity prior: `climbtrack evaluate --write-prior` measures it"
    found = f"{path.name}, model {network.model_id}{unsaid}"
    return Check("weights", "optional" if said else "ok", found, "; ".join(said))


def _detector(config: Path | None) -> Check:
    from reid_worker.config import WorkerSettings
    from reid_worker.detectors.catalogue import YOLOX_NANO, by_name
    from reid_worker.detectors.choose import load_detector
    from reid_worker.detectors.files import find
    from reid_worker.detectors.trial import complaint
    from reid_worker.errors import DetectorError

    settings = WorkerSettings.load(config)
    options = settings.detector_options(threads=1)
    model = YOLOX_NANO if settings.detector == "auto" else by_name(settings.detector)
    if model is not None and options.download and find(model, options.folders) is None:
        advice = f"the first run downloads it; `climbtrack models get {model.name}` does so now"
        return Check("person detector", "optional", f"{model.name} is not downloaded yet", advice)
    with _warnings() as said:
        try:
            detector = load_detector(
                settings.detector, replace(options, download=False)
            )  # a check must not change anything
        except DetectorError as error:
            return Check("person detector", "missing", str(error))
    said += filter(None, [complaint(detector)])
    return Check(
        "person detector", "optional" if said else "ok", f"{settings.detector}: {detector.name}", "; ".join(said)
    )


def _gpu(config: Path | None) -> Check:
    import torch

    from reid_worker.config import WorkerSettings

    device = WorkerSettings.load(config).device
    if device != "auto":
        try:
            torch.empty(0, device=device.replace("tensorrt", "cuda", 1))
        except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts that it has it
            found = f"worker.device = {device!r} cannot be used on this machine: {str(error).splitlines()[0]}"
            return Check("GPU", "refused", found, "set it to auto, which takes the CPU where there is no GPU")
    if torch.cuda.is_available():
        return Check("GPU", "ok", torch.cuda.get_device_name())
    return Check(
        "GPU",
        "optional",
        "none that torch can use",
        "a handful of cameras run on the CPU; for more, install an NVIDIA driver",
    )


def _private_redis(_: Path | None) -> Check:
    try:
        return Check("Redis for one machine", "ok", str(find_binary()))
    except DeployError as error:
        return Check("Redis for one machine", "missing", str(error))


def _redis(config: Path | None) -> Check:
    from gallery.errors import StoreRefused, StoreUnavailable
    from gallery.store.server import check_writes, clock_risk, connect, durability_risk, eviction_risk
    from wire.settings import RedisSettings

    settings = RedisSettings.load(config)
    unusable = _unusable(named=settings != RedisSettings())
    with closing(connect(settings)) as client:
        try:
            check_writes(client)
            risk, weakness = eviction_risk(client), durability_risk(client) or clock_risk(client)
        except StoreUnavailable as error:
            return Check("Redis server", "optional", str(error), REDIS_ADVICE)
        except StoreRefused as error:
            return Check("Redis server", unusable, str(error), REDIS_ADVICE)
    if risk or weakness:
        return Check("Redis server", unusable if risk else "optional", risk or weakness, REDIS_ADVICE)
    return Check("Redis server", "ok", "responds")


def _kafka(config: Path | None) -> Check:
    from wire.bus import CAMERAS
    from wire.kafka.bus import KafkaBus
    from wire.kafka.client import NO_BOOTSTRAP
    from wire.kafka.login import reach
    from wire.settings import KafkaSettings

    settings = KafkaSettings.load(config, request_timeout_ms=5000)
    unusable = _unusable(named=settings != KafkaSettings(request_timeout_ms=5000))
    try:
        reach(settings)
    except SettingsError as error:
        return Check("Kafka", unusable, str(error), KAFKA_ADVICE)
    except TransientError as error:
        return Check("Kafka", "optional", str(error), KAFKA_ADVICE)
    with closing(KafkaBus(settings)) as bus:
        try:
            cameras = bus.table(CAMERAS.name)
        except TransientError as error:
            if NO_BOOTSTRAP in str(error):
                return Check("Kafka", unusable, str(error), KAFKA_ADVICE)
            return Check("Kafka", "optional", f"{settings.servers} has no climbtrack topics yet", KAFKA_TOPICS)
        except WireError as error:
            return Check("Kafka", unusable, str(error), KAFKA_ADVICE)
    return Check("Kafka", "ok", f"{settings.servers} responds, {len(cameras)} cameras announced")


def _unusable(*, named: bool) -> State:
    """Return the state for an unusable server: `refused` if the user configured it, otherwise `optional`."""
    return "refused" if named else "optional"


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect warnings instead of printing them."""
    said: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, collector = logging.getLogger("reid_worker"), Collector(logging.WARNING)
    propagates = logger.propagate
    logger.addHandler(collector)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.removeHandler(collector)
        logger.propagate = propagates
