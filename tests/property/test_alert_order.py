"""Alerts do not depend on the order of decisions, nor on how often they arrive, nor on restarts."""

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from gallery.alerts.geometry import inside
from gallery.alerts.presence import JOIN_NS, visits
from gallery.store.alerting import AlertQuery
from gallery.store.store import StoredTracklet
from tests.alert_tools import LEFT_HALF, WatchedSite, rule, standing
from wire.areas import covers

RULES = (rule("enters", zones=("left",)), rule("stays", rule_id="s", seconds=5, cameras=("a",)))


@st.composite
def stays(draw: st.DrawFn) -> list[StoredTracklet]:
    """Draw the tracklets of three people on two cameras; each is somewhere else at a time."""
    rows = []
    for number in range(draw(st.integers(1, 8))):
        begin = draw(st.integers(0, 200))
        camera = draw(st.sampled_from("ab"))
        x = draw(st.sampled_from([0.25, 0.75]))
        rows.append(standing(f"{camera}/s/{number}.0/0", begin, begin + draw(st.integers(0, 12)), x, number % 3 + 1))
    return rows


def raised(site: WatchedSite) -> list[Any]:
    return site.alerts.alerts(AlertQuery(limit=1000)).alerts


@given(stays(), st.randoms(use_true_random=False))
def test_decisions_that_arrive_again_in_any_order_and_after_restarts_add_nothing(rows: Any, random: Any) -> None:
    site = WatchedSite(*RULES)
    heard = [site.stored(row) for row in rows]
    for one in heard:
        site.watch.hear([one])
    before = raised(site)
    again = heard * 2
    random.shuffle(again)
    for one in again:
        site.restart()
        assert site.watch.hear([one]) == []
    assert raised(site) == before


@given(stays(), st.randoms(use_true_random=False))
def test_whatever_the_order_nobody_is_told_twice_and_every_visit_is_told(rows: Any, random: Any) -> None:
    site = WatchedSite(*RULES)
    shuffled = list(rows)
    random.shuffle(shuffled)
    for row in shuffled:
        site.decide(row)
    for one in RULES:
        for person in {row.identity_id for row in rows}:
            own = [row for row in rows if row.identity_id == person]
            found = visits(own, one, [LEFT_HALF])
            due = [v for v in found if one.when == "enters" or v.after(5 * 10**9) is not None]
            times = [a.time_ns for a in raised(site) if (a.identity_id, a.rule_id) == (person, one.rule_id)]
            told = [[t for t in times if v.begin_ns <= t <= v.end_ns] for v in found]
            assert sum(map(len, told)) == len(times)
            assert all(inside_of for v, inside_of in zip(found, told, strict=True) if v in due)


@given(stays(), st.randoms(use_true_random=False))
def test_visits_are_apart_and_the_same_in_any_order(rows: Any, random: Any) -> None:
    shuffled = [*rows, *rows]
    random.shuffle(shuffled)
    expected, found = visits(rows, RULES[0], [LEFT_HALF]), visits(shuffled, RULES[0], [LEFT_HALF])
    assert [(v.begin_ns, v.end_ns, v.first()) for v in found] == [(v.begin_ns, v.end_ns, v.first()) for v in expected]
    assert all(later.begin_ns - earlier.end_ns > JOIN_NS for earlier, later in pairwise(found))


POINTS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20)


@example([(0.0, 1.0)], [(0.0, 0.0), (0.0, 2.2e-311), (1.0, 0.0)])  # an edge so short that its slope is infinite
@given(POINTS, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=8))
def test_many_points_are_inside_of_a_polygon_as_each_is(points: Any, polygon: Any) -> None:
    found = inside(tuple(polygon), np.asarray(points, np.float64))
    assert found.tolist() == [covers(tuple(polygon), point) for point in points]
