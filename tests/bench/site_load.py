"""Lists, filters and timelines of a large site in Redis: 100 000 people and 1 000 000 tracklets; one JSON line.

    python -m tests.bench.site_load

The site lasts ten days; each person was seen by two to four of 20 cameras, every tenth has a name, every hundredth is
hidden. The API is a process of its own, as beside `climbtrack run`; each request is sent alone, on one connection.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from deploy.local.api_process import ApiProcess, ServedSite
from deploy.local.api_server import bind
from deploy.local.private_redis import PrivateRedis
from gallery.api.others import NO_OTHERS
from gallery.config import ApiSettings
from gallery.store import records
from gallery.store.layout import LAYOUT
from gallery.store.names import name_entry
from gallery.store.server import connect
from gallery.store.store import Identity, StoredTracklet
from tests.bench.api_load import machine, percentile
from wire.memory import MemoryBus
from wire.messages import Tracklet
from wire.served.server import BusServer
from wire.settings import RedisSettings

S = 1_000_000_000
BEGIN_NS, DAYS = 1_700_000_000 * S, 10
CAMERAS, EACH = 20, 10  # tracklets of a person
BOXES, DIMENSION = 25, 512  # five seconds at five boxes a second; of a tracklet
AT_ONCE = 2_000
FIRST = 1_000_000  # so that all names of tracks are of one length
TEMPLATE = f"c00/s/{FIRST}.0/0"
Rng = np.random.Generator


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=100, help="of each kind")
    given = parser.parse_args()
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        redis = parts.enter_context(PrivateRedis(folder))
        client = parts.enter_context(closing(connect(RedisSettings(url=redis.url))))
        began_s = time.monotonic()
        write_site(client, given.people)
        filled_s, memory = time.monotonic() - began_s, client.info("memory")["used_memory"]
        server = parts.enter_context(BusServer(parts.enter_context(closing(MemoryBus())), bytes))
        site = ServedSite("site", redis.url, ApiSettings(), NO_OTHERS)
        api = parts.enter_context(ApiProcess(site, server, bind("127.0.0.1", 0)))
        api.wait_until_ready()
        found = {kind: asked(api, paths, given.requests) for kind, paths in requests(given.people).items()}
    sizes = {"people": given.people, "tracklets": given.people * EACH, "redis_mb": round(memory / 1e6)}
    load = round(os.getloadavg()[0], 1)
    print(json.dumps({"machine": machine(), "load": load, "filled_s": round(filled_s), **sizes, "requests": found}))


def asked(api: ApiProcess, paths: Iterator[str], count: int) -> dict[str, float]:
    """Return how long requests took, and what each cost the API's process."""
    connection = HTTPConnection(api.url.removeprefix("http://"), timeout=120)
    process, waits = psutil.Process(api.process.pid), []
    before = process.cpu_times()
    for path, _ in zip(paths, range(count), strict=False):
        began_s = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        waits.append(time.perf_counter() - began_s)
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
    after = process.cpu_times()
    connection.close()
    cpu_s = after.user + after.system - before.user - before.system
    times = {f"p{round(100 * share)}_ms": percentile(waits, share) for share in (0.5, 0.99)}
    return {**times, "cpu_ms": round(1000 * cpu_s / len(waits), 2), "last_kb": round(len(body) / 1000, 1)}


def requests(people: int) -> Mapping[str, Iterator[str]]:
    """Return paths of each kind, about moments, cameras and people all over the site."""
    rng = np.random.default_rng(11)

    def hour(hours: float = 1.0) -> str:
        begin_s = BEGIN_NS // S + int(rng.uniform(0, DAYS * 86_400 - 3600))
        return f"from={begin_s}&to={begin_s + round(hours * 3600)}"

    def several(path: str) -> Iterator[str]:
        while True:
            yield path.format(hour=hour(), minutes=hour(1 / 12), camera=camera(rng), person=rng.integers(1, people + 1))

    identities, tracks = "/v1/identities?limit=100", "/v1/tracks?limit=100"
    paths = {
        "people": f"{identities}&after={{person}}",
        "people, last seen first": f"{identities}&sort=last",
        "people of a camera": f"{identities}&camera={{camera}}&after={{person}}",
        "people of an hour": f"{identities}&{{hour}}",
        "people by name": f"{identities}&name=person {{person}}".replace(" ", "%20"),
        "hidden people": f"{identities}&hidden=true",
        "a person": "/v1/identities/{person}",
        "tracks": tracks,
        "tracks of a camera": f"{tracks}&camera={{camera}}",
        "tracks of an hour": f"{tracks}&{{hour}}",
        "tracks of a person": f"{tracks}&identity={{person}}",
        "tracks of a camera in an hour": f"{tracks}&camera={{camera}}&{{hour}}",
        "visits of a camera in five minutes": "/v1/visits?camera={camera}&{minutes}",
        "numbers": "/v1/stats",
    }
    return {kind: several(path) for kind, path in paths.items()}


def camera(rng: Rng) -> str:
    """Return a camera's name."""
    return f"c{rng.integers(CAMERAS):02}"


def write_site(client: Any, people: int) -> None:
    """Fill a site as `write.lua` does, many rows at once: it would take half an hour."""
    rng = np.random.default_rng(3)
    for first in range(1, people + 1, AT_ONCE // EACH):
        numbers = range(first, min(people, first + AT_ONCE // EACH - 1) + 1)
        pipeline = client.pipeline(transaction=False)
        for number in numbers:
            _write_person(pipeline, number, rng)
        pipeline.execute()
    known = {"version": 1, "layout": LAYOUT, "now_ns": BEGIN_NS + DAYS * 86_400 * S, "next_identity": people + 1}
    client.hset("climbtrack:{site}:meta", mapping={**known, "longest_us": 5_000_000, "calibration": b"", "seq": 0})


def _write_person(pipeline: Any, number: int, rng: Rng) -> None:
    key = "climbtrack:{{site}}:{}".format
    seen = sorted({camera(rng) for _ in range(4)})
    ends = np.sort(BEGIN_NS + rng.uniform(10, DAYS * 86_400, EACH) * S).astype(np.int64)
    rows = [(f"{seen[k % len(seen)]}/s/{FIRST + number}.0/{k}", int(end)) for k, end in enumerate(ends)]
    scores = {name: end // 1000 for name, end in rows}
    pipeline.hset(key("tracklets"), mapping={name: _encoded(name, end) for name, end in rows})
    heads = {name: f"0|{number}|{end // 1000 - 4_800_000}|{name[:3]}" for name, end in rows}
    pipeline.hset(key("heads"), mapping=heads)
    pipeline.zadd(key("by-time"), scores)
    pipeline.zadd(key(f"by-identity:{number}"), scores)
    for name in seen:
        pipeline.zadd(key(f"by-camera:{name}"), {one: us for one, us in scores.items() if one.startswith(name)})
    pipeline.hset(key("sightings"), str(number), EACH)
    name, hidden = f"person {number}" if number % 10 == 0 else "", number % 100 == 1
    first_ns, last_ns = int(ends[0]) - 4_800_000_000, int(ends[-1])
    identity = Identity(number, first_ns, last_ns, tuple(seen), EACH, name=name, hidden=hidden)
    pipeline.hset(key("identities"), str(number), records.encode_identity(identity))
    pipeline.zadd(key("by-number"), {str(number): number})
    pipeline.zadd(key("by-last"), {str(number): last_ns // 1000})
    if entry := name_entry(identity):
        pipeline.zadd(key("names"), {entry: number})
    if hidden:
        pipeline.sadd(key("hidden"), number)


def _times(end_ns: int) -> Any:
    return end_ns + (np.arange(BOXES, dtype=np.int64) - BOXES + 1) * (S // 5)


def _encoded(name: str, end_ns: int) -> bytes:
    """Return a row as it is stored: that of one tracklet, with another name and other times."""
    return (
        _ROW.replace(TEMPLATE.encode(), name.encode())
        .replace(b"c00", name[:3].encode())
        .replace(_times(0).tobytes(), _times(end_ns).tobytes())
    )


_ROW = records.encode_tracklet(
    StoredTracklet(
        Tracklet(
            tracklet_id=TEMPLATE,
            camera_id=TEMPLATE[:3],
            site_id="site",
            revision=0,
            closed=True,
            times_ns=_times(0),
            frames=np.arange(1, BOXES + 1),
            boxes=np.tile(np.array([0, 0, 10, 20], np.float32), (BOXES, 1)),
            scores=np.full(BOXES, 0.9, np.float32),
            embedding=np.full(DIMENSION, DIMENSION**-0.5, np.float16),
            model_id="m",
            quality=0.8,
            frames_used=8,
            crop=b"",
        ),
        1,
        0.9,
        None,
    )
)


if __name__ == "__main__":
    main()
