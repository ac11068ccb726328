"""Determine the length of a source for the progress bars, if that is quick."""

from dataclasses import dataclass
from pathlib import Path

from ingest.sources.address import has_end, kind_of, path_of
from ingest.sources.folder import pictures_in


@dataclass(frozen=True, slots=True)
class Length:
    """Length of a source; None if it has no end, or its length is unknown."""

    frames: int | None = None
    seconds: float | None = None


def length_of(url: str) -> Length:
    """Return the length declared by a container, or the number of images in a folder. Never fails."""
    if not has_end(url):
        return Length()
    path = path_of(url)
    if path.is_dir():
        return _folder_length(path)
    return _container_length(path) if path.is_file() and kind_of(url) == "file" else Length()


def _folder_length(path: Path) -> Length:
    try:
        return Length(frames=len(pictures_in(path)[0]))
    except OSError:
        return Length()


def _container_length(path: Path) -> Length:
    import av

    try:
        with av.open(f"file:{path}") as container:
            stream = container.streams.best("video")
            if stream is None:
                return Length()
            seconds = None if container.duration is None else container.duration / av.time_base
            guessed = round(seconds * stream.average_rate) if seconds and stream.average_rate else None
            return Length(stream.frames or guessed, seconds)
    except (av.FFmpegError, OSError):
        return Length()  # ingest reports the error
