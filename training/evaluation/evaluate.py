"""Evaluate an embedding on a data set by its protocol, or on tracklets that serve as each other's gallery.

The protocol is the same everywhere: junk is ignored, and so are items with the query's identity and camera, so that the
gallery may contain the queries (MARS, LS-VID); distractors never match. iLIDS-VID is the mean over its ten splits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.data.crops import Tracklets
from training.data.dataset import JUNK, DataSet, DataSetError, LabelledTracklet
from training.data.files import FileTracklets
from training.data.side import Side
from training.evaluation.embedding import Embed, EmbedPlan, Progress, embed_tracklets, unit_rows
from training.evaluation.metrics import (
    CosineGap,
    Labelled,
    QueryResult,
    Ranking,
    average,
    cosine_gap,
    cosine_scores,
    query_results,
    rank_all,
    summarise,
)
from training.evaluation.rerank import reranked

Feature = Literal["all", "sequence", "temporal"]
Distance = Literal["cosine", "parts"]
_RANKS = 20


@dataclass(frozen=True, slots=True)
class Report:
    """Quality of an embedding on one data set."""

    ranking: Ranking
    gap: CosineGap

    def line(self) -> str:
        """Format the figures as one line."""
        return (
            f"mAP {self.ranking.mean_ap:.3f}  rank-1 {self.ranking.rank(1):.3f}  rank-5 {self.ranking.rank(5):.3f}  "
            f"cosine same {self.gap.same:.3f} different {self.gap.different:.3f} gap {self.gap.gap:.3f}"
        )


def evaluate(embed: Embed, people: Tracklets, *, frames: int = 8) -> Report:
    """Embed every tracklet from `frames` of its crops, and rank each one against those of the other cameras."""
    features = embed_tracklets(embed, people, EmbedPlan(frames)).features
    items = Labelled(features, people.identities, people.cameras)
    return Report(rank_all(items), cosine_gap(items))


def select_features(
    features: NDArray[np.float32], sequence: int, *, feature: Feature = "all", distance: Distance = "cosine"
) -> NDArray[np.float32]:
    """Return unit rows whose cosine implements the requested feature and distance.

    The sum of two parts' cosine distances is twice the cosine distance of the concatenation of both parts, each scaled
    to length 1, so `parts` needs no special ranking.

    Args:
        features: `(n, dim)`, the sequence feature followed by the temporal one, as output by CLIMB.
        sequence: Length of the sequence feature, D + d.
        feature: What to compare: `all`, the full embedding; `sequence`, the plain average over frames; or `temporal`.
        distance: For `all`: `cosine` of the concatenation, or the sum of both parts' (`parts`), weighted equally.
    """
    head, tail = unit_rows(features[:, :sequence]), unit_rows(features[:, sequence:])
    if feature != "all":
        return head if feature == "sequence" else tail
    return features if distance == "cosine" else unit_rows(np.concatenate([head, tail], axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedSplit:
    """Embedded queries and gallery of one split: row i of `query` is the feature of `queries[i]`.

    Attributes:
        name: Name of the data set.
        queries: Query tracklets.
        gallery: Gallery tracklets, without junk.
        query: Features of the queries.
        items: Features of the gallery.
    """

    name: str
    queries: tuple[LabelledTracklet, ...]
    gallery: tuple[LabelledTracklet, ...]
    query: Labelled
    items: Labelled

    def with_features(self, query: NDArray[np.float32], items: NDArray[np.float32]) -> "EmbeddedSplit":
        """Return the same queries and gallery with different features."""
        return replace(self, query=replace(self.query, features=query), items=replace(self.items, features=items))


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """All splits of a data set, embedded.

    Attributes:
        splits: One entry per split.
        broken: Reasons why tracklets were skipped.
    """

    splits: list[EmbeddedSplit]
    broken: list[str]


def limited_to(data: DataSet, identities: int) -> DataSet:
    """Return the data set limited to the first `identities` of its queries, also in the gallery: faster, and easier."""
    kept = list(dict.fromkeys(one.identity for one in data.query))[:identities]
    return replace(
        data,
        query=tuple(one for one in data.query if one.identity in kept),
        gallery=tuple(one for one in data.gallery if one.identity in kept),
    )


def embed_splits(
    sets: Sequence[DataSet], embed: Embed, plan: EmbedPlan, progress: Progress | None = None, side: Side | None = None
) -> Embeddings:
    """Embed queries and galleries, each shared tracklet only once. Junk is skipped, since it is always ignored.

    Args:
        sets: The splits of a data set.
        embed: The embedding to evaluate.
        plan: How to embed.
        progress: Progress callback.
        side: The cameras' side information; None to pass no cameras to `embed`.

    Raises:
        DataSetError: A split has no queries or no gallery, an image is missing or broken, or a camera has no side
            information.
        EmbeddingError: The network returned NaN or infinite values.
    """
    parts = [(one.query, tuple(t for t in one.gallery if t.identity != JUNK)) for one in sets]
    for one, (query, gallery) in zip(sets, parts, strict=True):
        if not query or not gallery:
            raise DataSetError(f"{one.name} has {len(query)} queries and {len(gallery)} gallery items: nothing to rank")
    rows = {tracklet: row for row, tracklet in enumerate(dict.fromkeys(t for both in parts for p in both for t in p))}
    everything = tuple(rows)
    people = FileTracklets(everything, side_rows=None if side is None else side.rows(everything))
    done = embed_tracklets(embed, people, plan, progress)
    found = []
    for one, both in zip(sets, parts, strict=True):
        query, gallery = (tuple(t for t in part if rows[t] not in done.broken) for part in both)
        if not query or not gallery:
            raise DataSetError(f"{one.name}: no query, or no gallery item, can be read")
        labelled = [_labelled(part, done.features[[rows[t] for t in part]]) for part in (query, gallery)]
        found.append(EmbeddedSplit(one.name, query, gallery, *labelled))
    return Embeddings(found, list(done.broken.values()))


def _labelled(tracklets: Sequence[LabelledTracklet], features: NDArray[np.float32]) -> Labelled:
    return Labelled(
        features,
        np.array([t.identity for t in tracklets], np.int64),
        np.array([t.camera for t in tracklets], np.int64),
    )


@dataclass(frozen=True, slots=True)
class Rerank:
    """Parameters of k-reciprocal re-ranking; the defaults are the paper's."""

    k1: int = 20
    k2: int = 6
    weight: float = 0.3


def results_of(found: EmbeddedSplit, rerank: Rerank | None = None) -> list[QueryResult]:
    """Return the result of each query, by cosine or re-ranked."""
    query, items = found.query.features, found.items.features
    if rerank is None:
        scores = cosine_scores(query, items)
    else:
        scores = reranked(query, items, k1=rerank.k1, k2=rerank.k2, weight=rerank.weight).scores
    return query_results(scores, found.query.labels, found.items.labels)


def ranking_of(found: Sequence[EmbeddedSplit], rerank: Rerank | None = None) -> Ranking:
    """Return the ranking of a split, or the mean over several.

    Raises:
        DataSetError: No query has its identity in the gallery under another camera.
    """
    try:
        return average([summarise(results_of(one, rerank), ranks=_RANKS) for one in found])
    except ValueError as error:
        raise DataSetError(f"{found[0].name}: {error}") from error
