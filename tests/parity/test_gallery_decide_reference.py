"""Vectorised comparison makes the same decisions as comparing each pair separately."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gallery.decision import decide as decide_module
from gallery.decision.calibrate import DEFAULT_PRIOR, Calibration
from gallery.decision.compare import PrototypeSet, similarity
from gallery.decision.decide import decide
from gallery.decision.draft import Decision
from gallery.decision.lookups import Lookups
from gallery.decision.rules import Rules
from gallery.decision.shortlist import SLACK, similarity_bounds
from gallery.decision.site import Site
from gallery.decision.together import together
from gallery.decision.visibility import Visibility
from gallery.store import records
from tests.gallery_tools import START, S, axis, tracklet, unit
from tests.per_pair_decide import decide_per_pair
from wire.messages import Tracklet

WINDOW_S = 5


@dataclass(frozen=True)
class Seen:
    """One tracklet of an example: person, camera, times and quality."""

    camera: str
    track: int
    leg: int
    part: int
    end_s: float
    length_s: float
    people: tuple[int, int]
    share: float
    quality: float
    closed: bool
    model_id: str

    def tracklet(self, window: int) -> Tracklet:
        """Return the revision of the tracklet in a window."""
        one, other = self.people
        look = unit(self.share * axis(one) + (1 - self.share) * axis(other) + 0.01 * axis(8 + self.track))
        end_s = window * WINDOW_S + self.end_s
        name = f"{self.camera}/s/{self.track}.{self.leg}/{self.part}"
        return tracklet(
            name,
            end_s - self.length_s,
            end_s,
            look,
            revision=window,
            closed=self.closed,
            quality=self.quality,
            model_id=self.model_id,
        )


SEEN = st.builds(
    Seen,
    camera=st.sampled_from("abc"),
    track=st.integers(0, 5),
    leg=st.integers(0, 1),
    part=st.integers(0, 1),
    end_s=st.floats(0, WINDOW_S, width=16),
    length_s=st.floats(0, 12, width=16),
    people=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    share=st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
    quality=st.sampled_from([0.05, 0.15, 0.8]),
    closed=st.booleans(),
    model_id=st.sampled_from("mmmn"),
)
RULES = st.sampled_from(
    [
        Rules(match=0.0),
        Rules(match=1.4, horizon_ns=3 * S),
        Rules(match=-20.0, normalise=False, horizon_ns=S, retention_ns=20 * S),
        Rules(match=1.4, max_identities=2),
    ]
)


def every_third(vectors: NDArray[np.float32], _: str) -> list[set[int]]:
    """Return different neighbours for different vectors, so that candidates differ from tracklet to tracklet."""
    return [{number for number in range(1, 60) if (number + int(100 * vector[0])) % 3 == 0} for vector in vectors]


def outcome(decision: Decision) -> tuple[object, ...]:
    """Return everything that was decided, as comparable values."""
    site, write = decision.site, decision.write
    return (
        [(e.event_id, e.kind, e.probability, e.reason, e.time_ns) for e in write.events],
        {key: (row.identity_id, row.probability) for key, row in site.rows.items()},
        site.identities,
        {number: records.encode_prototypes(looks) for number, looks in site.prototypes.items()},
        (site.calibrations, sorted(site.shifts.vectors), site.next_identity, write.merged, write.moved, write.expired),
    )


@pytest.mark.parametrize("few", [64, 2])
@settings(max_examples=60, deadline=None)
@given(windows=st.lists(st.lists(SEEN, max_size=10), min_size=1, max_size=5), rules=RULES)
def test_the_decisions_are_those_of_comparing_every_pair_by_itself(
    few: int, windows: list[list[Seen]], rules: Rules
) -> None:
    fast = slow = Site("site", 0, 0, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decide_module, "MAX_EXHAUSTIVE", few)
        patch.setattr("gallery.decision.draft_view.MAX_LATELY", few)
        for number, seen in enumerate(windows):
            updates = [one.tracklet(number) for one in seen]
            end_ns = START + (number + 1) * WINDOW_S * S
            decided = decide(fast, updates, end_ns, rules, every_third)
            again = decide(replace(fast, lookups=Lookups()), updates, end_ns, rules, every_third)
            expected = decide_per_pair(slow, updates, end_ns, rules, every_third)

            assert outcome(decided) == outcome(again) == outcome(expected)
            fast, slow = decided.site, expected.site


AT_ONCE = Seen("a", 0, 0, 0, 0.0, 0.0, (0, 0), 0.5, 0.05, closed=False, model_id="m")  # seen in one frame


@example([([AT_ONCE, replace(AT_ONCE, leg=1)], 0, 0)])
@given(st.lists(st.tuples(st.lists(SEEN, max_size=8), st.integers(0, 20), st.integers(0, 3)), max_size=5))
def test_who_was_visible_together_is_what_comparing_each_with_all_says(
    windows: list[tuple[list[Seen], int, int]],
) -> None:
    # Given tracklets that come, go on and are dropped, window after window
    visibility, tracklets, now_ns = Visibility(), dict[str, Tracklet](), START
    for number, (seen, passed_s, dropped) in enumerate(windows):
        now_ns += passed_s * S
        visibility.advance(now_ns)
        for key in sorted(tracklets)[:dropped]:
            visibility.drop(tracklets.pop(key))
        for one in (one.tracklet(number) for one in seen):
            visibility.put(one)
            tracklets[one.tracklet_id] = one
        # Then each is told what comparing it with every other one says
        for one in tracklets.values():
            said = [(together(one, other, now_ns), key) for key, other in sorted(tracklets.items()) if other is not one]
            assert list(visibility.together_with(one)) == [(answer, key) for answer, key in said if answer != "no"]
        assert visibility.before(now_ns) == sorted(key for key, one in tracklets.items() if one.last_ns < now_ns)


def people(rng: np.random.Generator, count: int) -> Sequence[PrototypeSet]:
    """Return people with one to four cameras of one to three prototypes each."""
    found = []
    for _ in range(count):
        lengths = rng.integers(1, 4, rng.integers(1, 5))
        vectors = np.stack([unit(rng.normal(size=8)) for _ in range(lengths.sum())]).astype(np.float32)
        found.append(PrototypeSet(vectors, np.cumsum([0, *lengths[:-1]])))
    return found


@given(st.integers(0, 2**32), st.integers(0, 6), st.integers(1, 6), st.sampled_from([1, 2, 512]))
def test_bounds_are_never_below_what_they_bound(seed: int, count: int, vectors: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    known, others = people(rng, count), people(rng, vectors)
    looks = np.stack([other.vectors[0] for other in others])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gallery.decision.shortlist.BLOCK", block)
        bounds = similarity_bounds(looks, known)

    assert bounds.shape == (vectors, count)
    for i, j in np.ndindex(vectors, count):
        assert similarity(looks[i], known[j]) <= bounds[i, j] + SLACK


@given(
    st.floats(-8, 8),
    st.floats(0, 400),
    st.floats(-0.2, 0.6),
    st.floats(0.001, 0.2),
)
def test_a_similarity_reaches_a_logit_exactly_from_the_inverse_on(
    logit: float, pairs: float, mean: float, variance: float
) -> None:
    calibration = Calibration(DEFAULT_PRIOR, pairs, mean, variance)
    least = calibration.similarity(logit)

    assert calibration.logit(least + 1e-6) >= logit
    assert calibration.logit(least - 1e-6) < logit or logit <= -8
