"""Writes one annotated video per camera of a finished run, with the identities that people have at its end."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from deploy.errors import UsageError
from deploy.video.encode import VideoFile, encoder
from deploy.video.frames import frames_of
from deploy.video.paint import Painter
from deploy.video.shown import Overlay
from deploy.writable import check_folder
from gallery.store.store import Store
from gallery.tracks import filled, rhythm_of, tracks_of
from ingest.config import IngestSettings
from ingest.errors import SourceError
from ingest.sources.address import has_end, path_of
from wire.messages import CameraSpec
from wire.privacy import Privacy

EMPTY = 64  # grey behind boxes where no picture may be shown


def check_videos(folder: Path, cameras: Sequence[CameraSpec]) -> None:
    """Check before a run that videos of these cameras can be written.

    Raises:
        UsageError: A camera has no end, so that nothing can be read again; or a video would replace a recording.
        RunError: There is no encoder.
    """
    encoder()
    live = [spec.camera_id for spec in cameras if spec.loop or not has_end(spec.url)]
    if live:
        raise UsageError(
            f"--video needs recordings, which are read a second time when everyone is known: {', '.join(live)} "
            f"{'has' if len(live) == 1 else 'have'} no end; record first, and run on the files"
        )
    for spec in cameras:
        if path_of(spec.url).resolve() == video_of(folder, spec).resolve():
            raise UsageError(
                f"--video {folder}: would replace the recording of {spec.camera_id}; choose another folder"
            )
    check_folder("--video", folder)


def write_videos(
    store: Store,
    cameras: Sequence[CameraSpec],
    folder: Path,
    since_ns: int,
    settings: IngestSettings,
    stop: Event,
    tell: Callable[[str], None],
) -> Mapping[str, Path]:
    """Write a video for each camera, one after the other, and return those that were written.

    A recording that cannot be opened any more is told and left out. `stop` ends the writing; no half a video remains.

    Raises:
        RunError: A video cannot be written; with the cause and the remedy.
    """
    written: dict[str, Path] = {}
    for spec in cameras:
        path = video_of(folder, spec)
        tell(f"{spec.camera_id}: writing {path}")
        try:
            frames = _write(store, spec, path, since_ns, settings, stop)
        except SourceError as error:
            tell(f"{spec.camera_id}: no video: {error.explained()}")
            continue
        if stop.is_set():
            tell(f"{spec.camera_id}: stopped before its video was complete")
            break
        if frames:
            written[spec.camera_id] = path
    return written


def video_of(folder: Path, spec: CameraSpec) -> Path:
    """Return where the video of a camera is written."""
    return folder / f"{spec.camera_id}.mp4"


def _write(store: Store, spec: CameraSpec, path: Path, since_ns: int, settings: IngestSettings, stop: Event) -> int:
    """Write the video of one camera; return its number of frames."""
    tracks = list(tracks_of(store, since_ns, spec.camera_id))
    rhythm = rhythm_of(tracks, spec.analysed_fps)
    overlay = Overlay([filled(track, rhythm, every_frame=True) for track in tracks])
    count, began_ns = 0, 0
    with VideoFile(path) as video:
        for frame in frames_of(spec, settings):
            if stop.is_set():
                video.abandon()
                break
            began_ns = began_ns or frame.time_ns
            image = _shown(frame.image, spec.privacy or settings.privacy)
            people = overlay.at(frame.number, frame.time_ns)
            Painter(*image.shape[:2]).paint(image, spec.camera_id, frame.time_ns, people)
            video.add(image, frame.time_ns - began_ns)
            count += 1
    return count


def _shown(image: NDArray[np.uint8], privacy: Privacy) -> NDArray[np.uint8]:
    """Return what is behind the boxes in a BGR picture `(h, w, 3)`: itself, or nothing of it."""
    return np.ascontiguousarray(image) if privacy == "full" else np.full_like(image, EMPTY)
