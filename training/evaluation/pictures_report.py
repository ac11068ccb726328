"""The pictures of an evaluation: results of the worst and of some queries, similarity histograms, and a t-SNE map."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import LabelledTracklet
from training.data.files import FileTracklets
from training.evaluation.evaluate import EmbeddedSplit
from training.evaluation.metrics import cosine_scores, query_results
from training.evaluation.pictures import (
    RankedItem,
    RankedRow,
    Shown,
    Verdict,
    identity_map,
    ranked_lists,
    similarity_histograms,
)

_ROWS = 8  # queries per sheet
_PLACES = 10
_QUERIES = 1000  # whose cosines are drawn; MSMT17 has a billion pairs
_MAP = 2000  # items whose neighbourhoods t-SNE keeps


def draw_report(folder: Path, found: EmbeddedSplit) -> list[Path]:
    """Write `worst.png`, `some.png`, `similarities.png` and `identities.png` to a folder; return the paths written.

    A picture without enough data is skipped: a map of three tracklets shows nothing.

    Raises:
        OSError: The folder cannot be written.
        DataSetError: An image is missing or broken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return list(_drawn(folder, found))


def _drawn(folder: Path, found: EmbeddedSplit) -> Iterator[Path]:
    scores = cosine_scores(found.query.features, found.items.features)
    results = query_results(scores, found.query.labels, found.items.labels)
    counted = np.array([i for i, one in enumerate(results) if one.first])
    worst = counted[np.argsort([results[i].average_precision for i in counted], kind="stable")][:_ROWS]
    some = np.random.default_rng(0).permutation(counted)[:_ROWS]
    for name, queries in (("worst", worst), ("some", np.sort(some))):
        path = folder / f"{name}.png"
        ranked_lists(path, [_row(found, int(query)) for query in queries], places=_PLACES)
        yield path
    same, different = _cosines(found)
    if len(same) and len(different):
        similarity_histograms(folder / "similarities.png", same, different)
        yield folder / "similarities.png"
    identities = found.items.identities[:_MAP]
    if (identities >= 0).sum() > _PLACES:
        identity_map(folder / "identities.png", found.items.features[:_MAP], identities, found.items.cameras[:_MAP])
        yield folder / "identities.png"


def _row(found: EmbeddedSplit, query: int) -> RankedRow:
    cosines = found.items.features @ found.query.features[query]
    nearest = np.argsort(-cosines, kind="stable")[:_PLACES]
    who, where = found.query.identities[query], found.query.cameras[query]
    items = []
    for row in nearest:
        right = found.items.identities[row] == who
        own = right and found.items.cameras[row] == where  # ignored: the query's identity from the query's camera
        verdict = Verdict.JUNK if own else Verdict.RIGHT if right else Verdict.WRONG
        items.append(RankedItem(_shown(found.gallery[row]), verdict, float(cosines[row])))
    return RankedRow(_shown(found.queries[query]), tuple(items))


def _shown(tracklet: LabelledTracklet) -> Shown:
    (crop,) = FileTracklets([tracklet]).read(0, np.array([len(tracklet.paths) // 2]))
    return Shown(crop, tracklet.identity, tracklet.camera)


def _cosines(found: EmbeddedSplit) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the cosines of cross-camera pairs of the same identity and of different identities."""
    chosen = np.random.default_rng(0).permutation(len(found.queries))[:_QUERIES]
    cosines = found.query.features[chosen] @ found.items.features.T
    same = found.query.identities[chosen, None] == found.items.identities[None]
    across = found.query.cameras[chosen, None] != found.items.cameras[None]
    return cosines[same & across], cosines[~same & across]
