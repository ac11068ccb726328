"""Settings of the worker, section `worker`."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from reid_worker.decode_device import DecodeOn, DecoderOpener
from reid_worker.detectors.choose import DetectorOptions, model_folders
from reid_worker.detectors.download import Network
from reid_worker.keep import KeepOptions
from reid_worker.stream import StreamOptions
from reid_worker.trackers.interface import TrackerName, TrackerOptions
from reid_worker.tracklet import TrackletOptions
from wire.settings import Settings

MIRROR = re.compile(r"https?://([^/?#@\s]+@)?([^/?#@\s:]+|\[[0-9a-fA-F:.]+\])(:\d+)?(/[^?#@\s]*)?")


class WorkerSettings(Settings):
    """How frames become tracklets.

    Attributes:
        detector: `auto`, `bundled`, `hog`, a name listed by `climbtrack models ls`, or the path of an ONNX file in the
            layout of YOLOX, RF-DETR, or D-FINE and RT-DETR.
        download: Whether a missing detector may be downloaded; `climbtrack models get` always may.
        mirror: Where to download detectors from instead of their publishers: the http(s) URL of a folder that holds
            the files under their names (`climbtrack models ls`). It may contain a user and a password.
        min_score: Lowest score of a detection that continues a track.
        strong_score: Lowest score of a detection that starts a track; weaker ones count only within a second of one.
        sure_score: A track counts as a person once it has three detections with this score.
        still_share: A track that stays where it is counts as a person only if this share of its detections has that
            score; 0 counts chairs and coats, too.
        motion_gate: Whether the detector leaves out frames in which nothing moved while nobody is in sight.
        lost_s: How long a track is kept after its person disappears.
        tracker: `appearance` compares looks where boxes leave a choice, and recognises people who come back within
            four seconds; with weights that have no similarity prior it compares boxes only. `bytetrack`, `botsort`,
            `ocsort` and `mcbyte` (without masks) compare boxes only, and embed no single crops.
        weights: Safetensors file of the CLIMB network; the bundled weights when None.
        shadow_weights: A second weights file: each tracklet is embedded by both, so that the gallery knows everybody
            under the new weights before they decide (`climbtrack gallery weights`). Embedding takes twice the time.
        device: Where the networks run: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`, or `tensorrt`, which
            compiles ONNX models for the GPU at the first start, for minutes, and keeps the result.
        decode: Where video is decoded: `cpu`; `cuda`, on an NVIDIA GPU's decoder; or `auto`, `cuda` where there
            is an NVIDIA driver. Not run on a GPU yet, so `cpu` is the default.
        precision: Precision of CLIMB's matrix products; `auto` is bf16 on a GPU that supports it and on a CPU
            with AMX (Intel Xeon since 2023), else fp32.
        compiled: Whether torch.compile compiles its encoder at the first call; needs a compiler. Not measured yet.
        threads: CPU threads for decoding and detection; 0 uses all cores.
        embed_batch: Maximum number of tracklets embedded in one call.
        part_s: Maximum length of a tracklet; longer ones are split.
        state_interval_s: Stream time between two saved states, which is how much a restart has to repeat.
        keep_crops: Folder for the crops of everyone seen, as input for `climbtrack adapt`. Storing pictures of people
            requires their consent or another legal basis, so nothing is kept unless this is set. Crops of identities
            that the gallery forgets stay here until they are too old.
        keep_crops_gb: Size limit of the kept crops; the oldest are removed. A worker counts everything in its folder.
        keep_crops_days: Age limit of the kept crops, enforced while a worker with this folder runs.
        max_delay_s: Live cameras: longest time from capture to tracklet. When the worker cannot keep up, it analyses
            fewer frames of all of them, evenly in time.
        min_fps: Live cameras: analysed rate below which cameras are reported as too many for this worker.
        health_host, health_port: Address that serves `/healthz`, `/readyz` and `/metrics`.
    """

    section = "worker"

    detector: str = Field("auto", min_length=1)
    download: bool = True
    mirror: SecretStr | None = None
    min_score: float = Field(0.2, gt=0, lt=1)
    strong_score: float = Field(0.5, gt=0, lt=1)
    sure_score: float = Field(0.6, gt=0, lt=1)
    still_share: float = Field(0.65, ge=0, le=1)
    motion_gate: bool = True
    lost_s: float = Field(1.0, gt=0, le=60)
    tracker: TrackerName = "appearance"
    weights: Path | None = None
    shadow_weights: Path | None = None
    device: str = "auto"
    decode: DecodeOn = "cpu"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    compiled: bool = False
    threads: int = Field(0, ge=0, le=256)
    embed_batch: int = Field(32, ge=1, le=1024)
    part_s: float = Field(60.0, ge=1, le=600)
    state_interval_s: float = Field(10.0, ge=1, le=600)
    keep_crops: Path | None = None
    keep_crops_gb: float = Field(1.0, gt=0, le=100_000)
    keep_crops_days: float = Field(30.0, gt=0, le=36_500)
    max_delay_s: float = Field(2.0, gt=0, le=86_400)
    min_fps: float = Field(2.0, gt=0, le=240)
    health_host: str = "127.0.0.1"
    health_port: int = Field(9102, ge=0, le=65535)

    @field_validator("mirror")
    @classmethod
    def _check_mirror(cls, mirror: SecretStr | None) -> SecretStr | None:
        """Reject anything but the URL of a folder; the value is not shown, as it may contain a password."""
        if mirror is not None and not _is_folder(mirror.get_secret_value()):
            raise ValueError("expected http(s)://[USER:PASSWORD@]HOST/FOLDER, user and password percent-encoded")
        return mirror

    def detector_options(self, threads: int) -> DetectorOptions:
        """Return the detector's options for this number of threads."""
        return DetectorOptions(
            folders=model_folders(),
            download=self.download,
            network=Network(mirror=None if self.mirror is None else self.mirror.get_secret_value()),
            min_score=self.min_score,
            threads=threads,
            device=self.device,
        )

    def keep_options(self) -> KeepOptions | None:
        """Return where crops are kept and how many; None if they are not kept."""
        if self.keep_crops is None:
            return None
        return KeepOptions(self.keep_crops, round(self.keep_crops_gb * 1e9), round(self.keep_crops_days * 86_400e9))

    def stream_options(self, frames: int) -> StreamOptions:
        """Return the options of a stream for an embedder that takes `frames` crops."""
        return StreamOptions(
            tracker=TrackerOptions(
                name=self.tracker, start_score=self.strong_score, high_score=self.strong_score, lost_s=self.lost_s
            ),
            tracklet=TrackletOptions(
                strong_score=self.strong_score,
                sure_score=self.sure_score,
                still_share=self.still_share,
                spans=frames,
                part_s=self.part_s,
            ),
            decoders=DecoderOpener(self.decode, self.device),
            motion_gate=self.motion_gate,
        )


def _is_folder(url: str) -> bool:
    try:
        return MIRROR.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:  # an invalid port or IPv6 address
        return False
