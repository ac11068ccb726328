"""`climbtrack kafka`: a local Kafka node for trying the distributed deployment."""

from typing import Annotated

import typer


def kafka(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 picks a free one.")
    ] = 9092,
) -> None:
    """Run one Apache Kafka node on this machine, to try the distributed deployment; Ctrl-C stops it.

    Needs Java 17 and Maven, which downloads Kafka to the cache folder on first use. Prints the node's address when it
    is ready. Its data is deleted on exit: not for production.
    """
    from deploy.kafka_server import serve

    serve(port, typer.echo)
