"""Log odds that tracklets and identities of a draft are one person, in batches, and how high they must be. No I/O.

The more people a tracklet may show, the more likely one of them looks like it by chance. So `Rules.match` rises with n
people by half of the logarithm of n - 1: as if sqrt(n - 1) others were equally likely, since not all are at hand.
Whoever was not seen for long is one of all people known.

Of few people the other mistake is the likelier: nearly every tracklet shows one of them, whoever is seen beside another
is told apart by that, and a new number for each doubt makes ten people of two. So there the threshold begins lower, and
is that of many people where more stay, or people pass, see `staying`. At first nobody is joined yet, and everybody in
pieces looks like many people: so it starts at `Rules.match`, and moves with the pairs from which the scale was learnt.
"""

import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from gallery.decision.calibrate import MAX_LOGIT, Calibration
from gallery.decision.compare import similarity
from gallery.decision.draft import Draft
from gallery.decision.rules import Rules
from gallery.decision.shortlist import SLACK
from gallery.decision.staying import person_pairs, trust
from wire.messages import Tracklet

LEARNT_PAIRS = 300.0  # as many pairs make half of the change: some 25 tracklets compared with each other
FEW_PEOPLE = 2.6  # log odds by which the threshold is lower where nobody else is known: even odds at a rate of 0.07
PRIOR = 0.5  # of the logarithm of the number of other people; 1 would take all of them as equally likely


def raised(match: float, others: float) -> float:
    """Return the log odds that are needed if a tracklet may show so many other people; at most what can be reached."""
    return max(match, min(match + PRIOR * math.log(max(1.0, others)), MAX_LOGIT))


def threshold(match: float, others: int, learnt: Collection[Calibration], people: float) -> float:
    """Return the log odds from which on a tracklet shows one of the people seen recently.

    There are `others` of them besides, or fewer where the share of pairs that show one person says so: a person in
    several pieces must not make it harder to join them. That share counts everybody, and one of them is this person.
    `people` is the number of those who stay.
    """
    most = raised(match, min([others, *(known.people - 1 for known in learnt)]))
    least = match - FEW_PEOPLE
    pairs = max((sum(known.unlabelled) for known in learnt), default=0.0)
    then = least + (most - least) * trust(person_pairs(people))
    return match + (then - match) * pairs / (pairs + LEARNT_PAIRS)


def needed(draft: Draft, rules: Rules) -> float:
    """Return the log odds from which on a tracklet shows somebody seen recently, and clusters are joined."""
    return threshold(rules.match, draft.recent_count() - 1, draft.calibrations.values(), draft.staying())


def needed_for_all(draft: Draft, rules: Rules) -> float:
    """Return the log odds from which on a tracklet shows somebody who was not seen for long."""
    known = len(draft.identities) + draft.absence.away()
    return max(needed(draft, rules), raised(rules.match, known - 1.0))


def needed_for(draft: Draft, rules: Rules, number: int) -> float:
    """Return the log odds from which on a tracklet shows an identity."""
    return needed(draft, rules) if draft.is_recent(number) else needed_for_all(draft, rules)


def needed_for_each(draft: Draft, rules: Rules, numbers: Sequence[int]) -> NDArray[np.float64]:
    """Return `needed_for` of n identities, `(n,)`."""
    lately, long_ago = needed(draft, rules), needed_for_all(draft, rules)
    return np.array([lately if draft.is_recent(number) else long_ago for number in numbers])


def logit(draft: Draft, tracklet: Tracklet, number: int) -> float:
    """Return the log odds that a tracklet shows an identity; -inf if they have no model in common."""
    prototype_set = draft.prototype_set(number, tracklet.model_id)
    if prototype_set is None:
        return -np.inf
    appearance = draft.calibration(tracklet.model_id).logit(similarity(draft.vector(tracklet), prototype_set))
    besides = _transit(draft, tracklet, number) + _ground(draft, tracklet, number)
    return max(-MAX_LOGIT, min(MAX_LOGIT, appearance + besides))


def _transit(draft: Draft, tracklet: Tracklet, number: int) -> float:
    """Return by how much cameras and times raise the log odds of an identity, given its last recent tracklet."""
    if not draft.coverage.transit.passages:
        return 0.0
    other = draft.latest(number, besides=tracklet)
    return 0.0 if other is None else draft.coverage.transit.of(tracklet, other)


def _ground(draft: Draft, tracklet: Tracklet, number: int) -> float:
    """Return by how much places raise the log odds of an identity that other cameras see at the same time."""
    ground = draft.coverage.ground
    return ground.of(tracklet, draft.members(number)) if ground.floors else 0.0


def logits(
    draft: Draft, tracklets: Sequence[Tracklet], numbers: Sequence[int], floor: float, among: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return `(m, n)` log odds that tracklets show identities; -inf where they are below `floor`.

    `among`, `(m, n)`, are the pairs to compare; the others are -inf too.
    """
    found = np.full((len(tracklets), len(numbers)), -np.inf)
    for model_id in {tracklet.model_id for tracklet in tracklets}:
        calibration = draft.calibration(model_id)
        least = calibration.similarity(floor - draft.coverage.bound) - SLACK
        rows = [row for row, tracklet in enumerate(tracklets) if tracklet.model_id == model_id]
        likely = draft.bounds([tracklets[row] for row in rows], numbers, model_id) >= least
        for i, j in np.argwhere(likely & among[rows]).tolist():
            value = logit(draft, tracklets[rows[i]], numbers[j])
            found[rows[i], j] = value if value >= floor else -np.inf
    return found
