"""Explain decisions: the people whom a tracklet was compared with, and what excluded each. No I/O.

Decisions themselves look at candidates above the threshold only. The most similar people are found here once more for
all tracklets that a window gave to somebody, in one product, and the best few of them compared exactly.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gallery.decision.calibrate import MAX_LOGIT
from gallery.decision.draft import Draft
from gallery.decision.log_odds import logit, needed, needed_for
from gallery.decision.rules import Rules
from gallery.store.store import Identity
from gallery.store.why import MAX_CANDIDATES, Candidate, Excluded, Why
from wire.messages import Tracklet

NOBODY = "looks like nobody known"
Exclusion = tuple[Excluded, str]  # what keeps a tracklet from being given to somebody, and the tracklet that does
PIECES = 0.25  # how likely others are, as against a match, for two of one tracklet each; suits the shipped weights


def likely(draft: Draft, logit: float, model_id: str) -> float:
    """Return the probability of a match under a model, with all other people seen recently as alternatives."""
    return draft.calibration(model_id).doubles.likely(logit, draft.recent_count() - 1)


def likely_one(draft: Draft, logit: float, model_id: str, one: Identity, other: Identity) -> float:
    """Return the probability that two identities are one person.

    Their tracklets were compared when they came, and yet they are two: of two pieces that were seen once most are one
    person, of two who have been told apart for long few, however alike they are.
    """
    pairs = one.tracklets * other.tracklets
    doubles = draft.calibration(model_id).doubles
    return doubles.likely(logit, draft.recent_count() - 1, PIECES * math.sqrt(pairs))


def explained(
    draft: Draft, rules: Rules, reasons: Mapping[str, str], compared: Sequence[Tracklet], candidates: set[int]
) -> dict[str, Why]:
    """Return why tracklets were given to their identities.

    Args:
        reasons: One sentence for each tracklet.
        compared: Those of them that were compared with other people.
        candidates: These people.
    """
    found: dict[str, Why] = {}
    match = needed(draft, rules)
    for key, reason in reasons.items():
        least, most = (likely(draft, at, draft.rows[key].tracklet.model_id) for at in (match, MAX_LOGIT))
        found[key] = Why(draft.owner(key) or 0, reason, draft.now_ns, least, most=most)
    for model_id in sorted({tracklet.model_id for tracklet in compared}):
        same = [tracklet for tracklet in compared if tracklet.model_id == model_id]
        for tracklet, best in zip(same, _best_of(draft, same, model_id, sorted(candidates)), strict=True):
            why = found[tracklet.tracklet_id]
            known = [(number, value) for number, value in best if why.reason != NOBODY or number != why.number]
            impossible = _impossible(draft, tracklet)
            ranked = [_candidate(draft, rules, tracklet, impossible, number, value) for number, value in known]
            ranked.sort(key=lambda one: (-one.probability, one.number))
            found[tracklet.tracklet_id] = replace(why, candidates=tuple(ranked))
    return found


def _best_of(
    draft: Draft, tracklets: Sequence[Tracklet], model_id: str, numbers: Sequence[int]
) -> list[list[tuple[int, float]]]:
    """Return for each tracklet the most similar people, and the log odds of being the same person."""
    bounds = draft.bounds(tracklets, numbers, model_id)
    return [
        [(numbers[column], logit(draft, tracklet, numbers[column])) for column in _highest(bounds[row])]
        for row, tracklet in enumerate(tracklets)
    ]


def _highest(bounds: NDArray[np.float32]) -> list[int]:
    order = np.argsort(-bounds, kind="stable")[:MAX_CANDIDATES]
    best: list[int] = order[bounds[order] > -np.inf].tolist()
    return best


def _candidate(
    draft: Draft,
    rules: Rules,
    tracklet: Tracklet,
    impossible: Mapping[int | None, Exclusion],
    number: int,
    logit: float,
) -> Candidate:
    owner = draft.owner(tracklet.tracklet_id)
    if owner == number:  # its prototypes include the tracklet by now
        return Candidate(number, draft.rows[tracklet.tracklet_id].probability)
    by_looks: Excluded = "unlikely" if logit < needed_for(draft, rules, number) else "other_fits_better"
    excluded, track = impossible.get(number, (by_looks, ""))
    return Candidate(number, likely(draft, logit, tracklet.model_id), excluded, track)


def _impossible(draft: Draft, tracklet: Tracklet) -> dict[int | None, Exclusion]:
    """Return the identities that a tracklet cannot have whatever it looks like: why, and the tracklet that says so.

    What people said comes first, then the first tracklet of the same camera, then that of others.
    """
    found: dict[int | None, Exclusion] = {}
    for key in reversed(draft.seen_elsewhere(tracklet)):
        found[draft.owner(key)] = "seen_elsewhere", key
    for key in reversed(list(draft.seen_with(tracklet))):
        found[draft.owner(key)] = "seen_at_once", key
    for number in draft.holdings.forbidden(tracklet.tracklet_id):
        found[number] = "said", ""
    return found
