"""The images as they are built, and the demo of the compose file from its camera to an identity.

`.ci/run` builds them beside the tests; without it, these run where an engine has them (docs/containers.md).
"""

import json
from collections.abc import Callable

import pytest

from tests.servers.images import BUILD_S, CPU_IMAGES, DOWN_S, Engine, usable_engine

USER = "10001"
DEMO_S = 900

pytestmark = pytest.mark.timeout(BUILD_S + DEMO_S + DOWN_S + 120)


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Return an engine that can run the images."""
    return usable_engine()


@pytest.mark.parametrize("image", CPU_IMAGES)
def test_an_image_runs_as_a_user_without_rights_on_a_file_system_that_cannot_be_written(
    image: str, engine: Engine
) -> None:
    assert engine.run(image, "id", "-u").stdout.strip() == USER
    assert engine.run(image, "touch", "/opt/climbtrack/mark").returncode != 0
    assert engine.run(image, "climbtrack", image, "--help").returncode == 0
    contents = json.loads(engine.run(image, "cat", "/opt/climbtrack/sbom.json").stdout)
    assert {"numpy", "pydantic"} <= {part["name"] for part in contents["components"]}


def test_the_demo_knows_somebody_over_http_and_takes_everything_down_again(
    engine: Engine, free_port: Callable[[], int]
) -> None:
    done = engine.try_demo(free_port(), DEMO_S)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "the first identity after" in done.stdout
    assert "climbtrack-try" not in engine("ps", "--all", "--format", "{{.Names}}").stdout
