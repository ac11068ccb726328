"""`climbtrack kafka`: a Kafka of one's own, to try the distributed form."""

from typing import Annotated

import typer


def kafka(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="On 127.0.0.1; 0 takes a free one.")] = 9092,
) -> None:
    """Run one Apache Kafka node on this machine, to try the distributed form; Ctrl-C ends it.

    Needs Java 17 and Maven, which fetches Kafka once into the cache folder. Prints its address once it answers. Its
    data is deleted at the end: not for production.
    """
    from deploy.kafka_server import serve

    serve(port, typer.echo)
