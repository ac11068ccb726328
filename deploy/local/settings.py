"""The settings of everything that one process holds. Light: read before any model is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gallery.config import ApiSettings, GallerySettings
from ingest.config import IngestSettings
from reid_worker.config import WorkerSettings


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """The settings of every part."""

    ingest: IngestSettings
    worker: WorkerSettings
    gallery: GallerySettings
    api: ApiSettings

    @classmethod
    def load(
        cls,
        config: Path | None,
        *,
        worker: Mapping[str, object] | None = None,
        api: Mapping[str, object] | None = None,
    ) -> Self:
        """Return the settings of file and environment, with some of the command line over them; None is not given.

        Raises:
            SettingsError: A key is unknown or a value wrong.
        """
        return cls(
            ingest=IngestSettings.load(config),
            worker=WorkerSettings.load(config, **(worker or {})),
            gallery=GallerySettings.load(config),
            api=ApiSettings.load(config, **(api or {})),
        )
