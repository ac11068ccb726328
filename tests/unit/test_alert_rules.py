"""What rules find: who came, left, stayed, crossed, returned, and how many were there."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from gallery.store.alerting import AlertQuery
from gallery.zones.hours import Hours
from gallery.zones.zone import Zone
from tests.alert_tools import LEFT_HALF, WatchedSite, rule, standing, walk
from tests.gallery_tools import START, S


def told(site: WatchedSite) -> list[tuple[int, float]]:
    """Return whom alerts were about, and the moments in seconds."""
    found = site.alerts.alerts(AlertQuery()).alerts
    return sorted((alert.identity_id, (alert.time_ns - START) / S) for alert in found)


def test_somebody_who_walks_into_a_zone_is_told_once_at_the_first_step_inside() -> None:
    site = WatchedSite(rule("enters", zones=("left",)))
    (alert,) = site.decide(walk("a/s/1.0/0", [(0, 0.9, 0.5), (1, 0.6, 0.5), (2, 0.4, 0.5), (3, 0.2, 0.5)]))
    assert (alert.identity_id, alert.time_ns, alert.place) == (1, START + 2 * S, "Left half")
    assert alert.reason == "entered Left half"
    assert site.decide(walk("a/s/1.0/0", [(2, 0.4, 0.5), (9, 0.2, 0.5)], revision=1)) == []


def test_the_feet_decide_where_somebody_is() -> None:
    floor = Zone(zone_id="f", name="Floor", camera_id="a", kind="area", points=((0, 0.8), (1, 0.8), (1, 1), (0, 1)))
    site = WatchedSite(rule(zones=("f",)), zones=[floor])
    assert site.decide(walk("a/s/1.0/0", [(0, 0.5, 0.79)], 1)) == []  # a head is lower in no picture than its feet
    assert len(site.decide(walk("a/s/2.0/0", [(0, 0.5, 0.81)], 2))) == 1


def test_feet_below_the_picture_are_at_its_edge() -> None:
    site = WatchedSite(rule(zones=("left",)))
    assert len(site.decide(walk("a/s/1.0/0", [(0, 0.25, 1.0)]))) == 1
    assert len(site.decide(walk("a/s/2.0/0", [(0, -0.1, 1.2)], 2))) == 1


def test_one_person_on_two_cameras_of_a_place_is_one_alert() -> None:
    other = Zone(zone_id="b", name="Other side", camera_id="b", kind="area", points=LEFT_HALF.points)
    site = WatchedSite(rule(zones=("left", "b")), zones=[LEFT_HALF, other])
    site.decide(standing("a/s/1.0/0", 0, 5))
    site.decide(standing("b/s/1.0/0", 3, 9))
    site.decide(standing("b/s/2.0/0", 20, 25))
    assert told(site) == [(1, 0.0)]
    site.decide(standing("a/s/3.0/0", 41, 45))
    assert told(site) == [(1, 0.0), (1, 41.0)]


def test_a_tracklet_without_an_identity_is_told_when_it_gets_one() -> None:
    site = WatchedSite(rule())
    assert site.decide(walk("a/s/1.0/0", [(0, 0.1, 0.5)], None)) == []
    assert len(site.decide(walk("a/s/1.0/0", [(0, 0.1, 0.5), (1, 0.1, 0.5)], 4, revision=1))) == 1


def test_boxes_of_an_unknown_picture_size_are_in_no_zone() -> None:
    site = WatchedSite(rule(zones=("left",)), rule(rule_id="camera", cameras=("a",)))
    row = standing("a/s/1.0/0", 0, 1)
    row = replace(row, tracklet=msgspec.structs.replace(row.tracklet, width=0, height=0))
    assert [alert.rule_id for alert in site.decide(row)] == ["camera"]


@pytest.mark.parametrize(
    ("direction", "steps", "expected"),
    [
        pytest.param("both", [(0, 0.4), (1, 0.6)], 1, id="either way"),
        pytest.param("forward", [(0, 0.4), (1, 0.6)], 0, id="against the direction"),
        pytest.param("forward", [(0, 0.6), (1, 0.4)], 1, id="in the direction"),
        pytest.param("backward", [(0, 0.4), (1, 0.6)], 1, id="backward"),
        pytest.param("both", [(0, 0.4), (1, 0.49)], 0, id="up to the line"),
        pytest.param("both", [(0, 0.4), (1, 0.6), (2, 0.4), (3, 0.6)], 1, id="to and fro"),
        pytest.param("both", [(0, 0.4), (1, 0.6), (9, 0.6), (17, 0.6), (18, 0.4)], 2, id="and back after a while"),
        pytest.param("both", [(0, 0.4), (5, 0.6)], 0, id="nobody knows the way between"),
    ],
)
def test_crossing_a_line(direction: Any, steps: list[tuple[float, float]], expected: int) -> None:
    site = WatchedSite(rule("crosses", zones=("middle",), direction=direction))
    found = site.decide(walk("a/s/1.0/0", [(second, x, 0.5) for second, x in steps]))
    assert len(found) == expected


def test_passing_beside_a_line_is_not_crossing_it() -> None:
    short = Zone(zone_id="gate", name="Gate", camera_id="a", kind="line", points=((0.5, 0.4), (0.5, 0.6)))
    site = WatchedSite(rule("crosses", zones=("gate",)), zones=[short])
    assert site.decide(walk("a/s/1.0/0", [(0, 0.4, 0.7), (1, 0.6, 0.7)])) == []
    assert len(site.decide(walk("a/s/2.0/0", [(0, 0.4, 0.5), (1, 0.6, 0.5)], 2))) == 1


def test_a_line_is_crossed_between_two_tracklets_of_one_person() -> None:
    site = WatchedSite(rule("crosses", zones=("middle",)))
    site.decide(walk("a/s/1.0/0", [(0, 0.3, 0.5), (1, 0.4, 0.5)]))
    assert len(site.decide(walk("a/s/1.0/1", [(2, 0.6, 0.5)]))) == 1


def test_a_stay_is_told_once_it_is_long_enough() -> None:
    site = WatchedSite(rule("stays", seconds=10, zones=("left",)))
    assert site.decide(standing("a/s/1.0/0", 0, 9)) == []
    (alert,) = site.decide(standing("a/s/1.0/0", 0, 12, revision=1))
    assert (alert.time_ns - START) / S == 10
    assert site.decide(standing("a/s/1.0/0", 0, 60, revision=2)) == []
    assert site.decide(standing("a/s/1.0/1", 61, 110)) == []
    assert len(site.decide(standing("a/s/2.0/0", 130, 150))) == 1


def test_a_clock_that_jumps_makes_no_stay() -> None:
    site = WatchedSite(rule("stays", seconds=600, cameras=("a",)))
    assert site.decide(walk("a/s/1.0/0", [(0, 0.1, 0.5), (1, 0.1, 0.5), (3600, 0.1, 0.5), (3601, 0.1, 0.5)])) == []


def test_somebody_has_left_once_the_camera_has_gone_on_without_them() -> None:
    site = WatchedSite(rule("leaves", zones=("left",)))
    site.reach("a", 4)
    site.decide(walk("a/s/1.0/0", [(0, 0.2, 0.5), (3, 0.4, 0.5), (4, 0.6, 0.5)]))
    assert site.reach("a", 12) == []
    (alert,) = site.reach("a", 19)
    assert ((alert.time_ns - START) / S, alert.reason) == (3, "left Left half")
    assert site.reach("a", 30) == []


def test_nobody_has_left_a_camera_that_shows_nothing() -> None:
    site = WatchedSite(rule("leaves", cameras=("a",)))
    site.reach("a", 4)
    site.decide(standing("a/s/1.0/0", 0, 4))
    site.now_s = 500
    assert site.watch.look_again() == []
    assert len(site.reach("a", 501)) == 1


def test_a_restart_does_not_forget_who_may_have_left() -> None:
    site = WatchedSite(rule("leaves", cameras=("a",)))
    site.reach("a", 4)
    heard = site.stored(standing("a/s/1.0/0", 0, 4))
    site.watch.hear([heard])
    assert site.watch.needed_from() == [heard.place]
    site.restart()
    site.watch.hear([heard])  # as it was not committed
    assert len(site.reach("a", 20)) == 1
    assert site.watch.needed_from() == []


def test_somebody_returns_after_an_absence_from_the_whole_site() -> None:
    site = WatchedSite(rule("returns", seconds=3600, cameras=("a",)))
    assert site.decide(standing("b/s/1.0/0", 0, 5)) == []
    assert site.decide(standing("a/s/1.0/0", 1000, 1005)) == []
    assert site.decide(standing("b/s/2.0/0", 4000, 4005)) == []
    assert site.decide(standing("a/s/2.0/0", 4010, 4015)) == []
    assert len(site.decide(standing("a/s/3.0/0", 9000, 9005))) == 1


def test_a_crowd_is_told_once_until_it_has_dispersed() -> None:
    site = WatchedSite(rule("count", people=1, zones=("left",)))
    assert site.decide(standing("a/s/1.0/0", 0, 10, owner=1)) == []
    (alert,) = site.decide(standing("a/s/2.0/0", 5, 10, owner=2))
    assert ((alert.time_ns - START) / S, alert.identity_id, alert.count) == (5, 0, 2)
    assert site.decide(standing("a/s/3.0/0", 6, 10, owner=3)) == []
    assert site.decide(standing("a/s/1.0/0", 0, 40, owner=1, revision=1)) == []
    assert len(site.decide(standing("a/s/4.0/0", 39, 40, owner=4))) == 1


def test_one_person_on_two_cameras_is_no_crowd() -> None:
    site = WatchedSite(rule("count", people=1))
    assert site.decide(standing("a/s/1.0/0", 0, 10, owner=1), standing("b/s/1.0/0", 0, 10, owner=1)) == []


@pytest.mark.parametrize(
    ("who", "person", "expected"),
    [
        pytest.param({"who": "named"}, {"name": "Ann"}, 1, id="a named person"),
        pytest.param({"who": "named"}, {}, 0, id="nobody has a name yet"),
        pytest.param({"who": "unnamed"}, {"name": "Ann"}, 0, id="not a stranger"),
        pytest.param({"who": "new"}, {}, 1, id="new"),
        pytest.param({"identities": (1,)}, {}, 1, id="this one"),
        pytest.param({"identities": (2,)}, {}, 0, id="somebody else"),
        pytest.param({"identities": (7,)}, {"previous_ids": (7,)}, 1, id="by a former number"),
        pytest.param({}, {"hidden": True}, 0, id="hidden"),
        pytest.param({"identities": (1,)}, {"hidden": True}, 1, id="hidden, but asked for"),
    ],
)
def test_a_rule_is_about_some_people(who: dict[str, Any], person: dict[str, Any], expected: int) -> None:
    site = WatchedSite(rule(**who))
    assert len(site.decide(standing("a/s/1.0/0", 0, 1), **person)) == expected


def test_a_new_person_is_told_once_however_often_they_come() -> None:
    site = WatchedSite(rule(who="new", zones=("left",)))
    assert len(site.decide(standing("a/s/1.0/0", 0, 5))) == 1
    assert site.decide(standing("a/s/2.0/0", 100, 105)) == []
    assert site.decide(standing("a/s/3.0/0", 5000, 5005, owner=2), first_ns=START) == []


def test_people_who_turn_out_to_be_one_are_not_told_twice() -> None:
    site = WatchedSite(rule(cameras=("a",)))
    site.decide(standing("a/s/1.0/0", 0, 10, owner=1))
    site.decide(standing("a/s/2.0/0", 12, 20, owner=2))
    assert told(site) == [(1, 0.0), (2, 12.0)]
    assert site.merge(2, into=1) == []
    assert site.decide(standing("a/s/2.0/0", 12, 30, owner=1, revision=1)) == []


def test_a_tracklet_given_to_somebody_else_is_not_told_again() -> None:
    site = WatchedSite(rule(cameras=("a",)))
    site.decide(standing("a/s/1.0/0", 0, 10, owner=1))
    assert site.decide(standing("a/s/1.0/0", 0, 14, owner=2, revision=1)) == []


def test_who_is_erased_leaves_no_alert() -> None:
    site = WatchedSite(rule())
    site.decide(standing("a/s/1.0/0", 0, 10, owner=1), standing("a/s/2.0/0", 0, 10, owner=2))
    site.watch.hear([site.event("erased", 1, previous=(5,))])
    assert [number for number, _ in told(site)] == [2]


NIGHT = Hours(begin="22:00", end="06:00", time_zone="Europe/Vienna")  # START is 23:13:20 there


def test_a_rule_applies_in_its_hours_only() -> None:
    day = Hours(begin="06:00", end="22:00", time_zone="Europe/Vienna")
    site = WatchedSite(rule(rule_id="night", active=NIGHT), rule(rule_id="day", active=day))
    assert [alert.rule_id for alert in site.decide(standing("a/s/1.0/0", 0, 10))] == ["night"]


def test_alerts_of_quiet_hours_are_kept_and_not_sent() -> None:
    site = WatchedSite(rule(rule_id="loud", outputs=("shop",)), rule(rule_id="still", quiet=NIGHT, outputs=("shop",)))
    site.decide(standing("a/s/1.0/0", 0, 10))
    assert len(told(site)) == 2
    assert [one.alert.rule_id for one in site.alerts.deliveries()] == ["loud"]


def test_a_rule_that_is_switched_off_finds_nothing() -> None:
    assert WatchedSite(rule(enabled=False)).decide(standing("a/s/1.0/0", 0, 10)) == []


def test_a_late_tracklet_that_joins_two_visits_adds_none() -> None:
    site = WatchedSite(rule(cameras=("a",)))
    site.decide(standing("a/s/1.0/0", 0, 10))
    site.decide(standing("a/s/3.0/0", 40, 50))
    assert site.decide(standing("a/s/2.0/0", 12, 38)) == []
    assert told(site) == [(1, 0.0), (1, 40.0)]
