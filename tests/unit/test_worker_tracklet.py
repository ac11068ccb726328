"""Which frames are kept, when a track is a person, and when something is said: tables of pure functions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_worker import crops
from reid_worker.crops import Cutout
from reid_worker.tracklet import (
    FrameFacts,
    OpenTracklet,
    Pick,
    Row,
    TrackletOptions,
    cross,
    extend,
    frame_quality,
    is_due,
    is_sent_on_close,
    is_static,
    keep,
    mark_sent,
    nearest_overlaps,
    occlusions,
    remember_embeddings,
    successor,
    truncation,
    wants,
)

GOOD = FrameFacts(height_px=200, width_px=80, score=0.9, truncation=0.0, occlusion=0.0, sharpness=900)
OPTIONS = TrackletOptions()
NOTHING = Cutout.restored(b"")
TENTH_NS = 100_000_000
ALONE, CLOSE, TOUCHING = 0.0, 0.2, 0.4  # overlaps: apart; too little for a crossing, too much for its end; a crossing


def _row(number: int, score: float, left: float | None = None) -> Row:
    """Return a box of 10 x 30 px that moves by a pixel each frame, unless it is said where it is."""
    left = number if left is None else left
    return Row(number * TENTH_NS, number, (left, 0.0, left + 10.0, 30.0), score)


def _fed(scores: list[float]) -> OpenTracklet:
    tracklet = OpenTracklet()
    for number, score in enumerate(scores):
        extend(tracklet, _row(number, score), OPTIONS)
    return tracklet


def _fed_in_place(scores: list[float], sway_px: float = 0.5) -> OpenTracklet:
    """Return a tracklet of a box that stays where it is, but for `sway_px` to either side."""
    tracklet = OpenTracklet()
    for number, score in enumerate(scores):
        extend(tracklet, _row(number, score, 50 + sway_px * math.sin(number)), OPTIONS)
    return tracklet


def _legs(overlaps: list[float]) -> list[tuple[int, int]]:
    """Follow somebody through overlaps, ten a second; return leg and part of every detection."""
    tracklet, legs = OpenTracklet(), []
    for number, overlap in enumerate(overlaps):
        tracklet = successor(tracklet, number * TENTH_NS, overlap, OPTIONS) or tracklet
        cross(tracklet, overlap, OPTIONS)
        extend(tracklet, _row(number, 0.9), OPTIONS)
        legs.append((tracklet.leg, tracklet.part))
    return legs


@pytest.mark.parametrize(
    "worse",
    [
        pytest.param({"height_px": 40.0, "width_px": 16.0}, id="small"),
        pytest.param({"width_px": 190.0}, id="as wide as high"),
        pytest.param({"width_px": 20.0}, id="a strip"),
        pytest.param({"score": 0.5}, id="doubtful"),
        pytest.param({"truncation": 0.25}, id="at the border"),
        pytest.param({"occlusion": 0.6}, id="behind somebody"),
        pytest.param({"sharpness": 50.0}, id="blurred"),
    ],
)
def test_a_spoilt_frame_has_a_lower_quality(worse: dict[str, float]) -> None:
    facts = {name: getattr(GOOD, name) for name in FrameFacts.__slots__} | worse
    assert 0 <= frame_quality(FrameFacts(**facts)) < frame_quality(GOOD) <= 1


def test_who_stands_lower_hides_who_stands_higher() -> None:
    boxes = np.array([[0, 0, 10, 20], [5, 5, 15, 30], [50, 0, 60, 20]], np.float32)
    assert occlusions(boxes).round(3).tolist() == pytest.approx([0.375, 0.0, 0.0])
    assert occlusions(boxes[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("box", "share"),
    [
        pytest.param((10.0, 10.0, 20.0, 40.0), 0.0, id="inside"),
        pytest.param((0.0, 10.0, 20.0, 40.0), 0.25, id="left"),
        pytest.param((0.0, 0.0, 20.0, 40.0), 0.5, id="corner"),
        pytest.param((0.0, 0.0, 100.0, 80.0), 1.0, id="everywhere"),
    ],
)
def test_truncation_counts_the_borders_a_box_touches(box: tuple[float, ...], share: float) -> None:
    assert truncation(box, 80, 100) == share


def test_the_best_frame_of_every_span_is_kept_and_spans_double() -> None:
    tracklet = OpenTracklet(rows=[_row(0, 0.9)])
    values = [0.3 + 0.6 * ((7 * n) % 10) / 10 for n in range(160)]
    for n, value in enumerate(values):
        if wants(tracklet, n * TENTH_NS, value, OPTIONS):
            keep(tracklet, n * TENTH_NS, Pick(0, value, n, NOTHING), OPTIONS)

    assert tracklet.span_ns == 2_000_000_000  # 8 of them cover the 16 s
    assert [pick.span for pick in tracklet.picks] == list(range(8))
    for pick in tracklet.picks:
        inside = range(20 * pick.span, 20 * pick.span + 20)
        assert pick.number == max(inside, key=lambda n: (values[n], -n))


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(0, 1)), max_size=200))
def test_picks_stay_few_spread_and_in_order_whatever_comes(frames: list[tuple[int, float]]) -> None:
    tracklet = OpenTracklet(rows=[_row(0, 0.9)])
    time_ns = 0
    for step, value in frames:
        time_ns += step * TENTH_NS
        if wants(tracklet, time_ns, value, OPTIONS):
            keep(tracklet, time_ns, Pick(0, value, time_ns, NOTHING), OPTIONS)

    spans = [pick.span for pick in tracklet.picks]
    assert len(spans) <= OPTIONS.spans
    assert sorted(set(spans)) == spans
    assert all(pick.number // tracklet.span_ns == pick.span for pick in tracklet.picks)
    assert all(pick.quality >= OPTIONS.min_quality for pick in tracklet.picks)


def test_weak_detections_alone_are_never_a_tracklet_and_take_no_memory() -> None:
    tracklet = _fed([0.45] * 600)
    assert tracklet.rows == []
    assert len(tracklet.waiting) <= 11
    assert not tracklet.person


def test_weak_detections_before_and_after_convincing_ones_count_for_a_second() -> None:
    tracklet = _fed([0.3] * 20 + [0.9] * 3 + [0.3] * 15)
    assert [row.number for row in tracklet.rows] == list(range(10, 33))


def test_a_weak_spell_between_convincing_detections_is_bridged() -> None:
    tracklet = _fed([0.9] + [0.3] * 18 + [0.9])
    assert [row.number for row in tracklet.rows] == list(range(20))


def test_a_tracklet_that_clings_to_a_chair_is_over_and_its_track_starts_another_leg() -> None:
    tracklet = _fed([0.9] * 5 + [0.3] * 20)
    assert successor(tracklet, 24 * TENTH_NS, ALONE, OPTIONS) is None

    following = successor(tracklet, 25 * TENTH_NS, ALONE, OPTIONS)
    assert following is not None
    extend(following, _row(25, 0.9), OPTIONS)

    assert (following.leg, following.part) == (1, 0)
    assert [row.number for row in following.rows] == list(range(15, 26))


def test_a_leg_goes_on_as_its_next_part_after_a_minute_even_amid_a_crossing() -> None:
    tracklet = _fed([0.9] * 600)
    tracklet.leg, tracklet.crossing = 3, True
    assert successor(tracklet, 599 * TENTH_NS, TOUCHING, OPTIONS) is None

    following = successor(tracklet, 600 * TENTH_NS, TOUCHING, OPTIONS)

    assert following is not None
    assert (following.leg, following.part, following.crossing) == (3, 1, True)
    assert following.person


def test_a_track_is_cut_into_legs_where_it_comes_out_of_a_crossing() -> None:
    legs = _legs([ALONE] * 12 + [TOUCHING] * 5 + [ALONE] * 15)

    assert legs == [(0, 0)] * 17 + [(1, 0)] * 15


def test_boxes_that_still_overlap_a_little_are_not_yet_apart() -> None:
    assert _legs([ALONE] * 12 + [TOUCHING, CLOSE, TOUCHING, CLOSE] + [ALONE] * 4) == [(0, 0)] * 16 + [(1, 0)] * 4


def test_people_who_only_come_close_are_not_cut() -> None:
    assert _legs([ALONE] * 12 + [CLOSE] * 12 + [ALONE] * 12) == [(0, 0)] * 36


def test_a_leg_shorter_than_a_second_is_not_cut() -> None:
    assert _legs([ALONE] * 3 + [TOUCHING] * 3 + [ALONE] * 12) == [(0, 0)] * 18


def test_a_long_leg_is_cut_however_short_its_latest_part_is() -> None:
    legs = _legs([ALONE] * 590 + [TOUCHING] * 13 + [ALONE] * 4)

    assert legs == [(0, 0)] * 600 + [(0, 1)] * 3 + [(1, 0)] * 4


def test_who_walks_on_after_a_crossing_is_as_surely_a_person_as_before() -> None:
    tracklet = _fed([0.9] * 20)
    tracklet.crossing = True

    following = successor(tracklet, 20 * TENTH_NS, ALONE, OPTIONS)

    assert following is not None
    assert following.person
    assert following.rows == []


def test_the_nearest_other_box_counts_and_nobody_is_near_to_himself() -> None:
    boxes = np.array([[0, 0, 10, 20], [5, 0, 15, 20], [9, 0, 19, 20], [50, 0, 60, 20]], np.float32)
    assert nearest_overlaps(boxes).tolist() == pytest.approx([1 / 3, 3 / 7, 3 / 7, 0.0])
    assert nearest_overlaps(boxes[:1]).tolist() == [0.0]
    assert nearest_overlaps(boxes[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("scores", "person"),
    [
        pytest.param([0.6, 0.6, 0.6, 0.3], True, id="three sure"),
        pytest.param([0.9, 0.9], False, id="a flicker"),
        pytest.param([0.55] * 50, False, id="convincing, never sure"),
        pytest.param([0.9, 0.3, 0.3, 0.9, 0.3, 0.9], True, id="sure now and then"),
    ],
)
def test_a_person_is_sure_at_least_three_times(scores: list[float], person: bool) -> None:
    assert _fed(scores).person is person


UNSTEADY = [0.9, 0.4, 0.7, 0.3, 0.4]  # two of five are sure


@pytest.mark.parametrize(
    ("tracklet", "person"),
    [
        pytest.param(_fed_in_place(UNSTEADY * 100), False, id="a chair, found now and then for a minute"),
        pytest.param(_fed_in_place([0.9] * 25), False, id="a poster in its first seconds"),
        pytest.param(_fed_in_place([0.9] * 40), True, id="somebody who stands still and is seen clearly"),
        pytest.param(
            _fed_in_place(UNSTEADY * 100, sway_px=1.5), True, id="somebody half hidden who shifts in their seat"
        ),
        pytest.param(_fed(UNSTEADY * 2), True, id="somebody half hidden who walks"),
    ],
)
def test_what_stays_where_it_is_is_a_person_only_if_it_is_seen_clearly(tracklet: OpenTracklet, person: bool) -> None:
    assert tracklet.person is person


def test_somebody_who_walked_in_stays_a_person_however_unclear_and_still_they_become() -> None:
    tracklet = _fed([0.9] * 10)
    for number in range(10, 400):
        extend(tracklet, _row(number, UNSTEADY[number % 5], 10.0), OPTIONS)

    assert tracklet.person


def test_a_clear_tracklet_that_ends_early_is_sent_and_an_unclear_one_is_counted() -> None:
    clear, unclear = _fed_in_place([0.9] * 8), _fed_in_place(UNSTEADY * 3)
    for tracklet in (clear, unclear):
        keep(tracklet, 0, Pick(0, 0.5, 0, NOTHING), OPTIONS)

    assert (is_sent_on_close(clear, OPTIONS), is_static(clear, OPTIONS)) == (True, False)
    assert (is_sent_on_close(unclear, OPTIONS), is_static(unclear, OPTIONS)) == (False, True)


def test_emissions_come_after_a_second_and_then_at_growing_intervals() -> None:
    tracklet, sent = OpenTracklet(), []
    for number in range(400):
        extend(tracklet, _row(number, 0.9), OPTIONS)
        if wants(tracklet, number * TENTH_NS, 0.5, OPTIONS):
            keep(tracklet, number * TENTH_NS, Pick(0, 0.5, number, NOTHING), OPTIONS)
        if is_due(tracklet, OPTIONS):
            sent.append(number / 10)
            mark_sent(tracklet, OPTIONS)

    assert [later - earlier for earlier, later in itertools.pairwise([0.0, *sent])] == [1, 2, 4, 8, 8, 8, 8]
    assert tracklet.revision == len(sent)


@pytest.mark.parametrize(
    ("picked_after", "revision", "known"),
    [
        pytest.param([0], 0, True, id="nothing was picked since"),
        pytest.param([0, 1], 0, False, id="another frame was picked since"),
        pytest.param([0, 1], 1, True, id="another frame was picked before it was sent again"),
        pytest.param([0], 1, True, id="it was sent again with the same picks"),
    ],
)
def test_an_embedding_counts_for_as_long_as_the_picks_it_was_made_of(
    picked_after: list[int], revision: int, *, known: bool
) -> None:
    tracklet = _fed([0.9] * 30)
    for emissions in range(3):
        if emissions in picked_after:
            keep(tracklet, 10 * emissions * TENTH_NS, Pick(0, 0.5, 10 * emissions, NOTHING), OPTIONS)
        if emissions < 2:
            mark_sent(tracklet, OPTIONS)

    remember_embeddings(tracklet, revision, {"m": b"vector"})

    assert tracklet.embeddings == ({"m": b"vector"} if known else {})


def test_a_worse_frame_that_only_makes_spans_longer_leaves_picks_and_embedding_as_they_are() -> None:
    options = TrackletOptions(spans=1)
    tracklet = _fed([0.9] * 30)
    keep(tracklet, 0, Pick(0, 0.9, 0, NOTHING), options)
    mark_sent(tracklet, options)
    remember_embeddings(tracklet, 0, {"m": b"vector"})

    keep(tracklet, 20 * TENTH_NS, Pick(0, 0.5, 20, NOTHING), options)

    assert ([pick.number for pick in tracklet.picks], tracklet.embeddings) == ([0], {"m": b"vector"})


def test_a_crop_outside_of_the_picture_is_cut_to_at_least_one_pixel() -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    assert crops.cut(image, (-5.0, -5.0, 4.2, 50.0)).shape == (20, 5, 3)
    assert crops.cut(image, (40.0, 40.0, 50.0, 50.0)).shape == (1, 1, 3)


def test_crops_are_small_and_come_back_as_rgb() -> None:
    blue = np.zeros((600, 200, 3), np.uint8)
    blue[..., 0] = 255  # BGR
    cutout = Cutout.of(blue)

    assert cutout.rgb().shape == (256, 85, 3)
    assert cutout.rgb()[100, 40].tolist() == [0, 0, 255]
    assert Cutout.restored(cutout.jpeg()).rgb()[100, 40].tolist() == pytest.approx([0, 0, 255], abs=4)


def test_a_crop_that_was_saved_is_what_a_restart_makes_of_it() -> None:
    image = np.random.default_rng(3).integers(0, 256, (90, 40, 3)).astype(np.uint8)
    fresh, saved = Cutout.of(image), Cutout.of(image)

    restored = Cutout.restored(saved.settled())

    assert (saved.rgb() == restored.rgb()).all()
    assert (fresh.rgb() != restored.rgb()).any(), "what was never saved loses nothing"
    assert fresh.jpeg() == saved.jpeg() == restored.jpeg(), "a picture that is kept does not depend on restarts"


def test_a_crop_keeps_no_frame_in_memory() -> None:
    frame = np.zeros((400, 600, 3), np.uint8)
    cutout = Cutout.of(crops.cut(frame, (10.0, 10.0, 50.0, 90.0)))
    frame[:] = 200
    assert not cutout.rgb().any()


def test_a_sharp_crop_is_sharper_than_its_blurred_copy() -> None:
    sharp = np.random.default_rng(1).integers(0, 255, (128, 64, 3)).astype(np.uint8).repeat(2, 0).repeat(2, 1)
    blurred = np.asarray(sharp.astype(np.float32).mean((0, 1), keepdims=True) + 0 * sharp, np.uint8)
    assert crops.sharpness(sharp) > crops.sharpness(blurred) >= 0
