"""`climbtrack bench workers`: how throughput grows with the number of workers."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import finite


def workers(
    number: Annotated[
        list[int] | None, typer.Option("--workers", min=1, max=64, help="Repeatable; 1, 2 and 3 by default.")
    ] = None,
    cameras: Annotated[int, typer.Option("--cameras", min=1, max=10_000, help="Cameras that they share.")] = 12,
    cost_ms: Annotated[
        float, typer.Option("--cost-ms", min=1, max=10_000, callback=finite, help="How long a frame takes a worker.")
    ] = 50.0,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, max=86_400, callback=finite, help="How long all takes one worker.")
    ] = 60.0,
) -> None:
    """Print one JSON line: how fast 1, 2 and 3 workers empty a backlog over Kafka, what each has, and its lag.

    The work of a frame is a wait, so that the figures are those of Kafka, of the group and of how cameras are shared,
    and not of this machine's cores.
    """
    from deploy.bench.scaling import measure

    with tempfile.TemporaryDirectory(prefix="climbtrack-bench-") as folder:
        figures = measure(Path(folder), number or (1, 2, 3), cameras, cost_ms, seconds)
    typer.echo(json.dumps({"benchmark": "workers", **asdict(figures)}))
