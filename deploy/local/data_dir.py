"""The data folder of a single-machine run: its lock, and the address of the run's API."""

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.errors import RunError, UsageError
from wire.config_file import DEFAULT_SITE


def default_data_dir() -> Path:
    """Return the default data folder of runs, in the user's data home (XDG base directories)."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "climbtrack"


class DataDir:
    """A folder used by one process at a time, guarded by a lock that is released when the process exits.

    The lock file records the holder and the address of its API, so that a second command can query the first, and the
    site last stored, for later queries.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path / "lock"
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Lock the folder, creating it if necessary.

        Raises:
            UsageError: The folder cannot be created or written.
            RunError: Another process is using it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"--data-dir {self.path}: {error.strerror}; choose a writable folder") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise RunError(f"--data-dir {self.path} is in use by {self.holder()}; choose another folder") from error
        self._descriptor = descriptor
        self._write({"pid": os.getpid(), "site": self.site()})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the folder."""
        if self._descriptor is not None:
            self._write({"site": self.site()})
            os.close(self._descriptor)
            self._descriptor = None

    def announce(self, site_id: str, api_url: str) -> None:
        """Record the site and the API's address for other commands."""
        self._write({"pid": os.getpid(), "site": site_id, "api": api_url})

    def remember(self, site_id: str) -> None:
        """Record the site, if this process has the lock."""
        if self._descriptor is not None:
            self._write({"pid": os.getpid(), "site": site_id})

    def site(self) -> str:
        """Return the site last stored in the folder."""
        site_id = self._read().get("site")
        return site_id if isinstance(site_id, str) else DEFAULT_SITE

    def api_url(self) -> str | None:
        """Return the API's address of the run that is using the folder, or None if there is none."""
        url = self._read().get("api")
        return url if isinstance(url, str) else None

    def holder(self) -> str:
        """Describe the process that is using the folder."""
        held = self._read()
        api = f", {held['api']}" if "api" in held else ""
        return f"another climbtrack run (process {held.get('pid', 'unknown')}{api})"

    def _read(self) -> dict[str, object]:
        try:
            held = json.loads(self._lock_path.read_text() or "{}")
        except (OSError, ValueError):
            return {}
        return held if isinstance(held, dict) else {}

    def _write(self, held: dict[str, object]) -> None:
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(held).encode(), 0)
