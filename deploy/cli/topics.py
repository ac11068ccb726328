"""`climbtrack topics`: the topics on Kafka compared with what the services need, and changed."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from deploy.cli.options import Config, Json

if TYPE_CHECKING:
    from wire.kafka.topics import KafkaTopics
    from wire.topics import Step

app = typer.Typer(
    name="topics", help="Create the topics on Kafka, check them, and add partitions.", no_args_is_help=True
)


@app.command("plan")
def plan(config: Config = None, as_json: Json = False) -> None:
    """Show what `apply` would do about every topic; nothing is changed."""
    with _topics(config) as topics:
        _show("would", topics.plan(), as_json=as_json)


@app.command("apply")
def apply(config: Config = None, as_json: Json = False) -> None:
    """Create missing topics, add partitions (`kafka.camera_partitions`, `kafka.site_partitions`), set size limits.

    Partitions are added only while `climbtrack ingest`, `worker` and `gallery` are stopped, and are never removed.
    Retention times of topics that exist are left as they are.
    """
    from gallery.handler import NAME as GALLERY
    from ingest.handler import GROUP as INGEST
    from reid_worker.handler import NAME as WORKER

    with _topics(config) as topics:
        done = topics.apply((INGEST, WORKER, GALLERY))
        _show("done", done, as_json=as_json)
        left = [step for step in topics.plan() if step.blocks]
    _end(left)


@app.command("check")
def check(config: Config = None, as_json: Json = False) -> None:
    """Compare the topics with what the services need; exit code 1 if they could not work."""
    with _topics(config) as topics:
        found = topics.plan()
    _show("found", found, as_json=as_json)
    _end([step for step in found if step.blocks])


@contextmanager
def _topics(config: Path | None) -> Iterator["KafkaTopics"]:
    from wire.kafka.bus import KafkaBus
    from wire.settings import KafkaSettings

    with closing(KafkaBus(KafkaSettings.load(config))) as bus:
        yield bus.topics()


def _show(what: str, steps: Sequence["Step"], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({what: [asdict(step) for step in steps]}))
        return
    for step in steps:
        typer.echo(f"{step.action:<9}  {step.topic} {step.what}")
    if not steps:
        typer.echo("all topics are as they should be" if what != "done" else "nothing had to be done")


def _end(wrong: Sequence["Step"]) -> None:
    """End with 1 and the first cause if something is wrong."""
    from deploy.errors import RunError

    if wrong:
        raise RunError(f"{len(wrong)} to change, the first: {wrong[0]}")
