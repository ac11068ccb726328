"""Find identities that are one person, and tracklets assigned to the wrong one. No I/O."""

import math
from collections.abc import Iterable

from gallery.decision.compare import embedding_of, identity_similarity, prototype_set_of, similarity, without_tracklet
from gallery.decision.draft import Draft
from gallery.decision.log_odds import close_pairs
from gallery.decision.rules import Rules
from wire.messages import Tracklet


def mergeable_pairs(draft: Draft, threshold: float) -> list[tuple[float, int, int]]:
    """Return log odds, lower and higher number of identities that are one person, the most likely pair first.

    At least one of each pair was changed by this window; nothing new is known about the others.
    """
    changed = draft.touched & set(draft.identities)
    found = {
        (_identity_logit(draft, one, other, threshold), min(one, other), max(one, other))
        for one, other in close_pairs(draft, changed, threshold)
    }
    return sorted((pair for pair in found if pair[0] >= threshold), key=lambda pair: (-pair[0], pair[1], pair[2]))


def _identity_logit(draft: Draft, one: int, other: int, threshold: float) -> float:
    models = {p.model_id for p in draft.prototypes[one]} & {p.model_id for p in draft.prototypes[other]}
    found = [-math.inf]
    for model_id in sorted(models):
        a, b = draft.prototype_set(one, model_id), draft.prototype_set(other, model_id)
        if a is not None and b is not None:
            logit = draft.calibration(model_id).logit
            bound = logit(float((a.vectors @ b.vectors.T).max()))
            found.append(logit(identity_similarity(a, b)) if bound >= threshold else -math.inf)
    return max(found)


def apart(draft: Draft, one: int, other: int) -> bool:
    """Return whether two identities were, or may have been, visible at the same time in one camera."""
    return _known_apart(draft, one, other) or any(other in draft.excluded(t) for t in draft.members(one))


def intruders(draft: Draft, rules: Rules, one: int, other: int) -> list[Tracklet]:
    """Return the tracklets that alone keep two identities apart, and fit much worse than the ones they overlap.

    If an early mistake assigns a stranger's tracklet to a person, tracklets of that person visible at the same time as
    the stranger could never join them. Tracklets that make up a whole identity are not intruders.
    """
    if _known_apart(draft, one, other):
        return []
    meetings = [
        (tracklet, row.tracklet)
        for tracklet in draft.members(one)
        for _, row in draft.visible_with(tracklet)
        if row.identity_id == other
    ]
    for side, opposite in ((0, 1), (1, 0)):
        weak = {pair[side].tracklet_id: pair[side] for pair in meetings}
        strong = {pair[opposite].tracklet_id: pair[opposite] for pair in meetings}
        worst = min(_fit(draft, t, one, other) for t in strong.values())
        best = max(_fit(draft, t, one, other) for t in weak.values())
        clear = worst >= rules.match and worst - rules.move >= best > -math.inf
        if clear and _leaves_something(draft, (one, other)[side], weak.values()):
            return list(weak.values())
    return []


def _known_apart(draft: Draft, one: int, other: int) -> bool:
    known = draft.identities
    return other in known[one].apart or one in known[other].apart


def _leaves_something(draft: Draft, number: int, tracklets: Iterable[Tracklet]) -> bool:
    rest = draft.prototypes[number]
    for tracklet in tracklets:
        rest = without_tracklet(rest, tracklet)
    return bool(rest)


def _fit(draft: Draft, tracklet: Tracklet, one: int, other: int) -> float:
    """Return the log odds that a tracklet shows the person of two identities in other cameras; -inf if none."""
    prototypes = (*draft.prototypes[one], *draft.prototypes[other])
    elsewhere = prototype_set_of([p for p in prototypes if p.camera_id != tracklet.camera_id], tracklet.model_id)
    if elsewhere is None:
        return -math.inf
    return draft.calibration(tracklet.model_id).logit(similarity(embedding_of(tracklet), elsewhere))
