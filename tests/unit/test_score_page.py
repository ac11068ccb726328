"""The page of a score: complete, self-contained, and true to the figures."""

import re
from pathlib import Path

import pytest

from gallery.score import ScoreTable, score_site
from gallery.score.clock import Clock
from gallery.score.mot import NO_BOXES
from gallery.score.page import page, write_page
from gallery.score.page.matrix import MAX_PEOPLE as MAX_MATRIX
from gallery.score.page.timeline import MAX_PEOPLE
from tests.html_tools import Page
from tests.score_tools import TrackRow, boxes

Crowd = list[TrackRow]


def stand(person: int, first: int, last: int) -> Crowd:
    """Return rows of somebody who stands at a place of their own."""
    return [(frame, person, 100.0 * person, 0.0, 10.0, 20.0) for frame in range(first, last + 1)]


def under(number: int, rows: Crowd) -> Crowd:
    """Return the rows under another number."""
    return [(row[0], number, row[2], row[3], row[4], row[5]) for row in rows]


def confused(camera: str = "lobby") -> ScoreTable:
    """Return a site where number 7 shows person 1 all the time, and person 2 for the second half."""
    truth = stand(1, 1, 41) + stand(2, 1, 21) + stand(3, 1, 41)
    results = under(7, stand(1, 1, 41) + stand(2, 42, 61)) + under(8, stand(2, 1, 10))
    everybody = boxes(*truth, *stand(2, 42, 61))
    return score_site(
        {camera: everybody, "empty": NO_BOXES}, {camera: boxes(*results)}, Clock({camera: 10.0, "empty": 10.0})
    )


def crowd(people: int) -> ScoreTable:
    """Return a camera with people who are all shown under the number of their neighbour half of the time."""
    truth, results = [], []
    for person in range(1, people + 1):
        truth += stand(person, 1, 2)
        results += stand(person, 1, 1) + under(person % people + 1, stand(person, 2, 2))
    return score_site({"a": boxes(*truth)}, {"a": boxes(*results)})


def test_bars_lie_where_and_as_long_as_people_were_shown() -> None:
    text = page(confused())
    bars = re.findall(
        r'<i class="(own|other)" style="--h:\d+;--from:([\d.]+)%;--wide:([\d.]+)%" title="([^"]+)">', text
    )
    assert sorted(bars) == [
        ("other", "68.33", "31.67", "number 7, lobby 4.1-6.0 s, 20 boxes"),
        ("own", "0.00", "15.00", "number 8, lobby 0.0-0.9 s, 10 boxes"),
        ("own", "0.00", "66.67", "number 7, lobby 0.0-4.0 s, 41 boxes"),
    ]


def test_people_with_most_boxes_under_other_numbers_come_first() -> None:
    rows = re.findall(r'<article id="person-(\d+)">', page(confused()))
    assert rows[0] == "2"
    assert sorted(rows) == ["1", "2", "3"]


def test_the_matrix_has_the_share_of_each_number_and_of_what_was_missed() -> None:
    cells = re.findall(r'title="person (\d+) under number (\d+): (\d+) of (\d+) boxes">(\d+)<', page(confused()))
    assert cells == [("1", "7", "41", "41", "100"), ("2", "7", "20", "41", "49"), ("2", "8", "10", "41", "24")]
    assert "<tr><th>Person 3</th><td></td><td></td><td>100</td></tr>" in page(confused())


def test_a_person_0_and_a_number_0_have_rows_and_columns_like_all_others() -> None:
    results = stand(0, 1, 30) + under(1, stand(0, 31, 40)) + under(2, stand(1, 1, 40))
    text = page(score_site({"a": boxes(*stand(0, 1, 40), *stand(1, 1, 40))}, {"a": boxes(*results)}))
    cells = re.findall(r'title="person (\d+) under number (\d+): (\d+) of (\d+) boxes">', text)
    assert cells == [("0", "0", "30", "40"), ("0", "1", "10", "40"), ("1", "2", "40", "40")]
    assert re.findall(r'<article id="person-(\d+)">', text) == ["0", "1"]


def test_merges_and_splits_are_named() -> None:
    text = page(confused())
    assert "number 7 shows person 1 (lobby 0.0-4.0 s) and person 2 (lobby 4.1-6.0 s)" in text
    assert "person 2 has number 7 (lobby 4.1-6.0 s) and number 8 (lobby 0.0-0.9 s)" in text


def test_the_page_loads_nothing_external() -> None:
    text = page(confused())
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|@import|url\(|<script|<link", text)


@pytest.mark.parametrize("people", [1, 2, MAX_PEOPLE + 7])
def test_the_page_is_well_formed_with_any_number_of_people(people: int) -> None:
    assert Page(page(crowd(people))).open == []


def test_the_page_of_results_that_found_nobody_is_well_formed() -> None:
    text = page(score_site({"a": boxes(*stand(1, 1, 3))}, {}))
    assert Page(text).open == []
    assert "no number" in text


def test_a_crowd_ends_with_how_many_are_not_shown() -> None:
    text = page(crowd(MAX_PEOPLE + 7))
    assert text.count("<article") == MAX_PEOPLE
    assert "7 more people are not shown" in text
    left_out = MAX_PEOPLE + 7 - MAX_MATRIX
    assert f"{left_out} people and {left_out} numbers with fewer mistakes are left out" in text


def test_a_camera_name_cannot_become_markup() -> None:
    text = page(confused('<b a="'))
    assert '<b a="' not in text
    assert "&lt;b a=&quot;" in text


def test_a_page_is_replaced_atomically(tmp_path: Path) -> None:
    (tmp_path / "page.html" / "inside").mkdir(parents=True)  # it cannot be replaced
    with pytest.raises(OSError, match=r"page\.html"):
        write_page(confused(), tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
