"""Log odds that tracklets and identities of a draft are one person, in batches. No I/O."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from gallery.decision.compare import PrototypeSet, embedding_of, prototype_set_of, similarity, without_tracklet
from gallery.decision.draft import Draft
from gallery.decision.shortlist import SLACK, identity_similarity_bounds, similarity_bounds
from wire.messages import Tracklet


def logit(draft: Draft, tracklet: Tracklet, number: int) -> float:
    """Return the log odds that a tracklet shows an identity; -inf if they have no model in common."""
    prototype_set = draft.prototype_set(number, tracklet.model_id)
    if prototype_set is None:
        return -np.inf
    return draft.calibration(tracklet.model_id).logit(similarity(embedding_of(tracklet), prototype_set))


def logit_to_others(draft: Draft, tracklet: Tracklet) -> float:
    """Return the log odds that a tracklet belongs to the rest of its identity; inf if there is no rest."""
    number = draft.owner(tracklet.tracklet_id)
    assert number is not None
    prototype_set = prototype_set_of(without_tracklet(draft.prototypes[number], tracklet), tracklet.model_id)
    if prototype_set is None:
        return np.inf
    return draft.calibration(tracklet.model_id).logit(similarity(embedding_of(tracklet), prototype_set))


def logits(draft: Draft, tracklets: Sequence[Tracklet], numbers: Sequence[int], floor: float) -> NDArray[np.float64]:
    """Return `(m, n)` log odds that tracklets show identities; -inf where they are below `floor`."""
    found = np.full((len(tracklets), len(numbers)), -np.inf)
    for model_id in {tracklet.model_id for tracklet in tracklets}:
        calibration = draft.calibration(model_id)
        least = calibration.similarity(floor) - SLACK
        rows = [row for row, tracklet in enumerate(tracklets) if tracklet.model_id == model_id]
        columns, people = _of_model(draft, numbers, model_id)
        vectors = np.stack([embedding_of(tracklets[row]) for row in rows])
        for i, j in np.argwhere(similarity_bounds(vectors, people) >= least):
            value = calibration.logit(similarity(vectors[i], people[j]))
            found[rows[i], columns[j]] = value if value >= floor else -np.inf
    return found


def close_pairs(draft: Draft, numbers: Iterable[int], floor: float) -> set[tuple[int, int]]:
    """Return the pairs of one of `numbers` and another identity whose log odds may reach `floor`.

    None is missed; a few may turn out to be below.
    """
    ones, everybody = sorted(numbers), sorted(draft.identities)
    pairs: set[tuple[int, int]] = set()
    for model_id in {p.model_id for number in ones for p in draft.prototypes[number]}:
        rows, people = _of_model(draft, ones, model_id)
        columns, others = _of_model(draft, everybody, model_id)
        least = draft.calibration(model_id).similarity(floor) - SLACK
        near = np.argwhere(identity_similarity_bounds(people, others) >= least)
        pairs |= {(ones[rows[i]], everybody[columns[j]]) for i, j in near}
    return {(one, other) for one, other in pairs if one != other}


def _of_model(draft: Draft, numbers: Sequence[int], model_id: str) -> tuple[list[int], list[PrototypeSet]]:
    """Return the identities that have prototypes of a model: their positions in `numbers`, and the prototypes."""
    known = [(place, draft.prototype_set(number, model_id)) for place, number in enumerate(numbers)]
    found = [(place, prototypes) for place, prototypes in known if prototypes is not None]
    return [place for place, _ in found], [prototypes for _, prototypes in found]
