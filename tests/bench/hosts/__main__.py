"""climbtrack on many hosts, disturbed: broker, Redis with a replica and Sentinels, ingest, workers, galleries, API.

    python -m tests.bench.hosts --site SITE [--kills 50] [--others 2] [--minutes 60] [--seed 1]
                                [--undisturbed] [--before CHECKOUT] [--camera VIDEO]

Needs Linux, root, `ip`, `iptables`, Java, redis-server and prometheus. Every host is a network of its own. SITE is a
folder that `climbtrack synth site` wrote; its cameras are read again and again, each time as another site. With
`--before`, the services of that checkout are upgraded to this one in the middle of the first round; with
`--undisturbed`, one round is left alone. Others follow until all disturbances were made: `kill -9` of workers and
galleries, and some of each other kind. With `--camera`, a live camera plays a video, and hosts are taken away until the
shipped alert rules fire. The last line is one JSON object.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path

import numpy as np

from deploy import kafka_server
from deploy.announce import announce
from tests.bench.hosts import alarms, long
from tests.bench.hosts.disturbances import plan, wait_until
from tests.bench.hosts.network import HOSTS, HUB, address_of, networks, wait_for_port
from tests.bench.hosts.people import compared, people_of, upgraded
from tests.bench.hosts.processes import KAFKA, KAFKA_PORT, REDIS, REDIS_PORT, RTSP_PORT, SERVERS, SERVICES, Hosts
from tests.bench.hosts.recoveries import Recoveries
from tests.bench.hosts.rounds import Bench, say
from tests.bench.hosts.watch import Watch
from wire.kafka.bus import KafkaBus

DETECTOR = Path("reid_worker/weights/person-detector-int8.onnx")  # as `climbtrack run --detector bundled` on a CPU
TOOLS = ("ip", "iptables", "java", "redis-server", "prometheus")
SEEN_S = 300.0
QUIET_S = 240.0  # within which all alerts must have cleared


def measure(given: argparse.Namespace) -> dict[str, object]:
    """Start everything, and run what was asked for."""
    rng = np.random.default_rng(given.seed)
    folder = Path(tempfile.mkdtemp(prefix="climbtrack-hosts-"))
    hosts = Hosts(folder, DETECTOR.resolve(), given.before or Path.cwd(), given.camera)
    try:
        for host in SERVERS:
            hosts.start(host)
        for host, port in (("broker", KAFKA_PORT), *((one, REDIS_PORT) for one in REDIS)):
            wait_for_port(address_of(host), port)
        hosts.wait_for_replica()
        bus = KafkaBus(KAFKA)
        bus.ensure_topics()
        for host in SERVICES:
            hosts.start(host)
        alarms.configure(folder)
        alarms.start(hosts)
        expected = people_of(given.reference)
        planned = plan(given.kills, given.others, rng)
        bench = Bench(hosts, Watch(), Recoveries(), bus, given.site, folder, rng, planned, expected)
        told = parts(given, bench)
        bench.recoveries.close()
        bench.watch.close()
        bus.close()
    finally:
        hosts.close()
    rows = sum(map(len, expected.values()))
    return {"hosts": len(HOSTS), "people": len(expected), "rows": rows, **told, "logs": str(folder)}


def spread(took_s: MutableMapping[str, list[float]]) -> dict[str, object]:
    """Return how often and for how long each kind of disturbance was felt, in seconds; and forget it."""
    found = {kind: list(each_s) for kind, each_s in took_s.items()}
    took_s.clear()
    return {
        kind: {"times": len(each_s), "median": round(float(np.median(each_s)), 1), "most": max(each_s)}
        for kind, each_s in sorted(found.items())
    }


def parts(given: argparse.Namespace, bench: Bench) -> dict[str, object]:
    """Run the parts that were asked for; return what each found, against one machine."""
    told: dict[str, object] = {}

    def part(name: str, run: Callable[[], Mapping[str, object]]) -> None:
        began_s = time.time()
        found = {**run(), "longest_gap_s": bench.watch.longest_gap_s()}
        calm = long.nothing_fires(bench.hosts, QUIET_S)
        told[name] = {
            **found,
            "ready_after_s": spread(bench.recoveries.ready_s),
            "decided_after_s": spread(bench.decided_s),
            "alerts": alarms.summary(began_s, time.time()),
            "calm_afterwards": calm,
            "load": os.getloadavg()[2],
        }
        say(f"{name}: {json.dumps(told[name])}")

    if given.before is not None:
        before = people_of(given.reference_before)
        part("upgrade", lambda: upgraded(before, bench.expected, bench.round(upgraded_to=Path.cwd())))
    if given.undisturbed:
        part("undisturbed", lambda: compared(bench.expected, bench.round()))
    if bench.left:
        part("disturbed", lambda: bench.disturbed_rounds(given.minutes * 60))
    if given.camera is not None:
        part("long outages", lambda: outages(bench))
    return told


def outages(bench: Bench) -> dict[str, object]:
    """Watch a live camera while hosts are away until somebody is alarmed."""
    bench.hosts.start("camera")
    wait_for_port(address_of("camera"), RTSP_PORT)
    announce(bench.bus, [long.camera()])
    bench.watch.sites.append(long.SITE)
    since_s = time.monotonic()
    if not wait_until(lambda: bench.watch.has_decided_since(since_s), bench.hosts, SEEN_S):
        raise SystemExit("nobody is seen by the live camera")
    return {outage.name: long.suffer(bench.hosts, outage) for outage in long.OUTAGES}


def one_machine(site: Path, out: Path, tree: Path) -> None:
    """Follow the cameras in one process of a version, as the reference."""
    cameras = [word for video in sorted(site.glob("*.mp4")) for word in ("--camera", f"{video.stem}={video}")]
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "deploy.cli", "run", "--detector", "bundled", "--port", "0"]
        words = [*command, "--data-dir", data, "--out", str(out), *cameras]
        subprocess.run(words, check=True, stdout=sys.stderr, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)})


def main() -> None:
    """Make the networks, and measure in the hub's."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--site", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=50, help="of workers and galleries")
    parser.add_argument("--others", type=int, default=2, help="disturbances of each other kind")
    parser.add_argument("--minutes", type=float, default=60.0, help="after which no further disturbance is made")
    parser.add_argument("--undisturbed", action="store_true", help="leave a round alone first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--before", type=Path, help="a checkout of an earlier version, to be upgraded from")
    parser.add_argument("--camera", type=Path, help="a video that a live camera plays while hosts are away for long")
    parser.add_argument("--reference", type=Path, help="what `climbtrack run --out` wrote for the site")
    parser.add_argument("--reference-before", type=Path, help="the same, written by the earlier version")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    for name in ("site", "before", "camera", "reference", "reference_before"):
        path = getattr(given, name)
        setattr(given, name, path and path.resolve())
    if given.inside:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before its time"))  # all hosts are ended, too
        print(json.dumps(measure(given)))
        return
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise SystemExit(f"needs {', '.join(missing)}")
    kafka_server.fetch()  # the hub has no way out
    with tempfile.TemporaryDirectory() as folder, networks():
        words = sys.argv[1:]
        for name, tree in (("reference", Path.cwd()), ("reference_before", given.before)):
            if tree is not None and getattr(given, name) is None:
                one_machine(given.site, Path(folder) / name, tree)
                words += [f"--{name.replace('_', '-')}", str(Path(folder) / name)]
        command = ["ip", "netns", "exec", HUB, sys.executable, "-m", "tests.bench.hosts", *words, "--inside"]
        done = subprocess.run(command, check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
