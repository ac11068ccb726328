"""Outages that last until somebody is alarmed: which alert fires, how soon, and how soon it clears when all is well."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.hosts import alarms
from tests.bench.hosts.disturbances import wait_until
from tests.bench.hosts.network import address_of
from tests.bench.hosts.processes import REDIS, RTSP_PORT, Hosts
from tests.bench.hosts.rounds import say
from wire.messages import CameraSpec

FIRES_S, CLEARS_S = 330.0, 240.0
SITE = "live"


@dataclass(frozen=True, slots=True)
class Outage:
    """Hosts that are away at the same time.

    Attributes:
        alerts: What must fire, as the beginning of its name.
    """

    name: str
    away: Sequence[str]
    alerts: Sequence[str]


OUTAGES = (
    Outage("camera, a worker and a gallery", ("camera", "worker-1", "gallery-1"),
           ("CameraDown", "ServiceDown reid_worker", "ServiceDown gallery")),
    Outage("both ingest", ("ingest-1", "ingest-2"), ("ServiceDown ingest",)),
    Outage("broker", ("broker",), ("NotReady",)),
    Outage("Redis and its replica", REDIS, ("NotReady gallery",)),
)  # fmt: skip


def camera() -> CameraSpec:
    """Return the live camera of the hosts."""
    url = f"rtsp://{address_of('camera')}:{RTSP_PORT}/camera#transport=tcp"
    return CameraSpec(camera_id="live", site_id=SITE, url=url, analysed_fps=4)


def suffer(hosts: Hosts, outage: Outage) -> dict[str, dict[str, float | None]]:
    """Take hosts away until all alerts fire, and give them back; return how soon each fired and cleared."""
    began_s = time.monotonic()
    for host in outage.away:
        hosts.end(host)
    fired = _times(outage.alerts, hosts, FIRES_S, began_s, firing=True)
    back_s = time.monotonic()
    for host in outage.away:
        hosts.start(host)
    cleared = _times([name for name, at in fired.items() if at is not None], hosts, CLEARS_S, back_s, firing=False)
    say(f"{outage.name} away: fired after {fired} s, cleared {cleared} s after its return")
    return {name: {"fired_after_s": at, "cleared_after_s": cleared.get(name)} for name, at in fired.items()}


def _times(
    alerts: Sequence[str], hosts: Hosts, limit_s: float, since_s: float, *, firing: bool
) -> dict[str, float | None]:
    """Return after how many seconds each alert fires, or fires no more; None if it did not in time."""
    found: dict[str, float | None] = dict.fromkeys(alerts)

    def all_found() -> bool:
        now = alarms.firing_now()
        for name in alerts:
            if found[name] is None and any(one.startswith(name) for one in now) == firing:
                found[name] = round(time.monotonic() - since_s, 1)
        return None not in found.values()

    wait_until(all_found, hosts, limit_s)
    return found


def nothing_fires(hosts: Hosts, limit_s: float) -> bool:
    """Return whether nothing fires any more, soon."""
    return wait_until(lambda: not alarms.firing_now(), hosts, limit_s)
