"""What is done to the hosts: each kind of disturbance, and a plan of many."""

import signal
import time
from collections.abc import Callable, Sequence

import numpy as np

from tests.bench.hosts.network import cut, isolate
from tests.bench.hosts.processes import REDIS, SENTINELS, Hosts

KILLS = ("kill -9 worker", "kill -9 gallery")
OTHERS = ("kill -9 ingest", "broker restarts", "redis restarts", "redis fails over", "worker cut from broker",
          "gallery cut from redis")  # fmt: skip
INSTANCES = {"worker": 3, "gallery": 2, "ingest": 2}
CUT_S = (3.0, 12.0)
LOOK_S = 0.1


def plan(kills: int, others: int, rng: np.random.Generator) -> list[str]:
    """Return disturbances in a random order: so many kills in all, and so many of each other kind."""
    planned = [KILLS[number % len(KILLS)] for number in range(kills)] + list(OTHERS) * others
    return [str(kind) for kind in rng.permutation(planned)] if planned else []


def disturb(hosts: Hosts, kind: str, rng: np.random.Generator) -> None:
    """Do something to the hosts, and put right what does not put itself right."""
    match kind:
        case "broker restarts":
            _restart(hosts, "broker", signal.SIGKILL if rng.integers(2) else signal.SIGTERM)
        case "redis restarts":
            _restart(hosts, hosts.wait_for_replica(), signal.SIGKILL if rng.integers(2) else signal.SIGTERM)
        case "redis fails over":
            _fail_over(hosts, killed=bool(rng.integers(2)))
        case "worker cut from broker":
            _cut(_one_of("worker", rng), ("broker",), rng)
        case "gallery cut from redis":
            _cut(_one_of("gallery", rng), (*REDIS, *SENTINELS), rng)
        case _:
            _restart(hosts, _one_of(kind.rpartition(" ")[2], rng), signal.SIGKILL)


def _one_of(service: str, rng: np.random.Generator) -> str:
    return f"{service}-{rng.integers(1, INSTANCES[service] + 1)}"


def _restart(hosts: Hosts, host: str, how: int) -> None:
    hosts.end(host, how)
    hosts.start(host)


def _fail_over(hosts: Hosts, *, killed: bool) -> None:
    """Take the primary away, by a kill or off the network, until its replica has taken its place."""
    primary = hosts.wait_for_replica()
    if killed:
        hosts.end(primary)
    else:
        isolate(primary, yes=True)
    hosts.wait_for_failover(primary)
    if killed:
        hosts.start(primary)
    else:
        isolate(primary, yes=False)


def _cut(host: str, others: Sequence[str], rng: np.random.Generator) -> None:
    for other in others:
        cut(host, other, yes=True)
    time.sleep(float(rng.uniform(*CUT_S)))
    for other in others:
        cut(host, other, yes=False)


def wait_until(true: Callable[[], bool], hosts: Hosts, limit_s: float) -> bool:
    """Return whether something becomes true in time, while nothing ends by itself."""
    until_s = time.monotonic() + limit_s
    while not true():
        hosts.check()
        if time.monotonic() > until_s:
            return False
        time.sleep(LOOK_S)
    return True
