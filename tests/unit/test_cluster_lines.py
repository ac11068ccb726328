"""In which order a cluster shows what its programs log and what became of them."""

import io
from pathlib import Path
from threading import Event
from typing import cast

from rich.console import Console

from deploy.cluster.supervisor import State, Supervisor
from deploy.cluster.up import Cluster


class Restarts:
    """A supervisor under which the gallery is killed and started again just before the second question."""

    def __init__(self, folder: Path, stop: Event) -> None:
        self.control = self
        self._stop = stop
        self._log = folder / "logs" / "supervisord.log"
        self._log.parent.mkdir()
        self._log.touch()
        self._asked = 0
        self._running = True

    def states(self) -> dict[str, State]:
        """Log, as supervisord does before it answers."""
        self._asked += 1
        if self._asked == 1:
            return {"gallery": State("RUNNING", 5, 0)}
        with self._log.open("a") as log:
            log.write("2026-11-28 05:00:00,000 WARN exited: gallery (terminated by SIGKILL; not expected)\n")
        self._stop.set()
        return {"gallery": State("STARTING", 6, 0)}

    def stop(self) -> None:
        """Have everything stop, of which there is nothing."""
        self._running = False

    def ended(self) -> bool:
        """Return whether it was asked to stop."""
        return not self._running


def test_why_a_program_ended_is_said_before_its_restart_which_refers_to_it(tmp_path: Path) -> None:
    out, stop = io.StringIO(), Event()
    supervisor = cast("Supervisor", Restarts(tmp_path, stop))
    cluster = Cluster((), supervisor, tmp_path, Console(file=out, width=200), str)
    cluster.watch(stop)
    cluster.stop()
    ended, started, *_ = out.getvalue().splitlines()
    assert "exited: gallery (terminated by SIGKILL" in ended
    assert "gallery ended and was started again (process 6)" in started
