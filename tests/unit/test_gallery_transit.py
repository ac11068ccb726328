"""Transit: which camera follows which, and after how long, as one bounded likelihood."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.decision.calibrate import DEFAULT_PRIOR, Calibration
from gallery.decision.coverage import Coverage
from gallery.decision.normalise import NO_SHIFTS
from gallery.decision.scale_state import decode_scale, encode_scale
from gallery.decision.transit import BOUND, MAX_PAIRS, NO_TRANSIT, STEPS, Passages, Transit, passage
from wire.messages import Tracklet

S = 1_000_000_000


def _tracklet(camera: str, first_s: float, last_s: float, number: int = 0) -> Tracklet:
    times = np.array([int(first_s * S), int(last_s * S)])
    return Tracklet(
        tracklet_id=f"{camera}/s/{number}.0/0",
        camera_id=camera,
        site_id="site",
        revision=0,
        closed=True,
        times_ns=times,
        frames=np.array([1, 2]),
        boxes=np.tile(np.array([0, 0, 1, 1], np.float32), (2, 1)),
        scores=np.ones(2, np.float32),
        quality=0.9,
        frames_used=1,
        crop=b"",
        embedding=np.array([1, 0], np.float16),
        model_id="m",
    )


def _learnt(alike_at: int, way: tuple[str, str] = ("hall", "yard")) -> Transit:
    """Return what 40 alike pairs at one step teach, among 400 pairs at all steps."""
    alike = [0.0] * STEPS
    alike[alike_at] = 40.0
    return NO_TRANSIT.observe({way: Passages((400.0 / STEPS,) * STEPS, tuple(alike))})


def test_before_any_evidence_times_say_nothing() -> None:
    hall, yard = _tracklet("hall", 0, 5), _tracklet("yard", 11, 15)
    assert NO_TRANSIT.of(hall, yard) == 0.0
    nothing_alike = NO_TRANSIT.observe({("hall", "yard"): Passages((50.0,) * STEPS)})
    assert nothing_alike.of(hall, yard) == 0.0
    assert nothing_alike.of(yard, _tracklet("gate", 20, 22)) == 0.0


def test_the_usual_time_from_camera_to_camera_helps_and_other_times_hurt() -> None:
    hall, yard, later = _tracklet("hall", 0, 5), _tracklet("yard", 11, 15), _tracklet("yard", 60, 65)
    transit = _learnt(passage(hall, yard)[1])
    assert transit.of(hall, yard) == transit.of(yard, hall) > 1.0
    assert transit.of(hall, later) < -1.0
    assert transit.of(_tracklet("yard", 0, 5), _tracklet("hall", 11, 15)) == 0.0  # the way back was never seen


def test_cameras_that_overlap_are_learnt_as_such() -> None:
    hall, yard = _tracklet("hall", 0, 9), _tracklet("yard", 3, 12)
    assert passage(hall, yard) == (("hall", "yard"), 0)
    assert _learnt(0).of(hall, yard) > 1.0


def test_however_much_evidence_there_is_times_stay_bounded_and_old_pairs_fade() -> None:
    transit = NO_TRANSIT
    for _ in range(100):
        transit = transit.observe({("a", "b"): Passages((1000.0,) * STEPS, (100.0, *(0.0,) * (STEPS - 1)))})
    known = transit.passages["a", "b"]
    assert sum(known.pairs) == pytest.approx(MAX_PAIRS)
    assert np.abs(known.log_odds()).max() == BOUND


def test_what_was_learnt_anew_replaces_what_was_learnt_from_fewer_pairs() -> None:
    few, many = Passages((1.0,) * STEPS), Passages((2.0,) * STEPS)
    assert Transit({("a", "b"): few}).observe_instead({("a", "b"): many}).passages == {("a", "b"): many}
    assert Transit({("a", "b"): many}).observe_instead({("a", "b"): few}).passages == {("a", "b"): many}


@given(
    st.lists(
        st.tuples(st.sampled_from(["hall", "yard", "gate"]), st.integers(0, 200), st.integers(0, 30)),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, STEPS - 1),
)
def test_all_pairs_at_once_are_as_each_pair_alone(spans: list[tuple[str, int, int]], step: int) -> None:
    tracklets = [_tracklet(c, first, first + stay + 1, n) for n, (c, first, stay) in enumerate(spans)]
    transit = _learnt(step).observe({("yard", "yard"): Passages((9.0,) * STEPS, (5.0, *(0.0,) * (STEPS - 1)))})
    table = transit.between(tracklets)
    for i, one in enumerate(tracklets):
        for j, other in enumerate(tracklets):
            if i != j:
                assert table[i, j] == table[j, i] == transit.of(one, other)


def test_transit_survives_a_restart_and_other_steps_are_relearnt() -> None:
    calibrations = {"m": Calibration(DEFAULT_PRIOR)}
    coverage = Coverage({}, _learnt(3))
    assert decode_scale(encode_scale(calibrations, NO_SHIFTS, coverage))[2] == coverage
    odd = Coverage({}, Transit({("a", "b"): Passages((1.0, 2.0), (0.0, 1.0))}))
    assert decode_scale(encode_scale(calibrations, NO_SHIFTS, odd))[2] == Coverage()
