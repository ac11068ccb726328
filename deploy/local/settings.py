"""Settings of the single-process system. Kept light, since they are read before any model is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gallery.config import ApiSettings, GallerySettings
from gallery.outputs.config import AlertSettings
from gallery.recording.config import RecordingSettings
from ingest.config import IngestSettings
from reid_worker.config import WorkerSettings


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """The settings of every component."""

    ingest: IngestSettings
    worker: WorkerSettings
    gallery: GallerySettings
    alerts: AlertSettings
    api: ApiSettings
    recording: RecordingSettings

    @classmethod
    def load(
        cls,
        config: Path | None,
        *,
        ingest: Mapping[str, object] | None = None,
        worker: Mapping[str, object] | None = None,
        api: Mapping[str, object] | None = None,
        recording: Mapping[str, object] | None = None,
    ) -> Self:
        """Load the settings from file and environment, overridden by those of the command line that are not None.

        Without a file, the folder in which the command was started takes the place of the file's.

        Raises:
            SettingsError: A key is unknown, or a value is invalid.
        """
        served = ApiSettings.load(config, **(api or {}))
        return cls(
            ingest=IngestSettings.load(config, **(ingest or {})),
            worker=WorkerSettings.load(config, **(worker or {})),
            gallery=GallerySettings.load(config),
            alerts=AlertSettings.load(config),
            api=served if config else served.with_folder(Path.cwd()),
            recording=RecordingSettings.load(config, **(recording or {})),
        )
