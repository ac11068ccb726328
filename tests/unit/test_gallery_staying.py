"""Whether few people stay before the cameras, and how many: by how their number in sight varies, and nothing else."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.decision.calibrate import DEFAULT_PRIOR, Calibration
from gallery.decision.mixture import squeezed
from gallery.decision.staying import PERSON_PAIRS, Presence, person_pairs, staying, trust
from gallery.decision.visibility import Visibility, presences
from tests.gallery_tools import tracklet
from wire.messages import Tracklet

S = 1_000_000_000


def seen(camera: str, intervals: list[tuple[float, float]]) -> list[Tracklet]:
    """Return tracklets of a camera, from and to these times in seconds."""
    return [tracklet(f"{camera}/s/{n}.0/0", first, last) for n, (first, last) in enumerate(intervals)]


def room(people: int, camera: str = "room", *, seed: int = 0, seconds: float = 600.0) -> list[Tracklet]:
    """Return the tracklets of people who stay: each is in sight for 15 s and hidden for 5 s, on average."""
    rng = np.random.default_rng(seed)
    intervals = []
    for _ in range(people):
        at = float(rng.uniform(0, 5))
        while at < seconds:
            last = at + float(rng.uniform(10, 20))
            intervals.append((at, last))
            at = last + float(rng.uniform(2, 8))
    return seen(camera, intervals)


def street(per_minute: float, camera: str = "street", *, seed: int = 0, seconds: float = 600.0) -> list[Tracklet]:
    """Return the tracklets of people who pass within 8 s, at times that have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, seconds, rng.poisson(per_minute * seconds / 60)))
    return seen(camera, [(float(at), float(at) + 8.0) for at in times])


@pytest.mark.parametrize("people", [2, 3, 4, 5])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_people_who_stay_in_a_room_are_counted(people: int, seed: int) -> None:
    assert staying(presences(room(people, seed=seed))) == pytest.approx(people, rel=0.3)


@pytest.mark.parametrize("per_minute", [2.0, 8.0, 40.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_stays_where_people_pass_however_many(per_minute: float, seed: int) -> None:
    assert staying(presences(street(per_minute, seed=seed))) == math.inf


def test_cameras_of_one_room_count_its_people_once() -> None:
    tracklets = [one for n in range(4) for one in room(3, f"corner-{n}", seed=n)]

    assert staying(presences(tracklets)) == pytest.approx(3, rel=0.3)


def test_a_street_before_the_door_of_a_quiet_room_is_no_room() -> None:
    assert staying(presences([*room(2), *street(20.0)])) == math.inf


def test_a_short_look_tells_nothing() -> None:
    assert staying(presences(room(2, seconds=5.0))) == math.inf
    assert staying([]) == math.inf
    assert staying(presences(seen("room", [(3.0, 3.0)]))) == math.inf


def test_people_who_are_in_sight_for_half_of_the_time_count_as_more_than_they_are() -> None:
    """Somewhere between staying and passing, what few people would teach counts less and less."""
    half = [Presence(40, 100 * S, round(100 * S * (1.0 + 0.52)), 100 * S)]
    surely = [Presence(40, 100 * S, round(100 * S * (1.0 + 0.40)), 100 * S)]

    assert staying(half) > staying(surely) > 1


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from("ab"), st.integers(0, 900), st.integers(0, 700)),
        max_size=30,
    )
)
def test_who_was_in_sight_is_kept_up_to_date_with_each_change(
    changes: list[tuple[int, str, int, int]],
) -> None:
    visibility, kept = Visibility(), dict[str, Tracklet]()
    for number, camera, first, length in changes:
        one = tracklet(f"{camera}/s/{number}.0/0", first, first + length)
        if one.tracklet_id in kept and length % 5 == 0:
            visibility.drop(kept.pop(one.tracklet_id))
        else:
            visibility.put(one)
            kept[one.tracklet_id] = one

    found = sorted(visibility.presences(), key=repr)
    assert found == sorted(
        (
            brute([t for t in kept.values() if t.camera_id == c])
            for c in "ab"
            if c in {t.camera_id for t in kept.values()}
        ),
        key=repr,
    )


def brute(tracklets: list[Tracklet]) -> Presence:
    """Return who was in sight of a camera, second by second."""
    first, last = min(t.first_ns for t in tracklets), max(t.last_ns for t in tracklets)
    counts = [sum(t.first_ns <= at < t.last_ns for t in tracklets) for at in range(first, last, S)]
    return Presence(len(tracklets), sum(counts) * S, sum(n * n for n in counts) * S, last - first)


def test_two_people_make_one_pair_and_nobody_makes_none() -> None:
    assert [person_pairs(people) for people in (0.0, 0.5, 1.0, 2.0, 4.0)] == [0.0, 0.0, 0.0, 1.0, 6.0]


def test_trust_grows_with_the_pairs_of_people() -> None:
    assert [trust(0.0), trust(PERSON_PAIRS), trust(math.inf)] == [0.0, 0.5, 1.0]


def test_that_two_people_are_dressed_alike_says_little_about_anybody_else() -> None:
    alike = np.random.default_rng(0).normal(0.4, 0.1, 2_000)
    two, many = (Calibration(DEFAULT_PRIOR).observe_unlabelled(alike, people) for people in (2.0, 100.0))
    prior = Calibration(DEFAULT_PRIOR)

    assert two.similarity(0.0) == pytest.approx(prior.similarity(0.0), abs=0.03)
    assert many.similarity(0.0) > prior.similarity(0.0) + 0.1


def test_the_likeness_of_one_person_rises_with_that_of_strangers_as_far_as_the_network_makes_them_alike() -> None:
    untouched, half, fully = (squeezed(DEFAULT_PRIOR, 0.5, known)[0] for known in (0.0, 0.5, 1.0))

    assert untouched == pytest.approx(DEFAULT_PRIOR.same_mean)
    assert untouched < half < fully
