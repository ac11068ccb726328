"""The files of the page, read from the installed package."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file, and the ETag by which a browser knows that it has not changed."""

    data: bytes
    etag: str


def page_files() -> dict[str, PageFile]:
    """Return all files by their path below `assets`; they are few, small and do not change."""
    found: dict[str, PageFile] = {}
    folders = [("", files("gallery.page") / "assets")]
    while folders:
        prefix, folder = folders.pop()
        for entry in folder.iterdir():
            if entry.is_dir():
                folders.append((f"{prefix}{entry.name}/", entry))
            else:
                data = entry.read_bytes()
                found[prefix + entry.name] = PageFile(data, f'"{hashlib.sha256(data).hexdigest()[:32]}"')
    return found
