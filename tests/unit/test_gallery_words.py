"""What people say: what contradicts what, what undoing does, and what survives."""

import pytest

from gallery.errors import StoreConflict
from gallery.store.memory import MemoryStore
from gallery.store.said import StoredWord
from gallery.words.said import said_of
from tests.gallery_tools import CAMERAS, axis, interleaved, tracklet, world_with_a_stranger
from tests.words_tools import Talk, several_people
from wire.messages import MAX_PERSON_TAGS, Word


def test_what_a_word_names_is_who_is_meant_whatever_numbers_they_had_before() -> None:
    talk = several_people()
    talk.say("merge", identity_id=1, others=(2,))

    talk.say("name", identity_id=2, name="Anna")

    identity = talk.store.identity(1)
    assert identity is not None
    assert identity.name == "Anna"


def test_a_merge_keeps_the_name_of_the_first_or_takes_that_of_another() -> None:
    talk = several_people()
    talk.say("name", identity_id=2, name="Anna")
    merged = talk.say("merge", identity_id=3, others=(2,))
    assert named(talk, 3) == "Anna"
    talk.say("name", identity_id=1, name="Bob")
    talk.say("merge", identity_id=1, others=(3,))
    assert named(talk, 1) == "Bob"
    assert talk.say("undo", undoes=merged.word.word_id).refused.startswith("1 and 3 were said to be one person on ")
    assert named(talk, 2) == "Bob"


def test_tags_are_of_a_person_are_united_by_a_merge_and_come_back_when_it_is_undone() -> None:
    talk = several_people()
    talk.say("tag", identity_id=1, tags=("morning", "staff"))
    talk.say("tag", identity_id=2, tags=("delivery", "staff"))

    merged = talk.say("merge", identity_id=1, others=(2,))
    assert tagged(talk, 1) == ("delivery", "morning", "staff")
    talk.restart()
    assert tagged(talk, 1) == ("delivery", "morning", "staff")
    talk.say("undo", undoes=merged.word.word_id)
    assert (tagged(talk, 1), tagged(talk, 2)) == (("morning", "staff"), ("delivery", "staff"))


def test_tags_are_undone_as_names_are_and_later_ones_stay() -> None:
    talk = several_people()
    first = talk.say("tag", identity_id=1, tags=("staff",))
    second = talk.say("tag", identity_id=1, tags=())
    assert tagged(talk, 1) == ()
    talk.say("undo", undoes=second.word.word_id)
    assert tagged(talk, 1) == ("staff",)
    talk.say("tag", identity_id=1, tags=("visitor",))
    talk.say("undo", undoes=first.word.word_id)
    assert tagged(talk, 1) == ("visitor",)


def test_people_of_many_tags_who_are_merged_keep_as_many_as_one_may_have() -> None:
    talk = several_people()
    for number in (1, 2):
        talk.say("tag", identity_id=number, tags=tuple(f"{number}{k:02}" for k in range(MAX_PERSON_TAGS)))
    talk.say("merge", identity_id=1, others=(2,))
    assert len(tagged(talk, 1)) == MAX_PERSON_TAGS


def test_an_erased_person_leaves_no_tags_in_the_journal() -> None:
    talk = several_people()
    talk.say("tag", identity_id=1, tags=("staff",))
    talk.say("erase", identity_id=1)
    assert [entry.said.word.tags for entry in talk.store.words(0, 9)] == [(), ()]


def tagged(talk: Talk, number: int) -> tuple[str, ...]:
    identity = talk.store.identity(number)
    assert identity is not None
    return identity.tags


def named(talk: Talk, number: int) -> str:
    identity = talk.store.identity(number)
    assert identity is not None
    return identity.name


def test_a_word_that_a_later_one_rests_on_is_undone_after_it() -> None:
    # Given a sighting that was split off a merged person, and said to be somebody else
    talk = several_people()
    talk.say("merge", identity_id=1, others=(2,))
    split = talk.say("split", identity_id=1, tracklets=("a/s/0.0/0",))
    merged = talk.say("merge", identity_id=split.identity_id, others=(3,))
    # When the split is undone, the sighting would be two people
    refused = talk.say("undo", undoes=split.word.word_id)
    # Then the later word is named, and undone first
    assert refused.refused.endswith("by Eve, after this: undo that first")
    assert talk.say("undo", undoes=merged.word.word_id).refused == ""
    assert talk.say("undo", undoes=split.word.word_id).refused == ""
    assert talk.owners()["a/s/0.0/0"] == 1


def test_undoing_twice_and_undoing_an_undo_are_refused() -> None:
    talk = several_people()
    word = talk.say("name", identity_id=1, name="Anna")
    undo = talk.say("undo", undoes=word.word.word_id)

    assert "was undone already" in talk.say("undo", undoes=word.word.word_id).refused
    assert "cannot be undone" in talk.say("undo", undoes=undo.word.word_id).refused
    assert "there is no word" in talk.say("undo", undoes="never").refused


def test_a_word_that_arrives_again_is_carried_out_once() -> None:
    talk = several_people()
    word = talk.say("split", identity_id=1, tracklets=("a/s/0.0/0",)).word
    events, version = len(talk.events), talk.store.load(0).version

    talk.send(word)
    talk.restart()
    talk.send(word)

    assert talk.store.load(0).version == version
    assert len(talk.events) == events
    assert len(talk.store.words(0, 10)) == 1


def test_a_confirmed_track_is_one_with_its_person_until_that_is_undone() -> None:
    talk = several_people()
    before = talk.owners()

    word = talk.say("confirm", tracklets=("a/s/0.0/0",), to=1)

    assert (word.refused, word.identity_id) == ("", 1)
    assert said_of([word]).are_same("a/s/0.0", "b/s/0.0")
    assert talk.owners() == before
    parted = talk.say("split", identity_id=1, tracklets=("a/s/0.0/0",))
    assert "track a/s/0.0/0 was confirmed to be person 1" in parted.refused
    talk.say("undo", undoes=word.word.word_id)
    assert talk.say("split", identity_id=1, tracklets=("a/s/0.0/0",)).refused == ""


def test_a_track_is_confirmed_only_where_it_is() -> None:
    talk = several_people()
    assert "is one of person 1 by now" in talk.say("confirm", tracklets=("a/s/0.0/0",), to=2).refused
    assert "there is no track" in talk.say("confirm", tracklets=("a/s/9.0/0",), to=1).refused
    assert "name a track" in talk.say("confirm", to=1).refused

    talk.say("split", identity_id=1, tracklets=("a/s/0.0/0",))
    alone = talk.owners()["a/s/0.0/0"]
    assert "all that is known" in talk.say("confirm", tracklets=("a/s/0.0/0",), to=alone).refused


def test_parts_of_a_track_stay_together_also_those_that_come_later() -> None:
    talk = several_people()
    talk.see(tracklet("c/s/5.0/0", 100, 105, axis(0)), tracklet("c/s/5.0/1", 105, 110, axis(0)), until_s=112)
    talk.see(until_s=120)
    assert talk.owners()["c/s/5.0/0"] == talk.owners()["c/s/5.0/1"] == 1

    talk.say("move", tracklets=("c/s/5.0/1",), to=2)
    talk.see(tracklet("c/s/5.0/2", 110, 119, axis(0)), until_s=130)
    talk.see(until_s=140)

    assert {key: number for key, number in talk.owners().items() if "/5.0/" in key} == {
        "c/s/5.0/0": 2,
        "c/s/5.0/1": 2,
        "c/s/5.0/2": 2,
    }


def test_people_with_different_names_are_never_merged_by_the_gallery() -> None:
    # Given messages until just before two identities turn out to be one person
    messages = interleaved(world_with_a_stranger(), 0)
    probe, cut = Talk(), 0
    while not any(event.kind == "merged" for event in probe.events):
        probe.send(messages[cut])
        cut += 1
    (gone,) = next(event.previous_ids for event in probe.events if event.kind == "merged")
    survivor = next(event.identity_id for event in probe.events if event.kind == "merged")
    for one, other, merged in (("", "", True), ("Anna", "", True), ("", "Anna", True), ("Anna", "Bob", False)):
        talk = Talk()
        talk.send(*messages[: cut - 1])
        # When they were named
        talk.say("name", identity_id=survivor, name=one)
        talk.say("name", identity_id=gone, name=other)
        talk.send(*messages[cut - 1 :])
        # Then they are merged unless their names differ
        found = talk.store.identity(gone)
        assert found is not None
        assert (found.number == survivor) is merged, (one, other)
        assert found.name == (one or other if merged else other)


def test_what_people_said_is_put_back_when_the_store_has_lost_it() -> None:
    store = MemoryStore("site")
    talk = several_people(lambda: Talk(store))
    talk.say("different", identity_id=1, others=(2,))
    talk.say("name", identity_id=3, name="Anna")
    talk.say("erase", identity_id=2)
    erased = store.load(0).erased

    vars(store).update(vars(MemoryStore("site")))  # Redis has lost everything
    talk.see(tracklet("c/s/9.0/0", 100, 105, axis(5)), until_s=120)
    with pytest.raises(StoreConflict):
        talk.see(until_s=130)
    talk.see(until_s=131)

    assert [entry.said.word.kind for entry in store.words(0, 10)] == ["different", "name", "erase"]
    assert store.load(0).erased == erased
    assert named(talk, 3) == "Anna"
    talk.restart()
    assert talk.say("merge", identity_id=1, others=(2,)).refused == "there is no person 2"


def test_a_later_word_about_a_track_is_narrower_than_an_earlier_one_about_people() -> None:
    merge = word("merge", sides=(("a/s/1.0/0", "a/s/2.0/0"), ("b/s/1.0/0",)))
    split = word("split", chosen=("a/s/2.0/0",), sides=(("a/s/1.0/0", "b/s/1.0/0"),))

    said = said_of([merge, split])

    assert said.are_same("a/s/1.0", "b/s/1.0")
    assert not said.are_same("a/s/1.0", "a/s/2.0")
    assert said.are_apart("a/s/2.0", "b/s/1.0")
    undone = said_of([merge, StoredWord(split.word, 0, split.chosen, split.sides, undone_by="later")])
    assert undone.are_same("a/s/1.0", "a/s/2.0")


def test_who_is_the_same_person_shares_who_they_are_not() -> None:
    different = word("different", sides=(("a/s/1.0/0",), ("b/s/1.0/0",)))
    merge = word("merge", sides=(("a/s/1.0/0",), ("c/s/1.0/0",)))

    said = said_of([different, merge])

    assert said.are_apart("c/s/1.0", "b/s/1.0")
    assert set(said.opponents("c/s/1.0")) == {"b/s/1.0"}


def word(kind: str, *, chosen: tuple[str, ...] = (), sides: tuple[tuple[str, ...], ...]) -> StoredWord:
    said = Word(word_id=kind, kind=kind, site_id="site", author="Eve", time_ns=1)  # type: ignore[arg-type]
    return StoredWord(said, 1, chosen, sides)


def test_words_hold_on_every_camera_that_is_listed() -> None:
    talk = several_people()
    talk.say("different", identity_id=1, others=(2,))
    looks = [tracklet(f"{camera}/s/30.0/0", 100, 105, axis(0)) for camera in CAMERAS]

    talk.see(*looks, until_s=120)
    talk.see(until_s=130)

    assert {talk.owners()[one.tracklet_id] for one in looks} == {1}
