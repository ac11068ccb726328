"""How much evidence a match needs, by how many people it might be and by how much is known of their looks."""

import math

import numpy as np
import pytest

from gallery.decision.calibrate import DEFAULT_PRIOR, MAX_LOGIT, Calibration
from gallery.decision.log_odds import FEW_PEOPLE, LEARNT_PAIRS, threshold

MATCH = 1.0
PASSING = math.inf  # nobody stays


def learnt(pairs: int, share: float = 0.02) -> Calibration:
    """Return what so many pairs teach, of which a share show one person."""
    rng = np.random.default_rng(3)
    same = rng.random(pairs) < share
    return Calibration(DEFAULT_PRIOR).observe_unlabelled(np.where(same, 0.6, 0.0) + rng.normal(0, 0.1, pairs))


def test_before_anything_is_learnt_the_number_of_identities_says_nothing() -> None:
    assert threshold(MATCH, 1_000, [Calibration(DEFAULT_PRIOR)], PASSING) == MATCH
    assert threshold(MATCH, 1_000, [], PASSING) == MATCH


def test_the_more_is_learnt_and_the_more_people_there_are_the_more_evidence_is_needed() -> None:
    by_pairs = [threshold(MATCH, 30, [learnt(pairs)], PASSING) for pairs in (50, 300, 3_000)]
    by_people = [threshold(MATCH, others, [learnt(3_000)], PASSING) for others in (1, 5, 30)]

    assert MATCH < by_pairs[0] < by_pairs[1] < by_pairs[2]
    assert by_people == sorted(by_people)
    assert by_people[0] == MATCH  # one other person: the rate that was asked for holds as it is


def test_half_of_the_rise_comes_with_the_first_pairs() -> None:
    some = learnt(int(LEARNT_PAIRS))
    many = threshold(MATCH, 10, [learnt(10_000)], PASSING)

    assert threshold(MATCH, 10, [some], PASSING) - MATCH == pytest.approx((many - MATCH) / 2, rel=0.1)


def test_people_in_pieces_do_not_make_it_harder_to_join_them() -> None:
    pieces = learnt(3_000, share=0.3)  # three or four people, whatever the number of identities

    assert threshold(MATCH, 1_000, [pieces], PASSING) < threshold(MATCH, 6, [learnt(3_000, share=0.005)], PASSING)


def test_where_pairs_look_like_two_people_there_is_one_other_however_many_pieces_there_are() -> None:
    assert threshold(MATCH, 1_000, [learnt(3_000, share=0.5)], PASSING) == pytest.approx(MATCH, abs=0.02)


def test_no_number_of_people_makes_a_match_impossible() -> None:
    assert threshold(MAX_LOGIT - 0.1, 10**9, [learnt(3_000, share=0.002)], PASSING) <= MAX_LOGIT


def test_two_people_who_stay_are_not_made_ten_by_doubts() -> None:
    """However many tracklets they leave, they are still one pair of people."""
    two, four, twelve = (threshold(MATCH, 9, [learnt(100_000, share=0.5)], people) for people in (2.0, 4.0, 12.0))

    assert two == pytest.approx(MATCH - FEW_PEOPLE, abs=0.2)
    assert two < four < twelve < MATCH


def test_that_few_people_stay_counts_as_far_as_their_looks_are_known() -> None:
    by_pairs = [threshold(MATCH, 1, [learnt(pairs, share=0.5)], 2.0) for pairs in (50, 300, 3_000)]

    assert [threshold(MATCH, 1, [], 2.0), *by_pairs] == sorted([MATCH, *by_pairs], reverse=True)
