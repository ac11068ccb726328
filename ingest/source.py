"""What a source is, and how a URL becomes one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from ingest.config import IngestSettings
from ingest.errors import NotFound, SourceError
from wire.messages import CameraSpec, Codec
from wire.url import NETWORK_SCHEMES, UrlError, check_source

Kind = Literal["network", "file", "folder", "device"]


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a decoder has to know; a new one begins a new stream."""

    codec: Codec
    width: int
    height: int
    extradata: bytes


UNKNOWN_FORMAT = VideoFormat("h264", 1, 1, b"")  # of a stream that ends before it begins


@dataclass(frozen=True, slots=True)
class SourcePacket:
    """One compressed frame, in decoding order.

    Attributes:
        pts_ns: Presentation time, ns since the first frame; continuous where the source's own timestamps jump.
        format: The same object for as long as nothing changes.
    """

    pts_ns: int
    keyframe: bool
    data: bytes
    format: VideoFormat


class Source(Protocol):
    """An open camera, file or folder.

    Attributes:
        finite: It has an end, after which it is not opened again.
        frame_ns: Nominal duration of a frame.
    """

    finite: bool
    frame_ns: int

    def packets(self) -> Iterator[SourcePacket]:
        """Yield every packet.

        Raises:
            Stalled: Nothing came within the read timeout.
            Broken: It cannot be read any further.
        """

    def close(self) -> None:
        """Release it."""


Opener = Callable[[CameraSpec, IngestSettings], Source]


def kind_of(url: str) -> Kind:
    """Tell what a URL means.

    Raises:
        SourceError: It is malformed, has a scheme that we do not read, or its path cannot be looked at.
    """
    try:
        check_source(url)
        if url.strip().partition("://")[0].lower() in NETWORK_SCHEMES and "://" in url:
            return "network"
        if url.isdecimal():
            return "device"
        return "folder" if path_of(url).is_dir() else "file"
    except UrlError as error:
        raise SourceError(str(error)) from None
    except OSError as error:
        raise SourceError(f"cannot be opened: {error.strerror}") from error


def path_of(url: str) -> Path:
    """Return the path of a local URL, with or without `file://`."""
    path = Path(url.removeprefix("file://"))
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user
        return path


def has_end(url: str) -> bool:
    """Tell whether trying again is pointless: files and folders, and what we do not support; not cameras."""
    try:
        return kind_of(url) in {"file", "folder"}
    except SourceError:
        return True


def open_source(spec: CameraSpec, settings: IngestSettings) -> Source:
    """Open what the camera's URL names.

    Raises:
        SourceError: It cannot be opened; the class and the text say why, without the URL.
    """
    from ingest import container, images

    kind = kind_of(spec.url)
    if kind == "device":
        return images.open_device(int(spec.url), settings)
    if kind == "folder":
        return images.open_folder(path_of(spec.url), _folder_fps(spec, settings), settings)
    if kind == "file" and not path_of(spec.url).exists():
        raise NotFound("the file does not exist")
    return container.open_container(spec.url, settings)


def _folder_fps(spec: CameraSpec, settings: IngestSettings) -> float:
    text = spec.tags.get("fps")
    if text is None:
        return settings.folder_fps
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not 0 < fps <= 240:
        raise SourceError(f"tag fps must be a number in (0, 240], got {text!r}")
    return fps
