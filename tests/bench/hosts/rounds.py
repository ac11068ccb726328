"""Rounds: the cameras of a site read again, each time as another site, while hosts are disturbed or upgraded."""

import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from deploy.announce import announce
from gallery.export import write_mot
from gallery.handler import NAME as GALLERY
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from reid_worker.handler import NAME as WORKER
from tests.bench.hosts.disturbances import disturb, take_possible, wait_until
from tests.bench.hosts.people import People, compared, people_of
from tests.bench.hosts.processes import FOLLOWED, SERVICES, Hosts
from tests.bench.hosts.recoveries import Recoveries
from tests.bench.hosts.watch import Watch
from tests.servers.cluster import START_NS
from wire.bus import FRAMES, TRACKLETS
from wire.errors import TransientError
from wire.kafka.bus import KafkaBus
from wire.messages import CameraSpec

BETWEEN_S = (1.0, 6.0)
STEP_S = 20.0  # for which a decision is waited for after each step of an upgrade
LOOK_S = 0.3


@dataclass
class Bench:
    """What all rounds share.

    Attributes:
        left: Disturbances that are still to come.
        expected: Where each person is, as one machine sees it.
        decided_s: How long each disturbance of a kind lasted until something was decided again.
        rounds: Where each person was in each round.
        until_s: When no further disturbance is made, in monotonic time.
    """

    hosts: Hosts
    watch: Watch
    recoveries: Recoveries
    bus: KafkaBus
    site: Path
    folder: Path
    rng: np.random.Generator
    left: list[str]
    expected: People
    decided_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    rounds: list[People] = field(default_factory=list)
    until_s: float = 0.0
    _made: list[tuple[str, float, float]] = field(default_factory=list)

    def round(self, *, disturbed: bool = False, upgraded_to: Path | None = None) -> People:
        """Read the cameras of the site once more, with disturbances while there are any left, or with an upgrade."""
        site_id = f"round{len(self.rounds)}"
        cameras = specs(self.site, site_id)
        self._announce(cameras)
        self.watch.sites.append(site_id)
        store = RedisStore(connect(FOLLOWED), site_id)
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
                elif disturbed and self.left and time.monotonic() < self.until_s:
                    self._disturb(began_s)
                last_s, pause_s = time.monotonic(), float(self.rng.uniform(*BETWEEN_S))
            time.sleep(LOOK_S)
        if upgraded_to is not None:
            raise SystemExit("the round ended before the upgrade began")
        self.watch.resting = True
        self._note_decisions()
        out = self.folder / site_id
        write_mot(store, out)
        found = people_of(out, f"-{site_id}")
        self.rounds.append(found)
        differs = {key: count for key, count in compared(self.expected, found).items() if count}
        say(f"{site_id}: {time.monotonic() - began_s:.0f} s, differs from one machine: {differs}")
        return found

    def disturbed_rounds(self, limit_s: float) -> Counter[str]:
        """Read the cameras until all disturbances are made; return what differs from one machine, over all rounds."""
        found = compared({}, {})
        self.until_s = time.monotonic() + limit_s
        while self.left and time.monotonic() < self.until_s:
            found.update(compared(self.expected, self.round(disturbed=True)))
            found["rounds"] += 1
        found["not_made"] = len(self.left)
        return found

    def _announce(self, cameras: Sequence[CameraSpec]) -> None:
        for _ in range(12):
            with suppress(TransientError):  # a busy machine, on which everything starts at once
                announce(self.bus, cameras)
                return
        raise SystemExit("the cameras cannot be announced")

    def _disturb(self, round_began_s: float) -> None:
        """Make the next disturbance; the next one does not wait until it is over."""
        began_s = time.monotonic()
        if (what := take_possible(self.left, self.hosts, self.rng)) is None:
            return
        kind = what.kind
        felt_by = disturb(self.hosts, what, self.rng)
        ended_s = time.monotonic() if "cut" in kind or "fails over" in kind else began_s
        self.recoveries.expect(kind, felt_by, began_s)
        self._made.append((kind, began_s, ended_s))
        say(f"{began_s - round_began_s:6.1f} s  {kind}: {time.monotonic() - began_s:.1f} s, {len(self.left)} left")

    def _note_decisions(self) -> None:
        """Note when something was decided after each disturbance of a round, where anything was left to decide."""
        for kind, began_s, ended_s in self._made:
            if (decided_s := self.watch.next_after(ended_s)) is not None:
                self.decided_s[kind].append(round(decided_s - began_s, 1))
        self._made.clear()

    def _upgrade(self, tree: Path) -> None:
        """Replace every service, one after the other, as an orchestrator does."""
        for host in SERVICES:
            self.hosts.end(host, signal.SIGTERM)
            self.hosts.tree = tree
            self.hosts.start(host)
            began_s = time.monotonic()
            wait_until(partial(self.watch.has_decided_since, began_s), self.hosts, STEP_S)
            self.decided_s["upgrade of one"].append(round(time.monotonic() - began_s, 1))


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)


def specs(site: Path, site_id: str) -> list[CameraSpec]:
    """Return the videos of a folder as cameras that are read whole."""
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


def store_progress(store: RedisStore) -> dict[str, bool]:
    """Return which cameras have ended, of those of which something was decided; nothing while Redis is away."""
    try:
        return {name: stored.progress.ended for name, stored in store.progress().items()}
    except TransientError:
        return {}


def done(store: RedisStore, bus: KafkaBus, cameras: Sequence[CameraSpec], site_id: str) -> bool:
    """Tell whether everything of a round is decided."""
    ended = store_progress(store)
    if not all(ended.get(camera.camera_id) for camera in cameras):
        return False
    try:
        waiting = [bus.backlog(FRAMES.name, WORKER, camera.camera_id) for camera in cameras]
        return not any(waiting) and bus.backlog(TRACKLETS.name, GALLERY, site_id) == 0
    except TransientError:
        return False
