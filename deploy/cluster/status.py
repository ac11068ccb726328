"""What runs in a data folder: a file that says where, and questions to each program."""

import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from deploy.cluster.plan import Program
from deploy.cluster.supervisor import Control, State
from deploy.errors import RunError, UsageError
from deploy.local.private_redis import responds
from deploy.terminal import print_rows

ANSWER_S = 2.0


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one program is: `address` for people, and `ready`, an address that answers once it can work."""

    name: str
    address: str
    ready: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the state of a cluster."""

    name: str
    state: str
    pid: int
    address: str
    fine: bool


class StatusFile:
    """The file in a data folder that says what runs there."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._path = data_dir / "cluster.json"

    def write(self, control_socket: Path, programs: Sequence[Program]) -> None:
        """Say what runs, and where its supervisord can be asked."""
        entries = [asdict(entry_of(program)) for program in programs]
        self._path.write_text(json.dumps({"socket": str(control_socket), "programs": entries}))

    def remove(self) -> None:
        """Say that nothing runs."""
        self._path.unlink(missing_ok=True)

    def rows(self) -> list[Row]:
        """Return the state of every program.

        Raises:
            UsageError: No cluster runs with this folder.
        """
        try:
            known = json.loads(self._path.read_text())
            states = Control(Path(known["socket"])).states()
        except (OSError, RunError):
            raise UsageError(
                f"no cluster runs with --data-dir {self._data_dir}; `climbtrack cluster up` starts one"
            ) from None
        entries = [Entry(**one) for one in known["programs"]]
        return [_row(entry, states, self._data_dir) for entry in entries]


def entry_of(program: Program) -> Entry:
    """Return where a program can be asked whether it is ready."""
    return Entry(program.name, program.shown, program.shown + program.process.ready)


def why_not_ready(entry: Entry) -> str:
    """Ask a program whether it is ready; return the reason why not, or nothing."""
    if entry.ready.startswith("unix://"):
        return "" if responds(Path(entry.ready.removeprefix("unix://"))) else "does not answer"
    if "://" not in entry.ready:
        host, _, port = entry.ready.rpartition(":")
        with socket.socket() as probe:
            probe.settimeout(ANSWER_S)
            return "does not listen yet" if probe.connect_ex((host, int(port))) else ""
    try:
        answer = httpx.get(entry.ready, timeout=ANSWER_S)
    except httpx.TransportError:
        return "does not answer"
    return "" if answer.is_success else _reason(answer)


def print_state(rows: Sequence[Row]) -> None:
    """Print a line for each program."""
    cells = [(row.name, row.state, row.pid or "-", row.address) for row in rows]
    print_rows(f"{len(rows)} processes", ("name", "state", "process", "address"), cells)


def _reason(answer: httpx.Response) -> str:
    """Return why a probe was answered with an error: what the service says, else the code."""
    with suppress(ValueError, AttributeError):
        services = answer.json().get("services", [])
        if reasons := [str(one["reason"]) for one in services if one.get("reason")]:
            return "; ".join(reasons)
    return f"answers with {answer.status_code}"


def _row(entry: Entry, states: Mapping[str, State], data_dir: Path) -> Row:
    state = states.get(entry.name)
    if state is None:
        raise RunError(f"supervisord does not know {entry.name}; stop the cluster and start it again")
    log = f"see {data_dir / 'logs' / entry.name}.log"
    words = {
        "STOPPED": "waits for others",
        "BACKOFF": f"ended early, starts again; {log}",
        "STOPPING": "stops",
        "EXITED": f"ended with code {state.code}; {log}",
        "FATAL": f"keeps failing; {log}",
    }
    reason = words.get(state.word) or why_not_ready(entry)
    return Row(entry.name, reason or "ready", state.pid, entry.address, not reason)
