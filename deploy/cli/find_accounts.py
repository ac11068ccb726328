"""The accounts of a site for a command, which works on its Redis directly: whoever may do that may do everything."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.cli.find_store import open_redis
from deploy.errors import RunError, UsageError

if TYPE_CHECKING:
    from gallery.store.redis import RedisStore


@contextmanager
def open_accounts(
    config: Path | None, data_dir: Path | None, site: str | None, *, create: bool = False
) -> Iterator["RedisStore"]:
    """Yield the store of a site, whether anybody was seen there or not; `create` makes the data folder.

    Raises:
        UsageError: An account cannot be changed in this way.
        RunError: The Redis cannot be reached or started.
        SettingsError: A setting is wrong, or Redis refuses access.
    """
    from gallery.access.errors import AccountRefused
    from gallery.errors import StoreUnavailable
    from gallery.store.redis import RedisStore
    from gallery.store.server import connect

    if site is not None:
        _check_site(site)
    with open_redis(config, data_dir, site, create=create) as (settings, chosen), closing(connect(settings)) as client:
        try:
            yield RedisStore(client, chosen)
        except AccountRefused as error:
            raise UsageError(str(error)) from error
        except StoreUnavailable as error:
            raise RunError(str(error)) from error


def _check_site(site: str) -> None:
    from wire.message import check_name

    try:
        check_name("--site", site)
    except ValueError as error:
        raise UsageError(str(error)) from error


def record(store: "RedisStore", what: str, about: str, config: Path | None, identities: tuple[int, ...] = ()) -> None:
    """Record in the audit log what a command has changed, or which people it has shown."""
    from gallery.access.audit import AuditLog
    from gallery.access.users import OPEN
    from gallery.config import ApiSettings
    from gallery.store.accounts import Deed

    settings = ApiSettings.load(config)
    log = AuditLog(store.accounts, days=settings.audit_days, entries=settings.audit_entries)
    log.record(Deed(time_ns=0, who=OPEN, way="command", what=what, identities=identities, about=about))
