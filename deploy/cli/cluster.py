"""`climbtrack cluster`: the services, Kafka and Redis together on this machine."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from deploy.cli.options import Config, DataDirOption, Json

app = typer.Typer(
    name="cluster", help="Run the services, Kafka and Redis together on this machine.", no_args_is_help=True
)


@app.command("up")
def start(
    config: Config = None,
    data_dir: DataDirOption = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=32, help="How many workers share the cameras.")] = 2,
    kafka_port: Annotated[
        int, typer.Option("--kafka-port", min=0, max=65535, help="Port of Kafka; 0 picks a free one.")
    ] = 9092,
    prometheus_port: Annotated[
        int, typer.Option("--prometheus-port", min=0, max=65535, help="Port of Prometheus; 0 picks a free one.")
    ] = 9090,
    prometheus: Annotated[
        bool, typer.Option(" /--no-prometheus", help="Do not run Prometheus, which is run where it is installed.")
    ] = True,
) -> None:
    """Run everything until Ctrl-C: Kafka, Redis, ingest, workers, gallery, API, and Prometheus where it is installed.

    Shows the log of every process behind its name, and starts again what dies. The data folder keeps what Kafka and
    Redis store, so that the next `up` goes on where this one ended. Needs Java 17 and, the first time, Maven.
    """
    from rich.console import Console

    from deploy.cluster.plan import ClusterOptions
    from deploy.cluster.up import up
    from deploy.local.data_dir import default_data_dir

    options = ClusterOptions(config, workers, kafka_port, prometheus_port if prometheus else None)
    up(options, data_dir or default_data_dir(), Console())


@app.command("status")
def status(data_dir: DataDirOption = None, as_json: Json = False) -> None:
    """Show which processes of a running cluster are ready and where they are; exit code 1 if one is not ready."""
    from deploy.cluster.status import StatusFile, print_state
    from deploy.local.data_dir import default_data_dir

    rows = StatusFile(data_dir or default_data_dir()).rows()
    if as_json:
        typer.echo(json.dumps({"processes": [asdict(row) for row in rows]}))
    else:
        print_state(rows)
    raise typer.Exit(0 if all(row.fine for row in rows) else 1)
