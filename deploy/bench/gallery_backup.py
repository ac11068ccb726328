"""Measure backing up, checking and restoring a site while a gallery writes it: time, size, memory.

Each command runs in a process of its own, as an operator would run it, so that its memory is its own.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import yaml

from deploy.bench.crowd import NOW_NS, SITE, Crowd, Known
from deploy.bench.memory import peak_memory_mb
from deploy.errors import RunError
from deploy.local.private_redis import PrivateRedis
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from gallery.store.store import Write
from wire.settings import RedisSettings

WRITTEN_PER_S = 200  # people, by a busy gallery, while the backup is made
WINDOW_S = 0.25
AT_ONCE = 500
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Step:
    """One command: how long it took, how much of that on a processor, and the most memory it had."""

    seconds: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Figures:
    """A site, its backup and its restoration.

    Attributes:
        people: Known when the backup begins.
        restored_people: Known when it ends, and in the restored site.
        written_per_s: People whom a gallery wrote meanwhile, per second.
        redis_mb: What Redis holds before the backup.
        file_mb: Size of the backup.
        slowest_redis_ms: The longest command of the backup's Redis meanwhile.
        load: Of this machine, averaged over a minute, at the end.
    """

    people: int
    restored_people: int
    written_per_s: float
    redis_mb: float
    file_mb: float
    backup: Step
    check: Step
    restore: Step
    slowest_redis_ms: float
    load: float


def measure(folder: Path, people: int) -> Figures:
    """Back up a site of so many people while it is written, and restore it into an empty Redis.

    Raises:
        RunError: A command failed, or the restored site is not the one of the backup.
    """
    file = folder / "site.backup"
    with ExitStack() as parts:
        source, client, config = parts.enter_context(_redis(folder / "source"))
        gallery = _Gallery(source, Crowd(2 * people).known())  # no more come than there are
        while gallery.written < people:
            gallery.write(min(AT_ONCE, people - gallery.written))
        redis_mb = client.info("memory")["used_memory"] / 1e6
        client.config_set("slowlog-log-slower-than", 1_000)
        client.slowlog_reset()
        with gallery.going_on():
            backup = _step("backup", "--to", file, "--config", config)
        slowest_us = max((entry["duration"] for entry in client.slowlog_get(128)), default=0)
        check = _step("check", "--from", file)
        target, _, config = parts.enter_context(_redis(folder / "target"))
        restore = _step("restore", "--from", file, "--other-weights", "--config", config)
        restored = target.counts().identities
    if not people <= restored <= gallery.written:
        raise RunError(f"{people} to {gallery.written} people were known, and {restored} were restored")
    return Figures(
        people,
        restored,
        (gallery.written - people) / backup.seconds,
        redis_mb,
        file.stat().st_size / 1e6,
        backup,
        check,
        restore,
        slowest_us / 1e3,
        os.getloadavg()[0],
    )


class _Gallery:
    """What a gallery does to its store: it writes the people who come, in windows."""

    def __init__(self, store: RedisStore, people: Iterator[Known]) -> None:
        self._store = store
        self._people = people
        self._windows = count()
        self.written = 0

    def write(self, number: int) -> None:
        """Write the next people."""
        some = list(islice(self._people, number))
        if not some:
            return
        self.written += len(some)
        self._store.write(
            Write(
                next(self._windows),
                NOW_NS,
                self.written + 1,
                tracklets=[one.row for one in some],
                identities=[one.identity for one in some],
                prototypes={one.identity.number: one.prototypes for one in some},
            )
        )

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Write people at a steady rate, in a thread, until the block ends."""
        stop, begun_s, before = threading.Event(), time.monotonic(), self.written

        def work() -> None:
            while not stop.wait(WINDOW_S):
                due = WRITTEN_PER_S * (time.monotonic() - begun_s) - (self.written - before)
                self.write(min(AT_ONCE, int(due)))

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@contextmanager
def _redis(folder: Path) -> Iterator[tuple[RedisStore, Any, Path]]:
    """Yield the store of an empty Redis, a client, and a configuration that names both."""
    with PrivateRedis(folder) as server, closing(connect(RedisSettings(url=server.url))) as client:
        config = folder / "site.yaml"
        config.write_text(yaml.safe_dump({"site": SITE, "redis": {"url": server.url}}))
        yield RedisStore(client, SITE), client, config


def _step(*words: object) -> Step:
    """Run a subcommand of `climbtrack gallery`.

    Raises:
        RunError: It failed.
    """
    command = [sys.executable, "-m", "deploy.cli", "gallery", *map(str, words), "--json"]
    begun_s, peak_mb = time.monotonic(), 0.0
    with tempfile.TemporaryFile() as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        ended = 0
        while not ended:
            time.sleep(POLL_S)
            peak_mb = max(peak_mb, peak_memory_mb(process.pid))
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RunError(f"climbtrack gallery {words[0]} failed:\n{said.read()[-2000:].decode(errors='replace')}")
    return Step(time.monotonic() - begun_s, used.ru_utime + used.ru_stime, peak_mb)
