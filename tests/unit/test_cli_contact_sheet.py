"""The page with a picture of everybody."""

import re
from base64 import b64decode
from datetime import UTC
from pathlib import Path

import pytest

from deploy.local.contact_sheet import MAX_PEOPLE, NAME, best_crops, contact_sheet, write_contact_sheet
from deploy.local.report import Person, Report, people_since
from deploy.local.watch import CameraTotals
from gallery.store.presence import Sighting
from gallery.store.store import Store
from tests.gallery_tools import CAMERAS, START, S, make_world, run_whole
from tests.html_tools import Page


@pytest.fixture(scope="module")
def store() -> Store:
    return run_whole(make_world(1)).store


@pytest.fixture(scope="module")
def report(store: Store) -> Report:
    return Report(people_since(store, 0, CAMERAS), dict.fromkeys(CAMERAS, CameraTotals()), 1.0)


def one(number: int, camera: str = "door", seconds: int = 0) -> Person:
    start = START + seconds * S
    return Person(number, (Sighting(camera, start, start + S, ("t",), live=False),), 1.0, start, {camera: "t"})


def test_everyone_has_a_picture_from_each_camera(store: Store, report: Report) -> None:
    page = Page(contact_sheet(report, best_crops(store, report)))
    pictures = page.values("src")
    assert len(pictures) == sum(len(person.cameras) for person in report.people) > 0
    assert {b64decode(picture.partition(",")[2]) for picture in pictures} == {b"jpeg"}
    assert len(page.values("alt")) == len(pictures)


def test_the_best_picture_of_a_camera_is_taken(store: Store, report: Report) -> None:
    for person in report.people:
        for camera, chosen in person.best.items():
            rows = store.tracklets([name for sighting in person.seen for name in sighting.tracklets])
            there = {row.tracklet.tracklet_id: row.tracklet.quality for row in rows if row.tracklet.camera_id == camera}
            assert there[chosen] == max(there.values())


def test_the_page_loads_nothing_external(store: Store, report: Report) -> None:
    text = contact_sheet(report, best_crops(store, report))
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|@import|url\(|<script|<link", text)


def test_the_page_is_well_formed_with_any_number_of_people(report: Report) -> None:
    for people in ((), report.people[:1], report.people):
        assert Page(contact_sheet(Report(people, report.cameras, 1.0), {})).open == []


def test_a_name_cannot_become_markup() -> None:
    text = contact_sheet(Report((one(1, '<b a="'),), {}, 1.0), {})
    assert '<b a="' not in text
    assert "&lt;b a=&quot;" in text


def test_a_crowd_ends_with_how_many_are_not_shown() -> None:
    people = tuple(one(number) for number in range(MAX_PEOPLE + 7))
    text = contact_sheet(Report(people, {}, 1.0), {})
    assert text.count("<article") == MAX_PEOPLE
    assert "7 more people are not shown" in text


def test_bars_lie_on_one_time_axis() -> None:
    text = contact_sheet(Report((one(1), one(2, seconds=3)), {}, 1.0), {}, UTC)
    assert re.findall(r"--from:([\d.]+)%;width:([\d.]+)%", text) == [("0.00", "25.00"), ("75.00", "25.00")]


def test_a_page_is_replaced_atomically(store: Store, report: Report, tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()  # it cannot be replaced
    (tmp_path / NAME / "x").touch()
    with pytest.raises(OSError, match=NAME):
        write_contact_sheet(store, report, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
