"""Rank the people of a site by how much they look like somebody searched for. Reads only; no I/O."""

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from gallery.decision.calibrate import DEFAULT_PRIOR, Calibration
from gallery.decision.compare import similarity
from gallery.decision.mixture import exceeded
from gallery.decision.site import Site
from wire.messages import LookalikeQuery, QueryAnswer
from wire.queries import MAX_LOOKALIKES, Lookalike, refusal

MANY = 1_000  # people; beyond, only those whom the index finds are compared
OTHER_WEIGHTS = (
    "nobody who is known was seen under the weights that the workers serve now: search again when people have passed"
    " the cameras"
)
OTHER_LENGTH = "the worker that read the picture serves other weights than before: serve the same on all workers"

Nearest = Callable[[NDArray[np.float32], str], Collection[Collection[int]]]


def answer(site: Site, query: LookalikeQuery, nearest: Nearest) -> QueryAnswer:
    """Return who each person of a query looks like, hidden people left out.

    Args:
        nearest: Returns the identities nearest to each of `(n, d)` unit vectors under a model.
    """
    known = (p for people in site.prototypes.values() for p in people if p.model_id == query.model_id)
    one = next(known, None)
    if one is None and site.identities:
        return refusal(query.query_id, query.asker, OTHER_WEIGHTS)
    if one is not None and len(one.vector) != query.embeddings.shape[1]:
        return refusal(query.query_id, query.asker, OTHER_LENGTH)
    raw = query.embeddings.astype(np.float32)
    everybody = [set(site.identities)] * len(raw) if len(site.identities) <= MANY else nearest(raw, query.model_id)
    found = tuple(tuple(_ranked(site, query, vector, people)) for vector, people in zip(raw, everybody, strict=True))
    return QueryAnswer(
        query_id=query.query_id,
        asker=query.asker,
        boxes=query.boxes,
        scores=query.scores,
        width=query.width,
        height=query.height,
        lookalikes=found,
        known=len(site.identities),
    )


def _ranked(
    site: Site, query: LookalikeQuery, embedding: NDArray[np.float32], people: Collection[int]
) -> list[Lookalike]:
    """Return the people most like one embedding, the most similar first, then by number."""
    calibration = site.calibrations.get(query.model_id) or Calibration(DEFAULT_PRIOR)
    vector = site.shifts.without_likely(embedding, query.model_id, query.camera_id)
    found = []
    for number in people:
        identity = site.identities.get(number)
        if identity is None or identity.hidden:
            continue
        known = site.memo.prototype_set(number, site.prototypes.get(number, ()), query.model_id, site.shifts)
        if known is not None:
            found.append((similarity(vector, known), number))
    found.sort(key=lambda one: (-one[0], one[1]))
    others = max(1, len(site.identities) - 1)
    return [
        Lookalike(
            number,
            value,
            calibration.doubles.likely(calibration.logit(value), others),
            others * exceeded(calibration.scale, value),
        )
        for value, number in found[: min(query.limit, MAX_LOOKALIKES)]
    ]
