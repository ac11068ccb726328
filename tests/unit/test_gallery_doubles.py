"""How often strangers look alike, learnt from people seen at once, and what it leaves of the surest match."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.decision.calibrate import DEFAULT_PRIOR, MAX_LOGIT, Calibration, decode, encode, probability
from gallery.decision.doubles import MAX_PAIRS, NO_DOUBLES, UNSEEN, USUAL_SHARE, Doubles
from gallery.decision.draft import Draft
from gallery.decision.explain import likely, likely_one
from gallery.decision.site import Site
from gallery.decision.table import Table
from gallery.review import doubts_of
from gallery.store.store import Identity, StoredTracklet
from gallery.store.why import Candidate, Why
from tests.gallery_tools import axis, tracklet
from tests.unit.test_gallery_decide import Decider, between

LOGITS = st.lists(st.floats(-MAX_LOGIT, MAX_LOGIT), max_size=40)


def learnt(logits: list[float], times: int = 20) -> Doubles:
    doubles = NO_DOUBLES
    for _ in range(times):
        doubles = doubles.observe(logits)
    return doubles


def test_nothing_makes_a_match_surer_than_strangers_who_look_alike_leave_it() -> None:
    assert 0.9 < NO_DOUBLES.likely(MAX_LOGIT, 10) < 1 / (1 + 10 * USUAL_SHARE)
    assert 0.4 < NO_DOUBLES.likely(MAX_LOGIT, 100) < 1 / (1 + 100 * USUAL_SHARE)


@pytest.mark.parametrize("logit", [2.0, 5.0])
def test_two_pieces_are_likelier_one_person_than_two_who_have_been_told_apart_for_long(logit: float) -> None:
    site = Site("site", 1, 0, 3, identities=Table({n: Identity(n, 0, 1, (), 1) for n in (1, 2, 3)}))
    draft = Draft(site, 1)

    def stated(one: int, other: int) -> float:
        return likely_one(draft, logit, "m", Identity(1, 0, 1, (), one), Identity(2, 0, 1, (), other))

    assert stated(1, 1) > likely(draft, logit, "m")
    assert stated(1, 1) > stated(1, 9) > stated(6, 6) > 0
    assert stated(2, 8) == stated(8, 2)
    assert stated(9, 9) < likely(draft, logit, "m")


def test_when_few_are_known_most_are_somebody_new() -> None:
    assert NO_DOUBLES.likely(2.0, 1) < 1 / (1 + UNSEEN * math.exp(-2.0))


def test_a_site_where_strangers_are_clearly_different_becomes_nearly_as_sure_as_similarities_say() -> None:
    distinct = learnt([-4.0] * 50)
    assert distinct.share < USUAL_SHARE / 4
    assert distinct.likely(6.0, 10) > 0.93
    assert distinct.likely(6.0, 10) < probability(6.0 - math.log(10))


def test_where_everybody_wears_one_uniform_no_match_is_sure() -> None:
    uniforms = learnt([5.0] * 10 + [-1.0] * 10)
    assert uniforms.share > 0.3
    assert uniforms.likely(MAX_LOGIT, 20) < 0.2


def test_the_share_is_found_of_strangers_of_whom_it_is_known() -> None:
    """Similarities of strangers as the fitted distributions have them, and a twentieth of them those of one person."""
    rng = np.random.default_rng(3)
    calibration = Calibration(DEFAULT_PRIOR)
    for _ in range(200):
        alike = rng.random(10) < 0.05
        drawn = np.where(alike, rng.normal(0.58, 0.21, 10), rng.normal(0.0, 0.21, 10))
        calibration = calibration.observe_strangers(drawn.tolist())
    assert calibration.doubles.share == pytest.approx(0.05, abs=0.025)


@given(LOGITS)
def test_the_order_of_strangers_in_a_window_does_not_matter(logits: list[float]) -> None:
    assert NO_DOUBLES.observe(logits) == NO_DOUBLES.observe(sorted(logits))


@given(st.lists(LOGITS, max_size=30), st.integers(0, 10_000))
def test_whatever_is_learnt_a_probability_grows_with_the_log_odds_and_old_pairs_fade(
    windows: list[list[float]], others: int
) -> None:
    doubles = NO_DOUBLES
    for logits in windows:
        doubles = doubles.observe(logits)
    assert 0 < doubles.share < 1
    assert doubles.pairs <= MAX_PAIRS
    stated = [doubles.likely(logit, others) for logit in np.linspace(-MAX_LOGIT, MAX_LOGIT, 9).tolist()]
    assert stated == sorted(stated)
    assert all(0 < one < 1 for one in stated)


def test_what_was_learnt_survives_the_store() -> None:
    known = {"m": Calibration(DEFAULT_PRIOR).observe_strangers([0.1, 0.5])}
    assert decode(encode(known)) == known
    assert known["m"].doubles.pairs == 2


def test_a_gallery_learns_from_people_seen_beside_each_other_once_a_leg_has_ended() -> None:
    decider = Decider()
    decider.window(
        5, tracklet("a/s/1.0/0", 0, 9, closed=False), tracklet("a/s/2.0/0", 0, 9, between(0, 1, 0.9), closed=False)
    )
    assert decider.site.calibrations["m"].doubles == NO_DOUBLES
    decider.window(10, tracklet("a/s/1.0/0", 0, 9), tracklet("a/s/2.0/0", 0, 9, between(0, 1, 0.9)))
    after = decider.site.calibrations["m"].doubles
    assert after.pairs == 2
    assert after.alike > 0.2
    decider.window(20, tracklet("a/s/1.0/1", 10, 19), tracklet("a/s/2.0/1", 10, 19, between(0, 1, 0.9)))
    assert decider.site.calibrations["m"].doubles == after


def test_people_of_different_cameras_teach_nothing_about_strangers() -> None:
    decider = Decider()
    decider.window(10, tracklet("a/s/1.0/0", 0, 9), tracklet("b/s/1.0/0", 0, 9, axis(1)))
    assert decider.site.calibrations["m"].doubles == NO_DOUBLES


def test_nobody_is_asked_about_a_match_that_is_as_clear_as_a_match_can_be() -> None:
    rows = [StoredTracklet(tracklet(f"a/s/{n}.0/0", n, n + 1), 1, 0.0, None) for n in range(3)]
    chances = {"a/s/0.0/0": 0.73, "a/s/1.0/0": 0.60, "a/s/2.0/0": 0.40}
    whys = {
        key: Why(1, "looks like this person", 0, 0.5, (Candidate(1, chance),), most=0.75)
        for key, chance in chances.items()
    }
    assert {doubt.track for doubt in doubts_of(rows, whys, {1: 1})} == {"a/s/2.0/0", "a/s/1.0/0"}
