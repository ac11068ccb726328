"""`climbtrack ingest|worker|gallery|api`: one service a process, over Kafka and Redis."""

from collections.abc import Callable
from pathlib import Path

import typer

from deploy.cli.options import Config


def ingest(config: Config = None) -> None:
    """Read cameras and put their frames on Kafka; the cameras of the configuration are announced first."""
    from deploy.announce import announce_cameras
    from ingest.__main__ import main

    def announce_and_run(config: Path | None) -> int:
        announce_cameras(config)
        return main(config)

    _serve(announce_and_run, config)


def worker(config: Config = None) -> None:
    """Find, follow and describe people in the frames on Kafka."""
    from reid_worker.__main__ import main

    _serve(main, config)


def gallery(config: Config = None) -> None:
    """Decide who is who and remember it in Redis."""
    from gallery.__main__ import main

    _serve(main, config)


def api(config: Config = None) -> None:
    """Answer questions over HTTP."""
    from gallery.api.__main__ import main

    _serve(main, config)


def _serve(main: Callable[[Path | None], int], config: Path | None) -> None:
    from wire.process import log_to_stderr

    log_to_stderr()
    raise typer.Exit(main(config))
