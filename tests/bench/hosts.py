"""climbtrack on many hosts, disturbed: broker, Redis, two ingest, three workers, two galleries, each on a network.

    python -m tests.bench.hosts --site SITE --disturb 10 [--seed 1] [--before CHECKOUT]

Needs Linux, root, `ip`, `iptables`, Java and redis-server. SITE is a folder that `climbtrack synth site` wrote; its
cameras are read again and again, each time as another site, until all disturbances were made. The last line is one JSON
object: people who differ from those of one machine, without and with disturbances and while the services of the
checkout of an earlier version are upgraded one by one, rows that are lost or counted twice, the longest time in which
nothing was decided, and how long each kind of disturbance took to be over.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import redis
import yaml

from deploy import kafka_server
from deploy.announce import announce
from gallery.export import write_mot
from gallery.handler import NAME as GALLERY
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from reid_worker.handler import NAME as WORKER
from tests.servers.cluster import START_NS
from wire.bus import FRAMES, TRACKLETS
from wire.errors import TransientError
from wire.kafka.bus import KafkaBus
from wire.messages import CameraSpec
from wire.settings import KafkaSettings, RedisSettings

NET = "10.77.0"
HOSTS = {"broker": 10, "redis": 11, "ingest-1": 21, "ingest-2": 22, "worker-1": 31, "worker-2": 32, "worker-3": 33,
         "gallery-1": 41, "gallery-2": 42, "api": 51}  # fmt: skip
SERVICES = ("gallery-1", "gallery-2", "worker-1", "worker-2", "worker-3", "ingest-1", "ingest-2", "api")  # upgraded so
HUB = "climbtrack-hub"
KAFKA_PORT, REDIS_PORT, HEALTH_PORT = 9092, 6379, 9100
KINDS = ("broker restarts", "redis restarts", "worker cut from broker", "gallery cut from redis", "kill -9 worker",
         "kill -9 gallery")  # fmt: skip
CUT_S = (3.0, 12.0)
BETWEEN_S = (3.0, 8.0)
OVER_S = 240.0
STEP_S = 20.0  # for which something is waited for after each step of an upgrade
KAFKA = KafkaSettings(servers=f"{NET}.10:{KAFKA_PORT}", session_timeout_ms=6000, heartbeat_interval_ms=1000)
REDIS_URL = f"redis://{NET}.11:{REDIS_PORT}/0"


def sh(*command: str, check: bool = True) -> None:
    subprocess.run(command, check=check, capture_output=not check)


def name_of(host: str) -> str:
    return f"climbtrack-{host}"


@contextmanager
def networks() -> Iterator[None]:
    """Give every host a network with one address, and join them by a bridge in the hub's."""
    tear_down()
    sh("ip", "netns", "add", HUB)
    inside(HUB, "ip", "link", "set", "lo", "up")
    inside(HUB, "ip", "link", "add", "bridge", "type", "bridge")
    inside(HUB, "ip", "addr", "add", f"{NET}.1/24", "dev", "bridge")
    inside(HUB, "ip", "link", "set", "bridge", "up")
    for host, number in HOSTS.items():
        own, cable = name_of(host), f"to-{host}"
        sh("ip", "netns", "add", own)
        inside(HUB, "ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", own)
        inside(HUB, "ip", "link", "set", cable, "master", "bridge", "up")
        inside(own, "ip", "addr", "add", f"{NET}.{number}/24", "dev", "eth0")
        inside(own, "ip", "link", "set", "eth0", "up")
        inside(own, "ip", "link", "set", "lo", "up")
    try:
        yield
    finally:
        tear_down()


def inside(network: str, *command: str) -> None:
    sh("ip", "netns", "exec", network, *command)


def tear_down() -> None:
    for network in (HUB, *map(name_of, HOSTS)):
        sh("ip", "netns", "del", network, check=False)


class Hosts:
    """The processes, each on its host."""

    def __init__(self, folder: Path, detector: Path, tree: Path) -> None:
        self.tree = tree  # whose code the services that are started run
        self._folder = folder
        self._detector = detector
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "kafka").mkdir()
        (folder / "redis").mkdir()
        listen = (
            f"listeners=PLAINTEXT://0.0.0.0:{{port}},CONTROLLER://127.0.0.1:{{controller_port}}\n"
            f"advertised.listeners=PLAINTEXT://{NET}.10:{{port}}\n"
        )
        self._kafka = kafka_server.prepare(folder / "kafka", kafka_server.fetch(), (KAFKA_PORT, 9093), listen)

    def start(self, host: str) -> None:
        with (self._folder / f"{host}.log").open("ab") as log:
            command = ["ip", "netns", "exec", name_of(host), *self._command(host)]
            where = self._folder / "kafka" if host == "broker" else self._folder
            code = {**os.environ, "PYTHONPATH": str(self.tree)}
            self._running[host] = subprocess.Popen(command, cwd=where, stdout=log, stderr=log, env=code)

    def end(self, host: str, how: int = signal.SIGKILL) -> None:
        process = self._running.pop(host)
        process.send_signal(how)
        process.wait(60)

    def check(self) -> None:
        for host, process in self._running.items():
            if process.poll() is not None:
                tail = (self._folder / f"{host}.log").read_text(errors="replace")[-3000:]
                raise SystemExit(f"{host} ended by itself with {process.returncode}:\n{tail}")

    def cut(self, host: str, other: str, *, cut: bool) -> None:
        """Let no packet pass between two hosts, or let them pass again."""
        peer, change = f"{NET}.{HOSTS[other]}", "-A" if cut else "-D"
        inside(name_of(host), "iptables", change, "OUTPUT", "-d", peer, "-j", "DROP")
        inside(name_of(host), "iptables", change, "INPUT", "-s", peer, "-j", "DROP")

    def close(self) -> None:
        for host in list(self._running):
            with suppress(ProcessLookupError):
                self.end(host)

    def _command(self, host: str) -> list[str]:
        if host == "broker":
            return self._kafka
        if host == "redis":
            kept = ["--dir", str(self._folder / "redis"), "--appendonly", "yes", "--appendfsync", "always"]
            return ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", *kept]
        service = host.partition("-")[0]
        own: dict[str, object] = {"port": 8080, "host": "0.0.0.0"} if service == "api" else {"health_port": HEALTH_PORT}
        if service == "worker":
            own |= {"threads": 1, "detector": str(self._detector)}
        if service == "gallery":
            own |= {"complete_wait_s": 600.0}
        kafka = KAFKA.model_dump(mode="json", exclude_unset=True)  # an earlier version does not know all settings
        content = {"kafka": kafka, "redis": {"url": REDIS_URL}, service: own}
        path = self._folder / f"{host}.yaml"
        path.write_text(yaml.safe_dump(content))
        return [sys.executable, "-m", "deploy.cli", service, "--config", str(path)]


class Watch:
    """When something was decided, over all sites."""

    def __init__(self) -> None:
        self.sites: list[str] = []
        self.times: list[float] = []
        self.resting = True  # nothing is expected to be decided
        self.longest_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        client = redis.Redis.from_url(REDIS_URL, socket_timeout=1.0)
        seen, last_s = 0, time.monotonic()
        while not self._stop.wait(0.1):
            now = self._decided(client)
            if self.resting:
                last_s = time.monotonic()
            if now > seen:
                seen = now
                self.times.append(time.monotonic())
                self.longest_s, last_s = max(self.longest_s, self.times[-1] - last_s), self.times[-1]

    def _decided(self, client: "redis.Redis") -> int:
        try:
            return sum(RedisStore(client, site).learnt().version for site in self.sites)
        except TransientError:
            return 0

    def next_after(self, since_s: float) -> float | None:
        return next((at for at in self.times if at > since_s), None)


def disturb(hosts: Hosts, watch: Watch, kind: str, rng: np.random.Generator) -> float:
    """Do something to the hosts; return for how many seconds nothing was decided since then."""
    began_s = time.monotonic()
    cut_s = float(rng.uniform(*CUT_S))
    worker, gallery = f"worker-{rng.integers(1, 4)}", f"gallery-{rng.integers(1, 3)}"
    ended_s = began_s
    match kind:
        case "broker restarts" | "redis restarts":
            host = kind.partition(" ")[0]
            hosts.end(host, signal.SIGKILL if rng.integers(2) else signal.SIGTERM)
            hosts.start(host)
        case "worker cut from broker" | "gallery cut from redis":
            one, other = (worker, "broker") if "worker" in kind else (gallery, "redis")
            hosts.cut(one, other, cut=True)
            time.sleep(cut_s)
            hosts.cut(one, other, cut=False)
            ended_s = time.monotonic()
        case _:
            host = worker if "worker" in kind else gallery
            hosts.end(host)
            hosts.start(host)
    while watch.next_after(ended_s) is None:
        hosts.check()
        if watch.resting:
            return 0.0
        if time.monotonic() - ended_s > OVER_S:
            raise SystemExit(f"{kind}: nothing was decided for {OVER_S:g} s afterwards")
        time.sleep(0.1)
    return (watch.next_after(ended_s) or ended_s) - began_s


def specs(site: Path, site_id: str) -> list[CameraSpec]:
    return [
        CameraSpec(
            camera_id=f"{video.stem}-{site_id}",
            site_id=site_id,
            url=str(video.resolve()),
            mode="complete",
            start_ns=START_NS,
        )
        for video in sorted(site.glob("*.mp4"))
    ]


def people_of(folder: Path, suffix: str = "") -> dict[str, set[tuple[str, int, str]]]:
    """Return where each person was: camera, frame and box."""
    people: dict[str, set[tuple[str, int, str]]] = defaultdict(set)
    for path in folder.glob("*.txt"):
        for line in path.read_text().splitlines():
            frame, identity, *rest = line.split(",")
            people[identity].add((path.stem.removesuffix(suffix), int(frame), ",".join(rest[:4])))
    return people


def compared(one: dict[str, set[tuple[str, int, str]]], other: dict[str, set[tuple[str, int, str]]]) -> Counter[str]:
    """Return how many people differ, and how many rows of the first the second lacks, or has more or twice."""
    mine, theirs = ([row for rows in people.values() for row in rows] for people in (one, other))
    changed = {frozenset(rows) for rows in one.values()} ^ {frozenset(rows) for rows in other.values()}
    return Counter(
        people_changed=len(changed),
        rows_lost=len(set(mine) - set(theirs)),
        rows_added=len(set(theirs) - set(mine)),
        rows_twice=len(theirs) - len(set(theirs)),
    )


@dataclass
class Bench:
    """What all rounds share.

    Attributes:
        left: Disturbances that are still to come, last first.
        took: How long each kind of them lasted until something was decided again, in seconds.
        expected: Where each person is, as one machine sees it.
    """

    hosts: Hosts
    watch: Watch
    bus: KafkaBus
    site: Path
    folder: Path
    rng: np.random.Generator
    left: list[str]
    expected: dict[str, set[tuple[str, int, str]]]
    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def round(self, number: int, *, disturbed: bool = False, upgraded_to: Path | None = None) -> Counter[str]:
        """Read the cameras of the site once more, with disturbances while there are any left, or with an upgrade."""
        site_id = f"round{number}"
        cameras = specs(self.site, site_id)
        self._announce(cameras)
        self.watch.sites.append(site_id)
        store = RedisStore(connect(RedisSettings(url=REDIS_URL)), site_id)
        began_s = last_s = time.monotonic()
        pause_s = float(self.rng.uniform(*BETWEEN_S))
        while not done(store, self.bus, cameras, site_id):
            self.hosts.check()
            decided = store_progress(store)
            self.watch.resting = self.watch.resting and not decided  # until the services have started
            if decided and time.monotonic() - last_s > pause_s:
                if upgraded_to is not None:
                    self._upgrade(upgraded_to)
                    upgraded_to = None
                elif disturbed and self.left:
                    self._disturb(began_s)
                last_s, pause_s = time.monotonic(), float(self.rng.uniform(*BETWEEN_S))
            time.sleep(0.3)
        if upgraded_to is not None:
            raise SystemExit("the round ended before the upgrade began")
        self.watch.resting = True
        print(f"round {number}: {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
        out = self.folder / site_id
        write_mot(store, out)
        return compared(self.expected, people_of(out, f"-{site_id}"))

    def _announce(self, cameras: Sequence[CameraSpec]) -> None:
        for _ in range(12):
            with suppress(TransientError):  # a busy machine, on which everything starts at once
                announce(self.bus, cameras)
                return
        raise SystemExit("the cameras cannot be announced")

    def _disturb(self, began_s: float) -> None:
        kind = self.left.pop()
        self.took[kind].append(round(disturb(self.hosts, self.watch, kind, self.rng), 1))
        print(f"{time.monotonic() - began_s:6.1f} s  {kind}: {self.took[kind][-1]} s", file=sys.stderr, flush=True)

    def longest_gap(self) -> float:
        """Return the longest time in which nothing was decided since the last call, in seconds."""
        found, self.watch.longest_s = self.watch.longest_s, 0.0
        return round(found, 1)

    def _upgrade(self, tree: Path) -> None:
        """Replace every service, one after the other, as an orchestrator does."""
        for host in SERVICES:
            self.hosts.end(host, signal.SIGTERM)
            self.hosts.tree = tree
            self.hosts.start(host)
            began_s = time.monotonic()
            while self.watch.next_after(began_s) is None and time.monotonic() - began_s < STEP_S:
                self.hosts.check()
                time.sleep(0.1)
            self.took["upgrade of one"].append(round(time.monotonic() - began_s, 1))


def store_progress(store: RedisStore) -> dict[str, bool]:
    try:
        return {name: stored.progress.ended for name, stored in store.progress().items()}
    except TransientError:
        return {}


def done(store: RedisStore, bus: KafkaBus, cameras: Sequence[CameraSpec], site_id: str) -> bool:
    ended = store_progress(store)
    if not all(ended.get(camera.camera_id) for camera in cameras):
        return False
    try:
        waiting = [bus.backlog(FRAMES.name, WORKER, camera.camera_id) for camera in cameras]
        return not any(waiting) and bus.backlog(TRACKLETS.name, GALLERY, site_id) == 0
    except TransientError:
        return False


def measure(given: argparse.Namespace) -> dict[str, object]:
    """Run a round without disturbances, an upgrade if there is a version before, and rounds until all are made."""
    rng = np.random.default_rng(given.seed)
    left = [KINDS[i % len(KINDS)] for i in range(given.disturb)]
    rng.shuffle(left)
    folder = Path(tempfile.mkdtemp(prefix="climbtrack-hosts-"))
    hosts = Hosts(folder, Path("reid_worker/weights/person-detector.onnx").resolve(), given.before or Path.cwd())
    try:
        for host in ("broker", "redis"):
            hosts.start(host)
        wait_for_port(f"{NET}.10", KAFKA_PORT)
        bus = KafkaBus(KAFKA)
        bus.ensure_topics()
        for host in SERVICES:
            hosts.start(host)
        bench = Bench(hosts, Watch(), bus, given.site, folder, rng, left, expected=people_of(given.reference))
        told = {"undisturbed": {**bench.round(0), "longest_gap_s": bench.longest_gap()}}
        number = 1
        if given.before is not None:
            told["upgrade"] = {**bench.round(1, upgraded_to=Path.cwd()), "longest_gap_s": bench.longest_gap()}
            number = 2
        found = compared({}, {})
        while left:
            found.update(bench.round(number, disturbed=True))
            number += 1
        told["disturbed"] = {"disturbances": given.disturb, **found, "longest_gap_s": bench.longest_gap()}
        bench.watch.close()
        bus.close()
    finally:
        hosts.close()
    rows = sum(map(len, bench.expected.values()))
    return {
        "hosts": len(HOSTS),
        "rounds": number,
        "people": len(bench.expected),
        "rows": rows,
        **told,
        "over_after_s": dict(sorted(bench.took.items())),
        "logs": str(folder),
    }


def wait_for_port(address: str, port: int) -> None:
    import socket

    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.2)
    raise SystemExit(f"{address}:{port} does not answer")


def one_machine(site: Path, out: Path) -> None:
    """Follow the cameras in one process, as the reference."""
    cameras = [word for video in sorted(site.glob("*.mp4")) for word in ("--camera", f"{video.stem}={video}")]
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "deploy.cli", "run", "--detector", "bundled", "--port", "0"]
        subprocess.run([*command, "--data-dir", data, "--out", str(out), *cameras], check=True, stdout=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--site", type=Path, required=True)
    parser.add_argument("--disturb", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--before", type=Path, help="a checkout of an earlier version, to be upgraded from")
    parser.add_argument("--reference", type=Path, help="what `climbtrack run --out` wrote for the site")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(measure(given)))
        return
    if missing := [tool for tool in ("ip", "iptables", "java", "redis-server") if shutil.which(tool) is None]:
        raise SystemExit(f"needs {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder, networks():
        reference = given.reference or Path(folder) / "out"
        if given.reference is None:
            one_machine(given.site, reference)
        before = [] if given.before is None else ["--before", str(given.before.resolve())]
        words = [*before, "--site", str(given.site), "--disturb", str(given.disturb), "--seed", str(given.seed)]
        command = ["ip", "netns", "exec", HUB, sys.executable, "-m", "tests.bench.hosts", *words]
        done = subprocess.run([*command, "--reference", str(reference), "--inside"], check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
