"""Settings of the worker, section `worker`."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from reid_worker.detectors.choose import DetectorOptions, model_folders
from reid_worker.detectors.download import Network
from reid_worker.keep import KeepOptions
from reid_worker.stream import StreamOptions
from reid_worker.track import TrackerOptions
from reid_worker.tracklet import TrackletOptions
from wire.settings import Settings

MIRROR = re.compile(r"https?://([^/?#@\s]+@)?([^/?#@\s:]+|\[[0-9a-fA-F:.]+\])(:\d+)?(/[^?#@\s]*)?")


class WorkerSettings(Settings):
    """How frames become tracklets.

    Attributes:
        detector: `auto`, `bundled`, `hog`, a name of `climbtrack models ls`, or the path of an ONNX file in the layout
            of YOLOX, RF-DETR, or D-FINE and RT-DETR.
        download: Whether a missing detector may be downloaded; `climbtrack models get` always may.
        mirror: Where detectors are downloaded instead of where they are published: the http(s) URL of a folder that has
            the files by their names (`climbtrack models ls`). It may have a user and a password.
        min_score: Lowest score of a detection that continues a track.
        strong_score: Lowest score of a detection that starts one; weaker ones count only within a second of these.
        sure_score: A track counts as a person once it has three detections of this score.
        lost_s: How long a track waits for its person to come back.
        weights: Safetensors of the CLIMB network; the shipped ones when None.
        device: Of the CLIMB network: `auto`, `cpu`, `cuda`, ...
        precision: Of its matrix products; `auto` is bf16 on a GPU that multiplies it, else fp32.
        compiled: Whether torch.compile translates its encoder at the first call; needs a compiler. Not measured yet.
        threads: CPU threads for decoding and detection; 0 takes all cores.
        embed_batch: Most tracklets that are embedded in one call.
        part_s: A tracklet is cut after so long.
        state_interval_s: Stream time between two saved states: what a restart has to repeat.
        keep_crops: Folder for the crops of everybody who is seen, as `climbtrack adapt` reads them. Pictures of people
            need their consent or another lawful ground: nothing is kept unless this is set. What the gallery forgets
            stays here until it is too old.
        keep_crops_gb: Once these crops take more, the oldest go; each worker counts all that is in its folder.
        keep_crops_days: Older ones go, counted from their writing, while a worker with this folder runs.
        max_delay_s: Cameras in latency mode: chunks that have waited longer are decoded, not analysed.
        health_host, health_port: Where `/healthz`, `/readyz` and `/metrics` answer.
    """

    section = "worker"

    detector: str = Field("auto", min_length=1)
    download: bool = True
    mirror: SecretStr | None = None
    min_score: float = Field(0.2, gt=0, lt=1)
    strong_score: float = Field(0.5, gt=0, lt=1)
    sure_score: float = Field(0.6, gt=0, lt=1)
    lost_s: float = Field(1.0, gt=0, le=60)
    weights: Path | None = None
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    compiled: bool = False
    threads: int = Field(0, ge=0, le=256)
    embed_batch: int = Field(32, ge=1, le=1024)
    part_s: float = Field(60.0, ge=1, le=600)
    state_interval_s: float = Field(10.0, ge=1, le=600)
    keep_crops: Path | None = None
    keep_crops_gb: float = Field(1.0, gt=0, le=100_000)
    keep_crops_days: float = Field(30.0, gt=0, le=36_500)
    max_delay_s: float = Field(10.0, gt=0, le=86_400)
    health_host: str = "127.0.0.1"
    health_port: int = Field(9102, ge=0, le=65535)

    @field_validator("mirror")
    @classmethod
    def _check_mirror(cls, mirror: SecretStr | None) -> SecretStr | None:
        """Refuse what is no folder's address; the value is not shown, since it may have a password."""
        if mirror is not None and not _is_folder(mirror.get_secret_value()):
            raise ValueError("expected http(s)://[USER:PASSWORD@]HOST/FOLDER, user and password percent-encoded")
        return mirror

    def detector_options(self, threads: int) -> DetectorOptions:
        """Return how the detector runs on so many threads."""
        return DetectorOptions(
            folders=model_folders(),
            download=self.download,
            network=Network(mirror=None if self.mirror is None else self.mirror.get_secret_value()),
            min_score=self.min_score,
            threads=threads,
        )

    def keep_options(self) -> KeepOptions | None:
        """Return where crops are kept and how many; None where none are."""
        if self.keep_crops is None:
            return None
        return KeepOptions(self.keep_crops, round(self.keep_crops_gb * 1e9), round(self.keep_crops_days * 86_400e9))

    def stream_options(self, frames: int) -> StreamOptions:
        """Return how a stream is analysed for an embedder that takes `frames` crops."""
        return StreamOptions(
            tracker=TrackerOptions(start_score=self.strong_score, high_score=self.strong_score, lost_s=self.lost_s),
            tracklet=TrackletOptions(
                strong_score=self.strong_score, sure_score=self.sure_score, spans=frames, part_s=self.part_s
            ),
        )


def _is_folder(url: str) -> bool:
    try:
        return MIRROR.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:  # a port or an IPv6 address that is none
        return False
