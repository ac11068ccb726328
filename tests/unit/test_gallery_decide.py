"""Decisions about windows of tracklets, one scenario per test."""

from collections.abc import Sequence
from dataclasses import replace as changed
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from gallery.decision.decide import MAX_FRAGMENTS, decide
from gallery.decision.events import version_of
from gallery.decision.grouping import grouped
from gallery.decision.rules import Rules
from gallery.decision.site import Site, orphans_of, site_of
from gallery.decision.together import together
from gallery.store.memory import MemoryStore
from gallery.store.store import Write
from tests.gallery_tools import START, S, axis, tracklet, unit
from wire.messages import Tracklet
from wire.similarity import SimilarityPrior

RULES = Rules(match=0.0)
GLIMPSES = Rules(match=0.0, min_alone_ns=S)


class Decider:
    """Decides window after window, in memory."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.site = Site("site", 0, 0, 1)
        self.writes: list[Write] = []

    def window(self, end_s: float, *updates: Tracklet) -> list[str]:
        """Decide a window and return its events as `kind number`."""
        everybody = set(self.site.identities)
        decision = decide(
            self.site, updates, START + int(end_s * S), self.rules, lambda vectors, _: [everybody] * len(vectors)
        )
        self.site = decision.site
        self.writes.append(decision.write)
        return [f"{event.kind} {event.identity_id}" for event in decision.write.events]

    def owners(self) -> dict[str, int | None]:
        return {key: row.identity_id for key, row in self.site.rows.items()}


def between(one: int, other: int, share: float) -> NDArray[np.float64]:
    """Return an embedding with a cosine of `share` to one person, and the rest to another."""
    return share * axis(one) + float(np.sqrt(1 - share**2)) * axis(other)


def test_a_new_person_gets_a_number_and_is_recognised_in_another_camera() -> None:
    decider = Decider()

    assert decider.window(5, tracklet("a/s/1.0/0", 0, 4)) == ["created 1"]
    assert decider.window(9, tracklet("b/s/1.0/0", 5, 8, between(0, 5, 0.9))) == ["matched 1"]
    assert decider.window(15, tracklet("b/s/2.0/0", 10, 14, axis(1))) == ["created 2"]
    assert decider.site.identities[1].cameras == ("a", "b")


def test_a_glimpse_creates_nobody_and_waits_until_somebody_like_that_is_seen_again() -> None:
    decider = Decider(GLIMPSES)

    assert decider.window(2, tracklet("a/s/1.0/0", 0, 0.5)) == []
    assert decider.window(9, tracklet("b/s/1.0/0", 5, 8, between(0, 5, 0.9))) == ["created 1", "matched 1"]
    assert decider.owners() == {"a/s/1.0/0": 1, "b/s/1.0/0": 1}


def test_all_events_of_a_decision_name_its_version_and_those_of_another_decision_another_one() -> None:
    decider = Decider(GLIMPSES)

    decider.window(2, tracklet("a/s/1.0/0", 0, 0.5))
    decider.window(9, tracklet("b/s/1.0/0", 5, 8, between(0, 5, 0.9)))
    decider.window(13, tracklet("b/s/1.0/0", 5, 12, between(0, 5, 0.9), revision=1))

    versions = [[version_of(event.event_id) for event in write.events] for write in decider.writes]
    assert versions == [[], [1, 1], [2]]


@pytest.mark.parametrize(
    ("lasts_s", "quality", "closed", "events"),
    [
        (1.6, 0.8, True, ["created 2"]),
        (1.6, 0.6, True, []),
        (1.6, 0.6, False, ["created 2"]),
        (1.6, 0.3, False, []),
        (4.0, 0.3, True, ["created 2"]),
    ],
)
def test_who_may_be_somebody_just_lost_must_be_seen_longer_the_worse_they_are_seen(
    lasts_s: float, quality: float, closed: bool, events: list[str]
) -> None:
    decider = Decider(GLIMPSES)
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(1)))

    seen = tracklet("a/s/2.0/0", 6, 6 + lasts_s, quality=quality, closed=closed)

    assert decider.window(11, seen) == events


def test_who_cannot_be_somebody_lost_is_new_however_badly_they_are_seen() -> None:
    decider = Decider(GLIMPSES)
    # When the first of a site is seen, somebody beside them, somebody by another camera, and somebody much later
    assert decider.window(3, tracklet("a/s/1.0/0", 0, 2, axis(0), quality=0.3)) == ["created 1"]
    assert decider.window(4, tracklet("a/s/2.0/0", 0.2, 2, axis(1), quality=0.3)) == ["created 2"]
    assert decider.window(6, tracklet("b/s/1.0/0", 3, 5, axis(2), quality=0.3)) == ["created 3"]
    assert decider.window(12, tracklet("a/s/3.0/0", 9, 11, axis(3), quality=0.3)) == ["created 4"]


def test_a_second_glimpse_is_enough_but_one_of_somebody_else_is_not() -> None:
    decider = Decider(GLIMPSES)

    decider.window(2, tracklet("a/s/1.0/0", 0, 0.5))
    assert decider.window(4, tracklet("b/s/1.0/0", 3, 3.5, axis(1))) == []
    assert decider.window(6, tracklet("b/s/2.0/0", 5, 5.5, between(0, 5, 0.9))) == ["created 1", "matched 1"]
    assert decider.owners()["b/s/1.0/0"] is None


def test_a_glimpse_of_somebody_known_is_theirs_at_once() -> None:
    decider = Decider(GLIMPSES)

    decider.window(5, tracklet("a/s/1.0/0", 0, 4))
    assert decider.window(9, tracklet("b/s/1.0/0", 7, 7.5, between(0, 5, 0.9))) == ["matched 1"]


def test_one_new_person_in_three_cameras_at_once_becomes_one_identity() -> None:
    decider = Decider()

    events = decider.window(5, *(tracklet(f"{c}/s/1.0/0", 0, 4, between(0, i, 0.9)) for i, c in enumerate("abc", 1)))

    assert events == ["created 1", "matched 1", "matched 1"]


def test_two_people_in_one_camera_are_never_one_however_similar() -> None:
    decider = Decider()

    decider.window(5, tracklet("a/s/1.0/0", 0, 4), tracklet("a/s/2.0/0", 1, 3))

    assert sorted(filter(None, decider.owners().values())) == [1, 2]


def test_a_window_is_assigned_as_a_whole_not_first_come_first_served() -> None:
    decider = Decider()
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0)), tracklet("a/s/2.0/0", 0, 4, axis(1)))
    both = unit(axis(0) * 0.75 + axis(1) * 0.66)  # likes 1 best, but is the only one that may be 2
    one = unit(axis(0) * 0.8 + axis(1) * 0.1 + axis(7) * 0.4)

    decider.window(10, tracklet("b/s/1.0/0", 6, 9, both), tracklet("b/s/2.0/0", 6, 9, one))

    assert decider.owners()["b/s/1.0/0"] == decider.owners()["a/s/2.0/0"]
    assert decider.owners()["b/s/2.0/0"] == decider.owners()["a/s/1.0/0"]


def test_the_next_part_of_a_track_is_the_same_person_whatever_it_looks_like() -> None:
    decider = Decider()
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0)))

    assert decider.window(10, tracklet("a/s/1.0/1", 4.2, 9, axis(3))) == ["matched 1"]


def test_too_little_evidence_stays_pending_until_it_closes() -> None:
    decider = Decider()
    poor = {"quality": 0.15, "look": axis(0)}

    assert decider.window(3, tracklet("a/s/1.0/0", 0, 2, closed=False, **poor)) == []  # type: ignore[arg-type]
    assert decider.owners() == {"a/s/1.0/0": None}
    assert decider.window(6, tracklet("a/s/1.0/0", 0, 5, revision=1, **poor)) == ["created 1"]  # type: ignore[arg-type]


def test_a_barely_visible_person_gets_no_identity_even_when_the_track_closes() -> None:
    decider = Decider()

    assert decider.window(6, tracklet("a/s/1.0/0", 0, 5, quality=0.05)) == []
    assert decider.owners() == {"a/s/1.0/0": None}


def test_a_very_short_track_creates_no_identity() -> None:
    decider = Decider()

    assert decider.window(3, tracklet("a/s/1.0/0", 2, 2)) == []
    assert decider.owners() == {"a/s/1.0/0": None}


def test_a_match_waits_while_the_person_may_still_be_visible_elsewhere_in_the_camera() -> None:
    decider = Decider()
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, closed=False))

    assert decider.window(8, tracklet("a/s/2.0/0", 5, 7, closed=False)) == []
    events = decider.window(9, tracklet("a/s/1.0/0", 0, 4, revision=1), tracklet("a/s/2.0/0", 5, 8, revision=1))

    assert "matched 1" in events
    assert decider.owners() == {"a/s/1.0/0": 1, "a/s/2.0/0": 1}


def test_a_pending_tracklet_is_decided_when_what_it_waited_for_is_known() -> None:
    decider = Decider()
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, closed=False))
    decider.window(8, tracklet("a/s/2.0/0", 5, 7))

    events = decider.window(9, tracklet("a/s/1.0/0", 0, 4, revision=1))

    assert events == ["matched 1", "updated 1"]
    assert decider.writes[-1].moved == {"a/s/2.0/0": 1}


def test_identities_that_turn_out_to_be_one_are_merged_into_the_lower_number() -> None:
    decider = Decider()
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0), closed=False))
    decider.window(9, tracklet("b/s/1.0/0", 5, 8, between(1, 0, 0.99), closed=False))
    assert sorted(decider.site.identities) == [1, 2]

    events = decider.window(12, tracklet("b/s/1.0/0", 5, 11, between(0, 1, 0.95), revision=1))

    assert "merged 1" in events
    assert decider.site.identities[1].previous_ids == (2,)
    assert decider.owners() == {"a/s/1.0/0": 1, "b/s/1.0/0": 1}
    assert decider.writes[-1].merged == {2: 1}
    (merge,) = (event for event in decider.writes[-1].events if event.kind == "merged")
    assert 0.8 < merge.probability < 1
    assert merge.reason == f"2 and 1 look like one person (probability {merge.probability:.3f})"


def test_a_stranger_who_keeps_one_person_apart_is_evicted_and_the_halves_become_one() -> None:
    decider = Decider()
    # Given a person of whom camera b knows one half, with a stranger of camera a in it by mistake
    decider.window(5, tracklet("b/s/1.0/0", 0, 4), tracklet("a/s/9.0/0", 0, 12, between(0, 5, 0.35)))
    # and whose other half is seen beside that stranger, at first unlike himself
    decider.window(13, tracklet("a/s/8.0/0", 5, 12, axis(3), closed=False))
    assert decider.owners() == {"b/s/1.0/0": 1, "a/s/9.0/0": 1, "a/s/8.0/0": 2}
    # When he shows his face
    events = decider.window(16, tracklet("a/s/8.0/0", 5, 15, revision=1))
    # Then he is one person, and the stranger another one at once
    assert decider.owners() == {"b/s/1.0/0": 1, "a/s/9.0/0": 3, "a/s/8.0/0": 1}
    assert events == ["merged 1", "split 3"]
    assert decider.writes[-1].moved == {"a/s/9.0/0": 3}
    assert {number: known.tracklets for number, known in decider.site.identities.items()} == {1: 2, 3: 1}


def test_an_evicted_stranger_gets_the_right_identity() -> None:
    decider = Decider()
    stranger = unit(0.35 * axis(0) + 0.45 * axis(5) + 0.82 * axis(6))
    decider.window(5, tracklet("b/s/1.0/0", 0, 4), tracklet("a/s/9.0/0", 0, 12, stranger))
    decider.window(13, tracklet("a/s/8.0/0", 5, 12, axis(3), closed=False), tracklet("c/s/1.0/0", 8, 12, axis(5)))
    assert sorted(decider.site.identities) == [1, 2, 3]

    decider.window(16, tracklet("a/s/8.0/0", 5, 15, revision=1))

    assert decider.owners() == {"b/s/1.0/0": 1, "a/s/8.0/0": 1, "a/s/9.0/0": 3, "c/s/1.0/0": 3}


def test_the_tracklets_of_a_whole_identity_are_not_strangers_in_it() -> None:
    decider = Decider()
    decider.window(9, tracklet("a/s/9.0/0", 0, 8, between(0, 5, 0.45)), tracklet("a/s/8.0/0", 0, 8))
    before = decider.owners()

    decider.window(14, tracklet("b/s/1.0/0", 9, 13))

    assert decider.owners() == {**before, "b/s/1.0/0": before["a/s/8.0/0"]}


def test_the_legs_of_two_people_who_crossed_are_told_apart_by_appearance() -> None:
    decider = Decider()
    decider.window(6, tracklet("a/s/1.0/0", 0, 5, axis(0)), tracklet("a/s/2.0/0", 0, 5, axis(1)))

    decider.window(12, tracklet("a/s/1.1/0", 5.2, 11, axis(1)), tracklet("a/s/2.1/0", 5.2, 11, axis(0)))

    owners = decider.owners()
    assert owners["a/s/1.1/0"] == owners["a/s/2.0/0"] != owners["a/s/1.0/0"] == owners["a/s/2.1/0"]


def test_people_who_were_seen_together_are_never_merged_even_after_their_rows_are_forgotten() -> None:
    decider = Decider(Rules(match=0.0, horizon_ns=60 * S))
    decider.window(5, tracklet("a/s/1.0/0", 0, 4), tracklet("a/s/2.0/0", 0, 4, between(0, 1, 0.99)))
    decider.window(200, tracklet("b/s/1.0/0", 190, 199, axis(9)))
    decider.window(300, tracklet("b/s/2.0/0", 290, 299), tracklet("b/s/3.0/0", 290, 299, between(0, 1, 0.99)))

    assert sorted(decider.site.identities) == [1, 2, 3]
    assert decider.site.identities[1].apart == (2,)


def test_a_tracklet_that_clearly_belongs_elsewhere_moves_and_does_not_flap() -> None:
    decider = Decider()
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0)), tracklet("a/s/2.0/0", 0, 4, axis(1)))
    decider.window(10, tracklet("b/s/1.0/0", 6, 9, between(0, 1, 0.8), closed=False))
    assert decider.owners()["b/s/1.0/0"] == 1

    events = decider.window(13, tracklet("b/s/1.0/0", 6, 12, between(1, 0, 0.99), closed=False, revision=1))
    again = decider.window(16, tracklet("b/s/1.0/0", 6, 15, between(1, 0, 0.8), closed=False, revision=2))

    assert events == ["split 2"]
    assert again == ["updated 2"]
    assert decider.site.identities[1].cameras == ("a",)


def test_of_two_tracklets_found_to_overlap_the_later_one_leaves() -> None:
    decider = Decider()
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, closed=False))
    decider.window(30, tracklet("a/s/2.0/0", 20, 29, closed=False))  # the first one has been silent for long
    assert decider.owners() == {"a/s/1.0/0": 1, "a/s/2.0/0": 1}

    events = decider.window(32, tracklet("a/s/1.0/0", 0, 31, revision=1))

    assert decider.owners() == {"a/s/1.0/0": 1, "a/s/2.0/0": 2}
    assert "split 2" in events


def test_of_two_tracklets_found_to_overlap_in_one_window_the_later_one_leaves_once() -> None:
    decider = Decider()
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, closed=False))
    decider.window(30, tracklet("a/s/2.0/0", 20, 29, closed=False))  # the first one has been silent for long
    assert decider.owners() == {"a/s/1.0/0": 1, "a/s/2.0/0": 1}

    decider.window(32, tracklet("a/s/1.0/0", 0, 31, revision=1), tracklet("a/s/2.0/0", 20, 31, revision=1))

    assert decider.owners() == {"a/s/1.0/0": 1, "a/s/2.0/0": 2}


def test_embeddings_of_two_models_are_never_compared() -> None:
    decider = Decider()
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, model_id="old"))

    assert decider.window(9, tracklet("b/s/1.0/0", 5, 8, model_id="new")) == ["created 2"]


def test_people_not_seen_for_the_retention_are_forgotten() -> None:
    decider = Decider(Rules(match=0.0, horizon_ns=10 * S, retention_ns=100 * S))
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0)))

    events = decider.window(200, tracklet("a/s/2.0/0", 190, 199, axis(1)))

    assert events == ["created 2", "expired 1"]
    assert sorted(decider.site.identities) == [2]
    assert [identity.number for identity in decider.writes[-1].expired] == [1]


def test_of_more_people_than_are_kept_those_seen_longest_ago_are_forgotten() -> None:
    decider = Decider(Rules(match=0.0, max_identities=2))
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0)))
    decider.window(15, tracklet("a/s/2.0/0", 10, 14, axis(1)))
    decider.window(25, tracklet("a/s/3.0/0", 20, 24, axis(0)))

    events = decider.window(35, tracklet("a/s/4.0/0", 30, 34, axis(2)))

    assert events == ["created 3", "expired 2"]
    assert sorted(decider.site.identities) == [1, 3]
    assert "a/s/2.0/0" not in decider.site.rows
    assert [event.reason for event in decider.writes[-1].events][-1] == "seen longest ago of more people than are kept"


def test_a_window_forgets_only_so_many_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gallery.decision.draft.EXPIRE_LIMIT", 2)
    decider = Decider(Rules(match=0.0, horizon_ns=10 * S, retention_ns=100 * S))
    decider.window(5, *(tracklet(f"a/s/{n}.0/0", 0, 4, axis(n)) for n in (1, 2, 3)))

    first = decider.window(300, tracklet("a/s/9.0/0", 290, 299, axis(9)))
    second = decider.window(310, tracklet("a/s/9.0/0", 290, 309, axis(9), revision=1))

    assert [event for event in first if "expired" in event] == ["expired 2", "expired 3"]
    assert [event for event in second if "expired" in event] == ["expired 1"]


def test_the_calibration_learns_from_people_seen_together() -> None:
    decider = Decider()

    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0)), tracklet("a/s/2.0/0", 0, 4, between(0, 1, 0.5)))

    assert decider.site.calibrations["m"].pairs == 1
    assert decider.site.calibrations["m"].mean == pytest.approx(0.5, abs=0.01)


def test_the_calibration_combines_the_prior_of_the_weights_and_the_site() -> None:
    decider = Decider()
    said = SimilarityPrior(same_mean=0.8, same_std=0.1, different_mean=0.2, different_std=0.1)
    told = [replace(tracklet(f"a/s/{n}.0/0", 0, 4, axis(n)), prior=said) for n in (1, 2)]

    decider.window(5, *told)

    assert decider.site.calibrations["m"].prior == said
    assert decider.site.calibrations["m"].pairs == 1


def test_each_model_updates_only_its_own_calibration() -> None:
    decider = Decider()

    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0)), tracklet("a/s/2.0/0", 0, 4, axis(1)))
    decider.window(9, tracklet("b/s/1.0/0", 5, 8, model_id="new"), tracklet("b/s/2.0/0", 5, 8, axis(3), model_id="new"))

    assert {model: one.pairs for model, one in decider.site.calibrations.items()} == {"m": 1, "new": 1}


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        pytest.param(("a/s/1.0/0", 0, 4), ("a/s/2.0/0", 2, 6), "yes", id="at the same time"),
        pytest.param(("a/s/1.0/0", 0, 4), ("a/s/2.0/0", 3, 6), "no", id="a handover of one second"),
        pytest.param(("a/s/1.0/0", 0, 4), ("a/s/2.0/0", 2.8, 6), "yes", id="longer than a handover"),
        pytest.param(("a/s/1.0/0", 0, 4), ("a/s/2.0/0", 2, 2.4), "yes", id="briefly, and one outlasts the other"),
        pytest.param(("a/s/1.0/0", 0, 4), ("a/s/2.0/0", 3.4, 4), "no", id="a handover where both end"),
        pytest.param(("a/s/1.0/0", 0, 4), ("a/s/1.1/0", 3, 6), "no", id="legs of one track"),
        pytest.param(("a/s/1.0/0", 0, 4), ("b/s/2.0/0", 3, 6), "no", id="in two cameras"),
        pytest.param(("a/s/1.0/0", 0, 4), ("a/s/1.0/1", 3, 6), "no", id="parts of one track"),
        pytest.param(("a/s/1.0/0", 0, 4), ("a/s/2.0/0", 5, 6), "no", id="one after the other"),
    ],
)
def test_who_was_visible_together(one: tuple[str, float, float], other: tuple[str, float, float], answer: str) -> None:
    pair: Sequence[Tracklet] = (tracklet(*one), tracklet(*other))

    assert together(pair[0], pair[1], START + 10 * S) == together(pair[1], pair[0], START + 10 * S) == answer


def test_tracklets_whose_person_is_missing_from_the_store_are_decided_anew() -> None:
    # Given a store that somebody has taken a person out of
    decider, store = Decider(), MemoryStore("site")
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0), closed=False), tracklet("b/s/1.0/0", 0, 4, axis(1)))
    store.write(decider.writes[0])
    snapshot = store.load(RULES.horizon_ns)
    lacking = changed(snapshot, identities=[one for one in snapshot.identities if one.number == 2])
    decider.site = site_of("site", lacking)
    assert [row.tracklet.tracklet_id for row in orphans_of(lacking)] == ["a/s/1.0/0"]
    # When its tracklet goes on
    events = decider.window(9, tracklet("a/s/1.0/0", 0, 8, axis(0), revision=1))
    # Then it is somebody new, under a number that nobody had
    assert events == ["created 3"]


def test_a_flood_of_single_boxes_creates_nobody_and_hides_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a camera that reports 300 tracklets of one box, and one person
    sizes: list[int] = []

    def counted(tracklets: Sequence[Tracklet], *others: Any) -> list[list[Tracklet]]:
        sizes.append(len(tracklets))
        return grouped(tracklets, *others)

    monkeypatch.setattr("gallery.decision.decide.grouped", counted)
    decider = Decider()
    rng = np.random.default_rng(1)
    flood = [tracklet(f"a/s/{n}.0/0", 2 + n / 1000, 2 + n / 1000, unit(rng.normal(size=128))) for n in range(300)]
    # When they are decided
    events = decider.window(6, *flood, tracklet("b/s/1.0/0", 1, 4, unit(rng.normal(size=128))))
    # Then the person has an identity, and the cost is bounded: groups are compared pair by pair
    assert events[0] == "created 1"
    assert set(decider.site.identities) == {1}
    assert max(sizes) <= 1 + MAX_FRAGMENTS
