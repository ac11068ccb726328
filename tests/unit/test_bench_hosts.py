"""What the run on many hosts counts: people and rows that differ, disturbances, alerts."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.bench.hosts.alarms import SHIPPED, called, spans
from tests.bench.hosts.disturbances import INSTANCES, KILLS, OTHERS, plan, service_of
from tests.bench.hosts.long import OUTAGES
from tests.bench.hosts.network import HOSTS
from tests.bench.hosts.people import People, compared, people_of, upgraded
from tests.bench.hosts.processes import SERVERS, SERVICES
from tests.docs_tools import ROOT

ANN, BOB = [("door", 1, "0,0,9,9"), ("hall", 7, "5,5,9,9")], [("door", 2, "3,3,9,9")]


@pytest.mark.parametrize(
    ("found", "counted"),
    [
        pytest.param({"7": ANN, "8": BOB}, {}, id="other numbers, the same people"),
        pytest.param({"1": ANN[:1], "2": BOB}, {"people_changed": 2, "rows_lost": 1}, id="a row is missing"),
        pytest.param({"1": [*ANN, ANN[0]], "2": BOB}, {"rows_twice": 1}, id="a row is counted twice for one"),
        pytest.param({"1": ANN, "2": [*BOB, ANN[0]]}, {"people_changed": 2, "rows_twice": 1}, id="and for two"),
        pytest.param(
            {"1": ANN, "2": [*BOB, ("door", 9, "1,1,2,2")]}, {"people_changed": 2, "rows_added": 1}, id="more"
        ),
        pytest.param({"1": ANN + BOB}, {"people_changed": 3}, id="two people are taken for one"),
    ],
)
def test_what_a_disturbance_changed_is_counted(found: People, counted: dict[str, int]) -> None:
    assert +compared({"1": ANN, "2": BOB}, found) == Counter(counted)


@pytest.mark.parametrize(
    ("found", "counted"),
    [
        pytest.param({"1": ANN, "2": BOB}, {"rows_of_both": 2}, id="all is there"),
        pytest.param({"1": [("door", 1, "1,0,9,9")], "2": BOB}, {"rows_of_both": 2}, id="a little beside it"),
        pytest.param({"1": ANN}, {"rows_of_both": 2, "rows_lost": 1}, id="one is lost"),
        pytest.param(
            {"1": ANN, "2": [*BOB, ("door", 2, "3,3,9,9.5")]}, {"rows_of_both": 2, "rows_twice": 1}, id="twice"
        ),
    ],
)
def test_an_upgrade_may_lose_and_repeat_nothing_of_what_both_versions_find(
    found: People, counted: dict[str, int]
) -> None:
    before, after = {"1": [("door", 1, "0,0,9,9"), *BOB]}, {"5": [*ANN[:1], ("door", 2, "3,3,8,9")]}
    assert +upgraded(before, after, found) == Counter(counted)


def test_people_are_read_without_what_names_the_round(tmp_path: Path) -> None:
    (tmp_path / "door-round3.txt").write_text("1,4,0,0,9,9,0.9,-1,-1,-1\n2,4,1,0,9,9,0.9,-1,-1,-1\n")
    assert people_of(tmp_path, "-round3") == {"4": [("door", 1, "0,0,9,9"), ("door", 2, "1,0,9,9")]}


def test_a_plan_has_every_kind_as_often_as_asked_for_in_an_order_that_a_seed_repeats() -> None:
    planned = plan(kills=5, others=2, rng=np.random.default_rng(1))
    assert Counter(planned) == {KILLS[0]: 3, KILLS[1]: 2, **dict.fromkeys(OTHERS, 2)}
    assert planned == plan(kills=5, others=2, rng=np.random.default_rng(1))
    assert plan(kills=0, others=0, rng=np.random.default_rng(1)) == []


def test_a_disturbance_is_felt_by_one_service_or_is_of_a_server() -> None:
    felt = {kind: service_of(kind) for kind in (*KILLS, *OTHERS)}
    assert felt == {
        "kill -9 worker": "worker",
        "kill -9 gallery": "gallery",
        "kill -9 ingest": "ingest",
        "worker cut from broker": "worker",
        "gallery cut from redis": "gallery",
        "broker restarts": "",
        "redis restarts": "",
        "redis fails over": "",
    }


def test_every_host_runs_something_and_every_instance_of_a_service_can_be_disturbed() -> None:
    assert set(SERVERS) | set(SERVICES) | {"camera"} == set(HOSTS)
    disturbed = {f"{service}-{number}" for service, count in INSTANCES.items() for number in range(1, count + 1)}
    assert disturbed == set(SERVICES) - {"api"}


def test_an_alert_is_named_by_what_it_is_about_and_lasts_from_its_first_to_its_last_sample() -> None:
    labels = {"alertname": "ClimbtrackServiceDown", "service": "gallery", "instance": "a:1", "severity": "critical"}
    (firing,) = spans([{"metric": labels, "values": [[100, "1"], [105, "1"], [140, "1"]]}])
    assert (firing.name, firing.first_s, firing.last_s) == ("ServiceDown gallery a:1", 100, 140)
    assert called({"alertname": "ClimbtrackDeadLetters", "topic": "frames"}) == "DeadLetters frames"


def test_every_outage_takes_known_hosts_away_and_waits_for_alerts_that_are_shipped() -> None:
    groups = yaml.safe_load((ROOT / SHIPPED / "rules.yml").read_text())["groups"]
    shipped = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    for outage in OUTAGES:
        assert set(outage.away) <= set(HOSTS)
        assert {f"Climbtrack{alert.partition(' ')[0]}" for alert in outage.alerts} <= shipped
