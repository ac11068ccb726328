"""Links between cameras, merges and splits, and open-set identification, on scenes small enough to count by hand."""

import pytest

from gallery.score import ScoreTable, score_site
from gallery.score.clock import Clock
from gallery.score.mot import NO_BOXES, Boxes
from gallery.score.words import in_words, merges_in_words, splits_in_words
from tests.score_tools import boxes

PLACES = {1: 0.0, 2: 100.0, 3: 200.0}  # where a person stands
Seen = tuple[str, int, int, int]  # camera, person, first and last frame
Told = tuple[str, int, int, int, int]  # and the number shown


def table(seen: list[Seen], told: list[Told], **rates: float) -> ScoreTable:
    """Return the score of a site where everybody stands still."""
    truth, results = {camera: NO_BOXES for camera, *_ in seen}, {camera: NO_BOXES for camera, *_ in told}
    for camera in truth:
        rows = [(n, who, PLACES[who], 0.0, 10.0, 20.0) for c, who, a, b in seen if c == camera for n in range(a, b + 1)]
        truth[camera] = boxes(*rows)
    for camera in results:
        results[camera] = _told(camera, told)
    return score_site(truth, results, Clock(rates))


def _told(camera: str, told: list[Told]) -> Boxes:
    rows = [(n, no, PLACES[who], 0.0, 10.0, 20.0) for c, who, a, b, no in told if c == camera for n in range(a, b + 1)]
    return boxes(*rows)


BOTH: list[Seen] = [("a", 1, 1, 10), ("b", 1, 11, 20), ("a", 2, 1, 10), ("b", 2, 11, 20)]


ONE: list[Told] = [("a", 1, 1, 10, 7), ("b", 1, 11, 20, 7)]  # person 1 keeps number 7


@pytest.mark.parametrize(
    ("told", "precision", "recall", "claimed"),
    [
        pytest.param([*ONE, ("a", 2, 1, 10, 8), ("b", 2, 11, 20, 8)], 1, 1, 2, id="all kept"),
        pytest.param([*ONE, ("a", 2, 1, 1, 8), ("b", 2, 19, 20, 8)], 1, 1, 2, id="kept, though mostly missed"),
        pytest.param([*ONE, ("a", 2, 1, 10, 8), ("b", 2, 11, 20, 9)], 1, 0.5, 1, id="a new number on the other"),
        pytest.param(
            [*ONE, ("a", 2, 1, 10, 8), ("b", 2, 11, 15, 8), ("b", 2, 16, 20, 9)], 1, 0.75, 2, id="changed late"
        ),
        pytest.param([*ONE, ("a", 2, 1, 10, 9), ("b", 3, 11, 11, 9)], 0.5, 0.5, 2, id="a number on nobody"),
        pytest.param(ONE, 1, 0.5, 1, id="one person never found"),
        pytest.param([("a", 1, 1, 10, 7), ("b", 2, 11, 20, 7)], 0, 0, 1, id="exchanged"),
        pytest.param([("a", 1, 1, 10, 7), ("b", 1, 11, 20, 9)], 0, 0, 0, id="none claimed"),
    ],
)
def test_links_between_two_cameras(told: list[Told], precision: float, recall: float, claimed: int) -> None:
    links = table(BOTH, told).links
    assert (links.precision, links.recall, links.true, links.claimed) == (precision, recall, 2, claimed)


def test_a_long_stay_counts_as_much_as_a_short_one() -> None:
    seen: list[Seen] = [("a", 1, 1, 1000), ("b", 1, 1, 1000), ("a", 2, 1, 2), ("b", 2, 3, 4)]
    told: list[Told] = [("a", 1, 1, 1000, 7), ("b", 1, 1, 1000, 7), ("a", 2, 1, 2, 8), ("b", 2, 3, 4, 9)]
    assert table(seen, told).links.recall == 0.5


def test_three_cameras_are_three_links_and_each_pair_has_its_own() -> None:
    seen: list[Seen] = [("a", 1, 1, 5), ("b", 1, 6, 9), ("c", 1, 10, 15)]
    scored = table(seen, [("a", 1, 1, 5, 7), ("b", 1, 6, 9, 7), ("c", 1, 10, 15, 8)])
    assert (scored.links.true, scored.links.precision) == (3, 1)
    assert scored.links.recall == pytest.approx(1 / 3)
    assert {pair: links.recall for pair, links in scored.camera_links.items()} == {
        ("a", "b"): 1.0,
        ("a", "c"): 0.0,
        ("b", "c"): 0.0,
    }


def test_one_camera_has_no_links() -> None:
    links = table([("a", 1, 1, 5)], [("a", 1, 1, 5, 7)]).links
    assert (links.precision, links.recall, links.true, links.claimed) == (None, None, 0, 0)


def test_a_number_that_shows_two_people_is_named_with_where_and_when() -> None:
    seen: list[Seen] = [("lobby", 2, 103, 141), ("office", 3, 32, 91)]
    scored = table(seen, [("lobby", 2, 103, 141, 4), ("office", 3, 32, 91, 4)], lobby=10.0, office=10.0)
    assert merges_in_words(scored) == [
        "1 number shows more than one person:",
        "number 4 shows person 3 (office 3.1-9.0 s) and person 2 (lobby 10.2-14.0 s)",
    ]
    assert splits_in_words(scored) == []
    assert [(one.id, one.wrong) for one in scored.merges] == [(4, 39)]


def test_a_person_with_two_numbers_is_named_in_frames_where_the_rate_is_unknown() -> None:
    scored = table([("a", 3, 1, 20)], [("a", 3, 1, 12, 5), ("a", 3, 13, 20, 9)])
    assert splits_in_words(scored) == [
        "1 person has more than one number:",
        "person 3 has number 5 (a frames 1-12) and number 9 (a frames 13-20)",
    ]
    assert scored.merges == ()


@pytest.mark.parametrize(
    ("gap", "spans"), [pytest.param(50, 1, id="the longest gap"), pytest.param(51, 2, id="a longer one")]
)
def test_a_gap_ends_a_visit(gap: int, spans: int) -> None:
    scored = table([("a", 1, 1, 10), ("a", 1, 10 + gap, 100)], [("a", 1, 1, 10, 7), ("a", 1, 10 + gap, 100, 7)])
    assert (len(scored.visits), len(scored.shown)) == (spans, spans)


# Person 1 is on camera a, then b, then a again; person 2 comes to b later.
VISITS: list[Seen] = [("a", 1, 1, 10), ("b", 1, 100, 110), ("a", 1, 200, 210), ("b", 2, 300, 310)]


@pytest.mark.parametrize(
    ("numbers", "missed", "mistaken"),
    [
        pytest.param([7, 7, 7, 8], 0, 0, id="right"),
        pytest.param([7, 8, 7, 9], 1, 0, id="not recognised once"),
        pytest.param([7, 8, 8, 9], 1, 0, id="then recognised under the new number"),
        pytest.param([7, 7, 7, 7], 0, 1, id="a stranger taken for somebody"),
        pytest.param([7, 8, 9, 10], 2, 0, id="never recognised"),
    ],
)
def test_visits_are_searches_among_everybody_seen_before(numbers: list[int], missed: int, mistaken: int) -> None:
    told = [(*seen, number) for seen, number in zip(VISITS, numbers, strict=True)]
    found = table(VISITS, told).identification
    assert (found.first, found.later, found.not_found) == (2, 2, 0)
    assert (found.false_negatives, found.false_positives) == (missed, mistaken)
    assert (found.fnir, found.fpir) == (missed / 2, mistaken / 2)


def test_somebody_shown_under_the_number_of_somebody_else_is_not_recognised() -> None:
    seen: list[Seen] = [("a", 1, 1, 10), ("a", 2, 1, 10), ("b", 1, 100, 110)]
    found = table(seen, [("a", 1, 1, 10, 7), ("a", 2, 1, 10, 8), ("b", 1, 100, 110, 8)]).identification
    assert (found.later, found.false_negatives) == (1, 1)


def test_visits_that_the_detector_missed_are_counted_apart() -> None:
    found = table(VISITS, [("a", 1, 1, 10, 7)]).identification
    assert (found.first, found.later, found.not_found, found.fnir, found.fpir) == (1, 0, 3, None, 0.0)


def test_words_say_what_the_figures_mean() -> None:
    told = [(*seen, number) for seen, number in zip(VISITS, [7, 8, 7, 7], strict=True)]
    said = " ".join(in_words(table(VISITS, told)))
    assert "Of 2 visits of people seen before, 1 was not recognised (FNIR 0.50)" in said
    assert "of 2 first visits, 1 was taken for somebody else (FPIR 0.50)" in said
    assert "Of 1 link between cameras (a person seen by two of them), 0.0% was made (recall)" in said
