"""The oracle: every tracklet goes to the nearest identity, by the one fixed threshold that is best on the truth. Pure.

It sees each tracklet as it is in the end, and knows who was seen at once by one camera; a gallery must decide earlier,
and cannot know the threshold.
"""

from collections.abc import Mapping

import numpy as np

from deploy.bench.identities.film import Film
from deploy.bench.identities.judge import scores
from gallery.decision.together import together
from wire.messages import Tracklet

THRESHOLDS = tuple(np.arange(0.05, 0.96, 0.025).round(3).tolist())


def best_greedy(film: Film) -> Mapping[str, int | None]:
    """Return the numbers of tracklets by the threshold with the highest IDF1."""
    together_with = _together(film)
    return max((greedy(film, least, together_with) for least in THRESHOLDS), key=lambda one: scores(film, one).idf1)


def greedy(film: Film, least: float, together_with: Mapping[str, set[str]]) -> dict[str, int | None]:
    """Return the numbers of tracklets when each goes to the identity with the most similar mean, from `least` on."""
    sums: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
    numbers: dict[str, int | None] = {}
    for tracklet in sorted(film.last.values(), key=_in_time):
        key, vector = tracklet.tracklet_id, tracklet.embedding.astype(np.float32)
        excluded = {numbers.get(other) for other in together_with[key]}
        similar = [float(vector @ total) / float(np.linalg.norm(total)) for total in sums]
        likely = [(value, -n) for n, value in enumerate(similar, 1) if n not in excluded and value >= least]
        if likely:
            numbers[key] = -max(likely)[1]
            sums[-max(likely)[1] - 1] += vector
        else:
            sums.append(vector)
            numbers[key] = len(sums)
    return numbers


def _together(film: Film) -> Mapping[str, set[str]]:
    """Return for each tracklet those that one camera saw at the same time."""
    tracklets = list(film.last.values())
    return {
        one.tracklet_id: {o.tracklet_id for o in tracklets if o is not one and together(one, o, o.last_ns) == "yes"}
        for one in tracklets
    }


def _in_time(tracklet: Tracklet) -> tuple[int, str]:
    return tracklet.first_ns, tracklet.tracklet_id
