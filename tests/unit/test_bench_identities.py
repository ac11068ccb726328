"""The benchmark of who is who: sites that seeds determine, an oracle that knows the truth, and a judge that follows."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from deploy.bench.identities.film import OPENED_NS, Film, S, days_of, film_of
from deploy.bench.identities.gallery import RULES, VARIANTS, decided, decided_anew
from deploy.bench.identities.greedy import best_greedy
from deploy.bench.identities.judge import Judge, scores
from deploy.bench.identities.looks import Looks
from deploy.bench.identities.timetable import DAY_S, HOUR_S, KINDS, Timetable, timetable
from wire.messages import IdentityEvent

DIMENSION = 24


def _looks(site: Timetable, noise: float) -> Looks:
    """Return embeddings of one direction for each person, and noise."""
    rng = np.random.default_rng(3)
    people = rng.normal(size=(len(site.people), DIMENSION))
    found = np.stack([people[seen.person] for seen in site.seen]) + noise * rng.normal(size=(len(site.seen), DIMENSION))
    unit = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)
    return Looks(unit, unit, "m", None)


def _film(kind: str, noise: float = 0.1) -> Film:
    site = timetable(kind, 101)
    return film_of(site, _looks(site, noise), 101)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_determines_a_site_and_nobody_is_twice_at_one_time_on_a_camera(kind: str) -> None:
    site = timetable(kind, 101)
    assert site == timetable(kind, 101)
    assert site != timetable(kind, 102)
    for person in range(len(site.people)):
        for camera in range(site.cameras):
            own = [seen for seen in site.seen if (seen.person, seen.camera) == (person, camera)]
            assert all(one.last_s < other.first_s for one, other in pairwise(own))


def test_two_cameras_that_overlap_see_one_person_at_one_time_and_disjoint_ones_never() -> None:
    def simultaneous(kind: str) -> set[tuple[int, int]]:
        seen = timetable(kind, 101).seen
        return {
            (one.camera // 2, other.camera // 2)
            for one in seen
            for other in seen
            if one.person == other.person and one.camera < other.camera and other.first_s < one.last_s > one.first_s
            if one.first_s < other.last_s
        }

    assert simultaneous("two disjoint cameras") == set()
    assert simultaneous("eight partly overlapping") == {(0, 0), (1, 1), (2, 2), (3, 3)}


def test_people_come_back_after_an_hour_and_change_their_clothes() -> None:
    back = timetable("returning after an hour", 101).seen
    assert {s.person for s in back if s.first_s < HOUR_S} & {s.person for s in back if s.first_s > HOUR_S}
    changed = timetable("changed clothes", 101).seen
    assert {s.clothes for s in changed if s.person == 1} == {0, 1}
    assert {s.clothes for s in changed if s.person == 2} == {0}


def test_days_are_judged_one_by_one_and_a_gallery_that_begins_anew_gives_nobody_an_earlier_number() -> None:
    site = timetable("four days", 101)
    first = replace(site, seen=tuple(one for one in site.seen if one.first_s % DAY_S < 120 and one.first_s < 2 * DAY_S))
    film = film_of(first, _looks(first, 0.1), 101)
    days = days_of(film)
    assert [set(day.people) for day in days] == [
        {key for key, last in film.last.items() if (last.first_ns - OPENED_NS) // S // int(DAY_S) == day}
        for day in range(2)
    ]
    assert all(window.tracklets for day in days for window in day.windows)
    kept, anew = decided(film, RULES).numbers, decided_anew(film, RULES)
    before, after = ({anew[key] for key in day.people} - {None} for day in days)
    assert not before & after
    assert {kept[key] for key in days[0].people} & {kept[key] for key in days[1].people}, "somebody is known"
    assert all(scores(day, anew).idf1 == 1.0 for day in days)
    assert scores(film, anew).idf1 < scores(film, kept).idf1 == 1.0


def test_true_names_score_1_and_one_name_for_all_is_wrong_for_all_but_one() -> None:
    film = _film("two disjoint cameras")
    true = scores(film, film.people)
    assert (true.idf1, true.precision, true.recall, true.wrong) == (1.0, 1.0, 1.0, 0.0)
    assert scores(film, dict.fromkeys(film.people, 1)).wrong > 0.9


def test_the_oracle_and_the_gallery_tell_people_apart_who_look_different() -> None:
    film = _film("two disjoint cameras")
    assert scores(film, best_greedy(film)).idf1 == 1.0
    judge = decided(film, RULES)
    assert scores(film, judge.numbers).idf1 > 0.95
    assert sum(not one.right for one in judge.verdicts) <= 0.1 * len(judge.verdicts)


@pytest.mark.parametrize("method", ["without camera shifts", "without the learnt scale", "without clustering again"])
def test_a_gallery_without_a_part_decides_otherwise_where_looks_say_little(method: str) -> None:
    film = _film("two disjoint cameras", noise=0.9)
    assert decided(film, VARIANTS[method]).numbers != decided(film, RULES).numbers


def test_without_exclusivity_people_seen_at_once_can_be_joined() -> None:
    crowd = timetable("a crowd of 60", 101)
    few = replace(crowd, seen=crowd.seen[:30])
    same = np.broadcast_to(_looks(few, 0.0).late[:1], (30, DIMENSION)).copy()
    film = film_of(few, Looks(same, same, "m", None), 101)
    joined = set(decided(film, VARIANTS["without exclusivity"]).numbers.values())
    assert len(joined) == 1 < len(set(decided(film, RULES).numbers.values()))


def test_the_judge_counts_matches_moves_and_merges_that_join_two_people() -> None:
    judge = Judge({"a/s/0.0/0": 1, "a/s/1.0/0": 1, "a/s/2.0/0": 2, "a/s/3.0/0": 2})
    judge.follow([_event("created", 1, "a/s/0.0/0")])
    judge.follow([_event("matched", 1, "a/s/1.0/0")])
    judge.follow([_event("split", 1, "a/s/2.0/0"), _event("created", 2, "a/s/3.0/0")])
    judge.follow([_event("merged", 1, "a/s/3.0/0", (2,))])
    assert [(one.kind, one.right) for one in judge.verdicts] == [("match", True), ("move", False), ("merge", False)]
    assert {one.stated for one in judge.verdicts} == {0.75}
    assert set(judge.numbers.values()) == {1}


def test_the_judge_looks_at_what_a_window_leaves_however_its_events_are_ordered() -> None:
    def judged(last: list[IdentityEvent]) -> list[tuple[str, bool]]:
        judge = Judge({"a/s/0.0/0": 1, "a/s/1.0/0": 1, "a/s/2.0/0": 2, "a/s/3.0/0": 2, "a/s/4.0/0": 2})
        judge.follow([_event("created", 1, "a/s/0.0/0"), _event("created", 2, "a/s/1.0/0")])
        judge.follow([_event("created", 3, "a/s/4.0/0"), _event("matched", 2, "a/s/2.0/0")])
        judge.verdicts.clear()
        judge.follow(last)
        return [(one.kind, one.right) for one in judge.verdicts]

    merge, away = _event("merged", 1, "a/s/1.0/0", (2,)), _event("split", 3, "a/s/2.0/0")
    assert judged([merge, away]) == judged([away, merge]) == [("move", True), ("merge", True)]
    to_and_fro = [_event("split", 1, "a/s/2.0/0"), away]
    assert judged(to_and_fro) == [("move", True)], "where a tracklet was in between is not judged"
    nothing_left = [merge, _event("split", 3, "a/s/1.0/0"), away]
    assert [kind for kind, _ in judged(nothing_left)] == ["move", "move"]


def _event(kind: str, number: int, tracklet_id: str, previous: tuple[int, ...] = ()) -> IdentityEvent:
    return IdentityEvent(
        event_id=f"{kind}/{tracklet_id}",
        kind=kind,  # type: ignore[arg-type]
        site_id="bench",
        identity_id=number,
        previous_ids=previous,
        tracklet_id=tracklet_id,
        camera_id="a",
        probability=0.75,
        reason="looks like this person",
        time_ns=0,
    )
