"""The verdict of `climbtrack doctor`."""

from io import StringIO

import pytest
from rich.console import Console

from deploy.doctor import Check, State, print_checks, verdict

READY = "Ready: `climbtrack run` works on this machine."


def checks(weights: State = "ok", redis: State = "ok", kafka: State = "ok") -> tuple[Check, ...]:
    return (
        Check("CLIMB weights", weights, "x.safetensors", "train some"),
        Check("GPU", "optional", "none that torch can use", "install a driver"),
        Check("Redis server", redis, "refused"),
        Check("Kafka", kafka, "refused"),
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(checks(), READY, id="everything is there"),
        pytest.param(
            checks(redis="optional", kafka="optional"),
            f"{READY} For many machines, Kafka and Redis are still to be configured.",
            id="no servers",
        ),
        pytest.param(
            checks(kafka="optional"), f"{READY} For many machines, Kafka is still to be configured.", id="no Kafka"
        ),
        pytest.param(
            checks("missing", kafka="optional"),
            "Not ready: CLIMB weights missing. Do this first: train some",
            id="something is missing",
        ),
        pytest.param(
            (Check("Redis for one machine", "missing", "no redis-server"), *checks("missing")),
            "Not ready: Redis for one machine and CLIMB weights missing. Do this first: no redis-server",
            id="two are missing, and the first says itself what it needs",
        ),
    ],
)
def test_the_verdict_is_one_line_that_says_what_to_do(found: tuple[Check, ...], said: str) -> None:
    assert verdict(found) == said


def test_the_verdict_is_the_last_line() -> None:
    said = StringIO()
    print_checks(Console(file=said), checks())
    assert said.getvalue().splitlines()[-1] == READY
