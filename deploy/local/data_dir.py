"""The folder of one machine's run: who uses it, and where its API answers."""

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.errors import RunError, UsageError
from wire.config_file import DEFAULT_SITE


def default_data_dir() -> Path:
    """Return where runs keep their data unless told otherwise: under the user's data home (XDG base directories)."""
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "climbtrack"


class DataDir:
    """A folder that one process at a time may use, held by a lock that ends with the process.

    The lock file says who holds it and where its API answers, so that a second command can ask the first; and which
    site was kept last, for those who ask later.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path / "lock"
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the folder, making it when it is absent.

        Raises:
            UsageError: The folder cannot be made or written.
            RunError: Another process uses it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"--data-dir {self.path}: {error.strerror}; give a folder that can be written") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise RunError(f"--data-dir {self.path} is in use by {self.holder()}; give another one") from error
        self._descriptor = descriptor
        self._write({"pid": os.getpid(), "site": self.site()})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the folder back."""
        if self._descriptor is not None:
            self._write({"site": self.site()})
            os.close(self._descriptor)
            self._descriptor = None

    def announce(self, site_id: str, api_url: str) -> None:
        """Tell other commands which site this is and where its API answers."""
        self._write({"pid": os.getpid(), "site": site_id, "api": api_url})

    def site(self) -> str:
        """Return the site that was kept last."""
        site_id = self._read().get("site")
        return site_id if isinstance(site_id, str) else DEFAULT_SITE

    def api_url(self) -> str | None:
        """Return where the run that uses this folder answers; None when there is none."""
        url = self._read().get("api")
        return url if isinstance(url, str) else None

    def holder(self) -> str:
        """Return a few words about the process that uses this folder."""
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
