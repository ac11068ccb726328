"""Which cameras never see one person at the same time."""

from dataclasses import replace

import pytest

from gallery.decision.coverage import MAX_PAIRS, NO_COVERAGE, Coverage, Meetings
from gallery.decision.decide import decide
from gallery.decision.ground import Cameras
from gallery.decision.rules import Rules
from gallery.decision.site import Site
from tests.gallery_tools import START, S, axis, tracklet

AB: Cameras = ("a", "b")


def met(*, alike: int, both: int, share: float = 0.1, pairs: int = 400) -> Coverage:
    """Return a coverage of two cameras: a share of all pairs is simultaneous, and `both` of the `alike` ones."""
    return NO_COVERAGE.observe({AB: Meetings(pairs, round(share * pairs), alike, both)})


@pytest.mark.parametrize(
    ("coverage", "disjoint"),
    [
        pytest.param(NO_COVERAGE, False, id="nothing is known"),
        pytest.param(met(alike=15, both=0), False, id="too few pairs to tell"),
        pytest.param(met(alike=40, both=0), True, id="one person is never in both"),
        pytest.param(met(alike=80, both=1), True, id="two who are hard to tell apart are"),
        pytest.param(met(alike=40, both=4), False, id="as often as chance: clocks differ, or they overlap a little"),
        pytest.param(met(alike=40, both=30), False, id="they see the same place"),
        pytest.param(met(alike=40, both=0, share=0.0), False, id="nobody at all is in both"),
    ],
)
def test_cameras_are_disjoint_when_one_person_is_not_in_both(coverage: Coverage, *, disjoint: bool) -> None:
    assert coverage.disjoint_from == ({"a": ("b",), "b": ("a",)} if disjoint else {})


def test_a_camera_that_was_moved_is_known_by_its_new_place_after_a_while() -> None:
    coverage = met(alike=100, both=0, pairs=1000)
    for _ in range(8):
        coverage = coverage.observe({AB: Meetings(1000, 100, 100, 100)})

    assert coverage.disjoint_from == {}
    assert coverage.of("a", "b").pairs == pytest.approx(MAX_PAIRS)


def test_pairs_compared_again_replace_fewer_ones_of_the_same_cameras_only() -> None:
    coverage = met(alike=40, both=0)

    assert coverage.observe_instead({AB: Meetings(1, 1, 1, 1)}) == coverage
    assert coverage.observe_instead({("a", "c"): Meetings(1, 1, 1, 1)}).of("a", "b") == coverage.of("a", "b")
    assert coverage.observe_instead({AB: Meetings(500, 500, 500, 500)}).of("b", "a").pairs == 500


def decided(coverage: Coverage) -> set[int | None]:
    """Return the identities of two tracklets that look alike, in two cameras at the same time."""
    site = Site("site", 0, 0, 1, coverage=coverage)
    for number, name in enumerate(("a/s/1.0/0", "b/s/1.0/0")):
        sent = tracklet(name, 0, 6 + number, axis(0))
        end_ns = START + (8 + number) * S
        site = decide(site, [sent], end_ns, Rules(match=0.0), lambda vectors, _: [set() for _ in vectors]).site
    return {row.identity_id for row in site.rows.values()}


def test_whoever_disjoint_cameras_see_at_one_time_is_two_people() -> None:
    assert decided(NO_COVERAGE) == {1}
    assert decided(met(alike=40, both=0)) == {1, 2}


def test_people_who_were_taken_for_one_are_told_apart_once_the_cameras_are_known_to_be_disjoint() -> None:
    together = [tracklet(f"{camera}/s/1.0/0", 0, 6, axis(0)) for camera in "ab"]
    later = [tracklet(f"{camera}/s/2.0/0", 20, 26, axis(0)) for camera in "ab"]
    site = Site("site", 0, 0, 1)
    for end_s, sent in ((8, together), (28, later[:1])):
        site = decide(site, sent, START + end_s * S, Rules(match=0.0), lambda vectors, _: [set() for _ in vectors]).site
        site = replace(site, coverage=met(alike=40, both=0))

    owners = {key: row.identity_id for key, row in site.rows.items()}
    assert owners["a/s/1.0/0"] != owners["b/s/1.0/0"]
