"""What happened to programs, told from one look at their states to the next. Pure."""

from typing import Literal

from deploy.cluster.supervisor import State

Change = Literal["", "given up", "started again"]


class Changes:
    """Remembers the programs' processes: whoever looks between an end and the next start sees none."""

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}  # the last that ran
        self._given_up: set[str] = set()

    def next(self, name: str, now: State) -> Change:
        """Take note of a program's state; return what has happened to it."""
        pid = self._pids.get(name, 0)
        self._pids[name] = now.pid or pid
        if now.given_up and name not in self._given_up:
            self._given_up.add(name)
            return "given up"
        if now.pid:
            self._given_up.discard(name)
        return "started again" if pid and now.pid not in {0, pid} else ""
