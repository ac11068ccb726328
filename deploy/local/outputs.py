"""The files that a run writes at its end: checked before it starts, since nobody wants to learn of it after hours."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event

from rich.console import Console

from deploy.errors import UsageError
from deploy.terminal import print_line
from gallery.store.store import Store
from ingest.config import IngestSettings
from wire.messages import CameraSpec

OTHER_FOLDER = "remove it, make room, or choose another folder"


def check_outputs(cameras: Sequence[CameraSpec], out: Path | None, video: Path | None, *, every_frame: bool) -> None:
    """Check that the folders can be written, and that videos of these cameras can be made.

    Raises:
        UsageError: They cannot, or `--every-frame` has nothing to apply to.
        RunError: There is no encoder for videos.
    """
    from deploy.video.annotate import check_videos
    from deploy.writable import check_folder

    if every_frame and out is None:
        raise UsageError("--every-frame is about the boxes that --out writes: give --out as well")
    if out is not None:
        check_folder("--out", out)
        _check_files(cameras, out)
    if video is not None:
        check_videos(video, cameras)


def _check_files(cameras: Sequence[CameraSpec], out: Path) -> None:
    for spec in cameras:
        file = out / f"{spec.camera_id}.txt"
        if file.exists() and not (file.is_file() and os.access(file, os.W_OK)):
            raise UsageError(f"--out {file}: exists and cannot be replaced; {OTHER_FOLDER}")


def write_videos(
    store: Store,
    cameras: Sequence[CameraSpec],
    folder: Path | None,
    since_ns: int,
    settings: IngestSettings,
    stop: Event,
    console: Console,
) -> Mapping[str, Path]:
    """Write an annotated video for each camera, unless none is wanted or the run was stopped.

    Raises:
        RunError: A video cannot be written; with the cause and the remedy.
    """
    if folder is None:
        return {}
    if stop.is_set():
        print_line(console, "no videos: the run was stopped")
        return {}
    from deploy.video import annotate

    return annotate.write_videos(
        store, cameras, folder, since_ns, settings, stop, lambda text: print_line(console, text)
    )
