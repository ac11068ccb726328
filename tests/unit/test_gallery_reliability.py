"""What a site has learnt, shown: certain pairs, curves, matches held against the truth, and what cannot be shown."""

import json
import re
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gallery.config import GallerySettings
from gallery.decision.calibrate import DEFAULT_PRIOR, Calibration, encode
from gallery.decision.coverage import NO_COVERAGE, Meetings
from gallery.decision.normalise import NO_SHIFTS, Shifts
from gallery.decision.rules import Rules
from gallery.decision.scale_state import encode_scale, written_by
from gallery.errors import NothingLearnt, ScoreError
from gallery.reliability.certain import different_people, mistaken, same_person
from gallery.reliability.curves import curve, reliability
from gallery.reliability.figures import as_json
from gallery.reliability.learnt import disjoint_cameras, model_scale
from gallery.reliability.matches import is_match, judged, people_of
from gallery.reliability.page import page
from gallery.reliability.report import checked, show
from gallery.reliability.truth import read_truth
from gallery.reliability.words import lines, of_cameras
from gallery.score.first_frame import FirstFrame
from gallery.score.mot import Boxes
from gallery.site_worker import plan_of
from gallery.store.memory import MemoryStore
from gallery.store.store import StoredTracklet, TrackQuery, Write
from tests.gallery_tools import START, S, axis, make_world, run_whole, tracklet
from tests.html_tools import Page
from wire.messages import Tracklet

RULES = Rules(match=1.0)


def between(similarity: float) -> NDArray[np.float64]:
    """Return a look of this similarity to axis 0."""
    return np.asarray(similarity * axis(0) + np.sqrt(1 - similarity**2) * axis(1))


def row(name: str, owner: int | None, likely: float, first_s: float = 0, last_s: float = 4) -> StoredTracklet:
    return StoredTracklet(tracklet(name, first_s, last_s), owner, likely, None)


# Certain pairs


def test_people_seen_at_once_in_one_camera_are_certainly_different() -> None:
    sample = different_people([tracklet("a/s/1/0", 0, 9), tracklet("a/s/2/0", 2, 9, between(0.25))], NO_SHIFTS)
    assert sample.size == 1
    assert sample.mean == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(tracklet("b/s/2/0", 2, 9), id="another camera"),
        pytest.param(tracklet("a/s/2/0", 9.5, 15), id="one after the other"),
        pytest.param(tracklet("a/s/2/0", 8.5, 15), id="a handover of the tracker"),
        pytest.param(tracklet("a/s/1/1", 2, 9), id="a part of the same leg"),
    ],
)
def test_others_are_not_certainly_different(other: Tracklet) -> None:
    assert different_people([tracklet("a/s/1/0", 0, 9), other], NO_SHIFTS).size == 0


def test_parts_of_one_leg_are_certainly_one_person_and_other_legs_are_not() -> None:
    parts = [tracklet("a/s/1.0/0", 0, 9), tracklet("a/s/1.0/1", 9.2, 20, between(0.9)), tracklet("a/s/1.1/0", 21, 30)]
    sample = same_person(parts, NO_SHIFTS)
    assert sample.size == 1
    assert sample.mean == pytest.approx(0.9, abs=1e-3)


def test_two_people_who_stay_for_long_count_once() -> None:
    stay = [tracklet(f"a/s/{track}.0/{part}", 10 * part, 10 * part + 9.8) for track in (1, 2) for part in range(30)]
    brief = [tracklet("a/s/3/0", 400, 410), tracklet("a/s/4/0", 400, 410, axis(1))]
    sample = different_people([*stay, *brief], NO_SHIFTS)
    assert sample.size == 2
    assert sample.mean == pytest.approx(0.5, abs=1e-3)  # not 30 pairs of 1.0 and one of 0.0
    assert same_person(stay, NO_SHIFTS).size == 2


def test_pairs_are_compared_without_camera_shifts() -> None:
    shifts = Shifts({("m", "a"): axis(5).astype(np.float32) * np.float32(0.5)}, 9)
    pair = [tracklet("a/s/1/0", 0, 9, axis(0) + axis(5)), tracklet("a/s/2/0", 0, 9, axis(1) + axis(5))]
    assert different_people(pair, NO_SHIFTS).mean == pytest.approx(0.5, abs=1e-3)
    assert different_people(pair, shifts).mean < 0.15


def test_a_person_tracked_twice_is_counted_as_a_mistake_of_certainty() -> None:
    tracklets = [tracklet(f"a/s/{track}/0", 0, 9) for track in (1, 2, 3, 4)]
    people = {"a/s/1/0": 7, "a/s/2/0": 7, "a/s/3/0": 8}
    assert mistaken(tracklets, people) == (3, 1)


# Curves


@given(st.floats(0.1, 6))
def test_calibrated_probabilities_are_within_what_is_allowed(apart: float) -> None:
    """Two normal distributions, whose likelihood ratio is known; the pairs are the quantiles of one of them."""
    quantiles = np.array([NormalDist(-apart / 2, 1).inv_cdf((place + 0.5) / 1000) for place in range(1000)])
    stated = 1 / (1 + np.exp(-apart * quantiles))
    for likely, is_same in ((stated, False), (1 - stated, True)):
        assert all(level.share <= level.at_most for level in curve(likely, np.ones(1000), is_same=is_same).levels)


def test_probabilities_that_are_too_sure_are_called_so_on_both_sides() -> None:
    surely_one = np.full(100, 0.97)
    assert curve(surely_one, np.ones(100), is_same=False).too_sure
    assert not curve(surely_one, np.ones(100), is_same=True).too_sure
    assert curve(1 - surely_one, np.ones(100), is_same=True).too_sure


def test_a_share_is_of_the_weight_and_the_bound_is_the_odds() -> None:
    found = curve(np.array([0.85, 0.1]), np.array([1.0, 3.0]), is_same=False)
    assert found.pairs == 4
    assert found.bins[8] == 0.25
    assert found.bins[1] == 0.75
    assert [(level.stated, level.share) for level in found.levels[:3]] == [(0.5, 0.25), (0.8, 0.25), (0.9, 0.0)]
    assert [level.at_most for level in found.levels] == pytest.approx([1, 1 / 4, 1 / 9, 1 / 19, 1 / 99])


def test_few_pairs_say_nothing() -> None:
    assert not curve(np.full(19, 0.999), np.ones(19), is_same=False).too_sure
    assert curve(np.empty(0), np.empty(0), is_same=False).levels == ()


def test_the_calibration_error_is_the_mean_distance_of_stated_and_right() -> None:
    found = reliability([0.95, 0.95, 0.95, 0.95, 0.6, 1.0], [True, True, True, False, True, True])
    assert (found.matches, found.wrong) == (6, 1)
    assert found.expected_wrong == pytest.approx(4 * 0.05 + 0.4)
    assert found.bins[9].right == pytest.approx(4 / 5)
    assert found.bins[9].stated == pytest.approx(0.96)
    assert found.error == pytest.approx((5 * 0.16 + 1 * 0.4) / 6)
    assert reliability([], []).error is None


def test_the_range_of_wrong_matches_is_wilsons() -> None:
    found = reliability([0.9] * 10, [False] + [True] * 9)
    assert found.wrong_range == pytest.approx((0.0179, 0.4042), abs=1e-3)
    assert reliability([], []).wrong_range == (0, 1)


# Matches held against the truth


def test_a_match_is_right_where_the_rest_of_the_identity_shows_the_same_person() -> None:
    rows = [row("a/s/1/0", 1, 1.0), row("b/s/1/0", 1, 0.9), row("b/s/2/0", 1, 0.8), row("c/s/1/0", 1, 0.7, 0, 1)]
    people = {"a/s/1/0": 5, "b/s/1/0": 5, "b/s/2/0": 6, "c/s/1/0": 5}
    found = judged(rows, people)
    assert dict(zip(found.stated, found.right, strict=True)) == {0.9: True, 0.8: False, 0.7: True}
    assert (found.nobody, found.alone) == (0, 0)


def test_parts_of_its_own_leg_do_not_confirm_a_match() -> None:
    rows = [row("a/s/1/0", 1, 1.0), row("b/s/1.0/0", 1, 0.9), row("b/s/1.0/1", 1, 1.0, 5, 60)]
    assert judged(rows, {"a/s/1/0": 5, "b/s/1.0/0": 6, "b/s/1.0/1": 6}).right == (False,)


def test_matches_that_cannot_be_judged_are_counted() -> None:
    rows = [row("a/s/1/0", 1, 1.0), row("b/s/1/0", 1, 0.9), row("c/s/1/0", 2, 0.8), row("c/s/2/0", None, 0.0)]
    found = judged(rows, {"b/s/1/0": 5, "a/s/9/0": 5})
    assert (found.right, found.nobody, found.alone) == ((), 1, 1)


def truth_of(person: int, first: int, left: float, frames: int = 21) -> Boxes:
    boxes = np.tile(np.array([left, 0, 10, 20]), (frames, 1))
    numbers = np.arange(first, first + frames)
    return Boxes(numbers, np.full(frames, person), boxes, np.ones(frames, np.bool_))


def test_a_tracklet_shows_the_person_of_most_of_its_boxes() -> None:
    rows = [row("a/s/1/0", 1, 1.0), row("b/s/1/0", 1, 0.9)]
    truth = {"a": truth_of(7, 1, 1), "b": truth_of(8, 1, 200)}
    assert people_of(rows, truth, FirstFrame()) == {"a/s/1/0": 7}


def test_a_tracklet_that_changes_between_people_shows_nobody() -> None:
    one, other = truth_of(7, 1, 0, 10), truth_of(8, 12, 0, 10)
    both = Boxes(*(np.concatenate(parts) for parts in zip(*(_columns(b) for b in (one, other)), strict=True)))
    assert people_of([row("a/s/1/0", 1, 1.0)], {"a": both}, FirstFrame()) == {}


def _columns(boxes: Boxes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    return boxes.frames, boxes.ids, boxes.boxes, boxes.counted


def test_truth_of_other_cameras_is_refused_with_both_names(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / f"{name}.txt").write_text("1,1,0,0,10,20,1\n")
    with pytest.raises(ScoreError, match=r"has the truth of x, y, but the site's cameras are a, b"):
        read_truth(tmp_path, {"a", "b"}, print)


def test_a_site_whose_tracklets_are_gone_cannot_be_held_against_the_truth(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1,1,0,0,10,20,1\n")
    with pytest.raises(ScoreError, match="no tracklets to hold against"):
        read_truth(tmp_path, set(), print)


def test_cameras_without_truth_are_named_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1,1,0,0,10,20,1\n")
    (tmp_path / "z.txt").write_text("1,1,0,0,10,20,1\n")
    said: list[str] = []
    assert set(read_truth(tmp_path, {"a", "b"}, said.append)) == {"a"}
    assert said == [f"{tmp_path}: no truth for b; their matches are left out"]


# What was learnt


def test_the_source_is_the_best_evidence_there_is() -> None:
    fresh = Calibration(DEFAULT_PRIOR)
    taught = fresh.observe([0.1, 0.2])
    fitted = taught.observe_unlabelled(np.array([0.0, 0.1, 0.7]))
    sources = [model_scale("m", one, NO_SHIFTS, [], 1.0).source for one in (fresh, taught, fitted)]
    assert sources == ["prior", "certain pairs", "unlabelled pairs"]


def test_disjoint_cameras_are_those_the_gallery_takes_for_disjoint() -> None:
    """Simultaneous in half of all pairs; those that are clearly alike are so in one camera pair only."""
    found = {("a", "b"): Meetings(140, 50, 40, 0), ("b", "c"): Meetings(100, 50, 100, 50)}
    assert disjoint_cameras(NO_COVERAGE.observe(found)) == [("a", "b")]


def test_a_match_needs_the_similarity_from_which_on_the_gallery_makes_one() -> None:
    calibration = Calibration(DEFAULT_PRIOR)
    least = model_scale("m", calibration, NO_SHIFTS, [], 1.5).matches_from
    assert least is not None
    assert calibration.logit(least + 1e-6) >= 1.5 > calibration.logit(least - 1e-6)


def test_a_rate_that_no_similarity_can_meet_has_no_least_similarity() -> None:
    assert model_scale("m", Calibration(DEFAULT_PRIOR), NO_SHIFTS, [], 13.0).matches_from is None


# The report


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    store = run_whole(make_world(3, people=12)).store  # enough of them to learn what each camera adds
    assert isinstance(store, MemoryStore)
    return store


def test_a_report_shows_what_was_learnt_and_changes_nothing(store: MemoryStore) -> None:
    settings = GallerySettings()
    before = store.learnt()
    report, rows = show(store, plan_of(settings).rules, settings.false_merge_rate)
    (model,) = report.models
    assert (report.site_id, report.version, model.source) == ("site", before.version, "unlabelled pairs")
    assert model.same.mean > model.different.mean
    assert model.different_curve.pairs > 20
    assert {r.tracklet.camera_id for r in rows} == set(model.shifts) == {"a", "b", "c"}
    assert store.learnt() == before


def test_a_report_fits_a_terminal_and_is_one_json_object(store: MemoryStore) -> None:
    report, rows = show(store, RULES, 0.2)
    whole = checked(report, rows, {"a": truth_of(1, 1, 0, 400)})
    assert max(map(len, lines(whole))) < 80
    figures = json.loads(json.dumps(as_json(whole), allow_nan=False))
    assert figures["models"]["m"]["certainly_different"]["pairs"] > 20
    assert figures["truth"]["matches"] == sum(one["matches"] for one in figures["truth"]["bins"])


def test_cameras_that_see_the_same_floor_are_named(store: MemoryStore) -> None:
    report, _ = show(store, RULES, 0.2)
    assert "the same floor, so that places tell people apart: none known." in of_cameras(report)[1]
    known = replace(report, same_floor=(("hall", "yard"), ("hall", "gate")))
    assert of_cameras(known)[1].endswith(": hall and yard; hall and gate.")
    assert "hall and gate" in " ".join(lines(known))
    assert "hall and gate" in page(known)


def test_the_page_is_complete_self_contained_and_true_to_the_figures(store: MemoryStore) -> None:
    report, rows = show(store, RULES, 0.2)
    read = Page(text := page(checked(report, rows, {"a": truth_of(1, 1, 0, 400)})))
    assert read.open == []
    assert not re.search(r"<script|src=|https?://", text)
    curve_ = report.models[0].different_curve
    titles = re.findall(rf"<title>([0-9.]+)% of {curve_.pairs}</title>", text)
    assert [float(share) for share in titles[:10]] == pytest.approx([100 * share for share in curve_.bins], abs=0.06)


def test_matches_of_a_site_are_judged_by_who_was_there() -> None:
    world = make_world(3, noise=0.1)
    rows = run_whole(world).store.find(TrackQuery(limit=1000))
    shuffled = np.random.default_rng(0).permutation(list(world.people.values())).tolist()
    true, other = judged(rows, world.people), judged(rows, dict(zip(world.people, shuffled, strict=True)))
    assert len(true.right) + true.nobody + true.alone == sum(map(is_match, rows)) > 10
    assert all(true.right)
    assert other.right.count(False) > len(other.right) / 2


def test_a_truth_of_other_videos_is_pointed_out(store: MemoryStore) -> None:
    report, rows = show(store, RULES, 0.2)
    remarks = checked(report, rows, {"a": truth_of(1, 9_000, 500)}).remarks
    assert "show somebody of the truth: it must be the truth of the videos that were read" in remarks[-1]


def written(calibration: bytes) -> MemoryStore:
    store = MemoryStore("mall")
    store.write(Write(version=0, now_ns=START + S, next_identity=1, calibration=calibration))
    return store


def test_a_site_that_was_never_decided_is_named() -> None:
    with pytest.raises(NothingLearnt, match="site mall has no data"):
        show(MemoryStore("mall"), RULES, 0.2)


def test_a_site_that_has_learnt_nothing_yet_is_named_with_what_it_takes() -> None:
    for nothing in (b"", encode_scale({}, NO_SHIFTS, NO_COVERAGE)):
        with pytest.raises(NothingLearnt, match=r"site mall has learnt nothing .* try again when people have left"):
            show(written(nothing), RULES, 0.2)


@pytest.mark.parametrize(
    "data",
    [pytest.param(b"\xc1garbage", id="not msgpack"), pytest.param(msgspec.msgpack.encode({"schema": 99}), id="99")],
)
def test_what_another_version_wrote_is_named_and_not_shown_as_nothing(data: bytes) -> None:
    assert written_by(data) == "unknown"
    with pytest.raises(NothingLearnt, match="written by another version of climbtrack"):
        show(written(data), RULES, 0.2)


def test_what_an_earlier_version_wrote_is_shown_without_what_it_did_not_know() -> None:
    data = encode({"m": Calibration(DEFAULT_PRIOR).observe([0.1])})
    report, _ = show(written(data), RULES, 0.2)
    assert written_by(data) == "earlier"
    assert report.models[0].certain_pairs == 1
    assert "an earlier version of climbtrack wrote this site" in report.remarks[0]


def test_a_site_with_nothing_but_the_prior_says_so() -> None:
    report, _ = show(written(encode_scale({"m": Calibration(DEFAULT_PRIOR)}, NO_SHIFTS, NO_COVERAGE)), RULES, 0.2)
    assert "model m: nothing was learnt at this site yet" in report.remarks[0]
    assert max(map(len, lines(report))) < 80
