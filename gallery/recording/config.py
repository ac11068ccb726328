"""Settings of recordings."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from gallery.recording.ring import Bounds
from wire.messages import CameraSpec
from wire.settings import Settings

GB = 10**9
DAY_NS = 86_400 * 10**9


class RecordingSettings(Settings):
    """Which cameras are recorded, where, and for how long; the API reads the same folder.

    Attributes:
        cameras: `none`; `chosen`: those whose `record` is true; `all`: all but those whose `record` is false.
        folder: Where recordings are kept; by default, `recordings` in the data folder of `climbtrack run`, and
            `/var/lib/climbtrack/recordings` elsewhere.
        max_gb: Of all cameras together, in 10^9 bytes; beyond it the oldest are deleted.
        max_gb_per_camera: Of one camera; 0 is no limit.
        days: Recordings are deleted so long after they were made.
        kept_crops: The folder of `worker.keep_crops`, if this process sees it: the recorder deletes from it what may
            show an erased person. `climbtrack run` sets it.
        min_free_gb: Recording stops while the disk has less space left than this.
        health_host, health_port: Address of `/healthz`, `/readyz` and `/metrics`.
    """

    section = "recording"

    cameras: Literal["none", "chosen", "all"] = "none"
    folder: Path = Path("/var/lib/climbtrack/recordings")
    max_gb: float = Field(default=50.0, gt=0, le=1_000_000)
    max_gb_per_camera: float = Field(default=0.0, ge=0, le=1_000_000)
    days: float = Field(default=7.0, gt=0, le=3_650)
    kept_crops: Path | None = None
    min_free_gb: float = Field(default=2.0, ge=0, le=1_000_000)
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=9105, ge=0, le=65535)

    def records(self, camera: CameraSpec | None) -> bool:
        """Return whether a camera is recorded; None is one that is not listed any more."""
        if self.cameras == "none" or camera is None:
            return False
        return self.cameras == "all" if camera.record is None else camera.record

    def within(self, data_dir: Path) -> "RecordingSettings":
        """Return these settings with the folder in a data folder, unless another one is set."""
        inside = {"folder": data_dir / "recordings"} if "folder" not in self.model_fields_set else {}
        return self.model_copy(update=inside)

    def beside(self, keep_crops: Path | None) -> "RecordingSettings":
        """Return these settings for a process in which a worker keeps crops, too."""
        return self if keep_crops is None else self.model_copy(update={"kept_crops": keep_crops})

    def bounds(self) -> Bounds:
        """Return what bounds the recordings."""
        each = round(self.max_gb_per_camera * GB) or None
        return Bounds(round(self.max_gb * GB), each, round(self.days * DAY_NS))


NOT_RECORDED = RecordingSettings()
