"""A Prometheus in the hub, with the shipped rules and intervals: which alerts fired, and which cleared."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.bench.hosts.processes import SERVICES, Hosts, health_of

SHIPPED = Path("deploy/prometheus")
KINDS = {"worker": "reid_worker"}  # what the rules call it, where that is not the command's name
URL = "http://127.0.0.1:9090/api/v1"
STEP_S = 5.0


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert that fired.

    Attributes:
        name: Of the alert, and what it is about.
        first_s: Seconds since the epoch.
        last_s: When it fired for the last time.
    """

    name: str
    first_s: float
    last_s: float


def configure(folder: Path) -> None:
    """Write a configuration with the shipped intervals and rules, and the services of all hosts."""
    config: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    config["rule_files"] = [str((SHIPPED / name).resolve()) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"] = [_target(host) for host in SERVICES]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))


def _target(host: str) -> dict[str, object]:
    kind = host.partition("-")[0]
    return {"targets": [health_of(host)], "labels": {"service": KINDS.get(kind, kind)}}


def start(hosts: Hosts) -> None:
    """Start Prometheus, and return when it answers."""
    hosts.start("prometheus")
    while True:
        hosts.check()
        try:
            if httpx.get(f"{URL}/query", params={"query": "up"}).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.2)


def firing_now() -> set[str]:
    """Return the alerts that fire."""
    answer = httpx.get(f"{URL}/query", params={"query": 'ALERTS{alertstate="firing"}'})
    return {called(row["metric"]) for row in answer.json()["data"]["result"]}


def fired(since_s: float, until_s: float, state: str = "firing") -> list[Firing]:
    """Return the alerts in a state between two moments, by their first time."""
    asked: dict[str, str | float] = {
        "query": f'ALERTS{{alertstate="{state}"}}',
        "start": since_s,
        "end": until_s,
        "step": STEP_S,
    }
    rows = httpx.get(f"{URL}/query_range", params=asked).json()["data"]["result"]
    return sorted(spans(rows), key=lambda one: one.first_s)


def spans(rows: Iterable[Mapping[str, Any]]) -> Iterable[Firing]:
    """Yield when each series of a range began and ended."""
    for row in rows:
        times = [float(at) for at, _ in row["values"]]
        yield Firing(called(row["metric"]), times[0], times[-1])


def called(labels: Mapping[str, str]) -> str:
    """Return an alert's name and what it is about."""
    about = (labels.get(key, "") for key in ("service", "instance", "camera", "topic"))
    return " ".join(word for word in (labels["alertname"].removeprefix("Climbtrack"), *about) if word)


def summary(since_s: float, until_s: float) -> dict[str, object]:
    """Return what fired between two moments, what of it does not fire now, and what only began to count."""
    names = sorted({one.name for one in fired(since_s, until_s)})
    counted = {one.name for one in fired(since_s, until_s, "pending")}
    return {"fired": names, "cleared": sorted(set(names) - firing_now()), "never_fired": sorted(counted - set(names))}
