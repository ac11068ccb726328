"""Explanations of decisions, and the questions that follow from them."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from gallery.api.app import create_app
from gallery.config import ApiSettings
from tests.gallery_tools import axis, tracklet
from tests.words_tools import Talk, alike, several_people
from wire.memory import MemoryBus


@pytest.fixture
def talk() -> Talk:
    """Return a gallery with people 1 to 3, a look-alike of 1 and 2, and somebody who was seen together with 3."""
    talk = several_people()
    talk.see(tracklet("c/s/7.0/0", 100, 106, alike(0, 1, 0.6)), until_s=115)
    talk.see(tracklet("a/s/8.0/0", 130, 140, axis(2)), tracklet("a/s/9.0/0", 131, 141, alike(2, 3, 0.3)), until_s=150)
    talk.see(until_s=200)
    return talk


@pytest.fixture
def client(talk: Talk) -> Iterator[TestClient]:
    bus = MemoryBus()
    with TestClient(create_app(talk.store, bus, ApiSettings())) as client:
        yield client
    bus.close()


def test_a_match_shows_who_else_was_considered_and_what_excluded_them(client: TestClient) -> None:
    why = client.get("/v1/tracks/a/s/8.0/0/why").json()

    assert (why["identity"], why["chosen"], why["state"], why["reason"]) == (3, 3, "decided", "looks like this person")
    first, *others = why["candidates"]
    assert (first["identity"], first["rule"]) == (3, "")
    assert first["probability"] > why["least"]
    assert first["crop"] == first["crops"][0]
    assert [(one["identity"], one["rule"]) for one in others] == [(4, "seen_at_once"), (1, "unlikely"), (2, "unlikely")]
    assert all(one["excluded"] and (one["probability"] < why["least"]) == (one["rule"] == "unlikely") for one in others)


def test_somebody_seen_at_the_same_time_is_excluded_by_that_track(client: TestClient, talk: Talk) -> None:
    why = client.get("/v1/tracks/a/s/9.0/0/why").json()

    assert talk.owners()["a/s/9.0/0"] != 3
    (excluded,) = [one for one in why["candidates"] if one["identity"] == 3]
    assert (excluded["rule"], excluded["by"]) == ("seen_at_once", "a/s/8.0/0")
    assert excluded["excluded"] == "seen at the same time in the same camera"


def test_what_a_person_said_is_part_of_the_explanation(client: TestClient, talk: Talk) -> None:
    talk.say("split", identity_id=3, tracklets=("a/s/8.0/0",))
    talk.see(tracklet("a/s/8.0/1", 141, 146, axis(2)), until_s=220)
    talk.see(until_s=230)

    why = client.get("/v1/tracks/a/s/8.0/0/why").json()

    assert [word["kind"] for word in why["words"]] == ["split"]
    assert talk.owners()["a/s/8.0/1"] == talk.owners()["a/s/8.0/0"] == why["identity"] != 3


def test_a_track_that_nobody_knows_is_not_explained(client: TestClient) -> None:
    assert client.get("/v1/tracks/a/s/99.0/0/why").status_code == 404


def test_pairs_nearest_to_the_limit_are_asked_about_first_and_answered_ones_no_more(
    client: TestClient, talk: Talk
) -> None:
    pairs = client.get("/v1/review").json()["pairs"]

    (number,) = {talk.owners()["c/s/7.0/0"]}
    assert {pairs[0]["a"]["id"], pairs[0]["b"]["id"]} in ({1, number}, {2, number})
    assert all((pair["a"]["id"], pair["b"]["id"]) != (3, talk.owners()["a/s/9.0/0"]) for pair in pairs)
    one, other = pairs[0]["a"]["id"], pairs[0]["b"]["id"]

    talk.say("different", identity_id=one, others=(other,))

    left = client.get("/v1/review").json()["pairs"]
    assert len(left) == len(pairs) - 1
    assert all({pair["a"]["id"], pair["b"]["id"]} != {one, other} for pair in left)


def test_hidden_people_are_not_asked_about(client: TestClient, talk: Talk) -> None:
    (pair,) = client.get("/v1/review").json()["pairs"]
    talk.say("hide", identity_id=pair["a"]["id"])

    assert client.get("/v1/review").json()["pairs"] == []


def test_nobody_is_asked_what_is_as_good_as_certain(client: TestClient, talk: Talk) -> None:
    asked = client.get("/v1/review").json()
    chances = {
        one["identity"]: one["probability"] for one in client.get("/v1/tracks/c/s/7.0/0/why").json()["candidates"]
    }

    assert chances[3] < 0.05
    assert all(3 not in (pair["a"]["id"], pair["b"]["id"]) for pair in asked["pairs"])
    assert client.get("/v1/tracks/a/s/8.0/0/why").json()["candidates"][0]["probability"] > 0.95
    assert [doubt for doubt in asked["doubts"] if doubt["track"]["id"] == "a/s/8.0/0"] == []
