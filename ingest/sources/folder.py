"""Folders of pictures: each file is a frame, in natural order, read by its content and not by its name."""

import logging
import re
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
    | {".jp2", ".avif", ".heic", ".heif"}  # HEIC is named as a picture that cannot be read, not passed over
)
NAMED = 10  # pictures that cannot be read are named one by one up to here
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})


class FolderSource:
    """Pictures in natural order (`2.png` before `10.png`); those that any decoder reads pass untouched.

    One that cannot be read is named in a warning, and its number and its place in time stay empty.
    """

    finite = True

    def __init__(self, files: Sequence[Path], fps: float, camera_id: str, quality: int) -> None:
        self.frame_ns = round(NS / fps)
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
            look = formats.of(header.size, header.orientation)
            time_ns = round(index * NS / self._fps)
            yield SourcePacket(time_ns, keyframe=True, data=data, format=look, lost_before=lost)
            lost = 0
        self._sum_up(unreadable)

    def close(self) -> None:
        """Release nothing: files are closed as they are read."""

    def _warn(self, unreadable: Sequence[str]) -> None:
        if len(unreadable) <= NAMED:
            log.warning("camera %s: %s; its frame stays empty", self._camera_id, unreadable[-1])

    def _sum_up(self, unreadable: Sequence[str]) -> None:
        if len(unreadable) == len(self._files):
            raise Broken(f"none of the {len(self._files)} pictures can be read; {unreadable[0]}")
        if len(unreadable) > NAMED:
            log.warning("camera %s: %d more pictures cannot be read", self._camera_id, len(unreadable) - NAMED)


def open_folder(path: Path, fps: float, camera_id: str, settings: IngestSettings) -> FolderSource:
    """Open a folder of pictures.

    Raises:
        NotFound: The folder cannot be listed.
        NoVideo: There is no picture in it.
    """
    try:
        pictures, others = pictures_in(path)
    except OSError as error:
        raise NotFound(f"the folder cannot be listed: {error.strerror}") from error
    if not pictures:
        raise NoVideo(_what_is_there(others))
    if others:
        log.warning("camera %s: %s", camera_id, _passed_over(others))
    return FolderSource(pictures, fps, camera_id, settings.jpeg_quality)


def pictures_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the pictures of a folder in natural order, and what else is there; hidden files are not mentioned.

    A file is a picture by its suffix, or else by how it begins.
    """
    pictures: list[Path] = []
    others: list[Path] = []
    for file in sorted(folder.iterdir(), key=_natural):
        if file.name.startswith(".") or file.name.lower() in _SYSTEM_FILES:
            continue
        is_picture = not file.is_dir() and (file.suffix.lower() in SUFFIXES or picture.is_picture(file))
        (pictures if is_picture else others).append(file)
    return pictures, others


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Broken(str(error.strerror)) from None


def _what_is_there(others: Sequence[Path]) -> str:
    folders = sum(file.is_dir() for file in others)
    if folders:
        return f"there is no picture in the folder; give each of its {folders} folders as a camera of its own"
    return "there is no picture in the folder"


def _passed_over(others: Sequence[Path]) -> str:
    if len(others) == 1:
        return f"{others[0].name} in the folder is not a picture and is not read"
    return f"{others[0].name} and {len(others) - 1} more in the folder are not pictures and are not read"


def _natural(file: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"([0-9]+)", file.name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], file.name
