"""How long a file source is, for the progress bars; what cannot be told quickly is not told."""

from dataclasses import dataclass

from ingest.images import SUFFIXES
from ingest.source import has_end, kind_of, path_of


@dataclass(frozen=True, slots=True)
class Length:
    """How much there is of a source; None where it has no end, or does not say."""

    frames: int | None = None
    seconds: float | None = None


def length_of(url: str) -> Length:
    """Return the length that a container announces, or the number of images in a folder. Never fails."""
    if not has_end(url):
        return Length()
    path = path_of(url)
    if path.is_dir():
        return Length(frames=sum(file.suffix.lower() in SUFFIXES for file in path.iterdir()))
    return _container_length(str(path)) if path.is_file() and kind_of(url) == "file" else Length()


def _container_length(path: str) -> Length:
    import av

    try:
        with av.open(path) as container:
            stream = container.streams.best("video")
            if stream is None:
                return Length()
            seconds = None if container.duration is None else container.duration / av.time_base
            guessed = round(seconds * stream.average_rate) if seconds and stream.average_rate else None
            return Length(stream.frames or guessed, seconds)
    except (av.FFmpegError, OSError):
        return Length()  # ingest says what is wrong with it
