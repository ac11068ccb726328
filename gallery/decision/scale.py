"""Update what a site has learnt about similarities and cameras with the tracklets of a window. No I/O."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from gallery.decision.coverage import SIMULTANEOUS_NS, Cameras
from gallery.decision.draft import Draft
from gallery.decision.normalise import NO_SHIFTS, RECENT_PEOPLE, learnt_shifts
from gallery.decision.rules import Rules
from gallery.decision.together import is_same_leg, together
from wire.messages import Tracklet

SAMPLE = 128  # latest ended tracklets, compared with each newly ended one; 8000 pairs

Pair = tuple[Tracklet, Tracklet, float]  # and their similarity


def update_scale(draft: Draft, rules: Rules) -> None:
    """Learn from the tracklets that ended in a window, and from earlier ones if the shifts were estimated again."""
    if not rules.normalise:
        draft.shifts = NO_SHIFTS
    shifts_changed = rules.normalise and draft.shifts.is_outdated(draft.next_identity)
    if shifts_changed:
        draft.shifts = learnt_shifts(draft.seen_last(RECENT_PEOPLE), draft.prototypes, draft.next_identity)
    ended = [t for t in draft.ended if t.quality >= rules.min_closing_quality]
    for model_id in sorted(draft.calibrations) if shifts_changed else sorted({t.model_id for t in ended}):
        sample = _sample(draft, model_id, rules)
        ones = sample if shifts_changed else [t for t in ended if t.model_id == model_id]
        _learn(draft, model_id, _pairs(draft, ones, sample), anew=shifts_changed)


def _learn(draft: Draft, model_id: str, pairs: Sequence[Pair], *, anew: bool) -> None:
    """Update a model's calibration, and then the coverage; pairs compared `anew` replace the earlier ones."""
    similarities = np.array([similarity for _, _, similarity in pairs])
    before = draft.calibration(model_id)
    after = before.observe_instead(similarities) if anew else before.observe_unlabelled(similarities)
    draft.calibrations[model_id] = after
    meetings = [
        (_cameras(one, other), _is_simultaneous(one, other), after.logit(similarity))
        for one, other, similarity in pairs
        if one.camera_id != other.camera_id
    ]
    draft.coverage = draft.coverage.observe_instead(meetings) if anew else draft.coverage.observe(meetings)


def _cameras(one: Tracklet, other: Tracklet) -> Cameras:
    return min(one.camera_id, other.camera_id), max(one.camera_id, other.camera_id)


def _is_simultaneous(one: Tracklet, other: Tracklet) -> bool:
    return min(one.last_ns, other.last_ns) - max(one.first_ns, other.first_ns) > SIMULTANEOUS_NS


def _sample(draft: Draft, model_id: str, rules: Rules) -> list[Tracklet]:
    """Return the latest ended tracklets of a model."""
    found = (t for t in draft.closed(model_id) if t.quality >= rules.min_closing_quality)
    return list(islice(found, SAMPLE))[::-1]


def _pairs(draft: Draft, ones: Sequence[Tracklet], others: Sequence[Tracklet]) -> list[Pair]:
    """Return the pairs that may or may not be the same person, each pair once."""
    if not ones or not others:
        return []
    products = np.stack([draft.vector(t) for t in ones]) @ np.stack([draft.vector(t) for t in others]).T
    found: list[Pair] = []
    done: set[str] = set()
    for one, row in zip(ones, products.round(5).tolist(), strict=True):
        done.add(one.tracklet_id)
        pairs = zip(others, row, strict=True)
        found += [(one, other, s) for other, s in pairs if other.tracklet_id not in done and _is_unlabelled(one, other)]
    return found


def _is_unlabelled(one: Tracklet, other: Tracklet) -> bool:
    """Return whether two ended tracklets may or may not be the same person."""
    if one.camera_id != other.camera_id:
        return True
    return not is_same_leg(one, other) and together(one, other, max(one.last_ns, other.last_ns)) == "no"
