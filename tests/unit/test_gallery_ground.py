"""Ground: where somebody whom one camera sees stands in another, as one bounded likelihood."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from deploy.bench.identities.floor import Floor as Site
from gallery.decision.calibrate import DEFAULT_PRIOR, Calibration
from gallery.decision.coverage import Coverage
from gallery.decision.ground import (
    BOUND,
    MOST,
    MOST_PAIRS,
    MOVED_PAIRS,
    NO_GROUND,
    SETTLED,
    UNPROVEN_PAIRS,
    Encounters,
    Ground,
    spans_of,
)
from gallery.decision.normalise import NO_SHIFTS
from gallery.decision.scale_state import decode_scale, encode_scale
from tests.gallery_tools import START, S, tracklet
from wire.messages import Tracklet

BOTH = ("0", "1")
SITE = Site(3, seed=5)
Who = Callable[[int], int]


def seen(person: int, camera: int, first_s: float, last_s: float, place: int | None = None) -> Tracklet:
    """Return a tracklet of somebody who walks on the floor of a site; the camera may be in the place of another."""
    made = tracklet(f"{camera}/s/{person}.0/0", first_s, last_s)
    boxes = SITE.boxes(person, camera if place is None else place, (made.times_ns - START) / S)
    return msgspec.structs.replace(made, boxes=boxes.astype(np.float32))


def met(count: int, other: Who = lambda person: person) -> Ground:
    """Return what so many pairs teach, each of a person of camera 0 and of `other` of camera 1."""
    pairs = [(seen(n, 0, 10 * n, 10 * n + 4), seen(other(n), 1, 10 * n + 1, 10 * n + 6)) for n in range(count)]
    ground = NO_GROUND
    for pair in pairs:
        ground = ground.observe({BOTH: spans_of(*pair)})
    return ground


def likelihoods(ground: Ground, other: Who) -> list[float]:
    """Return what is said of people who come later, each beside `other` on camera 1."""
    later = range(100, 120)
    return [ground.of(seen(n, 0, 5 * n, 5 * n + 4), [seen(other(n), 1, 5 * n, 5 * n + 4)]) for n in later]


def one_in_four_is_wrong(person: int) -> int:
    return person + 500 if person % 4 == 0 else person


def test_feet_that_are_where_the_other_camera_puts_them_help_and_others_hurt() -> None:
    ground = met(24, one_in_four_is_wrong)
    assert np.median(likelihoods(ground, lambda person: person)) > 1.5
    assert np.quantile(likelihoods(ground, lambda person: person + 50), 0.8) < -0.5


def test_before_any_evidence_places_say_nothing() -> None:
    for ground in (NO_GROUND, met(2)):
        assert ground.bound == 0.0
        assert set(likelihoods(ground, lambda person: person)) == {0.0}
        assert not ground.between([seen(1, 0, 0, 5), seen(1, 1, 0, 5)]).any()


def test_cameras_of_different_places_say_nothing_and_take_little_room() -> None:
    ground = met(24, lambda person: person + 500)
    assert ground.floors == {}
    assert len(ground.encounters[BOTH]) <= UNPROVEN_PAIRS * (1 + 1 / SETTLED)


def test_pairs_who_all_stand_in_one_place_prove_nothing() -> None:
    still = [spans_of(seen(1, 0, 3, 5), seen(1, 1, 3, 5)) for _ in range(8)]
    assert Ground().observe({BOTH: [place for spans in still for place in spans]}).floors == {}


def test_of_many_pairs_the_latest_are_kept() -> None:
    assert MOST_PAIRS <= len(met(3 * MOST_PAIRS).encounters[BOTH]) <= MOST_PAIRS * (1 + 1 / SETTLED)


def test_what_was_learnt_of_a_camera_that_is_moved_is_forgotten_and_learnt_anew() -> None:
    """So it is when a camera sends larger pictures than before. Here it goes to where camera 2 is."""
    ground = met(2 * MOST_PAIRS)
    one, other = seen(900, 0, 50, 54), seen(900, 1, 50, 54, place=2)
    assert ground.of(one, [other]) < 0.0

    for n in range(100, 120):
        ground = ground.observe(
            {BOTH: spans_of(seen(n, 0, 10 * n, 10 * n + 4), seen(n, 1, 10 * n, 10 * n + 4, place=2))}
        )

    assert len(ground.encounters[BOTH]) < 20 + MOVED_PAIRS
    assert ground.of(one, [other]) > 1.0


def test_those_beside_on_more_cameras_say_more_within_a_bound_and_those_of_other_times_nothing() -> None:
    ground = met(24)
    ways = {("0", "2"): 2, ("1", "2"): 2}
    for way in ways:
        first, second = map(int, way)
        pairs = [spans_of(seen(n, first, 10 * n, 10 * n + 4), seen(n, second, 10 * n, 10 * n + 4)) for n in range(24)]
        ground = ground.observe({way: [place for spans in pairs for place in spans]})
    one, beside, third = seen(70, 0, 0, 6), seen(70, 1, 0, 6), seen(70, 2, 0, 6)
    assert BOUND >= ground.of(one, [beside]) > 1.0
    assert ground.of(one, [beside, third]) == pytest.approx(
        min(MOST, ground.of(one, [beside]) + ground.of(one, [third]))
    )
    assert ground.of(one, [seen(70, 1, 60, 66)]) == 0.0
    table = ground.between([one, beside, third])
    assert np.array_equal(table, table.T)
    assert table[0, 1] == ground.of(one, [beside]) == ground.of(beside, [one])


def test_pairs_compared_anew_replace_the_earlier_ones_unless_they_are_fewer() -> None:
    ground = met(12)
    few, many = (
        {BOTH: [place for n in range(count) for place in spans_of(seen(n, 0, 0, 4), seen(n, 1, 0, 4))]}
        for count in (3, 20)
    )
    assert ground.observe_instead(few) == ground
    assert ground.observe_instead(many) == Ground().observe(many)


def test_somebody_in_sight_for_long_counts_as_several_pairs() -> None:
    assert [len(spans_of(seen(1, 0, 0, until), seen(1, 1, 0, until))) for until in (3, 12, 60)] == [1, 2, 4]


def test_ground_survives_a_restart_and_other_records_are_relearnt() -> None:
    calibrations = {"m": Calibration(DEFAULT_PRIOR)}
    coverage = Coverage(ground=met(9))
    assert decode_scale(encode_scale(calibrations, NO_SHIFTS, coverage))[2] == coverage
    odd = Coverage(ground=Ground({BOTH: Encounters(b"123")}))
    assert decode_scale(encode_scale(calibrations, NO_SHIFTS, odd))[2] == Coverage()
