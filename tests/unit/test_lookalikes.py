"""Who looks like somebody: the ranking, what it says, and whom it leaves out."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gallery.decision.calibrate import DEFAULT_PRIOR, Calibration
from gallery.decision.doubles import UNSEEN, USUAL_SHARE
from gallery.decision.lookalikes import answer
from gallery.decision.mixture import Scale, exceeded
from gallery.decision.normalise import Shifts
from gallery.decision.site import Site
from gallery.decision.table import Table
from gallery.store.store import Identity, Prototype
from tests.gallery_tools import axis, unit
from wire.messages import LookalikeQuery

LOOKS = {1: axis(0), 2: unit(axis(0) + axis(1)), 3: axis(2), 4: unit(axis(0) + 0.2 * axis(3))}


def site(looks: dict[int, NDArray[np.float64]] = LOOKS, *, hidden: Collection[int] = ()) -> Site:
    people = {n: Identity(n, 0, 1, ("a",), 1, hidden=n in hidden) for n in looks}
    prototypes = {n: (Prototype("mean", "a", "m", look.astype(np.float32), 1.0),) for n, look in looks.items()}
    return Site("site", 1, 0, len(looks) + 1, identities=Table(people), prototypes=Table(prototypes))


def query(*looks: NDArray[np.float64], limit: int = 10, camera: str = "", model: str = "m") -> LookalikeQuery:
    n = len(looks)
    return LookalikeQuery(
        query_id="q",
        asker="me",
        site_id="site",
        time_ns=0,
        model_id=model,
        camera_id=camera,
        embeddings=np.array(looks, np.float16),
        boxes=np.zeros((n, 4), np.float32),
        scores=np.zeros(n, np.float32),
        limit=limit,
    )


def nobody(_: NDArray[np.float32], __: str) -> list[set[int]]:
    raise AssertionError("a small site is compared with everybody")


def test_the_most_similar_come_first_with_how_sure_that_is() -> None:
    (found,) = answer(site(), query(axis(0)), nobody).lookalikes
    assert [one.number for one in found] == [1, 4, 2, 3]
    assert found[0].similarity == pytest.approx(1, abs=1e-3)
    chances = [one.probability for one in found]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.9
    assert chances[-1] < 0.01


def test_every_person_of_a_picture_is_searched_for_and_no_more_are_returned_than_wanted() -> None:
    found = answer(site(), query(axis(0), axis(2), limit=2), nobody)
    assert [[one.number for one in people] for people in found.lookalikes] == [[1, 4], [3, 1]]
    assert found.known == 4


def test_hidden_people_are_not_found() -> None:
    (found,) = answer(site(hidden={1}), query(axis(0)), nobody).lookalikes
    assert [one.number for one in found] == [4, 2, 3]


def test_among_more_people_the_same_similarity_says_less() -> None:
    few, many = {1: axis(0), 2: axis(1)}, {n: axis(n - 1) for n in range(1, 15)}
    look = unit(axis(0) + axis(15))
    ((one, *_),), ((other, *_),) = (answer(site(looks), query(look), nobody).lookalikes for looks in (few, many))
    assert one.similarity == pytest.approx(other.similarity)
    assert other.probability < one.probability
    assert other.strangers == pytest.approx(13 * one.strangers)


def test_in_an_empty_site_nobody_is_found() -> None:
    found = answer(site({}), query(axis(0)), nobody)
    assert (found.lookalikes, found.known, found.problem) == (((),), 0, "")


def test_people_of_other_weights_are_never_compared() -> None:
    assert "under the weights" in answer(site(), query(axis(0), model="n"), nobody).problem
    assert "other weights" in answer(site(), query(axis(0, 8)), nobody).problem


def test_a_picture_from_elsewhere_is_freed_of_what_all_cameras_have_in_common() -> None:
    common = (0.5 * axis(9)).astype(np.float16).astype(np.float32)
    looks = {1: unit(axis(0) + 0.5 * axis(9)), 2: unit(axis(1) + 0.5 * axis(9))}
    plain = site(looks)
    shifted = replace(plain, shifts=Shifts({("m", "a"): common}))
    own = query(unit(axis(0) + 0.5 * axis(9)))
    before, after = (answer(one, own, nobody).lookalikes[0] for one in (plain, shifted))
    assert [one.number for one in after] == [1, 2]
    assert after[1].similarity < before[1].similarity
    assert after == answer(shifted, query(unit(axis(0) + 0.5 * axis(9)), camera="a"), nobody).lookalikes[0]


def test_in_a_large_site_those_whom_the_index_finds_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gallery.decision.lookalikes.MANY", 3)
    (found,) = answer(site(), query(axis(0)), lambda vectors, model: [{2, 3} for _ in vectors]).lookalikes
    assert [one.number for one in found] == [2, 3]


@given(mean=st.floats(-0.3, 0.3), std=st.floats(0.05, 0.3))
def test_the_share_of_strangers_at_least_as_alike_is_that_of_their_distribution(mean: float, std: float) -> None:
    scale = Scale(mean, std**2, 0.6, 0.04)
    places = np.linspace(mean - 8 * std, mean + 8 * std, 2001)
    shares = np.array([exceeded(scale, float(place)) for place in places])
    assert np.all(np.diff(shares) <= 1e-12)
    assert shares[0] == pytest.approx(1, abs=1e-6)
    density = -np.diff(shares)
    middles = (places[1:] + places[:-1]) / 2
    assert float(density @ middles) == pytest.approx(mean, abs=1e-3)
    assert float(density @ (middles - mean) ** 2) == pytest.approx(std**2, rel=1e-2)


def test_a_site_that_has_learnt_nothing_uses_what_comes_with_the_weights() -> None:
    (found,) = answer(site({1: axis(0)}), query(axis(0)), nobody).lookalikes
    expected = Calibration(DEFAULT_PRIOR).logit(found[0].similarity)
    alike = USUAL_SHARE + (1 - USUAL_SHARE) * np.exp(-expected)
    assert found[0].probability == pytest.approx(1 / (1 + (1 + UNSEEN) * alike))
