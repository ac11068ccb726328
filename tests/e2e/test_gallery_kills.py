"""A real gallery over Kafka and a real Redis, killed again and again, end where a gallery ends that nobody kills."""

import uuid
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deploy.bench.gallery_kills import measure

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]


def test_killing_gallery_and_redis_under_load_loses_nobody_even_of_those_who_fade_and_changes_nothing(
    kafka_servers: str,
) -> None:
    with TemporaryDirectory(prefix="ct-") as folder:  # short enough for a socket
        prefix = f"test-{uuid.uuid4().hex[:8]}-"
        figures = measure(Path(folder), 4, seed=2, speed=2.0, fade_after_s=20.0, servers=kafka_servers, prefix=prefix)

    assert figures.gallery_kills + figures.redis_kills >= 4
    assert figures.audit.tracklets > 50
    assert figures.audit.faults() == {}
