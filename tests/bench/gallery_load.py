"""The gallery under load, before and after a change: one JSON line.

    python -m tests.bench.gallery_load --before WORKTREE

Each part runs in a process of its own over the packages of either tree, in turn, so that both meet the same machine:

- `identities`: GET /v1/identities?limit=1000 over a Redis of 1 000 people with 20 tracklets each;
- `cameras`: GET /v1/cameras 200 times a second for five seconds, asked by 16 clients; 100 cameras are listed on Kafka
  (with --kafka; else on the bus in memory), and some of them are changed meanwhile;
- `window`: a window of 200 tracklets against 5 000 people, after one of a single tracklet, as a running gallery decides
  them; `digest` is equal where the decisions are.
"""

import argparse
import hashlib
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

S = 1_000_000_000
NOW = 1_700_000_000 * S
DIMENSION, FREE = 512, 64  # cosines of different people scatter by 1 / sqrt(64) = 0.13
CAMERAS = 20
PEOPLE, TRACKLETS = 5_000, 200
LISTED, EACH = 1_000, 20
LISTED_CAMERAS = 100
RATE, SECONDS, CLIENTS = 200, 5, 16
ROUNDS = 3

Vector = NDArray[np.float32]
Figures = dict[str, Any]


def main() -> None:
    """Run every part over both trees, or one part over the packages that are imported."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="a worktree of the commit to compare with")
    parser.add_argument("--kafka", action="store_true", help="list the cameras on a Kafka node that is started for it")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--part", choices=sorted(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--server", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps(PARTS[given.part](given.server)))
        return
    trees = {"before": given.before, "after": Path.cwd()} if given.before else {"after": Path.cwd()}
    figures = {}
    with _servers(kafka=given.kafka) as servers:
        for part in PARTS:
            found: dict[str, list[Figures]] = {name: [] for name in trees}
            for _ in range(given.rounds):
                for name, tree in trees.items():
                    found[name].append(_in_tree(tree.resolve(), part, servers.get(part, "")))
                    print(f"{part} {name}: {found[name][-1]}", file=sys.stderr)
            figures[part] = {name: _median(rounds) for name, rounds in found.items()}
    print(json.dumps({"bench": "gallery_load", "rounds": given.rounds, **_where(), **figures}))


@contextmanager
def _servers(*, kafka: bool) -> Iterator[dict[str, str]]:
    """Yield where the servers are that parts need."""
    from deploy import kafka_server
    from deploy.local.private_redis import PrivateRedis

    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        found = {"identities": parts.enter_context(PrivateRedis(folder)).url}
        if kafka:
            found["cameras"] = parts.enter_context(kafka_server.start()).servers
        yield found


def _in_tree(tree: Path, part: str, server: str) -> Figures:
    command = [sys.executable, str(Path(__file__).resolve()), "--part", part, "--server", server]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    with tempfile.TemporaryDirectory() as folder:  # nothing of the tree that stands where we are
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{part} over {tree}: {done.stderr[-2000:]}")
    outcome: Figures = json.loads(done.stdout.splitlines()[-1])
    return outcome


def _median(rounds: list[Figures]) -> Figures:
    """Return the middle of every figure; what is no figure must be the same in every round."""
    numbers = {key for key, value in rounds[0].items() if isinstance(value, float)}
    middle = {key: round(float(np.median([one[key] for one in rounds])), 4) for key in numbers}
    others = {key: {str(one[key]) for one in rounds} for key in rounds[0].keys() - numbers}
    return dict(sorted((middle | {key: ", ".join(sorted(values)) for key, values in others.items()}).items()))


def _where() -> Figures:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{model.partition(': ')[2] or platform.machine()}, {os.cpu_count()} threads",
        "load": round(os.getloadavg()[0], 1),
    }


def list_identities(server: str) -> Figures:
    """Ask for 1 000 people at once, of a Redis at a URL."""
    import redis
    from fastapi.testclient import TestClient

    from gallery.store.redis import RedisStore
    from wire.memory import MemoryBus

    path = f"/v1/identities?limit={LISTED}"
    with closing(redis.Redis.from_url(server)) as connection, closing(MemoryBus()) as bus:
        store = RedisStore(connection, f"site-{uuid.uuid4().hex}")
        _write_people(store)
        with TestClient(_app(store, bus)) as client:
            asked: list[Figures] = []
            times = [_timed(lambda: asked.append(client.get(path).json())) for _ in range(3)]
    seen = [(one["id"], one["tracklets"], one["sightings"]) for one in asked[-1]["identities"]]
    seconds, cpu_s = min(times)
    return {"seconds": seconds, "cpu_s": cpu_s, "people": len(seen), "digest": _digest(seen)}


def list_cameras(server: str) -> Figures:
    """Ask for the cameras so many times a second; answers are late against when they should have been asked for."""
    from gallery.store.memory import MemoryStore

    with closing(_bus(server)) as bus, closing(bus.producer()) as producer:
        bus.ensure_topics()
        _announce(producer, range(LISTED_CAMERAS))
        with _served(_app(MemoryStore("site"), bus)) as port:
            cameras = json.loads(_get(port, "/v1/cameras"))["cameras"]
            changing = threading.Thread(target=_announce, args=(producer, range(5), 20))
            changing.start()
            begun_s, cpu_s = time.monotonic(), time.process_time()
            with ThreadPoolExecutor(CLIENTS) as pool:
                late = list(pool.map(lambda n: _ask(port, begun_s + n / RATE), range(RATE * SECONDS)))
            took_s, cpu_s = time.monotonic() - begun_s, time.process_time() - cpu_s
            changing.join()
    return {
        "answered_per_s": len(late) / took_s,
        "median_s": float(np.median(late)),
        "p99_s": float(np.quantile(late, 0.99)),
        "cpu_s": cpu_s,
        "asked_per_s": RATE,
        "cameras": len(cameras),
        "bus": "kafka" if server else "memory",
    }


def decide_window(_: str) -> Figures:
    """Decide a window of one tracklet, then one of many."""
    world = _World()
    first, then = world.updates(1), world.updates(TRACKLETS)
    one_s, one_cpu_s = _timed(lambda: world.decide(0, first))
    many_s, many_cpu_s = _timed(lambda: world.decide(2, then))
    return {
        "one_s": one_s,
        "one_cpu_s": one_cpu_s,
        "seconds": many_s,
        "cpu_s": many_cpu_s,
        "tracklets": TRACKLETS,
        "people": PEOPLE,
        **world.decided(),
    }


PARTS: Mapping[str, Callable[[str], Figures]] = {
    "identities": list_identities,
    "cameras": list_cameras,
    "window": decide_window,
}


def _app(store: Any, bus: Any) -> Any:
    from gallery.api.app import create_app
    from gallery.config import ApiSettings

    return create_app(store, bus, ApiSettings())


def _bus(server: str) -> Any:
    from wire.kafka.bus import KafkaBus
    from wire.memory import MemoryBus
    from wire.settings import KafkaSettings

    return KafkaBus(KafkaSettings(servers=server, topic_prefix=f"{uuid.uuid4().hex[:8]}.")) if server else MemoryBus()


def _announce(producer: Any, numbers: range, times: int = 1) -> None:
    from wire import codec
    from wire.messages import CameraSpec

    for _ in range(times):
        for number in numbers:
            spec = CameraSpec(camera_id=f"camera-{number}", site_id="site", url=f"rtsp://10.0.0.{number}/1")
            producer.send("cameras", spec.camera_id, codec.encode(spec))
        producer.flush(30)
        time.sleep(0.2)


@contextmanager
def _served(app: Any) -> Iterator[int]:
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, args=([taken],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield taken.getsockname()[1]
        server.should_exit = True
        thread.join()


def _ask(port: int, due_s: float) -> float:
    """Ask when it is time, on a connection of this thread; return how long after that time the answer came."""
    time.sleep(max(0.0, due_s - time.monotonic()))
    _get(port, "/v1/cameras")
    return time.monotonic() - due_s


def _get(port: int, path: str) -> bytes:
    if not hasattr(_local, "connection"):
        _local.connection = HTTPConnection("127.0.0.1", port, timeout=120)
    _local.connection.request("GET", path)
    answer = _local.connection.getresponse()
    body: bytes = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    return body


_local = threading.local()


def _write_people(store: Any) -> None:
    from gallery.store.store import Identity, StoredTracklet, Write

    rng = np.random.default_rng(5)
    look = _unit(rng.normal(size=DIMENSION))
    for version, first in enumerate(range(1, LISTED + 1, 50)):
        rows, people = [], []
        for number in range(first, first + 50):
            for part in range(EACH):
                camera = f"c{rng.integers(CAMERAS):02}"
                last_s = float(rng.uniform(0, 60 * EACH))
                rows.append(
                    StoredTracklet(_tracklet(f"{camera}/s/{number}.0/{part}", last_s, 10.0, look), number, 0.9, None)
                )
            people.append(Identity(number, NOW, NOW + S, ("c00",), EACH))
        store.write(Write(version, NOW, LISTED + 1, tracklets=rows, identities=people))


class _World:
    """A site of 5 000 people, of whom each was seen within the horizon, and new tracklets of some of them."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry

        from gallery.config import GallerySettings
        from gallery.metrics import GalleryMetrics
        from gallery.site_worker import SiteWorker, plan_of
        from gallery.store.memory import MemoryStore
        from gallery.store.store import Write
        from wire.metrics import ServiceMetrics

        self._rng = np.random.default_rng(7)
        self._basis = np.linalg.qr(self._rng.normal(size=(DIMENSION, FREE)))[0].T
        self._faces = [_unit(self._rng.normal(size=FREE)) for _ in range(PEOPLE + TRACKLETS)]
        identities, prototypes, rows = self._people()
        self._store = MemoryStore("site")
        self._store.write(Write(0, NOW, PEOPLE + 1, tracklets=rows, identities=identities, prototypes=prototypes))
        self._known = [row.tracklet for row in rows[: TRACKLETS // 4]]
        registry = CollectorRegistry()
        self._worker = SiteWorker(
            self._store, plan_of(GallerySettings()), _index, GalleryMetrics(registry), ServiceMetrics(registry)
        )

    def updates(self, count: int) -> list[Any]:
        """Return tracklets: a quarter goes on, half is of people who are known, a quarter of new ones."""
        found = []
        for k in range(count):
            if k < count // 4:
                known = self._known[k]
                found.append(_tracklet(known.tracklet_id, 2.5, 11.5, self._look(k), revision=1, closed=False))
                continue
            who = int(self._rng.integers(PEOPLE)) if k < count * 3 // 4 else PEOPLE + k
            name = f"c{k % CAMERAS:02}/s/{PEOPLE + count + k}.0/0"
            found.append(_tracklet(name, 2.6, 3.0, self._look(who), closed=False))
        return found

    def decide(self, second: int, updates: list[Any]) -> None:
        """Let the gallery decide a window that ends after `second` + 1."""
        from wire import codec
        from wire.bus import Record
        from wire.messages import CameraProgress
        from wire.service import Received

        reports = [
            CameraProgress(
                camera_id=f"c{number:02}", site_id="site", stream_id="s", time_ns=NOW + (second + 1) * S + extra,
                frames=0, analysed=0, dropped=0, tracklets=0, mode="complete",
            )
            for extra in (-1, S) for number in range(CAMERAS)
        ]  # fmt: skip
        batch = [
            Received(Record("tracklets", 0, offset, "site", codec.encode(message), 1), message)
            for offset, message in enumerate([*updates, *reports])
        ]
        self._worker.receive(batch, 0.0)
        self._worker.decide_due(0.0)

    def decided(self) -> Figures:
        """Return how many events there are, and what tells them from others."""
        events = [entry.event for entry in self._store.journal(0, 100_000)]
        told = [(event.event_id, round(event.probability, 9), event.reason) for event in events]
        return {"events": len(told), "digest": _digest(told)}

    def _look(self, person: int) -> Vector:
        noise = 0.45 * self._rng.normal(size=FREE) / np.sqrt(FREE)
        return _unit(_unit(self._faces[person] + noise) @ self._basis)

    def _people(self) -> tuple[list[Any], dict[int, Any], list[Any]]:
        from gallery.store.store import Identity, Prototype, StoredTracklet

        identities, prototypes, rows = [], {}, []
        for person in range(PEOPLE):
            number, own = person + 1, []
            seen = [f"c{camera:02}" for camera in sorted(self._rng.choice(CAMERAS, 2, replace=False))]
            for camera in seen:
                views = [self._look(person) for _ in range(3)]
                own.append(Prototype("mean", camera, "m", np.sum(views, axis=0), 3.0))
                own += [Prototype("hard", camera, "m", views[k], 1.0, f"{camera}/s/{number}.0/{k}") for k in (0, 1)]
            goes_on = person < TRACKLETS // 4
            last_s = -1.0 if goes_on else -float(self._rng.uniform(1, 880))
            name = f"{seen[0]}/s/{number}.0/0"
            sent = _tracklet(name, last_s, 8.0, own[1].vector, closed=not goes_on)
            rows.append(StoredTracklet(sent, number, 0.99, None))
            identities.append(Identity(number, sent.first_ns, sent.last_ns, tuple(seen), 6))
            prototypes[number] = tuple(own)
        return identities, prototypes, rows


def _tracklet(
    name: str, last_s: float, length_s: float, look: Vector, *, revision: int = 0, closed: bool = True
) -> Any:
    from wire.messages import Tracklet

    n = int(length_s * 5) + 1
    return Tracklet(
        tracklet_id=name,
        camera_id=name.partition("/")[0],
        site_id="site",
        revision=revision,
        closed=closed,
        times_ns=NOW + ((last_s - length_s + np.arange(n) / 5) * S).astype(np.int64),
        frames=np.arange(1, n + 1),
        boxes=np.tile(np.array([0, 0, 10, 20], np.float32), (n, 1)),
        scores=np.full(n, 0.9, np.float32),
        embedding=look.astype(np.float16),
        model_id="m",
        quality=0.8,
        frames_used=8,
        crop=b"",
    )


def _index(dimension: int) -> Any:
    """Return the index that a gallery uses, from where either tree has it."""
    import gallery.index_faiss as indexes

    return getattr(indexes, "index_for" if hasattr(indexes, "index_for") else "exact_index")(dimension)


def _unit(vector: NDArray[Any]) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that a call takes, and those that processors are busy with it: others may be busy too."""
    begun_s, cpu_s = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - begun_s, time.process_time() - cpu_s


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]


if __name__ == "__main__":
    main()
