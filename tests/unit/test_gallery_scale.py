"""What similarities mean at a site: cameras' shifts, and equal and different people told apart without labels."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gallery.decision.calibrate import DEFAULT_PRIOR, MAX_UNLABELLED, Calibration, encode, probability
from gallery.decision.compare import with_tracklet
from gallery.decision.coverage import NO_COVERAGE, Coverage, Meetings
from gallery.decision.mixture import Scale
from gallery.decision.normalise import FREE_PEOPLE, NO_SHIFTS, RECENT_PEOPLE, Shifts, learnt_shifts
from gallery.decision.scale_state import decode_scale, encode_scale
from gallery.store.store import Identity, Prototype
from tests.gallery_tools import START, S, tracklet, unit

DIMENSION = 64


def people(
    count: int, offsets: dict[str, NDArray[np.float64]], *, seed: int = 0
) -> tuple[dict[int, Identity], dict[int, tuple[Prototype, ...]]]:
    """Return people whom every camera saw, each with the camera's offset added to their looks."""
    rng = np.random.default_rng(seed)
    identities, prototypes = {}, {}
    for number in range(1, count + 1):
        face = unit(rng.normal(size=DIMENSION))
        looks: tuple[Prototype, ...] = ()
        for camera, offset in offsets.items():
            looks = with_tracklet(looks, tracklet(f"{camera}/s/{number}/0", 0, 4, unit(face + offset)))
        identities[number] = Identity(number, START, START + number * S, tuple(offsets), len(offsets))
        prototypes[number] = looks
    return identities, prototypes


def offset(seed: int, size: float = 1.0) -> NDArray[np.float64]:
    return unit(np.random.default_rng(100 + seed).normal(size=DIMENSION)) * size


def similarity_of_strangers(shifts: Shifts, prototypes: dict[int, tuple[Prototype, ...]], camera: str) -> float:
    looks = [p.vector for looks in prototypes.values() for p in looks if p.kind == "hard" and p.camera_id == camera]
    vectors = np.stack([shifts.without(look, "m", camera) for look in looks])
    products = vectors @ vectors.T
    return float(products[~np.eye(len(products), dtype=bool)].mean())


def test_what_a_camera_adds_is_taken_out_of_its_strangers() -> None:
    identities, prototypes = people(60, {"a": offset(1), "b": offset(2)})
    shifts = learnt_shifts(identities, prototypes, 61)

    assert similarity_of_strangers(NO_SHIFTS, prototypes, "a") > 0.4
    assert abs(similarity_of_strangers(shifts, prototypes, "a")) < 0.05


def test_few_people_say_nothing_about_a_camera() -> None:
    identities, prototypes = people(FREE_PEOPLE, {"a": offset(1), "b": offset(2)})

    assert learnt_shifts(identities, prototypes, FREE_PEOPLE + 1).vectors == {}


def test_few_people_in_many_pieces_say_nothing_either() -> None:
    identities, prototypes = people(20, {"a": offset(1), "b": offset(2)})
    like = Calibration(DEFAULT_PRIOR, fit=Scale(0.1, 0.04, 0.6, 0.04, share=1 / FREE_PEOPLE))

    assert like.people == pytest.approx(FREE_PEOPLE)
    assert learnt_shifts(identities, prototypes, 21, {"m": like.people}).vectors == {}


def test_a_correction_grows_with_the_people_that_there_are_at_most() -> None:
    identities, prototypes = people(20, {"a": offset(1), "b": offset(2)})

    few, more, all_of_them, unknown = (
        learnt_shifts(identities, prototypes, 21, {"m": most}).vectors["m", "a"] for most in (4.0, 8.0, 20.0, math.inf)
    )
    assert np.linalg.norm(few) < np.linalg.norm(more) < np.linalg.norm(all_of_them)
    assert all_of_them.tolist() == unknown.tolist()


def test_a_late_camera_is_given_what_the_others_share() -> None:
    identities, prototypes = people(30, {"a": offset(1), "b": offset(1)})
    late = with_tracklet(prototypes[30], tracklet("late/s/1/0", 0, 4, unit(offset(1) + offset(7))))

    shifts = learnt_shifts(identities, prototypes | {30: late}, 31)

    assert shifts.vectors["m", "late"] == pytest.approx(
        (shifts.vectors["m", "a"] + shifts.vectors["m", "b"]) / 2, abs=0.1
    )


def test_the_light_of_people_long_gone_is_forgotten() -> None:
    _, before = people(RECENT_PEOPLE, {"a": offset(1), "b": offset(2)}, seed=1)
    identities, now = people(2 * RECENT_PEOPLE, {"a": offset(3), "b": offset(2)}, seed=2)

    shifts = learnt_shifts(identities, now | before, 2 * RECENT_PEOPLE + 1)

    assert unit(shifts.vectors["m", "a"]) @ unit(offset(3)) > 0.9


def test_somebody_who_stays_for_hours_counts_once() -> None:
    identities, prototypes = people(20, {"a": offset(1), "b": offset(2)})
    staying = prototypes[1]
    for part in range(50):
        staying = with_tracklet(staying, tracklet(f"a/s/900/{part}", 0, 4, prototypes[1][0].vector))

    one, other = (learnt_shifts(identities, prototypes | {1: looks}, 21) for looks in (prototypes[1], staying))

    assert one.vectors["m", "a"] == pytest.approx(other.vectors["m", "a"], abs=0.01)


def test_shifts_are_learnt_again_when_a_tenth_of_the_people_is_new() -> None:
    assert not Shifts({}, 101).is_outdated(101)
    assert not Shifts({}, 101).is_outdated(110)
    assert Shifts({}, 101).is_outdated(113)
    assert Shifts({}, 1).is_outdated(2)


def drawn(same: float, spread: float, pairs: int, share: float, *, seed: int = 0) -> NDArray[np.float64]:
    """Return similarities of pairs, a share of them of one person."""
    rng = np.random.default_rng(seed)
    equal = int(pairs * share)
    return np.concatenate([rng.normal(same, spread, equal), rng.normal(0.0, 0.09, pairs - equal)]).clip(-1, 1)


@pytest.mark.parametrize("same", [0.35, 0.5, 0.7])
def test_the_scale_of_equal_people_is_found_without_a_label(same: float) -> None:
    fitted = Calibration(DEFAULT_PRIOR).observe_unlabelled(drawn(same, 0.08, 4000, 0.1)).fit

    assert fitted is not None
    assert fitted.same == pytest.approx(same, abs=0.04)
    assert fitted.different == pytest.approx(0.0, abs=0.02)


def test_of_a_site_whose_people_are_hardly_alike_a_weak_likeness_is_enough() -> None:
    assert probability(Calibration(DEFAULT_PRIOR).logit(0.33)) < 0.7
    assert probability(Calibration(DEFAULT_PRIOR).observe_unlabelled(drawn(0.35, 0.06, 4000, 0.1)).logit(0.33)) > 0.9


def test_few_pairs_change_little() -> None:
    before, after = (
        Calibration(DEFAULT_PRIOR),
        Calibration(DEFAULT_PRIOR).observe_unlabelled(np.array([0.9, 0.1, -0.1])),
    )

    assert after.logit(0.4) == pytest.approx(before.logit(0.4), abs=0.3)


def test_where_all_are_different_the_prior_of_equal_people_stays() -> None:
    fitted = Calibration(DEFAULT_PRIOR).observe_unlabelled(drawn(0.0, 0.09, 4000, 0.0)).fit

    assert fitted is not None
    assert fitted.same == pytest.approx(DEFAULT_PRIOR.same_mean, abs=0.15)


@given(st.lists(st.floats(-1, 1), max_size=200))
def test_whatever_pairs_are_seen_the_logit_grows_with_the_similarity(similarities: list[float]) -> None:
    calibration = Calibration(DEFAULT_PRIOR).observe_unlabelled(np.array(similarities))
    logits = [calibration.logit(float(s)) for s in np.linspace(-1, 1, 21)]

    assert logits == sorted(logits)
    assert np.isfinite(logits).all()


def test_old_pairs_fade() -> None:
    calibration = Calibration(DEFAULT_PRIOR)
    for seed in range(4):
        calibration = calibration.observe_unlabelled(drawn(0.7, 0.08, 5000, 0.1, seed=seed))

    assert sum(calibration.unlabelled) == pytest.approx(MAX_UNLABELLED)


def test_pairs_compared_anew_replace_fewer_ones_only() -> None:
    many = Calibration(DEFAULT_PRIOR).observe_unlabelled(drawn(0.7, 0.08, 1000, 0.1))

    assert many.observe_instead(drawn(0.5, 0.08, 10, 0.5)) == many
    assert sum(many.observe_instead(drawn(0.5, 0.08, 2000, 0.1)).unlabelled) == 2000


def test_what_was_learnt_survives_the_store() -> None:
    identities, prototypes = people(20, {"a": offset(1), "b": offset(2)})
    shifts = learnt_shifts(identities, prototypes, 21)
    calibrations = {"m": Calibration(DEFAULT_PRIOR).observe_unlabelled(drawn(0.5, 0.08, 1000, 0.1)).observe([0.1, 0.2])}

    coverage = Coverage().observe({("a", "b"): Meetings(1, 1, 1, 1), ("a", "c"): Meetings(1, 0, 1, 0)})

    found, again, seen = decode_scale(encode_scale(calibrations, shifts, coverage))

    assert found == calibrations
    assert seen == coverage
    assert again.learnt_at == 21
    assert {place: shift.tolist() for place, shift in again.vectors.items()} == {
        place: shift.tolist() for place, shift in shifts.vectors.items()
    }


def test_what_an_earlier_version_stored_is_read() -> None:
    earlier = msgspec.msgpack.encode({"m": (DEFAULT_PRIOR, 7.0, 0.2, 0.01)})

    assert decode_scale(earlier) == ({"m": Calibration(DEFAULT_PRIOR, 7.0, 0.2, 0.01)}, NO_SHIFTS, NO_COVERAGE)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\xc1nonsense",
        msgspec.msgpack.encode((3.0, 0.2, 0.01)),
        msgspec.msgpack.encode({"schema": 99, "calibrations": b"", "shifts": [], "shifts_learnt_at": 1}),
    ],
)
def test_what_cannot_be_read_is_learnt_anew(stored: bytes) -> None:
    assert decode_scale(stored) == ({}, NO_SHIFTS, NO_COVERAGE)


def test_a_histogram_of_other_bins_is_not_taken_for_this_one() -> None:
    odd = Calibration(DEFAULT_PRIOR, unlabelled=(1.0, 2.0))

    found, *_ = decode_scale(encode({"m": odd}))

    assert found["m"].unlabelled == ()
