"""A simulated site: people walk past overlapping cameras, tracklets arrive in any order, the gallery may be killed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gallery.index import BruteForceIndex
from gallery.store.memory import MemoryStore
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from tests.gallery_tools import Gallery, World, interleaved, make_world, owners, run_whole, world_with_a_stranger
from wire.settings import RedisSettings


@pytest.fixture(scope="module", params=["passers-by", "a stranger"])
def world(request: pytest.FixtureRequest) -> World:
    return make_world(11, people=5, seconds=50) if request.param == "passers-by" else world_with_a_stranger()


@pytest.fixture(scope="module")
def small() -> tuple[World, Gallery]:
    world = make_world(12, people=4, seconds=35, noise=0.9)
    return world, run_whole(world)


@pytest.fixture(scope="module")
def whole(world: World) -> Gallery:
    return run_whole(world)


@pytest.mark.parametrize("seed", [1, 2])
def test_people_keep_their_identity_over_cameras_and_time(seed: int) -> None:
    world = make_world(seed, people=7, seconds=70, noise=1.0)

    assert world.score(run_whole(world).store) >= 0.90


def test_a_stranger_is_separated_from_the_person_they_were_mistaken_for() -> None:
    gallery = run_whole(world_with_a_stranger())

    assert gallery.store.counts().identities == 2
    assert world_with_a_stranger().score(gallery.store) == 1.0
    assert any("/merged/" in event for event in gallery.events)
    assert any("a/s/9.0/0" in event and "/split/" in event for event in gallery.events)


def test_weak_embeddings_still_give_mostly_correct_identities() -> None:
    world = make_world(4, people=6, seconds=60, noise=1.2)

    assert world.score(run_whole(world).store) >= 0.60


@pytest.mark.parametrize("order", [1, 2])
def test_the_order_in_which_cameras_arrive_does_not_matter(world: World, whole: Gallery, order: int) -> None:
    assert owners(run_whole(world, order).store) == owners(whole.store)


@pytest.mark.parametrize("batch", [1, 64])
def test_the_size_of_batches_does_not_matter(world: World, whole: Gallery, batch: int) -> None:
    gallery = Gallery(MemoryStore("site"), whole.messages)
    gallery.run(len(whole.messages), batch)

    assert owners(gallery.store) == owners(whole.store)


@pytest.mark.parametrize("seed", range(3))
def test_a_gallery_killed_anywhere_continues_as_if_it_had_not_been(whole: Gallery, seed: int) -> None:
    # Given a gallery that is killed at three places, with or without its last flush
    gallery = Gallery(MemoryStore("site"), whole.messages)
    rng = np.random.default_rng(seed)
    for place in sorted(rng.integers(1, len(whole.messages), 3)):
        gallery.run(int(place), flush_last=bool(rng.integers(2)))
    # When it reads to the end
    gallery.run(len(whole.messages))
    # Then every tracklet has the identity it has without a kill, and no event is lost
    assert owners(gallery.store) == owners(whole.store)
    assert set(gallery.events) == set(whole.events)
    assert gallery.store.counts() == whole.store.counts()


def test_redis_and_faiss_give_the_same_decisions(redis_url: str, tmp_path: Path, world: World, whole: Gallery) -> None:
    client = connect(RedisSettings(url=redis_url))
    gallery = Gallery(RedisStore(client, tmp_path.name), interleaved(world, 5), index=BruteForceIndex)
    gallery.run(len(gallery.messages))

    assert owners(gallery.store) == owners(whole.store)
    assert gallery.store.counts() == whole.store.counts()
    client.close()


@settings(max_examples=40, deadline=None)
@example(order=1, again=[(0.15625, 4)], batch=1, kills=[0.5])  # a report of a camera comes again after a restart
@example(order=915, again=[(0.15625, 17)], batch=1, kills=[0.5])
@given(
    order=st.integers(0, 1_000),
    again=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 60)), max_size=4),
    batch=st.integers(1, 64),
    kills=st.lists(st.floats(0, 1), max_size=2),
)
def test_any_order_repetition_and_redelivery_give_the_same_identities(
    small: tuple[World, Gallery], order: int, again: list[tuple[float, int]], batch: int, kills: list[float]
) -> None:
    # Given messages of cameras in any order, of which some stretches come twice
    world, whole = small
    messages = interleaved(world, order)
    for place, length in again:
        end = int(place * len(messages))
        messages[end:end] = messages[max(0, end - length) : end]
    # When they are read by a gallery that may be killed
    gallery = Gallery(MemoryStore("site"), messages)
    for kill in sorted(kills):
        gallery.run(int(kill * len(messages)), batch)
    gallery.run(len(messages), batch)
    # Then everybody is who they are when each message comes once, and no other event is published
    assert owners(gallery.store) == owners(whole.store)
    assert set(gallery.events) == set(whole.events)
