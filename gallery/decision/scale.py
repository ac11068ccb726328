"""Update camera shifts and calibrations with the tracklets of a window. No I/O."""

from collections.abc import Sequence
from itertools import compress, islice

import numpy as np
from numpy.typing import NDArray

from gallery.decision.draft import Draft
from gallery.decision.normalise import NO_SHIFTS, RECENT_PEOPLE, learnt_shifts
from gallery.decision.rules import Rules
from gallery.decision.together import is_same_leg, together
from wire.messages import Tracklet

SAMPLE = 128  # latest ended tracklets, compared with each newly ended one; 8000 pairs


def update_scale(draft: Draft, rules: Rules) -> None:
    """Calibrate on the tracklets that ended in a window, and on earlier ones if the shifts were estimated again."""
    if not rules.normalise:
        draft.shifts = NO_SHIFTS
    shifts_changed = rules.normalise and draft.shifts.is_outdated(draft.next_identity)
    if shifts_changed:
        draft.shifts = learnt_shifts(draft.seen_last(RECENT_PEOPLE), draft.prototypes, draft.next_identity)
    ended = [t for t in draft.ended if t.quality >= rules.min_closing_quality]
    for model_id in sorted({t.model_id for t in ended}) if not shifts_changed else sorted(draft.calibrations):
        sample = _sample(draft, model_id, rules)
        calibration = draft.calibration(model_id)
        if shifts_changed:
            draft.calibrations[model_id] = calibration.observe_instead(_similarities(draft, sample, sample))
        else:
            ones = [t for t in ended if t.model_id == model_id]
            draft.calibrations[model_id] = calibration.observe_unlabelled(_similarities(draft, ones, sample))


def _sample(draft: Draft, model_id: str, rules: Rules) -> list[Tracklet]:
    """Return the latest ended tracklets of a model."""
    found = (t for t in draft.closed(model_id) if t.quality >= rules.min_closing_quality)
    return list(islice(found, SAMPLE))[::-1]


def _similarities(draft: Draft, ones: Sequence[Tracklet], others: Sequence[Tracklet]) -> NDArray[np.float64]:
    """Return the similarities of pairs that may or may not be the same person, each pair once."""
    if not ones or not others:
        return np.empty(0)
    products = np.stack([draft.vector(t) for t in ones]) @ np.stack([draft.vector(t) for t in others]).T
    found: list[float] = []
    done: set[str] = set()
    for tracklet, row in zip(ones, products.round(5).tolist(), strict=True):
        done.add(tracklet.tracklet_id)
        found += compress(row, [other.tracklet_id not in done and _is_unlabelled(tracklet, other) for other in others])
    return np.array(found)


def _is_unlabelled(one: Tracklet, other: Tracklet) -> bool:
    """Return whether two ended tracklets may or may not be the same person."""
    if one.camera_id != other.camera_id:
        return True
    return not is_same_leg(one, other) and together(one, other, max(one.last_ns, other.last_ns)) == "no"
