"""New weights beside old ones: both are kept, one decides, and nobody gets another number by a change."""

import logging
import uuid
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import redis
from msgspec.structs import replace
from numpy.typing import NDArray

from gallery.decision.scale_state import decode_spaces
from gallery.store.memory import MemoryStore
from gallery.store.redis import RedisStore
from gallery.store.store import Store
from tests.gallery_tools import (
    START,
    Gallery,
    LiveSite,
    S,
    World,
    axis,
    interleaved,
    make_world,
    owners,
    progress,
    tracklet,
    unit,
)
from wire.messages import AnyMessage, Tracklet, WeightsChoice
from wire.similarity import SimilarityPrior
from wire.tracklet import Look

DIMENSION = 24  # of the new space; embeddings of the old one have another length
PRIOR = SimilarityPrior(same_mean=0.8, same_std=0.1, different_mean=0.0, different_std=0.1)
MIXED = np.linalg.qr(np.random.default_rng(5).normal(size=(128, 128)))[0][:, :DIMENSION]


def seen_anew(one: Tracklet) -> Look:
    """Return how the new weights see a tracklet; who looks alike to the old ones does so to them."""
    vector = one.embedding.astype(np.float64) @ MIXED[: len(one.embedding)]
    return Look(embedding=unit(vector).astype(np.float16), model_id="new", prior=PRIOR)


def both(one: Tracklet) -> Tracklet:
    return replace(one, shadow=seen_anew(one))


def only_new(one: Tracklet) -> Tracklet:
    look = seen_anew(one)
    return replace(one, embedding=look.embedding, model_id=look.model_id, prior=look.prior, shadow=None)


def turned(one: Tracklet) -> Tracklet:
    """Return a tracklet of a worker that serves the new weights and keeps the old ones as second."""
    old = Look(embedding=one.embedding, model_id=one.model_id, prior=one.prior)
    return replace(only_new(one), shadow=old)


def use(model_id: str, at_s: float) -> WeightsChoice:
    return WeightsChoice(site_id="site", use=model_id, time_ns=START + int(at_s * S))


def forget(model_id: str, at_s: float) -> WeightsChoice:
    return WeightsChoice(site_id="site", forget=model_id, time_ns=START + int(at_s * S))


def known_under(store: Store) -> dict[int, set[str]]:
    snapshot = store.load(10**18)
    return {number: {p.model_id for p in owned} for number, owned in snapshot.prototypes.items()}


def person(number: int) -> NDArray[np.float64]:
    return axis(number, 128)


class Site(LiveSite):
    """A site that people walk through one after the other, each for four seconds in camera a."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store)
        self.seconds = 0.0
        self.walks = 0

    def walk(self, *looks: int, see: object = both) -> list[int | None]:
        """Let people pass one after the other; return their numbers."""
        numbers = []
        for look in looks:
            self.walks += 1
            name = f"a/s/{self.walks}.0/0"
            passing = tracklet(name, self.seconds, self.seconds + 4, person(look))
            self.seconds += 10
            self.show(see(passing), progress("a", self.seconds, mode="latency"))  # type: ignore[operator]
            numbers.append(self.identity_of(name))
        return numbers


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore("site")
        return
    client = redis.Redis.from_url(request.getfixturevalue("redis_url"))
    yield RedisStore(client, f"site-{uuid.uuid4().hex[:8]}")
    client.close()


def test_second_embeddings_change_no_decision() -> None:
    world = make_world(31, people=6, seconds=60)
    messages = interleaved(world, 1)
    plain, shadowed = Gallery(MemoryStore("site"), messages), Gallery(MemoryStore("site"), with_both(messages))
    plain.run(len(messages))
    shadowed.run(len(messages))

    assert owners(shadowed.store) == owners(plain.store)
    assert shadowed.events == plain.events
    assert set().union(*known_under(shadowed.store).values()) == {"m", "new"}


def with_both(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    return [both(message) if isinstance(message, Tracklet) else message for message in messages]


def test_everybody_keeps_their_number_through_a_change_a_return_and_a_new_start(store: Store) -> None:
    # Given three people, seen by workers that embed in both spaces
    site = Site(store)
    first = site.walk(1, 2, 3)
    # When the new weights decide, and workers come that serve them
    site.show(use("new", 100))
    site.restart()
    after = site.walk(1, 2, 3, see=turned)
    alone = site.walk(1, 2, 3, see=only_new)
    # And the old ones again
    site.show(use("m", 200))
    site.restart()
    back = site.walk(3, 2, 1)
    # Then everybody is who they were
    assert first == after == alone == back[::-1]
    assert len(set(first)) == 3


def test_without_the_second_embedding_everybody_would_be_new() -> None:
    site = Site()
    first = site.walk(1, 2, see=lambda one: one)
    assert not set(first) & set(site.walk(1, 2, see=only_new))


def test_whom_only_an_old_worker_sees_is_still_known_after_the_change(store: Store) -> None:
    site = Site(store)
    first = site.walk(1, 2)
    site.show(use("new", 100))
    old = site.walk(1, 2, see=lambda one: one)
    assert old == first
    assert site.walk(1, 2) == first


def test_what_decides_can_be_chosen_only_if_somebody_is_known_under_it(caplog: pytest.LogCaptureFixture) -> None:
    site = Site()
    site.walk(1)
    with caplog.at_level(logging.ERROR):
        site.show(use("typo", 100))
    assert "nobody is known under typo" in caplog.text
    assert decode_spaces(site.store.learnt().calibration).active == ""


def test_an_older_choice_that_arrives_again_has_no_effect() -> None:
    site = Site()
    site.walk(1)
    site.show(use("new", 100), use("m", 200), use("new", 100))
    assert decode_spaces(site.store.learnt().calibration).active == "m"


def test_what_is_forgotten_is_gone_but_for_those_who_are_known_by_nothing_else(store: Store) -> None:
    # Given somebody who was seen by old workers only, and two who are known under both
    site = Site(store)
    old_only = site.walk(9, see=lambda one: one)
    first = site.walk(1, 2)
    site.show(use("new", 200), forget("m", 201))
    # Then only the first is still known under the old weights, also for a gallery that starts again
    expected = {old_only[0]: {"m"}, first[0]: {"new"}, first[1]: {"new"}}
    assert known_under(store) == expected
    site.restart()
    # And people who come again do not bring the old space back, and lose no camera
    assert site.walk(1, 2, see=turned) == first
    assert known_under(store) == expected
    assert [store.identity(number).cameras for number in first if number is not None] == [("a",), ("a",)]  # type: ignore[union-attr]


def test_what_decides_is_not_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    site = Site()
    site.walk(1)
    site.show(use("new", 100), forget("new", 101))
    assert "new decides, so it cannot be forgotten" in caplog.text
    assert known_under(site.store) == {1: {"m", "new"}}


def test_a_forgotten_model_that_is_chosen_again_is_learnt_again() -> None:
    site = Site()
    first = site.walk(1)
    site.show(use("new", 100), forget("m", 101))
    site.walk(1)
    site.show(use("m", 102))  # refused, as nobody is known under it
    assert decode_spaces(site.store.learnt().calibration).active == "new"
    assert site.walk(1) == first


def test_the_same_revision_with_a_second_embedding_is_added_to_what_is_known(store: Store) -> None:
    # Given people who were seen before there was a second embedding
    site = Site(store)
    first = site.walk(1, 2, see=lambda one: one)
    rows = store.tracklets(["a/s/1.0/0", "a/s/2.0/0"])
    before = store.counts()
    # When the same tracklets come with one, once and again
    for _ in range(2):
        site.show(*(both(row.tracklet) for row in rows))
    # Then the people are known under both, nothing else changed, and the new weights find them
    assert known_under(store) == {number: {"m", "new"} for number in first}
    assert store.counts() == before
    site.restart()
    site.show(use("new", 100))
    assert site.walk(2, 1, see=only_new) == first[::-1]


def test_a_tracklet_that_gets_a_second_embedding_leaves_nothing_behind_when_it_moves() -> None:
    # Given a tracklet whose second embedding came later
    site = Site()
    site.walk(1, see=lambda one: one)
    row = site.store.tracklets(["a/s/1.0/0"])[0]
    site.show(both(row.tracklet))
    # When it gets a revision without one
    site.show(replace(row.tracklet, revision=1), progress("a", 50, mode="latency"))
    # Then nothing is known by the second embedding of the revision before
    assert known_under(site.store) == {1: {"m"}}


def test_a_second_embedding_of_another_length_is_left_out_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    site = Site()
    first = site.walk(1)
    wrong = Look(embedding=unit(np.ones(7)).astype(np.float16), model_id="new")
    again = site.walk(1, 1, see=lambda one: replace(one, shadow=wrong))
    assert again == first * 2
    assert caplog.text.count("second embeddings of model new have 7 numbers") == 1


def test_a_tracklet_cannot_be_seen_twice_by_the_same_weights() -> None:
    one = tracklet("a/s/1.0/0", 0, 1)
    with pytest.raises(ValueError, match="shadow must be of other weights than m"):
        replace(one, shadow=Look(embedding=one.embedding, model_id="m"))


@pytest.fixture(scope="module")
def changing() -> tuple[World, list[AnyMessage]]:
    """Return a site whose workers change one after the other, whose weights are changed, and changed back."""
    world = make_world(32, people=6, seconds=60)
    messages = with_both(interleaved(world, 2))
    third = len(messages) // 3
    late = [turned(m) if isinstance(m, Tracklet) and m.camera_id == "a" else m for m in messages[third:]]
    log = [*messages[:third], use("new", 0.1), *late[:third], use("m", 0.2), *late[third:], forget("new", 0.3)]
    return world, log


@pytest.mark.parametrize("seed", range(6))
def test_a_gallery_killed_anywhere_changes_its_weights_once(
    changing: tuple[World, list[AnyMessage]], seed: int
) -> None:
    _, messages = changing
    whole = Gallery(MemoryStore("site"), messages)
    whole.run(len(messages))
    killed = Gallery(MemoryStore("site"), messages)
    rng = np.random.default_rng(seed)
    for place in sorted(rng.integers(1, len(messages), 4)):
        killed.run(int(place), batch=int(rng.integers(1, 40)), flush_last=bool(rng.integers(2)))
    killed.run(len(messages))

    assert owners(killed.store) == owners(whole.store)
    assert known_under(killed.store) == known_under(whole.store)
    assert set().union(*known_under(whole.store).values()) == {"m"}
    assert killed.store.learnt().calibration == whole.store.learnt().calibration
