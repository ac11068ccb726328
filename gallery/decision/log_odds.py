"""Log odds that tracklets and identities of a draft are one person, in batches. No I/O."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gallery.decision.compare import PrototypeSet, similarity
from gallery.decision.draft import Draft
from gallery.decision.shortlist import SLACK, similarity_bounds
from wire.messages import Tracklet


def logit(draft: Draft, tracklet: Tracklet, number: int) -> float:
    """Return the log odds that a tracklet shows an identity; -inf if they have no model in common."""
    prototype_set = draft.prototype_set(number, tracklet.model_id)
    if prototype_set is None:
        return -np.inf
    return draft.calibration(tracklet.model_id).logit(similarity(draft.vector(tracklet), prototype_set))


def logits(
    draft: Draft, tracklets: Sequence[Tracklet], numbers: Sequence[int], floor: float, among: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return `(m, n)` log odds that tracklets show identities; -inf where they are below `floor`.

    `among`, `(m, n)`, are the pairs to compare; the others are -inf too.
    """
    found = np.full((len(tracklets), len(numbers)), -np.inf)
    for model_id in {tracklet.model_id for tracklet in tracklets}:
        calibration = draft.calibration(model_id)
        least = calibration.similarity(floor) - SLACK
        rows = [row for row, tracklet in enumerate(tracklets) if tracklet.model_id == model_id]
        columns, people = _of_model(draft, numbers, model_id)
        vectors = np.stack([draft.vector(tracklets[row]) for row in rows])
        likely = similarity_bounds(vectors, people) >= least
        for i, j in np.argwhere(likely & among[np.ix_(rows, columns)]):
            value = calibration.logit(similarity(vectors[i], people[j]))
            found[rows[i], columns[j]] = value if value >= floor else -np.inf
    return found


def _of_model(draft: Draft, numbers: Sequence[int], model_id: str) -> tuple[list[int], list[PrototypeSet]]:
    """Return the identities that have prototypes of a model: their positions in `numbers`, and the prototypes."""
    known = enumerate(draft.prototype_sets(numbers, model_id))
    found = [(place, prototypes) for place, prototypes in known if prototypes is not None]
    return [place for place, _ in found], [prototypes for _, prototypes in found]
