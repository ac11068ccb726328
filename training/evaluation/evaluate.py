"""Judge an embedding on a data set, by that data set's own rules, or on tracklets that are each other's gallery.

The rules are the same everywhere: junk is not there, nor is what shows the query's person by the query's camera, so a
query may lie in the gallery itself (MARS, LS-VID); distractors are wrong. iLIDS-VID is the mean over its ten splits.
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
    """What an embedding is worth on one set."""

    ranking: Ranking
    gap: CosineGap

    def line(self) -> str:
        """Return the figures in one line."""
        return (
            f"mAP {self.ranking.mean_ap:.3f}  rank-1 {self.ranking.rank(1):.3f}  rank-5 {self.ranking.rank(5):.3f}  "
            f"cosine same {self.gap.same:.3f} different {self.gap.different:.3f} gap {self.gap.gap:.3f}"
        )


def evaluate(embed: Embed, people: Tracklets, *, frames: int = 8) -> Report:
    """Embed every tracklet by `frames` of its crops, and rank each against those of the other cameras."""
    features = embed_tracklets(embed, people, EmbedPlan(frames)).features
    items = Labelled(features, people.identities, people.cameras)
    return Report(rank_all(items), cosine_gap(items))


def compared_by(
    features: NDArray[np.float32], sequence: int, *, feature: Feature = "all", distance: Distance = "cosine"
) -> NDArray[np.float32]:
    """Return features whose cosine ranks as asked, rows of length 1.

    The sum of two parts' cosine distances is twice the cosine distance of both parts, each scaled to length 1, one
    behind the other: `parts` needs no ranking of its own.

    Args:
        features: `(n, dim)`, the sequence feature and then the temporal one, as CLIMB gives them.
        sequence: Length of the sequence feature, D + d.
        feature: What to compare: `all` that is served, `sequence`, the plain average over frames, or `temporal`.
        distance: Of `all`: `cosine` of the concatenation, or the sum of both parts' (`parts`), which weighs them alike.
    """
    head, tail = unit_rows(features[:, :sequence]), unit_rows(features[:, sequence:])
    if feature != "all":
        return head if feature == "sequence" else tail
    return features if distance == "cosine" else unit_rows(np.concatenate([head, tail], axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Queries and gallery of one split, embedded: row i of `query` is a feature of `queries[i]`.

    Attributes:
        name: Of the data set.
        queries: What was searched with.
        gallery: What was searched in, without junk.
        query: Their features.
        items: Features of the gallery.
    """

    name: str
    queries: tuple[LabelledTracklet, ...]
    gallery: tuple[LabelledTracklet, ...]
    query: Labelled
    items: Labelled

    def with_features(self, query: NDArray[np.float32], items: NDArray[np.float32]) -> "Found":
        """Return the same queries and gallery with other features."""
        return replace(self, query=replace(self.query, features=query), items=replace(self.items, features=items))


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """All splits of a data set, embedded.

    Attributes:
        found: One a split.
        broken: Why tracklets were left out.
    """

    found: list[Found]
    broken: list[str]


def smaller(data: DataSet, identities: int) -> DataSet:
    """Return the set with the first so many identities of its queries only, in the gallery too: quick, and easier."""
    kept = list(dict.fromkeys(one.identity for one in data.query))[:identities]
    return replace(
        data,
        query=tuple(one for one in data.query if one.identity in kept),
        gallery=tuple(one for one in data.gallery if one.identity in kept),
    )


def embed_splits(
    sets: Sequence[DataSet], embed: Embed, plan: EmbedPlan, progress: Progress | None = None, side: Side | None = None
) -> Embeddings:
    """Embed queries and galleries, what several splits share once. Junk is left out, as it never counts.

    Args:
        sets: The splits of a data set.
        embed: What is evaluated.
        plan: How.
        progress: Told how far it is.
        side: Which camera has which side information; None tells `embed` of no cameras.

    Raises:
        DataSetError: A split has no query or nothing to search in, an image is missing or broken, or a camera has no
            side information.
        EmbeddingError: The network gave NaN or infinite numbers.
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
            raise DataSetError(f"{one.name}: no query, or nothing to search in, can be read")
        labelled = [_labelled(part, done.features[[rows[t] for t in part]]) for part in (query, gallery)]
        found.append(Found(one.name, query, gallery, *labelled))
    return Embeddings(found, list(done.broken.values()))


def _labelled(tracklets: Sequence[LabelledTracklet], features: NDArray[np.float32]) -> Labelled:
    return Labelled(
        features,
        np.array([t.identity for t in tracklets], np.int64),
        np.array([t.camera for t in tracklets], np.int64),
    )


@dataclass(frozen=True, slots=True)
class Rerank:
    """Parameters of k-reciprocal re-ranking, the paper's by default."""

    k1: int = 20
    k2: int = 6
    weight: float = 0.3


def results_of(found: Found, rerank: Rerank | None = None) -> list[QueryResult]:
    """Return what each query finds, by cosine or re-ranked."""
    query, items = found.query.features, found.items.features
    if rerank is None:
        scores = cosine_scores(query, items)
    else:
        scores = reranked(query, items, k1=rerank.k1, k2=rerank.k2, weight=rerank.weight).scores
    return query_results(scores, found.query.labels, found.items.labels)


def ranking_of(found: Sequence[Found], rerank: Rerank | None = None) -> Ranking:
    """Return the ranking of a split, or the mean over several.

    Raises:
        DataSetError: No query has its identity under another camera of the gallery.
    """
    try:
        return average([summarise(results_of(one, rerank), ranks=_RANKS) for one in found])
    except ValueError as error:
        raise DataSetError(f"{found[0].name}: {error}") from error
