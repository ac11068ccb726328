"""What is done to the hosts: each kind of disturbance, and a plan of many."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tests.bench.hosts.network import address_of, cut, isolate, wait_for_port
from tests.bench.hosts.processes import KAFKA_PORT, REDIS, SENTINELS, SERVICES, Hosts

KILLS = ("kill -9 worker", "kill -9 gallery")
OTHERS = ("kill -9 ingest", "broker restarts", "redis restarts", "redis fails over", "worker cut from broker",
          "gallery cut from redis")  # fmt: skip
INSTANCES = {"worker": 3, "gallery": 2, "ingest": 2}
OF_REDIS = ("gallery-1", "gallery-2", "api")
CUT_S = (3.0, 12.0)
LOOK_S = 0.1


def plan(kills: int, others: int, rng: np.random.Generator) -> list[str]:
    """Return disturbances in a random order: so many kills in all, and so many of each other kind."""
    planned = [KILLS[number % len(KILLS)] for number in range(kills)] + list(OTHERS) * others
    return [str(kind) for kind in rng.permutation(planned)] if planned else []


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One thing to do.

    Attributes:
        host: The service that is disturbed; empty for a server.
    """

    kind: str
    host: str


def disturb(hosts: Hosts, what: Disturbance, rng: np.random.Generator) -> Sequence[str]:
    """Do something to the hosts, and put right what does not put itself right; return the services that feel it."""
    match what.kind:
        case "broker restarts":
            _restart(hosts, "broker", signal.SIGKILL if rng.integers(2) else signal.SIGTERM)
            wait_for_port(address_of("broker"), KAFKA_PORT)
            return SERVICES
        case "redis restarts":
            _restart(hosts, hosts.wait_for_replica(), signal.SIGKILL if rng.integers(2) else signal.SIGTERM)
            return OF_REDIS
        case "redis fails over":
            _fail_over(hosts, killed=bool(rng.integers(2)))
            return OF_REDIS
    if what.kind.startswith("kill"):
        _restart(hosts, what.host, signal.SIGKILL)
    else:
        _cut(what.host, ("broker",) if what.host.startswith("worker") else (*REDIS, *SENTINELS), rng)
    return (what.host,)


def take_possible(left: list[str], hosts: Hosts, rng: np.random.Generator) -> Disturbance | None:
    """Take the next disturbance that can be felt: a service that is starting is left alone."""
    working = {service: hosts.ready(service) for service in INSTANCES}
    for kind in left:
        victims = working.get(service_of(kind), [""])
        if victims:
            left.remove(kind)
            return Disturbance(kind, victims[rng.integers(len(victims))])
    return None


def service_of(kind: str) -> str:
    """Return the service of which an instance is disturbed; empty for a server."""
    return next((service for service in INSTANCES if kind.endswith(service) or kind.startswith(f"{service} ")), "")


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
