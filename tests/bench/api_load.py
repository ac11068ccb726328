"""The API beside a running pipeline: 1 000 clients of events and 200 requests a second; one JSON line.

    python -m tests.bench.api_load --video hall.mp4 --before WORKTREE
    python -m tests.bench.api_load --video hall.mp4 --cluster

A `climbtrack run` in a process of its own plays a file in a loop as fast as it can. Its speed is measured alone, under
load and alone again; the ratio is that under load to the mean of the other two. Latencies are counted from the moment
when a request was due, so that requests which wait for others count as slow. Every twentieth client of events takes
nothing after it has connected. `load_cpu` is what the load costs: seconds of all the run's processes a second, beyond
those that it needs alone for as many frames. Both trees are measured in turn, so that both meet the same machine.

With `--cluster`, it is a `climbtrack cluster up` with one worker: Kafka, Redis and every service as processes. Since
ingest reads files faster than a worker analyses them, its cameras are as live as six copies of the file in real time,
more than one worker takes on: its speed is what it can do.
"""

import argparse
import asyncio
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from deploy.kafka_server import free_port

CLIENTS, RATE, CONNECTIONS = 1_000, 200, 16
SLOW = 20  # one client of so many reads nothing
PATHS = ("/v1/identities?limit=50", "/v1/stats", "/v1/cameras", "/v1/tracks?limit=50", "/v1/alerts?limit=50")
READY_S = 120.0
LIVE_CAMERAS = 6
STOP_S = 120.0


@dataclass(frozen=True, slots=True)
class System:
    """How to start a system in a folder, and where it answers and tells what it has analysed."""

    words: tuple[str, ...]
    settings: Mapping[str, Any]
    port: int
    worker_port: int


def in_one_process(video: Path) -> System:
    """Return `climbtrack run`, whose API shows the metrics of all parts."""
    camera, port = {"url": str(video), "loop": True, "mode": "complete"}, free_port()
    settings = {"cameras": {"hall": camera}, "api": {"port": port}}
    return System(("run", "--no-pictures"), settings, port, port)


def as_cluster(video: Path) -> System:
    """Return `climbtrack cluster up` with one worker and more cameras than it takes on."""
    camera = {"url": str(video), "loop": True, "realtime": True, "mode": "latency"}
    api, worker, *ports = (free_port() for _ in range(5))
    settings = {
        "cameras": {f"hall-{number}": camera for number in range(1, LIVE_CAMERAS + 1)},
        "api": {"port": api},
        "worker": {"health_port": worker},
        **{name: {"health_port": port} for name, port in zip(("ingest", "gallery", "alerts"), ports, strict=True)},
    }
    words = ("cluster", "up", "--workers", "1", "--kafka-port", "0", "--no-prometheus")
    return System(words, settings, api, worker)


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each of the three parts")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--before", type=Path, help="a worktree of the commit to compare with")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cluster", action="store_true", help="of processes over Kafka, in place of one process")
    given = parser.parse_args()
    trees = {"before": given.before.resolve()} if given.before else {}
    found: dict[str, list[dict[str, Any]]] = {}
    for _ in range(given.rounds):
        for name, tree in {**trees, "after": Path(__file__).parents[2]}.items():
            with tempfile.TemporaryDirectory() as folder:
                found.setdefault(name, []).append(measured(given, Path(folder), tree))
                print(f"{name}: {found[name][-1]}", file=sys.stderr)
    print(json.dumps({"machine": machine(), **found}))


def measured(given: argparse.Namespace, folder: Path, tree: Path) -> dict[str, Any]:
    """Return the figures of one run of the packages in a tree."""
    system = (as_cluster if given.cluster else in_one_process)(given.video.resolve())
    (folder / "site.yaml").write_text(json.dumps(system.settings))
    where = ("--config", "site.yaml", "--data-dir", "data")
    command = [sys.executable, "-m", "deploy.cli", *system.words, *where]
    with (folder / "log").open("w") as log:
        run = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(tree)})
        try:
            base = f"http://127.0.0.1:{system.worker_port}"
            wait_until_analysed(base, run, folder / "log")
            process = psutil.Process(run.pid)
            before, cost = speed(base, given.seconds, process)
            load, (under, loaded_cost) = asyncio.run(loaded(system, given, process))
            after, _ = speed(base, given.seconds, process)
        finally:
            run.send_signal(signal.SIGINT)
            run.wait(STOP_S)
    alone = (before + after) / 2
    speeds = {"alone_fps": [round(before, 2), round(after, 2)], "loaded_fps": round(under, 2)}
    costs = {"alone_cpu": round(cost, 2), "loaded_cpu": round(loaded_cost, 2)}
    costs["load_cpu"] = round(loaded_cost - cost * under / before, 2)
    return {**load, **speeds, "ratio": round(under / alone, 3), **costs, "load": round(os.getloadavg()[0], 1)}


async def loaded(
    system: System, given: argparse.Namespace, run: psutil.Process
) -> tuple[dict[str, Any], tuple[float, float]]:
    """Load the API; return what clients saw, and the speed and the cost of the run meanwhile."""
    followers = [Follower(takes=number % SLOW != 0) for number in range(given.clients)]
    tasks = [asyncio.create_task(one.follow(system.port)) for one in followers]
    async with asyncio.timeout(READY_S):
        await asyncio.gather(*(one.connected.wait() for one in followers))
    waits: list[float] = []
    failed: list[str] = []
    began = time.monotonic()
    speeding = asyncio.create_task(
        asyncio.to_thread(speed, f"http://127.0.0.1:{system.worker_port}", given.seconds, run)
    )
    asking = [
        asyncio.create_task(ask(system.port, given, number, began, waits, failed)) for number in range(CONNECTIONS)
    ]
    under = await speeding
    for task in (*asking, *tasks):
        task.cancel()
    await asyncio.gather(*asking, *tasks, return_exceptions=True)
    taking = [one.events for one in followers if one.takes]
    return {
        "clients": len(followers),
        "events_of_a_client": [min(taking), max(taking)],
        "lost": sum(one.lost for one in followers),
        "requests": len(waits),
        "failed": len(failed),
        "p50_ms": percentile(waits, 0.50),
        "p99_ms": percentile(waits, 0.99),
        "max_ms": percentile(waits, 1.0),
    }, under


class Follower:
    """A client of events; `lost`: its connection ended."""

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.connected = asyncio.Event()
        self.lost = False
        self.events = 0

    async def follow(self, port: int) -> None:
        """Read events until cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
        try:
            writer.write(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b": connected")
            self.connected.set()
            while self.takes:
                part = await reader.read(1 << 16)
                if not part:
                    self.lost = True
                    return
                self.events += part.count(b"event: ")
            await asyncio.Event().wait()
        finally:
            writer.close()


async def ask(
    port: int, given: argparse.Namespace, number: int, began: float, waits: list[float], failed: list[str]
) -> None:
    """Send this connection's share of the requests, each when it is due."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(asyncio.CancelledError):
        for turn in range(number, math.ceil(given.rate * given.seconds), CONNECTIONS):
            due = began + turn / given.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            writer.write(f"GET {PATHS[turn % len(PATHS)]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            waits.append(time.monotonic() - due)
            if not head.startswith(b"HTTP/1.1 200"):
                failed.append(head.decode())
    writer.close()


def speed(base: str, seconds: float, run: psutil.Process) -> tuple[float, float]:
    """Return the frames that a run analyses in a second, over some, and its CPU time in a second."""
    began, first, spent = time.monotonic(), analysed(base), cpu_s(run)
    time.sleep(seconds)
    frames, took_s = analysed(base) - first, time.monotonic() - began
    return frames / took_s, (cpu_s(run) - spent) / took_s


def analysed(base: str) -> int:
    """Return how many frames were analysed so far, in all turns of the file."""
    text = httpx.get(f"{base}/metrics", timeout=60).text
    lines = [line for line in text.splitlines() if line.startswith("climbtrack_worker_frames_total{")]
    return round(sum(float(line.rsplit(" ", 1)[1]) for line in lines if 'outcome="analysed"' in line))


def wait_until_analysed(base: str, run: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return once frames are analysed."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and run.poll() is None:
        with suppress(httpx.HTTPError):
            if analysed(base):
                time.sleep(5)  # first people, first windows
                return
        time.sleep(0.2)
    raise SystemExit(f"the run does not get going: {log.read_text()}")


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile in ms."""
    ordered = sorted(values)
    return round(1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)], 1)


def cpu_s(run: psutil.Process) -> float:
    """Return the CPU time of a process and of those that it started."""
    return sum(sum(one.cpu_times()[:2]) for one in (run, *run.children(recursive=True)))


def machine() -> dict[str, Any]:
    """Return what it was measured on."""
    return {"cores": os.cpu_count(), "processor": platform.processor() or platform.machine()}


if __name__ == "__main__":
    main()
