"""Secrets in files: reading them, and noticing that others can, too."""

import logging
import os
import stat
from pathlib import Path

log = logging.getLogger(__name__)

MOUNTED = (
    Path("/run/secrets"),
    Path("/var/run/secrets"),
)  # where containers get theirs, as 0444 for whoever runs there


def read_secret(key: str, path: Path) -> str:
    """Read the secret of the setting `key`; leading and trailing line breaks are stripped, spaces are kept.

    Raises:
        ValueError: The file cannot be read, is empty, or anybody may write it; names key and path.
    """
    try:
        secret = path.read_text(encoding="utf-8-sig").strip("\r\n")
        check_access(key, path)
    except OSError as error:
        raise ValueError(f"{key} = {str(path)!r}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{key} = {str(path)!r}: must be UTF-8 text") from None
    if not secret:
        raise ValueError(f"{key} = {str(path)!r}: is empty")
    return secret


def check_access(key: str, path: Path) -> None:
    """Warn if every user of the machine can read a file; files that are mounted into a container are left out.

    OpenSSH and PostgreSQL refuse such files; but container platforms hand secrets over as 0444 or 0644, and nobody
    else is in the container.

    Raises:
        ValueError: Every user can write it, and so choose the secret.
    """
    others = _rights_of_others(path)
    if others & stat.S_IWOTH:
        raise ValueError(f"{key} = {str(path)!r}: every user of this machine can write it; `chmod 600` it")
    if others & stat.S_IROTH:
        log.warning(
            "%s = %r: every user of this machine can read it; `chmod 600` it, or 640 with the group of this service",
            key,
            str(path),
        )


def _rights_of_others(path: Path) -> int:
    """Return the permission bits of all other users; 0 where they cannot reach the file, or it is a container's."""
    real = path.resolve()
    if os.statvfs(real).f_flag & os.ST_RDONLY or any(path.is_relative_to(folder) for folder in MOUNTED):
        return 0
    reachable = all(folder.stat().st_mode & stat.S_IXOTH for folder in real.parents)
    return real.stat().st_mode & stat.S_IRWXO if reachable else 0
