"""Finds model files on this machine, and verifies them."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reid_worker.detectors.catalogue import Content, ModelFile


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A local file with a name from the catalogue.

    Attributes:
        content: Its digest and size; None if it cannot be read.
        verified: Whether it is the published file.
    """

    path: Path
    content: Content | None
    verified: bool


def model_folders(environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return the folders to search for model files: `CLIMBTRACK_MODELS`, then the user's cache folder."""
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "climbtrack" / "models"
    named = environment.get("CLIMBTRACK_MODELS")
    return (Path(named).expanduser(), cache) if named else (cache,)


def find(model: ModelFile, folders: Sequence[Path]) -> LocalFile | None:
    """Return the file of a published model: the first verified one, else the first with its name, else None."""
    named = [_look(path, model) for folder in folders for path in _paths(model, folder) if path.is_file()]
    return next((found for found in named if found.verified), named[0] if named else None)


def content_of(path: Path) -> Content:
    """Return digest and size of a file.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Content(digest, file.tell())


def describe(content: Content) -> str:
    """Format digest and size for a message."""
    return f"SHA-256 {content.sha256}, {content.size_bytes} bytes"


def expected(model: ModelFile) -> str:
    """Format the accepted digests and sizes for a message."""
    return " or ".join(map(describe, model.contents))


def _paths(model: ModelFile, folder: Path) -> list[Path]:
    return [folder / name for name in (model.file, *model.also)]


def _look(path: Path, model: ModelFile) -> LocalFile:
    try:
        content = content_of(path)
    except OSError:
        return LocalFile(path, None, verified=False)
    return LocalFile(path, content, model.accepts(content))
