"""A reader who does what a page says, in order: writes its files, runs its commands, compares its answers."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from tests.docs_tools import ROOT, Block, Command, blocks

LIMIT_S = 300  # of one command
PROBED = ("ingest", "worker", "gallery", "alerts", "api")

# What stands here for what only the reader of a page has, and what makes a command small: (as documented, as run).
STAND_INS = (
    ("rtsp://user:password@192.168.1.20/stream", "lobby.mp4"),
    ("rtsp://user:password@192.168.1.22/stream", "hall.mp4"),
    ("desk=0", "desk=hall.mp4"),
    ("{url: 0,", "{url: hall.mp4,"),
    ("training/configs/", f"{ROOT}/training/configs/"),
    ("curl ", "curl --fail-with-body --silent --show-error "),
    ("--nproc-per-node 4", "--nproc-per-node 2"),
    ("--identities 500", "--identities 4 --cameras 2 --height 32"),
    ("--identities 40", "--identities 8 --cameras 2 --height 32"),
    ("--people 12 --seconds 60", "--people 4 --seconds 4"),
    ("--queries 11659 --gallery 82161", "--queries 20 --gallery 100"),
)
_STEPS = (
    "run.device=cpu run.threads=1 run.workers=0 run.validate_every=2 batch.identities=2 schedule.epoch_steps=1 "
    "synthetic.validation_identities=4"
)
_SMALL_NETWORK = "network.model=climb-tiny-64 network.clip= data.checked=false"
# Words that make a command small, by how it begins; the first that fits.
SMALLER = (
    (r"climbtrack train .*resume=true", f"{_SMALL_NETWORK} {_STEPS} schedule.steps=3"),
    (r"climbtrack train data.folder=people", f"{_STEPS} schedule.steps=2"),
    (r"(climbtrack train|torchrun) ", f"{_SMALL_NETWORK} {_STEPS} schedule.steps=2"),
    (r"climbtrack evaluate .*Market-1501", "--unchecked"),
    (r"climbtrack evaluate .*MARS", "--unchecked"),
    (r"climbtrack adapt ", "--epochs 1 --rounds 1 --force"),
    (r"climbtrack export ", "--precision fp32 --people 2"),
    (r"climbtrack bench parity", "--length 5"),
    (r"climbtrack bench scan", "--length 4 --batch 1 --width 8"),
    (r"climbtrack bench pipeline", "--site site --minutes 0 --no-kafka"),
    (r"climbtrack cluster up", "--workers 1 --no-prometheus --kafka-port 0"),
    (r"climbtrack gallery restore", "--site annex"),
    (r"make ", f"--dry-run -C {ROOT}"),
)
# What is not run, and why: the test of its options has to do, and `--help` where there is one.
NOT_RUN = (
    (
        r"climbtrack cameras discover",
        "finds the cameras of a network; tests/e2e/test_cameras_discover.py has fake ones",
    ),
    (r"pipx install|uv tool install|pip install|python3 -m venv", "downloads gigabytes; `make test` installs the same"),
    (
        r"climbtrack users revoke",
        "the id is that of a token of the reader's own; tests/unit/test_cli_users.py revokes one",
    ),
    (r"climbtrack bench model", "minutes: it measures networks of up to 86 million parameters"),
    (r"climbtrack bench training", "minutes: it renders people and trains for 24 steps at the size of the recipe"),
    (r"python -m training\.(recipes\.ablation|recipes\.gpu|recipes\.queue|detector)", "minutes to hours"),
)
# Exit codes of what SIGTERM ends in another way than with 0: curl dies of it.
ENDED_BY_SIGTERM = {"curl -N": -signal.SIGTERM}
ENDS = re.compile(
    "climbtrack (gallery|alerts) [a-z]"
)  # `climbtrack gallery backup` ends, `climbtrack gallery` does not
NEEDS_YOLOX = "yolox-nano"


def excuse(command: Command) -> str:
    """Return why a command is not run; empty when it is."""
    return next((reason for pattern, reason in NOT_RUN if re.match(pattern, command.words)), "")


def as_run(text: str, port: int) -> str:
    """Return what is run in place of a documented line."""
    for documented, here in STAND_INS:
        text = text.replace(documented, here)
    more = next((words for pattern, words in SMALLER if re.match(pattern, text)), "")
    return f"{text} {more}".strip().replace("127.0.0.1:8080", f"127.0.0.1:{port}")


def difference(shown: Any, answered: Any, at: str = "") -> str:
    """Return where keys of an example and of an answer differ; empty when they do not. Of lists the first counts."""
    if isinstance(shown, dict) and isinstance(answered, dict):
        if set(shown) != set(answered):
            return f"{at}: shown are {sorted(shown)}, answered {sorted(answered)}"
        return next((found for key in shown if (found := difference(shown[key], answered[key], f"{at}.{key}"))), "")
    if isinstance(shown, list) and isinstance(answered, list):
        if shown and not answered:
            return f"{at}: nothing was answered"
        return difference(shown[0], answered[0], f"{at}[0]") if shown else ""
    return (
        f"{at}: one is an object or a list"
        if isinstance(shown, dict | list) != isinstance(answered, dict | list)
        else ""
    )


@dataclass
class Reader:
    """Follows one page; leaving its context ends what the page started.

    Attributes:
        folder: Where commands run.
        environment: Over that of this process, from which climbtrack's own variables are gone.
        ports: Free ones: `api`, and of the services' probes.
        yolox: Whether YOLOX-nano can be had; commands that name it are left out where not.
    """

    folder: Path
    environment: Mapping[str, str]
    ports: Mapping[str, int]
    yolox: bool
    failures: list[str] = field(default_factory=list)
    output: str = ""
    _running: list[tuple[Command, subprocess.Popen[str], Path]] = field(default_factory=list)

    def __post_init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLIMBTRACK_", "XDG_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
        ports = {f"CLIMBTRACK_{name.upper()}_HEALTH_PORT": str(port) for name, port in self.ports.items()}
        ports["CLIMBTRACK_API_PORT"] = ports.pop("CLIMBTRACK_API_HEALTH_PORT")
        self._environment = {**kept, "PATH": path, **ports, **self.environment}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what is still running."""
        self.stop()

    def read(self, page: Path) -> None:
        """Do everything that a page says, and note what did not work."""
        for block in blocks(page):
            self._write(block)
        for block in blocks(page):
            for command in block.commands:
                began_s = time.monotonic()
                self._do(command)
                print(f"{time.monotonic() - began_s:5.1f} s  {command}")  # shown by pytest -rP
            if block.language == "json":
                self._compare(block)
            elif block.language == "python":
                self._calculate(block)
        self.stop()

    def stop(self) -> None:
        """End what was started, the last first, by SIGTERM."""
        while self._running:
            command, process, log = self._running.pop()
            process.terminate()
            try:
                code = process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            self.output = log.read_text()
            if code not in (0, ENDED_BY_SIGTERM.get(" ".join(command.words.split()[:2]))):
                self._failed(command, f"ended with {code}", self.output)

    def _write(self, block: Block) -> None:
        named = re.match(r"# (\S+\.yaml)\n", block.text)
        if block.language == "yaml" and named:
            (self.folder / named[1]).write_text(as_run(block.text, self.ports["api"]))

    def _do(self, command: Command) -> None:
        if excuse(command):
            if command.words.startswith("python -m"):
                self._run(command, f"{' '.join(command.words.split()[:3])} --help")
            return
        if NEEDS_YOLOX in command.words and not self.yolox:
            return
        text = as_run(command.words, self.ports["api"])
        if ready := self._readiness(command):
            self._start(command, text, ready)
            return
        if text.startswith("climbtrack run"):
            self.stop()  # one run at a time uses the data folder and the port
        self._run(command, text)

    def _run(self, command: Command, text: str) -> None:
        log = self.folder / "log"
        with log.open("w") as said, (self.folder / "answer").open("w") as answer:
            process = subprocess.Popen(["bash", "-c", text], stdout=answer, stderr=said, **self._where())
            try:
                code: int | str = process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                code = f"nothing within {LIMIT_S} s"
        self.output = (self.folder / "answer").read_text()
        if code:
            self._failed(command, f"`{text}` ended with {code}", self.output + log.read_text())

    def _start(self, command: Command, text: str, ready: Callable[[str], bool]) -> None:
        log = self.folder / f"log-{len(self._running)}"
        with log.open("w") as said:
            process = subprocess.Popen(["bash", "-c", f"exec {text}"], stdout=said, stderr=said, **self._where())
        self._running.append((command, process, log))
        deadline = time.monotonic() + LIMIT_S
        while not ready(log.read_text()):
            if process.poll() is not None or time.monotonic() > deadline:
                self._failed(command, f"`{text}` does not get ready", log.read_text())
                return
            time.sleep(0.1)

    def _where(self) -> dict[str, Any]:
        return {"cwd": self.folder, "env": self._environment, "text": True, "start_new_session": True}

    def _readiness(self, command: Command) -> Callable[[str], bool] | None:
        """Return how to see in its log that a command that goes on for ever is at work; None when it ends."""
        words = command.words.split()
        if "--keep-serving" in words:
            return lambda said: "Ctrl-C ends it" in said
        if words[:2] == ["curl", "-N"]:
            return lambda said: ": connected" in said
        if words[:2] == ["climbtrack", "kafka"]:
            return self._kafka_answers
        if words[:3] == ["climbtrack", "cluster", "up"]:
            return lambda said: "Ctrl-C stops everything" in said
        if words[0] == "climbtrack" and words[1] in PROBED and not ENDS.match(command.words):
            return lambda _: self._answers(self.ports[words[1]])
        return None

    def _kafka_answers(self, said: str) -> bool:
        address = re.search(r"^[\w.]+:\d+$", said, re.MULTILINE)
        if address:
            self._environment["CLIMBTRACK_KAFKA_SERVERS"] = address[0]
        return address is not None

    def _answers(self, port: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _compare(self, block: Block) -> None:
        shown = json.loads(block.text)
        try:
            answered = json.loads(self.output.strip().splitlines()[-1])
        except (ValueError, IndexError):
            self.failures.append(f"{block.page.name}:{block.line}: no JSON was answered: {self.output[-500:]}")
            return
        if found := difference(shown, answered):
            self.failures.append(f"{block.page.name}:{block.line}: {found}")

    def _calculate(self, block: Block) -> None:
        """Run a program of the page on crops, in a process of its own; what it ends with is an embedding."""
        program = self.folder / "program.py"
        crops = "import numpy as np\ncrops = [np.full((90, 40, 3), 90, np.uint8)] * 3\n"
        program.write_text(f"{crops}{block.text}assert abs(np.linalg.norm(embedding) - 1) < 1e-3\n")
        self._run(Command(block.page, block.line, "python program.py"), "python program.py")

    def _failed(self, command: Command, what: str, said: str) -> None:
        self.failures.append(f"{command}\n{what}:\n{said[-1500:]}")
