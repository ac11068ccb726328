"""`climbtrack ingest|worker|gallery|api`: one service a process, over Kafka and Redis."""

import typer

from deploy.options import Config


def ingest(config: Config = None) -> None:
    """Read cameras and put their frames on Kafka."""
    from ingest.__main__ import main

    raise typer.Exit(main(config))


def worker(config: Config = None) -> None:
    """Find, follow and describe people in the frames on Kafka."""
    from reid_worker.__main__ import main

    raise typer.Exit(main(config))


def gallery(config: Config = None) -> None:
    """Decide who is who and remember it in Redis."""
    from gallery.__main__ import main

    raise typer.Exit(main(config))


def api(config: Config = None) -> None:
    """Answer questions over HTTP."""
    from gallery.api.__main__ import main

    raise typer.Exit(main(config))
