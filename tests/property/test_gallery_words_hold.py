"""People talk while the gallery decides, and it may be killed at any time: what they said holds, until it is undone."""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gallery.store.memory import MemoryStore
from gallery.store.said import StoredWord, leg_of
from gallery.store.store import TrackQuery, Write
from gallery.words.said import Said, said_of
from tests.gallery_tools import S, World, interleaved, make_world
from tests.words_tools import Talk, several_people
from wire.messages import AnyMessage, CameraProgress, Tracklet

KINDS = ("merge", "merge", "different", "split", "move", "away", "confirm", "name", "tag", "hide", "undo", "erase")
STEPS = st.lists(
    st.tuples(st.sampled_from(("see", "see", "see", "kill", *KINDS)), st.integers(0, 10**6), st.integers(0, 10**6)),
    min_size=4,
    max_size=25,
)


class Messages(list[AnyMessage]):
    """Those of a world; hypothesis shows all arguments of a test that fails."""

    def __repr__(self) -> str:
        return f"{len(self)} messages"


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(21, people=4, seconds=30, noise=0.9)


@pytest.fixture(scope="module")
def messages(world: World) -> Messages:
    return Messages(interleaved(world, 3))


@pytest.fixture(scope="module")
def look_alikes() -> Messages:
    """Return tracklets that the gallery takes for one person, or for two, whatever people say."""
    return Messages(interleaved(make_world(22, people=2, seconds=45, noise=0.3), 3))


class Told:
    """A gallery, the messages that it has not got yet, and what was erased."""

    def __init__(self, messages: list[AnyMessage], horizon_s: float = 900.0) -> None:
        self.talk = Talk(horizon_s=horizon_s)
        self.left = list(messages)
        self.erased: set[str] = set()
        self.words: list[StoredWord] = []

    def hear(self, count: int) -> None:
        """Have the next messages handled."""
        self.talk.send(*self.left[:count])
        del self.left[:count]

    def step(self, action: str, one: int, other: int) -> None:
        """Do one of `STEPS`."""
        if action == "see":
            self.hear(10 + one % 60)
        elif action == "kill":
            self.talk.restart()
        else:
            self._say(action, one, other)

    def _say(self, action: str, one: int, other: int) -> None:
        people = [identity.number for identity in self.talk.store.identities(0, 1_000)]
        rows = self.talk.store.find(TrackQuery(limit=1_000))
        if not people or not rows:
            return
        first, second = people[one % len(people)], people[other % len(people)]
        track = rows[one % len(rows)]
        name = track.tracklet.tracklet_id
        known: dict[str, dict[str, Any]] = {
            "merge": {"identity_id": first, "others": (second,)},
            "different": {"identity_id": first, "others": (second,)},
            "split": {"identity_id": track.identity_id or first, "tracklets": (name,)},
            "move": {"tracklets": (name,), "to": second},
            "confirm": {"tracklets": (name,), "to": track.identity_id or first},
            "away": {"tracklets": (name,), "to": None},
            "name": {"identity_id": first, "name": f"name {other % 3}"},
            "tag": {"identity_id": first, "tags": (f"tag {other % 3}",)},
            "hide": {"identity_id": first, "hidden": bool(other % 2)},
            "erase": {"identity_id": first},
        }
        fields = known.get(action, {"undoes": f"w{1 + one % (len(self.words) + 1)}"})
        said = self.talk.say("move" if action == "away" else action, **fields)
        self.words.append(said)
        if action == "erase" and not said.refused:
            self.erased |= {leg_of(r.tracklet.tracklet_id) for r in rows if r.identity_id == first}
        if action == "undo" and not said.refused:
            undone = self.talk.store.word(said.word.undoes)
            assert undone is not None
            if undone.word.kind == "erase":
                self.erased = set()  # lifted; which of them is not looked at again

    def said(self) -> Said:
        """Return what the journal says holds."""
        return said_of(entry.said for entry in self.talk.store.words(0, 1_000))

    def check(self) -> None:
        """Check that everything that was said holds."""
        owners = self.talk.owners()
        assert broken(self.said(), owners) == []
        assert self.erased.isdisjoint(map(leg_of, owners))
        numbers = {number for number in owners.values() if number is not None}
        assert numbers <= {identity.number for identity in self.talk.store.identities(0, 1_000)}


def broken(said: Said, owners: dict[str, int | None]) -> list[str]:
    """Return which pairs of tracklets are not where people said."""
    by_number: dict[int, set[str]] = defaultdict(set)
    for key, number in owners.items():
        if number is not None:
            by_number[number].add(leg_of(key))
    found = []
    for number, legs in by_number.items():
        found += [f"{a} and {b} are {number}" for a in legs for b in legs if said.are_apart(a, b)]
        others = set().union(*(legs for other, legs in by_number.items() if other != number))
        found += [f"{a} is {number}, {b} is not" for a in legs for b in others if said.are_same(a, b)]
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, horizon_s=st.sampled_from([900.0, 6.0]), alike=st.booleans())
def test_what_people_said_holds_in_any_order_of_decisions_words_and_kills(
    messages: Messages, look_alikes: Messages, steps: list[tuple[str, int, int]], horizon_s: float, *, alike: bool
) -> None:
    told = Told(look_alikes if alike else messages, horizon_s)
    told.hear(150)
    for step in (*steps, ("see", 59, 0), ("kill", 0, 0), ("see", 39, 0)):
        told.step(*step)
        told.check()
    told.talk.send(*told.left)
    told.check()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, kill=st.booleans(), horizon_s=st.sampled_from([900.0, 6.0]))
def test_undoing_the_last_word_restores_who_was_who(
    messages: Messages, steps: list[tuple[str, int, int]], horizon_s: float, *, kill: bool
) -> None:
    told = Told(messages, horizon_s)
    told.hear(130)
    for step in steps:
        before = state_of(told.talk)
        words = len(told.words)
        told.step(*step)
        if len(told.words) > words and not told.words[-1].refused and step[0] not in {"undo", "erase"}:
            if kill:
                told.talk.restart()
            undo = told.talk.say("undo", undoes=told.words[-1].word.word_id)
            told.words.append(undo)
            assert undo.refused == ""
            assert state_of(told.talk) == before, step


def state_of(talk: Talk) -> tuple[object, ...]:
    """Return who is who, and what people are called; a number that was given meanwhile may lead to somebody."""
    people = talk.store.identities(0, 1_000)
    return (
        talk.owners(),
        [(p.number, p.name, p.tags, p.hidden, p.cameras, p.tracklets, p.first_ns, p.last_ns) for p in people],
    )


WORDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            ["name", "tag", "hide", "merge", "split", "move", "confirm", "different", "erase", "undo"]
        ),
        "identity_id": st.integers(0, 6),
        "others": st.lists(st.integers(0, 6), max_size=3).map(tuple),
        "tracklets": st.lists(
            st.sampled_from(["a/s/0.0/0", "b/s/0.0/0", "a/s/1.0/0", "a/s/9.0/0", "nonsense", ""]), max_size=3
        ).map(tuple),
        "to": st.none() | st.integers(0, 6),
        "name": st.sampled_from(["", "Anna", "<b>", "'; DROP TABLE", "=1+1"]),
        "tags": st.lists(st.sampled_from(["staff", "<b>", "=1+1"]), max_size=3).map(tuple),
        "hidden": st.booleans(),
        "picture_of": st.integers(0, 6),
        "undoes": st.sampled_from(["", "w1", "w2", "w9"]),
    }
)


@settings(max_examples=25, deadline=None)
@given(words=st.lists(WORDS, max_size=12))
def test_no_word_stops_the_gallery_and_each_is_carried_out_or_refused_with_a_reason(
    words: list[dict[str, Any]],
) -> None:
    talk = several_people()
    for fields in words:
        said = talk.say(**fields)
        assert said.refused or talk.store.word(said.word.word_id) is not None
    talk.see(until_s=100)
    assert broken(said_of(entry.said for entry in talk.store.words(0, 100)), talk.owners()) == []
    assert [entry.seq for entry in talk.store.words(0, 100)] == list(range(1, len(words) + 1))


def test_words_hold_when_the_recordings_are_read_again_into_an_empty_store_under_other_weights(
    look_alikes: Messages,
) -> None:
    told = Told(look_alikes)
    told.talk.send(*told.left)
    for step in (
        ("merge", 0, 1),
        ("split", 3, 0),
        ("move", 8, 1),
        ("different", 1, 2),
        ("away", 5, 0),
        ("merge", 2, 4),
    ):
        told.step(*step)
    assert len([said for said in told.words if not said.refused]) >= 3

    store = MemoryStore("site")
    store.write(Write(0, 0, 1, words=[entry.said for entry in told.talk.store.words(0, 100)]))
    again = Talk(store)
    again.send(*(as_seen_by("other weights", message) for message in look_alikes))

    assert len(again.owners()) == len(told.talk.owners())
    assert broken(told.said(), again.owners()) == []


def as_seen_by(model_id: str, message: AnyMessage) -> AnyMessage:
    return replace(message, model_id=model_id) if isinstance(message, Tracklet) else message


def test_an_erased_person_does_not_come_back_with_the_same_recordings_until_that_is_undone(
    world: World, messages: Messages
) -> None:
    talk = Talk()
    talk.send(*messages)
    before = talk.owners()
    gone = {key for key, number in before.items() if number == 1}
    erased = talk.say("erase", identity_id=1)
    assert erased.erasure is not None
    assert erased.erasure.tracklets == len(gone)

    for round_trip in range(2):
        talk.send(*messages)
        assert gone.isdisjoint(talk.owners()), round_trip
        talk.restart()
    talk.send(*(of_another_stream(message) for message in messages))
    assert {key.replace("/s/", "/later-s/") for key in gone}.isdisjoint(talk.owners())
    assert len(talk.owners()) > len(before)

    talk.say("undo", undoes="w1")
    talk.send(*messages)
    assert gone <= set(talk.owners())
    assert set(before) <= set(world.people)


def of_another_stream(message: AnyMessage) -> AnyMessage:
    """Return a message as the same recording gives it when it is read an hour later."""
    if isinstance(message, CameraProgress):
        return replace(message, time_ns=message.time_ns + 3600 * S)
    assert isinstance(message, Tracklet)
    key = message.tracklet_id.replace("/s/", "/later-s/")
    return replace(message, tracklet_id=key, times_ns=message.times_ns + 3600 * S)
