"""How many people were in areas and crossed lines, hour by hour, read from their tracks."""

import csv
import io
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from msgspec.structs import replace
from pyarrow import parquet

from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.errors import TooManyVisits
from gallery.store.memory import MemoryStore
from gallery.store.store import StoredTracklet
from gallery.zone_history import ZoneHistory, zone_histories
from gallery.zones.zone import Zone
from tests.alert_tools import LEFT_HALF, MIDDLE, WatchedSite, standing, walk
from tests.gallery_tools import START, S
from wire.memory import MemoryBus

UTC = ZoneInfo("UTC")
HOUR = 3600 * S
NIGHT = START - START % HOUR  # 800 seconds before `START`
TO_NEXT_HOUR_S = (NIGHT + HOUR - START) // S


def history(store: MemoryStore, *zones: Zone, hours: int = 2) -> list[ZoneHistory]:
    return zone_histories(store, zones, NIGHT, NIGHT + hours * HOUR - 1, "hour", UTC)


def site(*rows: StoredTracklet, hidden: Sequence[int] = ()) -> MemoryStore:
    """Return a store with these rows, and the people whom they show."""
    made = WatchedSite(zones=())
    for row in rows:
        made.decide(row, hidden=row.identity_id in hidden)
    return made.store


def test_an_area_has_its_people_how_long_they_stayed_and_how_many_were_there_at_once() -> None:
    store = site(
        standing("a/s/1.0/0", 0, 60),
        standing("a/s/2.0/0", 30, 90, owner=2),
        standing("a/s/3.0/0", 100, 110, owner=1),
        standing("a/s/4.0/0", 30, 90, x=0.75, owner=3),  # in the other half
    )
    (left,) = history(store, LEFT_HALF)
    assert (left.people, left.visits, left.seconds) == (2, 3, 60.0)
    first, second = left.periods
    assert (first.people, first.visits, first.most) == (2, 3, 2)
    assert first.average == pytest.approx((60 + 60 + 10) / 3600)
    assert (second.people, second.visits, second.most, second.average) == (0, 0, 0, 0.0)


def test_whoever_stays_over_the_hour_is_in_both_with_the_time_of_each() -> None:
    store = site(standing("a/s/1.0/0", TO_NEXT_HOUR_S - 30, TO_NEXT_HOUR_S + 60))
    (left,) = history(store, LEFT_HALF)
    assert [(one.people, one.visits, one.most) for one in left.periods] == [(1, 1, 1), (1, 1, 1)]
    assert [round(one.average * 3600) for one in left.periods] == [30, 60]
    assert (left.visits, left.seconds) == (1, 90.0)


def test_of_an_hour_that_goes_on_the_mean_is_of_the_time_so_far() -> None:
    store = site(standing("a/s/1.0/0", 0, 60))
    (left,) = zone_histories(store, [LEFT_HALF], START, START + 120 * S, "hour", UTC)
    assert [one.average for one in left.periods] == [pytest.approx(0.5)]


def test_a_line_is_crossed_in_two_directions_and_two_crossings_of_one_person_count_as_two() -> None:
    way = [(float(t), 0.1 + 0.08 * t, 0.9) for t in range(11)]
    back = [(20.0 + t, 0.9 - 0.08 * t, 0.9) for t in range(11)]
    store = site(walk("a/s/1.0/0", [*way, *back]), walk("a/s/2.0/0", way, 2))
    (line,) = history(store, MIDDLE, hours=1)
    (period,) = line.periods
    assert (period.people, period.visits, period.forward + period.backward) == (2, 3, 3)
    assert {period.forward, period.backward} == {1, 2}
    assert (line.seconds, period.most, period.average) == (0.0, 0, 0.0)


def test_hidden_people_and_those_of_whom_nobody_is_sure_do_not_count() -> None:
    store = site(standing("a/s/1.0/0", 0, 60), standing("a/s/2.0/0", 0, 60, owner=2), hidden=[2])
    (left,) = history(store, LEFT_HALF)
    assert left.people == 1


def test_too_many_tracks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gallery.zone_history.MAX_TRACKS", 1)
    store = site(standing("a/s/1.0/0", 0, 60), standing("a/s/2.0/0", 0, 60, owner=2))
    with pytest.raises(TooManyVisits):
        history(store, LEFT_HALF)


@pytest.fixture
def client() -> TestClient:
    store = site(standing("a/s/1.0/0", 0, 60))
    store.alerting.save_zone(replace(LEFT_HALF, name="=1+1"))
    store.alerting.save_zone(replace(MIDDLE, camera_id="b"))
    return TestClient(create_app(store, MemoryBus(), ApiSettings()), base_url="http://127.0.0.1")


ASKED = {"from": str(START // S), "to": str(START // S + 100)}


def test_the_api_tells_it_for_all_zones_or_those_of_a_camera_and_as_a_table(client: TestClient) -> None:
    found = client.get("/v1/zones/history", params=ASKED).json()
    told = [(one["zone_id"], one["people"], one["median_s"]) for one in found["zones"]]
    assert told == [("left", 1, 60.0), ("middle", 0, 0.0)]
    (period,) = found["zones"][0]["periods"]
    assert period.pop("start") == "2023-11-14T22:00:00+00:00"
    assert period == {"people": 1, "visits": 1, "average": 0.6, "most": 1, "forward": 0, "backward": 0}
    of_b = client.get("/v1/zones/history", params={**ASKED, "camera": "b"}).json()
    assert [one["zone_id"] for one in of_b["zones"]] == ["middle"]
    rows = list(csv.reader(io.StringIO(client.get("/v1/zones/history", params={**ASKED, "format": "csv"}).text)))
    assert rows[1][:6] == ["left", "'=1+1", "a", "area", "2023-11-14T22:00:00+00:00", "1"]
    file = client.get("/v1/zones/history", params={**ASKED, "format": "parquet"}).content
    table = parquet.read_table(io.BytesIO(file))
    assert table["average"].to_pylist() == [0.6, 0.0]
    assert table["start"].to_pylist()[0].isoformat() == "2023-11-14T22:00:00+00:00"


@pytest.mark.parametrize("wrong", [{"from": "0"}, {"zone": "Atlantis"}, {"by": "year"}, {"from": "2", "to": "1"}])
def test_what_cannot_be_told_is_refused(client: TestClient, wrong: dict[str, str]) -> None:
    assert client.get("/v1/zones/history", params=wrong).status_code == 422
