"""`climbtrack ingest|worker|alerts|recorder|api`: the services, one per process, over Kafka and Redis."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import Config

Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Also log every chunk, tracklet and event with its trace id."),
]


def ingest(config: Config = None, verbose: Verbose = False) -> None:
    """Read cameras and publish their frames to Kafka, after announcing the cameras of the configuration."""
    from deploy.announce import announce_cameras
    from ingest.__main__ import main

    def announce_and_run(config: Path | None) -> int:
        announce_cameras(config)
        return main(config)

    serve(announce_and_run, config, verbose=verbose)


def worker(config: Config = None, verbose: Verbose = False) -> None:
    """Detect, track and embed people in the frames on Kafka."""
    from reid_worker.__main__ import main

    serve(main, config, verbose=verbose)


def alerts(config: Config = None, verbose: Verbose = False) -> None:
    """Raise alerts about people, and send them to webhooks and MQTT."""
    from gallery.alerts.__main__ import main

    serve(main, config, verbose=verbose)


def recorder(config: Config = None, verbose: Verbose = False) -> None:
    """Keep what cameras send in a bounded ring of MP4 files, as far as the settings ask for it."""
    from gallery.recording.__main__ import main

    serve(main, config, verbose=verbose)


def api(config: Config = None) -> None:
    """Serve the HTTP API."""
    from deploy.onvif.finding import find_cameras
    from gallery.api.__main__ import main

    serve(lambda config: main(config, find_cameras), config)


def serve(main: Callable[[Path | None], int], config: Path | None, *, verbose: bool = False) -> None:
    """Run a service until it ends, and exit with its code."""
    from wire.logs import LogSettings, log_to_stderr

    as_json = LogSettings.load(config).format == "json"
    log_to_stderr(logging.DEBUG if verbose else logging.INFO, as_json=as_json)
    raise typer.Exit(main(config))
