"""Find the stored data of a site for a command: in the folder of a run, or in the Redis of a cluster."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import RunError, UsageError
from deploy.local.data_dir import DataDir, default_data_dir

if TYPE_CHECKING:
    from gallery.store.redis import RedisStore
    from wire.settings import RedisSettings


@contextmanager
def open_store(config: Path | None, data_dir: Path | None, site: str | None) -> Iterator["RedisStore"]:
    """Yield the store of a site: in the folder, else in the Redis of the configuration, else in the default folder.

    Raises:
        UsageError: The folder has no run, or the site has no data there; the message names the sites that have.
        RunError: The folder's Redis cannot be reached or started.
        SettingsError: A setting is wrong, or Redis refuses access.
    """
    with open_redis(config, data_dir, site) as (settings, chosen), _site(settings, chosen) as store:
        yield store


@contextmanager
def open_redis(
    config: Path | None, data_dir: Path | None, site: str | None, *, create: bool = False
) -> Iterator[tuple["RedisSettings", str]]:
    """Yield the settings of a Redis that runs during the block, and the site meant there; both as for `open_store`.

    Args:
        create: Whether a folder that no run has used is made one.

    Raises:
        UsageError: The folder has no run.
        RunError: The folder's Redis cannot be reached or started.
        SettingsError: A setting is wrong.
    """
    from wire.config_file import site_of
    from wire.settings import RedisSettings

    if config is not None and data_dir is None:
        yield RedisSettings.load(config), site or site_of(config)
        return
    folder = data_dir or default_data_dir()
    if not create and not (folder / "redis").is_dir():
        raise UsageError(f"--data-dir {folder}: {_no_run(folder)}")
    held = DataDir(folder)
    chosen = site or held.site()
    with _running(folder, held) as url:
        if create:
            held.remember(chosen)
        yield RedisSettings(url=url), chosen


def _no_run(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder; name the one that `climbtrack run` was given, or --config for the Redis of a cluster"
    return "no run has stored anything there; name the folder that `climbtrack run` was given"


@contextmanager
def _running(folder: Path, held: DataDir) -> Iterator[str]:
    """Yield the URL of a folder's Redis: of the run that uses it, or started for this command."""
    from deploy.local.private_redis import PrivateRedis

    redis = PrivateRedis(folder)
    with ExitStack() as stack:
        if _is_free(held, stack):
            yield stack.enter_context(redis).url
        elif redis.socket_path.is_socket():
            yield redis.url
        else:
            raise RunError(
                f"--data-dir {folder} is in use by {held.holder()}, whose Redis is out of reach: its socket is "
                "elsewhere if the path of the folder is long; ask again when the other has ended"
            )


def _is_free(held: DataDir, stack: ExitStack) -> bool:
    """Lock a folder until the stack is closed; return whether nobody else is using it."""
    try:
        stack.enter_context(held)
    except RunError:
        return False
    return True


@contextmanager
def _site(settings: "RedisSettings", site: str) -> Iterator["RedisStore"]:
    from gallery.store.server import connect
    from gallery.store.sites import RedisSites

    with closing(connect(settings)) as client:
        sites = RedisSites(client)
        store = sites.open(site)
        if store.learnt().version == 0:
            known = sites.names()
            there = f"there is data of {', '.join(known[:8])}: name one with --site" if known else _NOTHING
            raise UsageError(f"site {site} has no data here; {there}")
        yield store


_NOTHING = "nothing was decided yet: wait until people were seen, or check `--data-dir` and `redis.url`"
