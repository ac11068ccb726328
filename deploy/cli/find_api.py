"""Find the API for a command: the one the user names, that of a running system, or a temporary one over stored data."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from deploy.cli.api_client import ApiClient
from deploy.errors import UsageError
from deploy.local.data_dir import DataDir, default_data_dir

if TYPE_CHECKING:
    from gallery.store.store import Store
    from wire.bus import Bus

DEFAULT_API = "http://127.0.0.1:8080"


@contextmanager
def running_api(api: str | None, token: str | None, data_dir: Path | None) -> Iterator[ApiClient]:
    """Yield a client of the API at `api`, else of the run that uses the data folder, else at the default address."""
    url = api or DataDir(data_dir or default_data_dir()).api_url() or DEFAULT_API
    with ApiClient(url, token) as client:
        yield client


@contextmanager
def query_api(
    api: str | None, token: str | None, data_dir: Path | None, *, corrects: bool = False
) -> Iterator[ApiClient]:
    """Yield a client of `running_api` or, if nothing is running, of a temporary API over the data of earlier runs.

    Args:
        corrects: The temporary API has a gallery, which carries out what people say.

    Raises:
        DeployError: There is no data to query, or the API cannot be started.
    """
    folder = data_dir or default_data_dir()
    if api is None and data_dir is not None and not data_dir.is_dir():
        raise UsageError(f"--data-dir {data_dir}: no such folder; name the one that `climbtrack run` was given")
    if api is not None or DataDir(folder).api_url() is not None or not (folder / "redis").is_dir():
        with running_api(api, token, data_dir) as client:
            yield client
        return
    with _temporary_api(folder, corrects=corrects) as url, ApiClient(url) as client:
        yield client


@contextmanager
def _temporary_api(folder: Path, *, corrects: bool) -> Iterator[str]:
    from deploy.local.api_server import ApiServer, bind
    from deploy.local.private_redis import PrivateRedis
    from gallery.api.app import create_app
    from gallery.config import ApiSettings
    from gallery.store.redis import RedisStore
    from gallery.store.server import connect
    from wire.memory import MemoryBus
    from wire.settings import RedisSettings

    with (
        DataDir(folder) as held,
        PrivateRedis(folder) as redis,
        closing(connect(RedisSettings(url=redis.url))) as client,
        closing(MemoryBus()) as bus,
        bind("127.0.0.1", 0) as taken,
        _gallery(bus, RedisStore(client, held.site())) if corrects else nullcontext(),
        ApiServer(create_app(RedisStore(client, held.site()), bus, ApiSettings(), trusted=True), taken) as server,
    ):
        yield server.url


@contextmanager
def _gallery(bus: "Bus", store: "Store") -> Iterator[None]:
    """Run a gallery on a site in a thread."""
    from prometheus_client import CollectorRegistry

    from gallery.config import GallerySettings
    from gallery.handler import build_service
    from wire.metrics import ServiceMetrics

    registry, stop = CollectorRegistry(), Event()
    service = build_service(GallerySettings(), bus, ServiceMetrics(registry), registry, lambda _: store)
    bus.ensure_topics()
    thread = Thread(target=service.run, args=(stop,), name="gallery")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
