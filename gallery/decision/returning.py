"""Which of those who have faded may be seen again: nominated by likeness, decided as everybody else. No I/O."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gallery.decision.absence import Absent, recalled
from gallery.decision.compare import mean_of, prototype_sets_of
from gallery.decision.draft import Draft
from gallery.decision.log_odds import needed_for_all
from gallery.decision.rules import Rules
from gallery.decision.shortlist import SLACK, similarity_bounds
from gallery.store.store import Faded
from wire.messages import Tracklet

MOST = 32  # people taken up by one window, those that are most alike


@dataclass(frozen=True, slots=True)
class Returning:
    """Those who were taken up.

    Attributes:
        numbers: All of them.
        like: By the number of somebody new, those who may be this person.
    """

    numbers: frozenset[int] = frozenset()
    like: Mapping[int, set[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Sought:
    """What is looked for under one model: `(m, d)` unit vectors, and the identity of each; 0 for a new tracklet."""

    vectors: NDArray[np.float32]
    numbers: Sequence[int]


def take_up(draft: Draft, rules: Rules, fresh: Sequence[Tracklet], absent: Absent) -> Returning:
    """Take up those of a page of the absent whom somebody new is like, and go on to the next page.

    Returns:
        Them, with those who were taken up before.
    """
    draft.absence.longest = absent.longest
    if absent.page is None:
        return Returning(frozenset(draft.absence.taken))
    draft.absence.sweep = draft.absence.sweep.begun(draft.next_identity)
    found: dict[int, float] = {}
    like: dict[int, set[int]] = defaultdict(set)
    wanted = _sought(draft, fresh)
    for model_id, sought in wanted.items():
        for number, other, likeness in _alike(draft, rules, model_id, sought, absent.page):
            found[other] = max(found.get(other, -1.0), likeness)
            if number:
                like[number].add(other)
    best = set(sorted(found, key=lambda number: (-found[number], number))[:MOST])
    draft.remember(one for one in absent.page if one.identity.number in best)
    last = None if absent.is_last or not wanted else absent.page[-1].identity.number
    draft.absence.sweep = draft.absence.sweep.moved(last, draft.next_identity)
    return Returning(
        frozenset(draft.absence.taken), {number: others & best for number, others in like.items() if others & best}
    )


def _sought(draft: Draft, fresh: Sequence[Tracklet]) -> dict[str, _Sought]:
    """Return the tracklets that are nobody's yet, and the people of the pass who are still in sight, by model."""
    vectors: dict[str, list[tuple[int, NDArray[np.float32]]]] = defaultdict(list)
    for tracklet in fresh:
        if draft.owner(tracklet.tracklet_id) is None:
            vectors[tracklet.model_id].append((0, draft.vector(tracklet)))
    sweep = draft.absence.sweep
    for number in range(sweep.first, sweep.end):
        if number in draft.identities and draft.is_recent(number):
            owned = draft.prototypes[number]
            for model_id in sorted({one.model_id for one in owned if one.kind == "mean"}):
                vectors[model_id].append((number, mean_of(owned, model_id, draft.shifts)))
    return {
        model_id: _Sought(np.stack([vector for _, vector in found]), [number for number, _ in found])
        for model_id, found in sorted(vectors.items())
    }


def _alike(
    draft: Draft, rules: Rules, model_id: str, sought: _Sought, page: Sequence[Faded]
) -> list[tuple[int, int, float]]:
    """Return who of a page may be whom, by the bounds of their similarities: the new one, the faded one, the bound."""
    people = [recalled(one, draft.spaces) for one in page]
    sets = prototype_sets_of([prototypes for _, prototypes in people], model_id, draft.shifts)
    known = [(one.number, owned) for (one, _), owned in zip(people, sets, strict=True) if owned is not None]
    if not known:
        return []
    bounds = similarity_bounds(sought.vectors, [owned for _, owned in known])
    least = draft.calibration(model_id).similarity(needed_for_all(draft, rules)) - SLACK
    return [
        (sought.numbers[row], known[column][0], float(bounds[row, column]))
        for row, column in np.argwhere(bounds >= least).tolist()
        if known[column][0] not in draft.identities
    ]
