"""Is everything here that climbtrack needs, and if not: what to do."""

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
KAFKA_TOPICS = "the first of `climbtrack ingest|worker|gallery|api` creates them"
REDIS_ADVICE = "needed by `climbtrack gallery` and `api`: section redis, or CLIMBTRACK_REDIS_URL"
MARKS: dict[State, str] = {"ok": "ok      ", "optional": "optional", "missing": "MISSING ", "refused": "REFUSED "}
SERVERS = {"Kafka": "Kafka", "Redis server": "Redis"}  # what many machines share, by the name of its check


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `advice` says what to do about it.

    `optional` is not here and `climbtrack run` does not need it; `refused` is here and must not be used as it is.
    """

    name: str
    state: State
    found: str
    advice: str = ""

    @property
    def fine(self) -> bool:
        """Tell whether all that was configured works in spite of it."""
        return self.state not in {"missing", "refused"}


def examine(config: Path | None) -> tuple[Check, ...]:
    """Look at everything; slow, because models are loaded and servers asked.

    Raises:
        SettingsError: A setting is unknown or wrong.
    """
    looks: tuple[Callable[[Path | None], Check], ...] = (_ffmpeg, _weights, _detector, _gpu, _own_redis, _redis, _kafka)
    return tuple(look(config) for look in looks)


def verdict(checks: Sequence[Check]) -> str:
    """Return one line: whether `climbtrack run` works here, and if not, what to do first."""
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
    """Print one line a check, below it what to do, and at last the verdict."""
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
    from reid_worker.config import WorkerSettings
    from reid_worker.model import WeightsError
    from reid_worker.model.weights import SHIPPED, load_weights

    path = WorkerSettings.load(config).weights or SHIPPED
    try:
        loaded = load_weights(path)
    except WeightsError as error:
        return Check(
            "CLIMB weights", "missing", str(error), "train some with `climbtrack train`, or take the shipped ones"
        )
    unsaid = "" if loaded.prior else ", without a similarity prior: `climbtrack evaluate --write-prior` measures it"
    return Check("CLIMB weights", "ok", f"{path.name}, model {loaded.model_id}{unsaid}")


def _detector(config: Path | None) -> Check:
    from reid_worker.config import WorkerSettings
    from reid_worker.detectors.catalogue import YOLOX_NANO, by_name
    from reid_worker.detectors.choose import load_detector
    from reid_worker.detectors.files import find
    from reid_worker.errors import DetectorError

    settings = WorkerSettings.load(config)
    options = settings.detector_options(threads=1)
    model = YOLOX_NANO if settings.detector == "auto" else by_name(settings.detector)
    if model is not None and options.download and find(model, options.folders) is None:
        advice = f"a run downloads it first; `climbtrack models get {model.name}` does now"
        return Check("person detector", "optional", f"{model.name} is not here yet", advice)
    with _warnings() as said:
        try:
            detector = load_detector(settings.detector, replace(options, download=False))  # looks, and changes nothing
        except DetectorError as error:
            return Check("person detector", "missing", str(error))
    return Check(
        "person detector", "optional" if said else "ok", f"{settings.detector}: {detector.name}", "; ".join(said)
    )


def _gpu(_: Path | None) -> Check:
    import torch

    if torch.cuda.is_available():
        return Check("GPU", "ok", torch.cuda.get_device_name())
    return Check(
        "GPU",
        "optional",
        "none that torch can use",
        "a handful of cameras run on the CPU; for more, install an NVIDIA driver",
    )


def _own_redis(_: Path | None) -> Check:
    try:
        return Check("Redis for one machine", "ok", str(find_binary()))
    except DeployError as error:
        return Check("Redis for one machine", "missing", str(error))


def _redis(config: Path | None) -> Check:
    from gallery.errors import StoreRefused, StoreUnavailable
    from gallery.store_server import check_writes, connect, eviction_risk
    from wire.settings import RedisSettings

    settings = RedisSettings.load(config)
    wrong = _wrong(named=settings != RedisSettings())
    with closing(connect(settings)) as client:
        try:
            check_writes(client)
            risk = eviction_risk(client)
        except StoreUnavailable as error:
            return Check("Redis server", "optional", str(error), REDIS_ADVICE)
        except StoreRefused as error:
            return Check("Redis server", wrong, str(error), REDIS_ADVICE)
    return Check("Redis server", wrong, risk, REDIS_ADVICE) if risk else Check("Redis server", "ok", "answers")


def _kafka(config: Path | None) -> Check:
    from wire.bus import CAMERAS
    from wire.kafka import KafkaBus
    from wire.kafka_client import NO_BOOTSTRAP
    from wire.kafka_login import reach
    from wire.settings import KafkaSettings

    settings = KafkaSettings.load(config, request_timeout_ms=5000)
    wrong = _wrong(named=settings != KafkaSettings(request_timeout_ms=5000))
    try:
        reach(settings)
    except SettingsError as error:
        return Check("Kafka", wrong, str(error), KAFKA_ADVICE)
    except TransientError as error:
        return Check("Kafka", "optional", str(error), KAFKA_ADVICE)
    with closing(KafkaBus(settings)) as bus:
        try:
            cameras = bus.table(CAMERAS.name)
        except TransientError as error:
            if NO_BOOTSTRAP in str(error):
                return Check("Kafka", wrong, str(error), KAFKA_ADVICE)
            return Check("Kafka", "optional", f"{settings.servers} has no topics of ours yet", KAFKA_TOPICS)
        except WireError as error:
            return Check("Kafka", wrong, str(error), KAFKA_ADVICE)
    return Check("Kafka", "ok", f"{settings.servers} answers, {len(cameras)} cameras announced")


def _wrong(*, named: bool) -> State:
    """Return the state of a server that must not be used as it is: it matters where somebody named it."""
    return "refused" if named else "optional"


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect what is warned about meanwhile instead of printing it."""
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
