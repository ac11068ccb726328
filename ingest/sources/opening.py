"""Opens the source that a camera's URL names."""

from pathlib import Path

from ingest.config import IngestSettings
from ingest.errors import AccessDenied, NotFound, SourceError
from ingest.source import Source
from ingest.sources import address, device, file, folder, network
from wire.bounds import Bounds, OutOfBounds
from wire.messages import CameraSpec

NO_FILE = "check the path; one that does not begin with / begins in the folder where climbtrack was started"


def open_source(spec: CameraSpec, settings: IngestSettings) -> Source:
    """Open the source that the camera's URL names.

    Raises:
        SourceError: It cannot be opened; class and message give the cause, without the URL.
    """
    kind = address.kind_of(spec.url)
    if kind == "device":
        return device.open_device(spec.url, settings)
    if kind == "network":
        return network.open_network(spec.url, settings, spec.bounds)
    path = address.path_of(spec.url)
    if spec.bounds is not None:
        _check_path(path, spec.bounds)
    if kind == "folder":
        return folder.open_folder(path, _folder_fps(spec, settings), spec.camera_id, settings)
    if not path.exists():
        raise NotFound(
            "it is a link to a file that does not exist" if path.is_symlink() else "the file does not exist", NO_FILE
        )
    return file.open_file(path, settings, spec.bounds)


def _check_path(path: Path, bounds: Bounds) -> None:
    try:
        bounds.check_path(str(path))
    except OutOfBounds as error:
        raise AccessDenied(error.cause, error.remedy) from None


def _folder_fps(spec: CameraSpec, settings: IngestSettings) -> float:
    text = spec.tags.get("fps")
    if text is None:
        return settings.folder_fps
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not 0 < fps <= 240:
        raise SourceError(f"tag fps must be a number in (0, 240], got {text!r}", "correct this tag of the camera")
    return fps
