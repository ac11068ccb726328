"""Who was where and how long: visits, what they add up to, and how they are downloaded."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet

from gallery import visits
from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.errors import TooManyVisits
from gallery.export import write_mot
from gallery.store.memory import MemoryStore
from gallery.store.store import Identity
from gallery.visits import Visit, cameras, people_of, periods, visits_of, ways
from tests.gallery_tools import START, Gallery, S, axis, progress, tracklet
from tests.words_tools import several_people
from wire.memory import MemoryBus
from wire.messages import AnyMessage

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600 * S


def person(number: int, *, hidden: bool = False) -> Identity:
    return Identity(number, 0, 1, ("a",), 1, hidden=hidden)


def visit(number: int, camera: str, first_s: float, last_s: float, *, live: bool = False, new: bool = False) -> Visit:
    return Visit(person(number), camera, int(first_s * S), int(last_s * S), live, 1, new)


def at(text: str, zone: ZoneInfo) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * S


def test_somebody_who_stays_over_the_hour_counts_in_both_and_is_new_in_the_first() -> None:
    found = periods([visit(1, "a", 3500, 3700, new=True), visit(2, "a", 3700, 3800)], 0, 2 * HOUR - 1, "hour", UTC)
    assert [(one.people, one.new, one.visits) for one in found] == [(1, 1, 1), (2, 0, 2)]


def test_somebody_who_comes_back_is_one_person_with_two_visits() -> None:
    (found,) = periods([visit(1, "a", 10, 20), visit(1, "b", 30, 40)], 0, 100 * S, "hour", UTC)
    assert (found.people, found.visits) == (1, 2)


def test_hours_without_anybody_are_there_too() -> None:
    assert [one.people for one in periods([visit(1, "a", 7300, 7400)], 0, 4 * HOUR - 1, "hour", UTC)] == [0, 0, 1, 0]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-06-01", 24), ("2026-10-25", 25)])
def test_a_day_on_which_clocks_change_has_its_own_number_of_hours(day: str, hours: int) -> None:
    first, last = at(day, BERLIN), at(day, BERLIN) + hours * HOUR - 1
    assert len(periods([], first, last, "hour", BERLIN)) == hours
    assert [one.start.isoformat()[:10] for one in periods([], first, last, "day", BERLIN)] == [day]


def test_days_begin_at_midnight_of_the_zone() -> None:
    begin, end = at("2026-10-24T12:00", BERLIN), at("2026-10-26T12:00", BERLIN)
    found = periods([], begin, end, "day", BERLIN)
    assert [one.start.isoformat() for one in found] == [
        "2026-10-24T00:00:00+02:00",
        "2026-10-25T00:00:00+02:00",
        "2026-10-26T00:00:00+01:00",
    ]


def test_each_camera_has_its_people_and_how_long_they_stayed() -> None:
    stays = [visit(n, "a", 0, n) for n in range(1, 12)]
    (a, b) = cameras([*stays, visit(1, "b", 100, 105, live=True), visit(1, "b", 110, 111)])
    assert (a.camera_id, a.people, a.visits, a.seconds, a.now) == ("a", 11, 11, (6.0, 10.0), 0)
    assert (b.people, b.visits, b.now) == (1, 2, 1)


def test_ways_are_between_one_camera_and_the_next_and_not_after_half_an_hour() -> None:
    gone = [visit(1, "a", 0, 10), visit(1, "b", 15, 20), visit(1, "a", 26, 30), visit(1, "a", 40, 50)]
    other = [visit(2, "a", 0, 10), visit(2, "b", 13, 20), visit(2, "c", 1900, 1910)]
    overlapping = [visit(3, "b", 0, 10), visit(3, "a", 5, 12)]
    found = ways([*gone, *other, *overlapping])
    assert [(one.origin, one.destination, one.times, one.seconds) for one in found] == [
        ("a", "b", 2, 4.0),
        ("b", "a", 2, 3.0),
    ]


@pytest.fixture
def store() -> MemoryStore:
    """Return a store with three people: 1, 2 and 3, each on cameras a and b."""
    store = several_people().store
    assert isinstance(store, MemoryStore)
    return store


def test_tracks_of_one_presence_are_one_visit_cut_to_the_time(store: MemoryStore) -> None:
    everything = visits_of(store, 0, 2**62)
    assert people_of(everything) == 3
    assert {one.camera_id for one in everything} == {"a", "b"}
    first = everything[0]
    middle = (first.first_ns + first.last_ns) // 2
    (cut, *_) = visits_of(store, middle, 2**62, first.camera_id)
    assert (cut.person.number, cut.first_ns, cut.last_ns) == (first.person.number, middle, first.last_ns)
    assert (first.new, cut.new) == (True, True)
    assert visits_of(store, 0, first.first_ns - 1) == []


def test_a_time_with_too_many_tracks_is_refused(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits, "MAX_TRACKS", 2)
    with pytest.raises(TooManyVisits, match="more than 2 tracks"):
        visits_of(store, 0, 2**62)


@pytest.fixture
def client(store: MemoryStore) -> Iterator[TestClient]:
    bus = MemoryBus()
    with TestClient(create_app(store, bus, ApiSettings())) as client:
        yield client
    bus.close()


ALL = {"from": "2020-01-01", "to": "2026-12-31"}


def test_visits_are_the_same_in_every_format(client: TestClient) -> None:
    listed = client.get("/v1/visits", params=ALL).json()["visits"]
    assert len(listed) >= 6
    lines = client.get("/v1/visits", params={**ALL, "format": "jsonl"})
    assert [json.loads(line) for line in lines.text.splitlines()] == listed
    assert lines.headers["content-type"] == "application/x-ndjson"
    table = client.get("/v1/visits", params={**ALL, "format": "csv"})
    assert "visits.csv" in table.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [{key: str(value) for key, value in one.items()} for one in listed] == rows


def test_the_boxes_of_a_camera_are_what_a_run_writes(client: TestClient, store: MemoryStore, tmp_path: Path) -> None:
    write_mot(store, tmp_path)

    answer = client.get("/v1/cameras/a/mot", params=ALL)

    assert answer.text == (tmp_path / "a.txt").read_text()
    assert answer.headers["content-type"].startswith("text/plain")
    assert "a.txt" in answer.headers["content-disposition"]
    assert client.get("/v1/cameras/nobody/mot", params=ALL).text == ""


def test_a_parquet_file_holds_what_the_table_holds(client: TestClient) -> None:
    rows = list(csv.DictReader(io.StringIO(client.get("/v1/visits", params={**ALL, "format": "csv"}).text)))
    answer = client.get("/v1/visits", params={**ALL, "format": "parquet"})
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert "visits.parquet" in answer.headers["content-disposition"]

    found = parquet.read_table(io.BytesIO(answer.content)).to_pylist()

    times = [{key: one[key].isoformat(timespec="milliseconds") for key in ("first", "last")} for one in found]
    texts = [{**one, **time} for one, time in zip(found, times, strict=True)]
    assert [{key: str(value).replace("+00:00", "Z") for key, value in one.items()} for one in texts] == rows


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)", 'a "quoted", name'])
def test_a_name_is_never_a_formula_of_a_spreadsheet(name: str) -> None:
    site = several_people()
    site.say("name", identity_id=1, name=name)
    with TestClient(create_app(site.store, MemoryBus(), ApiSettings())) as client:
        rows = list(csv.DictReader(io.StringIO(client.get("/v1/visits", params={**ALL, "format": "csv"}).text)))
    (found,) = {row["name"] for row in rows if row["identity"] == "1"}
    assert found == (name if name.startswith("a") else f"'{name}")


def test_statistics_add_visits_up(client: TestClient) -> None:
    found = client.get("/v1/statistics", params={**ALL, "by": "day"}).json()["detail"]
    assert "more than 1000 periods" in found
    day = datetime.fromtimestamp(START / S, UTC).date().isoformat()
    found = client.get("/v1/statistics", params={"from": day, "to": f"{day}T23:59:59", "zone": "UTC"}).json()
    listed = client.get("/v1/visits", params=ALL).json()["visits"]
    assert (found["people"], found["visits"], found["new"]) == (3, len(listed), sum(one["new"] for one in listed))
    assert sum(one["people"] for one in found["periods"]) >= 3
    assert len(found["periods"]) == 24
    assert [one["camera_id"] for one in found["cameras"]] == ["a", "b"]
    assert sum(one["visits"] for one in found["cameras"]) == len(listed)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"from": "2026-01-02", "to": "2026-01-01"}, "later than to"),
        ({"zone": "Mars/Olympus"}, "time zone"),
        ({"zone": "../../etc/passwd"}, "time zone"),
        ({"by": "minute"}, "hour"),
        ({"from": "2000-01-01"}, "periods"),
    ],
)
def test_what_cannot_be_counted_is_refused_in_words(client: TestClient, query: dict[str, str], told: str) -> None:
    answer = client.get("/v1/statistics", params=query)
    assert answer.status_code == 422
    assert told in answer.json()["detail"]


def test_a_visit_of_tracks_without_a_gap_is_one() -> None:
    walks: list[AnyMessage] = [
        tracklet("a/s/1.0/0", 0, 4, axis(0)),
        tracklet("a/s/2.0/0", 5, 9, axis(0)),
        progress("a", 60, ended=True),
    ]
    gallery = Gallery(MemoryStore("site"), walks)
    gallery.run(len(walks))
    (found,) = visits_of(gallery.store, 0, 2**62)
    assert (found.tracklets, found.seconds, found.new) == (2, 9.0, True)
