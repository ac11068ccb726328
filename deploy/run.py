"""`climbtrack run`: what is asked for, and whether it can be done, before anything heavy is loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.api_server import bind
from deploy.console import print_line
from deploy.data_dir import default_data_dir
from deploy.errors import UsageError
from deploy.report import Report
from deploy.settings import EmbeddedSettings
from wire.messages import CameraSpec


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a user asked for; None is the default of settings or folders."""

    cameras: tuple[CameraSpec, ...]
    config: Path | None = None
    data_dir: Path | None = None
    out: Path | None = None
    weights: Path | None = None
    detector: str | None = None
    keep_crops: Path | None = None
    host: str | None = None
    port: int | None = None
    keep_serving: bool = False
    pictures: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run went.

    Attributes:
        failed: A file could not be read to its end, or no camera gave anything.
        pictures: The page with a picture of everybody; None when there is none.
    """

    report: Report
    failed: bool
    pictures: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {**self.report.as_json(), "pictures": None if self.pictures is None else str(self.pictures)}


def follow(options: RunOptions, console: Console) -> Outcome:
    """Run until all files have ended and are decided, or until a signal; print what happens and what was found.

    Raises:
        SettingsError, DeployError: It cannot start, or a part of it ended.
    """
    site_id = options.cameras[0].site_id
    settings = EmbeddedSettings.load(
        options.config,
        worker={"weights": options.weights, "detector": options.detector, "keep_crops": options.keep_crops},
        api={"host": options.host, "port": options.port},
    )
    data_dir = options.data_dir or default_data_dir()
    if options.out is not None:
        _check_folder(options.out)
    with bind(settings.api.host, settings.api.port) as taken:
        print_line(console, "loading models")
        from deploy.embedded import Embedded  # torch and others take seconds: mistakes are told before
        from deploy.session import follow_cameras

        return follow_cameras(Embedded(settings, data_dir, site_id, taken), options, console)


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder}: {error.strerror}; give a folder that can be written") from error
