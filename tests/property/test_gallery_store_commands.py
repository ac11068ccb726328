"""Random histories of a site leave Redis and the reference in the same state."""

import uuid
from dataclasses import replace
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from gallery.errors import StoreConflict
from gallery.store.memory import MemoryStore
from gallery.store.redis import RedisStore
from gallery.store.said import Former, StoredWord
from gallery.store.store import Identity, PeopleQuery, Store, StoredTracklet, TrackQuery, Write
from gallery.store.why import Candidate, Why
from tests.gallery_tools import START, S, tracklet
from wire.messages import IdentityEvent, Word

NUMBERS = st.integers(1, 5)
NAMES = st.sampled_from([f"{camera}/s/{track}/0" for camera in "ab" for track in range(3)])
SECONDS = st.integers(0, 30)
WORDS = st.sampled_from(["w1", "w2", "w3"])
CALLED = st.sampled_from(["", "Anna", "anne", "Straße", "a*"])
DIGESTS = st.sampled_from(["d1", "d2"])


@st.composite
def rows(draw: st.DrawFn) -> StoredTracklet:
    first = draw(SECONDS)
    sent = tracklet(draw(NAMES), first, first + draw(st.integers(1, 20)), revision=draw(st.integers(0, 3)))
    return StoredTracklet(sent, draw(st.none() | NUMBERS), draw(st.floats(0, 1)), None)


@st.composite
def people(draw: st.DrawFn) -> Identity:
    number = draw(NUMBERS)
    previous = draw(st.sets(st.integers(10, 14), max_size=2))
    said = draw(CALLED), draw(st.booleans()), draw(st.just("") | NAMES), tuple(draw(st.lists(CALLED, max_size=2)))
    last_ns = START + draw(SECONDS) * S
    faded = draw(st.booleans())
    return Identity(number, START, last_ns, ("a",), draw(st.integers(0, 9)), tuple(sorted(previous)), (), *said, faded)


@st.composite
def words(draw: st.DrawFn) -> StoredWord:
    word = Word(word_id=draw(WORDS), kind="name", site_id="site", author="Eve", time_ns=1, name=draw(st.text("ab")))
    keys = st.lists(NAMES, max_size=3).map(tuple)
    sides = draw(st.lists(keys, max_size=2).map(tuple))
    return StoredWord(word, draw(NUMBERS), draw(keys), sides, undone_by=draw(st.just("") | WORDS))


def event(number: int) -> IdentityEvent:
    return IdentityEvent(
        event_id=f"e{number}",
        kind="created",
        site_id="site",
        identity_id=number,
        previous_ids=(),
        tracklet_id="",
        camera_id="",
        probability=1.0,
        reason="",
        time_ns=START,
    )


def unique(values: list[Any], key: Any) -> list[Any]:
    return list({key(value): value for value in values}.values())


@st.composite
def writes(draw: st.DrawFn) -> Write:
    merged = draw(st.dictionaries(NUMBERS, NUMBERS, max_size=2))
    identities = unique(draw(st.lists(people(), max_size=3)), lambda identity: identity.number)
    known = dict.fromkeys((identity.number for identity in identities), ())  # nobody fades without prototypes
    return Write(
        version=draw(st.integers(0, 3)),
        now_ns=START + draw(SECONDS) * S,
        next_identity=draw(st.integers(1, 9)),
        calibration=draw(st.binary(max_size=4)),
        tracklets=unique(draw(st.lists(rows(), max_size=4)), lambda row: row.tracklet.tracklet_id),
        crops=draw(st.dictionaries(NAMES, st.binary(min_size=1, max_size=4), max_size=3)),
        moved=draw(st.dictionaries(NAMES, NUMBERS, max_size=2)),
        identities=identities,
        prototypes=known | draw(st.dictionaries(NUMBERS, st.just(()), max_size=2)),
        # chains are resolved by whoever decides: a survivor of a write does not end in the same write
        merged={gone: survivor for gone, survivor in merged.items() if survivor not in merged},
        expired=unique(draw(st.lists(people(), max_size=1)), lambda identity: identity.number),
        expire_before_ns=START + draw(st.integers(-20, 20)) * S,
        events=draw(st.lists(st.builds(event, NUMBERS), max_size=2)),
        words=unique(draw(st.lists(words(), max_size=3)), lambda said: said.word.word_id),
        formers=draw(st.dictionaries(WORDS, st.lists(st.builds(Former, NUMBERS), max_size=2), max_size=2)),
        erased=draw(st.dictionaries(DIGESTS, WORDS, max_size=2)),
        lifted=draw(st.lists(DIGESTS, max_size=2)),
        forgotten=draw(st.lists(st.integers(1, 6), max_size=2)),
        why=draw(st.dictionaries(NAMES, st.builds(why, NUMBERS), max_size=2)),
    )


def why(number: int) -> Why:
    return Why(number, "so", START, 0.8, (Candidate(number, 0.9), Candidate(9, 0.1, "seen_at_once", "a/s/0/0")))


def outcome(store: Store, write: Write) -> str:
    try:
        return store.write(write)
    except StoreConflict:
        return "conflict"


def described(rows: list[StoredTracklet]) -> list[tuple[str, int, int | None, float]]:
    return [(r.tracklet.tracklet_id, r.tracklet.revision, r.identity_id, r.probability) for r in rows]


def everything(store: Store, query: TrackQuery) -> dict[str, object]:
    """Return the result of every method."""
    snapshot = store.load(15 * S)
    return {
        "meta": (snapshot.version, snapshot.seq, snapshot.now_ns, snapshot.next_identity, snapshot.calibration),
        "identities": list(snapshot.identities),
        "prototypes": sorted(snapshot.prototypes),
        "recent": described(list(snapshot.tracklets)),
        "unpublished": [(entry.seq, entry.event.event_id) for entry in snapshot.unpublished],
        "all": described(store.find(TrackQuery())),
        "found": described(store.find(query)),
        "pages": (store.identities(0, 2), store.identities(2, 9)),
        "by number": [store.identity(number) for number in range(1, 15)],
        "sightings": store.sightings(range(1, 6)),
        "why": store.why([f"a/s/{track}/0" for track in range(3)]),
        "latest": store.latest(range(1, 6), 2),
        "words": [(entry.seq, told(entry.said)) for entry in store.words(1, 3)],
        "every word": [told(said) for said in snapshot.words],
        "holders": snapshot.holders,
        "erased": snapshot.erased,
        "one word": [told(store.word(word_id)) for word_id in ("w1", "w2", "w3")],
        "formers": [store.former(word_id) for word_id in ("w1", "w2", "w3")],
        "people": [store.people(chosen) for chosen in PEOPLE],
        "crops": [store.crop(f"a/s/{track}/0") for track in range(3)],
        "journal": [(entry.seq, entry.event.event_id) for entry in store.journal(1, 3)],
        "counts": store.counts(),
        "faded": snapshot.faded,
        "faded people": [one.identity for one in (*store.faded([4, 1, 9]), *store.faded_after(2, 2))],
        "faded longest": [store.faded_longest(limit) for limit in (0, 1, 9)],
    }


def told(said: StoredWord | None) -> object:
    """Return a word as values that can be compared."""
    return said and (said.word.word_id, said.word.name, said.identity_id, said.chosen, said.sides, said.undone_by)


PEOPLE = (
    PeopleQuery(by_last=True, limit=2),
    PeopleQuery(by_last=True, after=((START + 15 * S) // 1000, 3), limit=2),
    PeopleQuery(name="ANN"),
    PeopleQuery(name="a", by_last=True, limit=1),
    PeopleQuery(name="a*"),
    PeopleQuery(tag="STRASSE", hidden=False),
    PeopleQuery(hidden=True, by_last=True),
    PeopleQuery(hidden=False, after=(0, 1)),
    PeopleQuery(from_ns=START + 10 * S, camera_id="a"),
)
QUERIES = st.builds(
    TrackQuery,
    camera_id=st.none() | st.sampled_from("ab"),
    identity_id=st.none() | NUMBERS,
    from_ns=st.none() | SECONDS.map(lambda s: START + s * S),
    to_ns=st.none() | SECONDS.map(lambda s: START + s * S),
    limit=st.integers(0, 5),
)


@pytest.fixture(scope="module")
def client(redis_url: str) -> Any:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


@given(
    history=st.lists(st.tuples(writes(), st.sets(NAMES, max_size=2)), min_size=1, max_size=6),
    confirmed=st.integers(0, 6),
    query=QUERIES,
    fit=st.booleans(),
)
def test_any_history_leaves_redis_and_the_reference_equal(
    client: Any, history: list[tuple[Write, set[str]]], confirmed: int, query: TrackQuery, *, fit: bool
) -> None:
    site = f"site-{uuid.uuid4().hex[:8]}"
    memory, real = MemoryStore(site), RedisStore(client, site)
    for drawn, doubted in history:
        version = memory.load(0).version if fit else drawn.version  # drawn ones mostly meet another version
        older = doubted - {row.tracklet.tracklet_id for row in drawn.tracklets}
        revised = [replace(row, probability=0.25) for row in memory.tracklets(sorted(older))]
        write = replace(drawn, version=version, revised=revised)
        assert outcome(memory, write) == outcome(real, write)
    for store in (memory, real):
        store.confirm(confirmed)

    assert everything(real, query) == everything(memory, query)
