"""Estimate what a number of cameras needs. Pure; every figure is in `figures.yaml`."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from deploy.capacity.figures import value
from wire.bus import BOXES, FRAMES, IDENTITIES, TRACKLETS
from wire.cameras import MAX_CAMERAS

HOUR_S = 3600.0
DAY_S = 86_400.0
MBIT = 1e6 / 8  # bytes
BOXES_BYTES = 100  # of a person in a frame, with its part of the record
EVENT_BYTES = 400
ONE_NODE_BYTES = 64e9  # memory of one Redis that is still restarted and backed up in minutes
ONE_NETWORK = 1.25e9  # bytes a second of a 10 Gbit/s network
MAX_PARTITIONS = 1024
PER_WORKER = 4  # partitions, so that cameras are shared evenly
EVENTS_PER_TRACKLET = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is wanted.

    Attributes:
        cameras: In all sites together.
        sites: A person has one number within a site; one process decides each site.
        fps: Analysed frames per second of each camera.
        camera_fps, megapixels, mbit_s: Frame rate, picture size and bit rate of each camera's stream.
        people_per_hour: Who pass a camera in an hour in which it is open.
        stay_s: How long each is in the picture.
        open_hours: Hours of the day in which people pass.
        retention_days: How long people and tracklets are kept.
        gpu: Whether networks run on GPUs.
        worker_cores: Cores of a worker's machine.
        replicas: Of every partition of Kafka.
    """

    cameras: int
    sites: int = 1
    fps: float = 10.0
    camera_fps: float = 25.0
    megapixels: float = 2.07
    mbit_s: float = 4.0
    people_per_hour: float = 60.0
    stay_s: float = 8.0
    open_hours: float = 12.0
    retention_days: float = 7.0
    gpu: bool = False
    worker_cores: int = 8
    replicas: int = 2


@dataclass(frozen=True, slots=True)
class Limit:
    """What cannot be helped by another machine: how much of it is used, and what then helps."""

    what: str
    used: float
    remedy: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the demand needs; cores, bytes and bytes per second are totals.

    Attributes:
        camera_partitions, site_partitions: For `kafka.camera_partitions` and `kafka.site_partitions`.
        limits: What breaks first, the most used one first.
    """

    ingest_processes: int
    workers: int
    worker_cores: float
    gpus: int
    worker_bytes: float
    galleries: int
    gallery_cores: float
    gallery_bytes: float
    people: float
    tracklets: float
    redis_bytes: float
    camera_partitions: int
    site_partitions: int
    brokers: int
    kafka_disk_bytes: float
    kafka_bytes_s: float
    camera_bytes_s: float
    limits: tuple[Limit, ...]


def estimate(demand: Demand) -> Estimate:
    """Return what a demand needs."""
    usable = value("usable")
    work_s, gpu_s = _work_of_a_second(demand)
    worker_cores, gpus = work_s / usable, ceil(gpu_s / usable)
    workers = max(1, ceil(worker_cores / demand.worker_cores), gpus)
    gallery_cores = _reports_per_s(demand) / value("gallery_reports_per_core_s") / usable
    galleries = min(demand.sites, ceil(gallery_cores) or 1)
    people, tracklets = _kept(demand)
    frame_bytes_s = demand.cameras * demand.mbit_s * MBIT
    kafka_bytes_s, disk = _kafka(demand, frame_bytes_s)
    redis = people * value("redis_bytes_per_person") + tracklets * value("redis_bytes_per_tracklet")
    ingest = max(2, ceil(demand.cameras * demand.camera_fps / value("ingest_frames_per_core_s") / usable))
    partitions = max(32, 2 ** (PER_WORKER * max(workers, ingest) - 1).bit_length())
    return Estimate(
        ingest_processes=ingest,
        workers=workers,
        worker_cores=worker_cores,
        gpus=gpus,
        worker_bytes=workers * value("worker_bytes") + demand.cameras * value("worker_bytes_per_camera"),
        galleries=galleries,
        gallery_cores=gallery_cores,
        gallery_bytes=people * value("gallery_bytes_per_person") + galleries * 2e8,
        people=people,
        tracklets=tracklets,
        redis_bytes=redis,
        camera_partitions=partitions,
        site_partitions=max(8, 2 ** (PER_WORKER * galleries - 1).bit_length()),
        brokers=max(demand.replicas, ceil(kafka_bytes_s / ONE_NETWORK / usable)),
        kafka_disk_bytes=disk / usable,
        kafka_bytes_s=kafka_bytes_s,
        camera_bytes_s=frame_bytes_s,
        limits=tuple(
            sorted(_limits(demand, gallery_cores, redis, workers=workers, ingest=ingest), key=lambda one: -one.used)
        ),
    )


def _work_of_a_second(demand: Demand) -> tuple[float, float]:
    """Return seconds of a core and of a GPU that the workers need for a second of all cameras."""
    decode_s = demand.camera_fps * demand.megapixels * value("decode_ms_per_megapixel") / 1000
    track_s = demand.fps * value("track_ms") / 1000
    detect_s = demand.fps * value("detect_ms") / 1000
    embed_s = _reports_per_s(demand) * value("embed_ms_per_report") / 1000
    if demand.gpu:
        return demand.cameras * (decode_s + track_s), demand.cameras * demand.fps * value("gpu_detect_ms") / 1000
    return demand.cameras * (decode_s + track_s + detect_s) + embed_s, 0.0


def _reports_per_s(demand: Demand) -> float:
    visits_per_s = demand.cameras * demand.people_per_hour / HOUR_S
    return visits_per_s * _reports_of_a_tracklet(demand)


def _reports_of_a_tracklet(demand: Demand) -> float:
    return 2 + demand.stay_s // value("report_every_s")


def _kept(demand: Demand) -> tuple[float, float]:
    """Return people and tracklets that are kept, if nobody comes again."""
    tracklets = demand.cameras * demand.people_per_hour * demand.open_hours * demand.retention_days
    return tracklets / min(demand.cameras, value("cameras_per_visit")), tracklets


def _kafka(demand: Demand, frame_bytes_s: float) -> tuple[float, float]:
    """Return bytes per second through the brokers, replicas and readers included, and bytes on their disks."""
    report_bytes_s = _reports_per_s(demand) * value("tracklet_bytes")
    box_bytes_s = demand.cameras * demand.fps * BOXES_BYTES * demand.people_per_hour * demand.stay_s / HOUR_S
    tracklets_per_s = demand.cameras * demand.people_per_hour / HOUR_S
    event_bytes_s = tracklets_per_s * EVENTS_PER_TRACKLET * EVENT_BYTES
    open_share = demand.open_hours / 24
    disk = sum(
        rate * float(spec.retention_s or 0) * (open_share if (spec.retention_s or 0) >= DAY_S else 1)
        for rate, spec in (
            (frame_bytes_s, FRAMES),
            (report_bytes_s, TRACKLETS),
            (event_bytes_s, IDENTITIES),
            (box_bytes_s, BOXES),
        )
    )
    written_s = frame_bytes_s + report_bytes_s + box_bytes_s + event_bytes_s
    return written_s * (demand.replicas + 1), disk * demand.replicas


def _limits(demand: Demand, gallery_cores: float, redis_bytes: float, *, workers: int, ingest: int) -> Iterator[Limit]:
    yield Limit(
        "the gallery of a site, which one core decides",
        gallery_cores / demand.sites,
        "split the site where nobody walks from one part to the other",
    )
    yield Limit(
        "the memory of one Redis of 64 GB, which holds a site whole",
        redis_bytes / demand.sites / ONE_NODE_BYTES,
        "a shorter gallery.retention_s, more sites, or a Redis for each site",
    )
    yield Limit(
        f"what kafka.camera_partitions can be, {MAX_PARTITIONS}, with {PER_WORKER} for each worker",
        PER_WORKER * max(workers, ingest) / MAX_PARTITIONS,
        "several installations, each of whole sites with a Kafka of its own; larger machines (--cores), or --gpu",
    )
    yield Limit(
        f"the {MAX_CAMERAS} cameras of an installation, a list that every service holds",
        demand.cameras / MAX_CAMERAS,
        "several installations, each of whole sites",
    )
