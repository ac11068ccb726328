"""What the contract tests share."""

import gc
import uuid
import warnings
from collections.abc import Iterator

import pytest
import redis

from gallery.store.memory import MemoryStore
from gallery.store.redis import RedisStore
from gallery.store.store import Store


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The store of a new site, in memory and in Redis."""
    site = f"site-{uuid.uuid4().hex[:8]}"
    if request.param == "memory":
        yield MemoryStore(site)
        return
    client = redis.Redis.from_url(request.getfixturevalue("redis_url"))
    yield RedisStore(client, site)
    client.close()


@pytest.fixture(autouse=True, scope="module")
def _no_sockets_for_the_next_module(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect the sockets that the client of Kafka leaves to the garbage collector, before other tests meet them."""
    yield
    if not any(item.get_closest_marker("kafka") for item in request.session.items if item.path == request.path):
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
        gc.collect()
