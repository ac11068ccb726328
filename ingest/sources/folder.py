"""Folders of pictures: each file is a frame, in natural order, recognised by content rather than by name."""

import logging
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingest.clock import NS
from ingest.config import IngestSettings
from ingest.errors import Broken, NotFound, NoVideo
from ingest.source import SourcePacket
from ingest.sources import picture
from ingest.sources.formats import JpegFormats

log = logging.getLogger(__name__)

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm", ".gif"}
    | {".jp2", ".avif", ".heic", ".heif"}  # HEIC is reported as unreadable rather than skipped
)
NOT_LISTED = "let the user that climbtrack runs as list and read it"
MAX_NAMED = 10  # unreadable pictures that are named one by one; further ones are counted
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})


class FolderSource:
    """Pictures in natural order (`2.png` before `10.png`); those that any decoder can read are passed through.

    An unreadable picture is named in a warning; its frame number and its time stay unused.
    """

    finite = True

    def __init__(self, files: Sequence[Path], fps: float, camera_id: str, quality: int) -> None:
        self.frame_ns = round(NS / fps)
        self.burst_ns = 0
        self._files = files
        self._fps = fps
        self._camera_id = camera_id
        self._quality = quality

    def packets(self) -> Iterator[SourcePacket]:
        """Yield every picture.

        Raises:
            Broken: None of them can be read.
        """
        formats = JpegFormats()
        unreadable: list[str] = []
        lost = 0
        for index, file in enumerate(self._files):
            try:
                data, header = picture.as_jpeg(_bytes_of(file), self._quality)
            except Broken as error:
                lost += 1
                unreadable.append(f"{file.name} cannot be read: {error}")
                self._warn(unreadable)
                continue
            video_format = formats.of(header.size, header.orientation)
            time_ns = round(index * NS / self._fps)
            yield SourcePacket(time_ns, keyframe=True, data=data, format=video_format, lost_before=lost)
            lost = 0
        self._sum_up(unreadable)

    def close(self) -> None:
        """Do nothing: files are closed after reading."""

    def _warn(self, unreadable: Sequence[str]) -> None:
        if len(unreadable) <= MAX_NAMED:
            log.warning("camera %s: %s; its frame stays empty", self._camera_id, unreadable[-1])

    def _sum_up(self, unreadable: Sequence[str]) -> None:
        if len(unreadable) == len(self._files):
            raise Broken(f"none of the {len(self._files)} pictures can be read: {unreadable[0]}", "copy them again")
        if len(unreadable) > MAX_NAMED:
            log.warning("camera %s: %d more pictures cannot be read", self._camera_id, len(unreadable) - MAX_NAMED)


def open_folder(path: Path, fps: float, camera_id: str, settings: IngestSettings) -> FolderSource:
    """Open a folder of pictures.

    Raises:
        NotFound: The folder cannot be listed.
        NoVideo: The folder contains no pictures.
    """
    try:
        pictures, others = pictures_in(path)
    except OSError as error:
        raise NotFound(f"the folder cannot be listed: {error.strerror}", NOT_LISTED) from error
    if not pictures:
        raise NoVideo("the folder contains no pictures", _instead(others))
    if others:
        log.warning("camera %s: %s", camera_id, _why_skipped(others))
    return FolderSource(pictures, fps, camera_id, settings.jpeg_quality)


def pictures_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the pictures of a folder in natural order, and its other entries; hidden files are ignored.

    A file is a picture if its suffix, or else its beginning, says so; pipes and devices, which may never end, are none.
    """
    pictures: list[Path] = []
    others: list[Path] = []
    for file in sorted(folder.iterdir(), key=_natural):
        if file.name.startswith(".") or file.name.lower() in _SYSTEM_FILES:
            continue
        is_picture = _has_an_end(file) and (file.suffix.lower() in SUFFIXES or picture.is_picture(file))
        (pictures if is_picture else others).append(file)
    return pictures, others


def _has_an_end(file: Path) -> bool:
    """Tell whether an entry is a file, or one that cannot be looked at: reading it says why."""
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return True


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Broken(str(error.strerror)) from None


def _instead(others: Sequence[Path]) -> str:
    """Return what to do about a folder without pictures."""
    folders = sum(file.is_dir() for file in others)
    if folders:
        return f"add each of its {folders} subfolders as a separate camera"
    return "add each of its videos as a separate camera" if others else "check its path"


def _why_skipped(others: Sequence[Path]) -> str:
    if len(others) == 1:
        return f"{others[0].name} in the folder is not a picture and is not read"
    return f"{others[0].name} and {len(others) - 1} more in the folder are not pictures and are not read"


def _natural(file: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"([0-9]+)", file.name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], file.name
