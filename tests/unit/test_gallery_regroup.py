"""Early decisions that later evidence corrects, one situation each."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gallery.decision.decide import decide
from gallery.decision.draft import Decision, Draft
from gallery.decision.rules import Rules
from gallery.decision.site import Site
from tests.gallery_tools import START, S, axis, tracklet, unit
from wire.messages import Tracklet


class Decider:
    """Decides window after window, in memory, and keeps what was decided."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.site = Site("site", 0, 0, 1)
        self.decisions: list[Decision] = []

    def window(self, end_s: float, *updates: Tracklet) -> list[str]:
        """Decide a window and return its events as `kind number`."""
        everybody = set(self.site.identities)
        end_ns = START + int(end_s * S)
        decision = decide(self.site, updates, end_ns, self.rules, lambda vectors, _: [everybody] * len(vectors))
        self.site = decision.site
        self.decisions.append(decision)
        return [f"{event.kind} {event.identity_id}" for event in decision.write.events]

    def owners(self) -> dict[str, int | None]:
        return {key: row.identity_id for key, row in self.site.rows.items()}


def between(one: int, other: int, share: float) -> NDArray[np.float64]:
    """Return a look with a cosine of `share` to a person, and the rest to another."""
    return share * axis(one) + float(np.sqrt(1 - share**2)) * axis(other)


def test_a_tracklet_goes_to_somebody_who_comes_later_and_fits_better() -> None:
    decider = Decider(Rules(match=0.0))
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0)))
    assert decider.window(9, tracklet("b/s/1.0/0", 5, 8, between(1, 0, 0.85))) == ["matched 1"]

    events = decider.window(15, tracklet("c/s/1.0/0", 10, 14, axis(1)))

    assert decider.owners() == {"a/s/1.0/0": 1, "b/s/1.0/0": 2, "c/s/1.0/0": 2}
    assert events == ["matched 1", "split 2", "split 2"]
    split = decider.decisions[-1].write.events[1]
    assert split.previous_ids == (1,)
    assert 0.5 < split.probability < 1.0


def test_an_identity_that_loses_its_first_tracklet_was_first_seen_later() -> None:
    decider = Decider(Rules(match=0.0))
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0), closed=False))
    decider.window(9, tracklet("b/s/1.0/0", 6, 8, between(0, 1, 0.7)))
    assert decider.site.identities[1].first_ns == START
    # When a later revision shows that the first tracklet was somebody else, of whom the second is the only one left
    decider.window(12, tracklet("a/s/1.0/0", 0, 11, axis(5), revision=1))
    decider.window(20, tracklet("c/s/1.0/0", 15, 19, axis(5)))

    owners = decider.owners()
    assert owners["a/s/1.0/0"] == owners["c/s/1.0/0"] != owners["b/s/1.0/0"]
    for number in (owners["a/s/1.0/0"], owners["b/s/1.0/0"]):
        assert number is not None
        held = [row.tracklet for row in decider.site.rows.values() if row.identity_id == number]
        assert decider.site.identities[number].first_ns == min(t.first_ns for t in held)
        assert decider.site.identities[number].last_ns == max(t.last_ns for t in held)


def stays_after_a_match_that_was_wrong(lasts_s: float) -> bool:
    """Return whether a tracklet stays with somebody who turns out to look otherwise."""
    decider = Decider(Rules(match=0.0, min_alone_ns=S))
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0), closed=False))
    assert decider.window(9, tracklet("b/s/1.0/0", 6, 6 + lasts_s, between(0, 1, 0.7))) == ["matched 1"]
    decider.window(31, tracklet("a/s/1.0/0", 0, 30, axis(5), revision=1))
    owners = decider.owners()
    return owners["a/s/1.0/0"] == owners["b/s/1.0/0"]


def test_a_glimpse_that_was_taken_for_somebody_else_stays_rather_than_be_a_new_person() -> None:
    assert not stays_after_a_match_that_was_wrong(2.0)
    assert stays_after_a_match_that_was_wrong(0.4)


def test_somebody_between_two_people_stays_until_the_site_is_consolidated() -> None:
    # Given somebody who was taken for the first of two people, while both of them stay in sight
    decider = Decider(Rules(match=0.0))
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, axis(0), closed=False))
    decider.window(9, tracklet("b/s/1.0/0", 5, 8, between(0, 1, 0.72)))
    assert len(set(decider.owners().values())) == 1
    # When the second comes, whom they resemble hardly more
    decider.window(12, tracklet("c/s/1.0/0", 8, 11, between(1, 0, 0.98), closed=False))
    # Then they stay for now, and go to the second in the first window after twenty seconds
    assert decider.owners()["b/s/1.0/0"] == decider.owners()["a/s/1.0/0"]
    decider.window(21, tracklet("c/s/1.0/0", 8, 20, between(1, 0, 0.98), closed=False, revision=1))
    assert decider.owners()["b/s/1.0/0"] == decider.owners()["c/s/1.0/0"]


def test_what_was_given_to_two_by_turns_becomes_two_people() -> None:
    # Given two people who were taken for one while they were seen badly
    decider = Decider(Rules(match=0.0))
    blurred = [between(person, 9, 0.7) for person in (0, 1)]
    for number, look in enumerate(blurred * 2):
        seconds = 10 * number
        decider.window(seconds + 5, tracklet(f"{'abcd'[number]}/s/1.0/0", seconds, seconds + 4, look, closed=False))
    assert len(set(decider.owners().values())) == 1
    # When later revisions show them well
    for number in range(4):
        sent = tracklet(f"{'abcd'[number]}/s/1.0/0", 10 * number, 10 * number + 4, axis(number % 2), revision=1)
        decider.window(50 + number, sent)
    # Then they are two, and each has its own
    owners = decider.owners()
    assert owners["a/s/1.0/0"] == owners["c/s/1.0/0"] != owners["b/s/1.0/0"] == owners["d/s/1.0/0"]


def test_a_window_without_news_changes_nothing() -> None:
    decider = Decider(Rules(match=0.0))
    decider.window(5, *(tracklet(f"{c}/s/1.0/0", 0, 4, between(0, i, 0.8)) for i, c in enumerate("abc", 1)))
    decider.window(9, *(tracklet(f"{c}/s/2.0/0", 5, 8, between(5, i, 0.8)) for i, c in enumerate("abc", 1)))
    before = decider.owners()

    for end_s in (12, 13, 14):
        assert decider.window(end_s) == []

    assert decider.owners() == before


def test_somebody_who_comes_back_after_the_horizon_is_united_with_who_they_were() -> None:
    decider = Decider(Rules(match=0.0, horizon_ns=60 * S))
    decider.window(5, tracklet("a/s/1.0/0", 0, 4))
    decider.window(205, tracklet("b/s/1.0/0", 200, 204, axis(3), closed=False))
    assert sorted(decider.site.identities) == [1, 2]

    events = decider.window(210, tracklet("b/s/1.0/0", 200, 209, between(0, 3, 0.97), revision=1))

    assert "merged 1" in events
    assert decider.site.identities[1].previous_ids == (2,)
    assert decider.site.identities[1].cameras == ("a", "b")


def test_what_was_remembered_of_old_tracklets_keeps_its_number() -> None:
    decider = Decider(Rules(match=0.0, horizon_ns=60 * S))
    for number in range(3):
        decider.window(10 * number + 5, tracklet(f"a/s/{number}.0/0", 10 * number, 10 * number + 4))
    decider.window(205, tracklet("b/s/1.0/0", 200, 204, between(1, 0, 0.85)))
    assert decider.owners() == {"b/s/1.0/0": 1}

    decider.window(215, tracklet("c/s/1.0/0", 210, 214, axis(1)), tracklet("d/s/1.0/0", 210, 214, axis(1)))

    assert set(decider.owners().values()) == {2}
    assert decider.site.identities[1].tracklets == 3


def looks_of_three_people() -> list[Tracklet]:
    rng = np.random.default_rng(5)
    faces = [unit(rng.normal(size=64)) for _ in range(3)]
    sent = []
    for number in range(12):
        look = unit(faces[number % 3] + 0.5 * unit(rng.normal(size=64)))
        sent.append(tracklet(f"{'abcd'[number % 4]}/s/{number}.0/0", 10 * number, 10 * number + 5, look))
    return sent


@given(
    order=st.permutations(range(12)), sizes=st.lists(st.integers(1, 4), min_size=12, max_size=12), twice=st.booleans()
)
def test_whatever_order_tracklets_come_in_the_same_ones_are_one_person(
    order: list[int], sizes: list[int], *, twice: bool
) -> None:
    decider, sent, left, end_s = Decider(Rules(match=1.4)), looks_of_three_people(), list(order), 200.0
    for size in sizes:
        window, left = left[:size], left[size:]
        decider.window(end_s, *(sent[place] for place in window))
        end_s += 1
        if twice:
            decider.window(end_s, *(sent[place] for place in window))

    groups: dict[int | None, set[int]] = {}
    for place, one in enumerate(sent):
        groups.setdefault(decider.owners()[one.tracklet_id], set()).add(place % 3)
    assert sorted(map(sorted, groups.values())) == [[0], [1], [2]]


def test_a_tracklet_that_goes_to_and_fro_gives_an_event_of_its_own_each_time() -> None:
    # Given two people, and a tracklet of the first that does not change any more
    moving = tracklet("c/s/3.0/0", 10, 15, axis(1))
    decider = Decider(Rules(match=1.0))
    decider.window(20, tracklet("a/s/1.0/0", 0, 5, axis(1)), tracklet("b/s/2.0/0", 0, 5, axis(2)), moving)
    site, ids = decider.site, []
    first = decider.owners()[moving.tracklet_id]
    assert first is not None
    # When it goes to the second, back, and to the second again
    for source, target in ((first, 3 - first), (3 - first, first), (first, 3 - first)):
        draft = Draft(site, site.now_ns)
        draft.unassign(moving)
        draft.assign(moving, target, 0.9)
        draft.record_event("split", moving, target, "looks like this person", (source,))
        decision = draft.finish(decider.rules)
        ids += [event.event_id for event in decision.write.events]
        site = decision.site
    # Then no event can be taken for another one
    assert len(set(ids)) == len(ids) == 3


def test_a_number_that_was_two_people_long_ago_is_only_one_of_them_when_both_come_back() -> None:
    decider = Decider(Rules(match=0.0, horizon_ns=60 * S))
    mixed = unit(0.75 * axis(0) + 0.66 * axis(1))
    decider.window(5, tracklet("a/s/1.0/0", 0, 4, mixed), tracklet("b/s/1.0/0", 0, 4, mixed))
    decider.window(500, tracklet("c/s/1.0/0", 490, 499, axis(9)))
    assert len(decider.site.identities) == 2

    decider.window(610, tracklet("a/s/2.0/0", 600, 609, axis(0)))
    decider.window(630, tracklet("b/s/2.0/0", 620, 629, axis(1)))
    decider.window(650)

    owners = decider.owners()
    assert owners["a/s/2.0/0"] == 1
    assert owners["b/s/2.0/0"] not in {None, 1, 2}


def test_the_next_leg_of_a_track_needs_less_likeness_than_another_track_and_some_nevertheless() -> None:
    seen = {}
    for look in (0.1, 0.2):
        for name in ("a/s/1.1/0", "a/s/1.2/0", "a/s/2.0/0"):
            decider = Decider(Rules(match=0.0))
            decider.window(6, tracklet("a/s/1.0/0", 0, 5))
            decider.window(12, tracklet(name, 5.2, 11, between(0, 1, look)))
            seen[name, look] = decider.owners()[name]

    assert [key for key, number in seen.items() if number == 1] == [("a/s/1.1/0", 0.2)]


def test_the_next_leg_of_a_track_is_nobody_who_was_seen_beside_the_one_before() -> None:
    decider = Decider(Rules(match=0.0))
    decider.window(6, tracklet("a/s/1.0/0", 0, 5), tracklet("a/s/2.0/0", 0, 9, axis(4)))
    decider.window(12, tracklet("a/s/2.1/0", 9.2, 11, between(0, 4, 0.2)))

    owners = decider.owners()
    assert owners["a/s/2.0/0"] == owners["a/s/2.1/0"] != owners["a/s/1.0/0"]
