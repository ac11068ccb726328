"""Somebody who is erased is in no key of Redis, and nowhere in the memory of the gallery."""

import gc
import types
import uuid
from collections.abc import Iterator
from dataclasses import replace as changed
from typing import Any

import numpy as np
import pytest
import redis
from msgspec.structs import replace

from gallery.config import GallerySettings
from gallery.decision.decide import decide
from gallery.decision.site import site_of
from gallery.site_worker import plan_of
from gallery.store.memory import MemoryStore
from gallery.store.redis import RedisStore
from gallery.store.said import digests_of
from tests.gallery_tools import S, axis, tracklet
from tests.words_tools import Talk, several_people
from wire.messages import Tracklet

CODE = types.ModuleType | type | types.FunctionType | types.BuiltinFunctionType | types.CodeType
LOOK = np.linspace(1, 2, 16)
MARKS = (
    b"Zerlinda",
    b"picture of Zerlinda",
    b"b/secret/77",
    b"b/secret/78",
    (LOOK / np.linalg.norm(LOOK)).astype("<f2").tobytes(),
)


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


def secret(track: int, first_s: float) -> Tracklet:
    return replace(tracklet(f"b/secret/{track}.0/0", first_s, first_s + 5, LOOK), crop=MARKS[1])


def contents(client: Any, site: str) -> Iterator[bytes]:
    """Yield every key, field and value of a site."""
    for key in client.keys(f"climbtrack:{{{site}}}:*"):
        yield key
        match client.type(key):
            case b"hash":
                yield from (part for pair in client.hgetall(key).items() for part in pair)
            case b"zset":
                yield from client.zrange(key, 0, -1)
            case b"set":
                yield from client.smembers(key)
            case kind:
                raise AssertionError(kind)


def memory_of(root: object) -> Iterator[bytes]:
    """Yield the bytes of all texts and arrays that can be reached from an object, code left out."""
    seen, left = {id(root)}, [root]
    while left:
        one = left.pop()
        if isinstance(one, np.ndarray):
            yield (one.base if isinstance(one.base, np.ndarray) else one).tobytes()
        elif isinstance(one, str | bytes):
            yield one.encode() if isinstance(one, str) else one
        new = [other for other in gc.get_referents(one) if id(other) not in seen and not isinstance(other, CODE)]
        seen.update(map(id, new))
        left += new


def test_an_erased_person_is_nowhere_in_redis_and_nowhere_in_memory(client: Any) -> None:
    # Given a person with a name, whom a word and a decision about others mention too
    site = f"site-{uuid.uuid4().hex[:8]}"
    talk = several_people(lambda: Talk(RedisStore(client, site)))
    talk.see(secret(77, 100), until_s=108)
    talk.see(secret(78, 110), tracklet("a/s/9.0/0", 112, 118, axis(2)), until_s=130)
    talk.see(until_s=150)
    number = talk.owners()["b/secret/77.0/0"]
    assert number is not None
    talk.say("name", identity_id=number, name="Zerlinda")
    talk.say("different", identity_id=number, others=(1,))
    talk.say("merge", identity_id=2, others=(3,))
    for mark in MARKS:
        assert any(mark in part for part in contents(client, site)), mark
    assert any(b"zerlinda" in part for part in contents(client, site))  # as it is searched
    assert any(MARKS[-1] in part for part in memory_of(talk.worker))
    # When they are erased
    talk.say("erase", identity_id=number)
    # Then nothing of them is left, and a restarted gallery knows nothing either
    for place in (talk.worker, None):
        if place is None:
            talk.restart()
            talk.see(until_s=160)
        for mark in MARKS:
            assert [part[:80] for part in contents(client, site) if mark.lower() in part.lower()] == []
            assert [part[:80] for part in memory_of(talk.worker) if mark in part] == []
        for width in ("<f4", "<f8"):
            vector = (LOOK / np.linalg.norm(LOOK)).astype("<f2").astype(width)
            assert not any((vector / np.linalg.norm(vector)).tobytes() in part for part in memory_of(talk.worker))


def test_who_was_erased_under_another_name_of_the_site_stays_erased_after_the_first_decision() -> None:
    # Given a site that was restored under another name, and somebody who was erased from it before
    erased = tracklet("a/s/1.0/0", 0, 5)
    digests = dict.fromkeys(digests_of("before", erased), "word")
    empty = MemoryStore("site").load(0)
    site = site_of("site", changed(empty, erased=digests, erased_as="before"))
    # When somebody else is decided
    rules = plan_of(GallerySettings()).rules
    after = decide(site, [tracklet("a/s/2.0/0", 0, 5, axis(3))], 10 * S, rules, lambda *_: []).site
    # Then whoever was erased is still known to be
    assert site.erased_by(erased) == "word"
    assert after.erased_by(erased) == "word"
