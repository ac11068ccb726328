"""Run the whole system on one machine: the memory bus and the stages as threads, a private Redis, the API as a process.

Handlers, loop and store are those of the distributed deployment; only their assembly differs.
"""

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, generate_latest

import gallery.alerts.handler
import gallery.handler
import gallery.recording.handler
import ingest.handler
import reid_worker.handler
from deploy.announce import announce
from deploy.errors import RunError
from deploy.local.added_cameras import AddedCameras
from deploy.local.api_process import ApiProcess, ServedSite
from deploy.local.data_dir import DataDir
from deploy.local.private_redis import PrivateRedis
from deploy.local.settings import EmbeddedSettings
from deploy.local.watch import CameraTotals
from gallery.api.app import needs_admin
from gallery.api.others import OtherSettings
from gallery.errors import StoreRefused
from gallery.store.redis import RedisStore
from gallery.store.server import connect, persistence_failing
from gallery.store.store import PeopleQuery, Store
from ingest.state import FINAL, CameraStatus, State
from wire.bus import FRAMES, IDENTITIES, TRACKLETS
from wire.cameras import CameraTable
from wire.errors import TransientError
from wire.health import ServiceMonitor
from wire.memory import MemoryBus
from wire.messages import CameraSpec
from wire.metrics import ServiceMetrics
from wire.served.server import BusServer
from wire.service import Service
from wire.settings import RedisSettings

INGEST, WORKER, GALLERY = ingest.handler.GROUP, reid_worker.handler.NAME, gallery.handler.NAME
ALERTS, RECORDER = gallery.alerts.handler.NAME, gallery.recording.handler.NAME
CATCH_UP_S = 3.0  # at most: who may have left is waited for longer, and told with the next run
LAST_PEOPLE = 50
STAGES = (INGEST, WORKER, GALLERY, ALERTS, RECORDER)  # in the order of data flow, which is also the shutdown order


class Stage:
    """One service, running in its own thread."""

    def __init__(self, service: Service, pool: ThreadPoolExecutor) -> None:
        self._stop = threading.Event()
        self._done: Future[None] = pool.submit(service.run, self._stop)

    def error(self) -> BaseException | None:
        """Return the exception that ended the stage; None while it runs or after a normal stop."""
        return self._done.exception() if self._done.done() else None

    def stop(self) -> None:
        """Let the stage finish its current round, and wait for it."""
        self._stop.set()
        self._done.exception()


class Embedded:
    """The whole system of one machine; use as a context manager, from the main thread."""

    def __init__(self, settings: EmbeddedSettings, data_dir: Path, site_id: str, api_socket: socket.socket) -> None:
        self._settings = settings
        self.ingest_settings = settings.ingest
        self.needs_admin = needs_admin(settings.api)
        self._data_dir = data_dir
        self._recording = settings.recording.within(data_dir).beside(settings.worker.keep_crops)
        # What was recorded earlier must go in its time, and with people who are erased.
        recording = self._recording
        self._records = recording.cameras != "none" or recording.folder.is_dir() or recording.kept_crops is not None
        self._site_id = site_id
        self._api_socket = api_socket
        self._added = AddedCameras(data_dir)
        self._parts = ExitStack()
        self._stages: dict[str, Stage] = {}
        self.bus = MemoryBus()
        self.registry = CollectorRegistry()
        self.store: Store

    def __enter__(self) -> Self:
        """Start all components, and return once the API accepts requests.

        Raises:
            DeployError: The data folder is in use, or Redis or the API does not start.
            SettingsError: A model, a detector or another component cannot be set up as configured.
        """
        with ExitStack() as parts:
            folder = parts.enter_context(DataDir(self._data_dir))
            self._redis = parts.enter_context(PrivateRedis(self._data_dir))
            self._client = parts.enter_context(closing(connect(RedisSettings(url=self._redis.url))))
            self.store = self._open_store(self._site_id)
            parts.enter_context(closing(self.bus))
            self._cameras = parts.enter_context(CameraTable(self.bus))
            line = parts.enter_context(BusServer(self.bus, partial(generate_latest, self.registry)))
            others = OtherSettings(self._recording, self._settings.alerts.webhook_hosts)
            served = ServedSite(self._site_id, self._redis.url, self._settings.api, others)
            self._api = parts.enter_context(ApiProcess(served, line, self._api_socket))
            services = self._services()  # loads models, while the API starts
            pool = parts.enter_context(ThreadPoolExecutor(len(services), "stage"))
            self._api.wait_until_ready()
            self.api_url = self._api.url
            folder.announce(self._site_id, self.api_url)
            for name, service in services.items():
                self._stages[name] = Stage(service, pool)
                parts.callback(self._stages[name].stop)
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the stages in the order of data flow, then the API, then Redis."""
        self.stop_stages()
        self._parts.close()

    def start_cameras(self, cameras: Sequence[CameraSpec]) -> None:
        """Announce these cameras to ingest."""
        self._added.leave_out([spec.camera_id for spec in cameras])
        announce(self.bus, cameras)

    def start_added_cameras(self) -> int:
        """Announce the cameras that earlier runs were given while they ran; return their number."""
        cameras = self._added.load()
        announce(self.bus, cameras)
        self._cameras.catch_up()  # so that `check` does not keep an older, shorter list
        return len(cameras)

    def stop_stages(self) -> None:
        """Stop ingest, then the downstream stages."""
        for name in STAGES:
            if name in self._stages:
                if name == ALERTS:
                    self._let_alerts_catch_up()
                self._stages[name].stop()

    def _let_alerts_catch_up(self) -> None:
        """Wait until alerts have read what was decided last: the bus ends with this process."""
        deadline_s = time.monotonic() + CATCH_UP_S
        with suppress(TransientError, StoreRefused):
            last = self.store.people(PeopleQuery(by_last=True, limit=LAST_PEOPLE)).identities
            keys = [f"{self._site_id}/{identity.number}" for identity in last]
            while time.monotonic() < deadline_s and any(self.bus.backlog(IDENTITIES.name, ALERTS, key) for key in keys):
                time.sleep(0.05)

    def check(self) -> None:
        """Check that every component is running, and keep the cameras that were added meanwhile.

        Raises:
            RunError: A component has stopped; the message says why.
        """
        for name, stage in self._stages.items():
            error = stage.error()
            if error is not None:
                raise RunError(f"{name} ended: {type(error).__name__}: {error}") from error
        died = self._redis.died()
        if died is not None:
            raise RunError(died)
        if not self._api.alive():
            raise RunError("the API ended")
        self._added.keep(self._cameras.cameras())

    def camera_statuses(self) -> tuple[CameraStatus, ...]:
        """Return the status of every camera."""
        return self._ingest.supervisor.statuses()

    def finished(self, totals: Mapping[str, CameraTotals]) -> bool:
        """Return whether all cameras have ended and all their tracklets are decided; `totals` is what was published.

        A file that changes its picture format is several streams, so the last one is known only once the camera has
        stopped and nothing of it is waiting for the worker.
        """
        statuses = self.camera_statuses()
        if not all(status.state in FINAL for status in statuses):
            return False
        names = [status.camera_id for status in statuses if status.state is not State.STOPPED]
        readers = [WORKER, RECORDER] if self._records else [WORKER]
        if any(self.bus.backlog(FRAMES.name, reader, name) for reader in readers for name in names):
            return False
        if self.bus.backlog(TRACKLETS.name, GALLERY, self._site_id):
            return False
        decided = self.store.progress()
        return all(
            name in totals
            and totals[name].ended
            and name in decided
            and decided[name].progress.ended
            and decided[name].progress.stream_id == totals[name].stream_id
            for name in names
        )

    def _services(self) -> dict[str, Service]:
        """Build the stages; the worker loads its models here."""
        chosen, bus, registry = self._settings, self.bus, self.registry
        metrics = ServiceMetrics(registry)
        monitors = {name: ServiceMonitor(name, metrics) for name in STAGES if name != RECORDER}
        worker = reid_worker.handler.build_service(chosen.worker, bus, metrics, registry, monitor=monitors[WORKER])
        self._ingest = ingest.handler.build_service(chosen.ingest, bus, metrics, registry, monitor=monitors[INGEST])
        decider = gallery.handler.build_service(
            chosen.gallery,
            bus,
            metrics,
            registry,
            self._open_store,
            monitor=monitors[GALLERY],
            persistence=persistence_failing(RedisSettings(url=self._redis.url)),
        )
        teller = gallery.alerts.handler.build_service(
            chosen.alerts,
            bus,
            metrics,
            registry,
            cache(self._open_store),
            site_names=lambda: [self._site_id],
            monitor=monitors[ALERTS],
        )
        services = {INGEST: self._ingest, WORKER: worker, GALLERY: decider, ALERTS: teller}
        if self._records:
            services[RECORDER] = gallery.recording.handler.build_service(
                self._recording,
                bus,
                registry,
                cache(self._open_store),
                self._cameras,
                monitor=ServiceMonitor(RECORDER, metrics),
                replayed=False,
            )
        return services

    def _open_store(self, site_id: str) -> Store:
        return RedisStore(self._client, site_id)
