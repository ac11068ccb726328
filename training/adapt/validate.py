"""Validate weights on a site: by labels if there are any, otherwise by what can be measured without them.

Two things are certain: the halves of one tracklet are the same person, and people whom one camera saw at the same time
are different. Neither says anything across cameras. There, two tracklets of one person are mutual nearest neighbours if
the weights encode people rather than cameras, so the fraction of mutual neighbours is evidence; only labels are proof.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.adapt.cluster import clusters, distances_of
from training.data.crops import Tracklets
from training.data.prefetch import read_in_chunks
from training.evaluation.embedding import Embed, middle_frames
from training.evaluation.metrics import Labelled, rank
from wire.similarity import SimilarityPrior

_CHUNK = 16  # tracklets embedded together


@dataclass(frozen=True, slots=True)
class Cosines:
    """Cosine similarities of tracklets from two cameras, within a cluster and between clusters.

    Clusters contain what is similar, so `same` is biased upwards; its change from one network to another is not.
    """

    same_mean: float
    same_std: float
    different_mean: float
    different_std: float


def shifted_prior(
    prior: SimilarityPrior | None, before: Cosines | None, after: Cosines | None
) -> SimilarityPrior | None:
    """Return the similarity prior of adapted weights: that of the old ones, shifted by the change of cosines.

    None if the old weights have none; the old prior if the site gives no evidence, or the result would be invalid.
    """
    if prior is None or before is None or after is None:
        return prior
    names = ("same_mean", "same_std", "different_mean", "different_std")
    new = {name: getattr(prior, name) + getattr(after, name) - getattr(before, name) for name in names}
    try:
        return SimilarityPrior(**new)
    except ValueError:
        return prior


@dataclass(frozen=True, slots=True)
class SiteMetrics:
    """How good weights are on a site; None where the site gives no evidence.

    Attributes:
        mean_ap, rank1: From labels, 0 to 1.
        mutual: Fraction of held-out tracklets that are mutual nearest neighbours with their match in another camera.
        separation: How much more similar the halves of a tracklet are than certainly different people or, without
            such pairs, than other tracklets of the camera, in standard deviations.
        clusters: Number of clusters, each taken for one person.
        alone: Tracklets in no cluster.
        silhouette: How much closer tracklets are to their own cluster than to the next, -1 to 1 (Rousseeuw 1987).
        violated: Fraction of certainly different pairs that clustering without the constraints would merge.
        cosines: Cosines within and between clusters.
    """

    mean_ap: float | None
    rank1: float | None
    mutual: float | None
    separation: float | None
    clusters: int
    alone: int
    silhouette: float | None
    violated: float | None
    cosines: Cosines | None

    def better_than(self, other: "SiteMetrics") -> bool | None:
        """Return whether these are at least as good; None without evidence.

        Labels decide if there are any; otherwise mutual neighbours, provided that no more certain pairs are violated;
        otherwise separation.
        """
        if self.mean_ap is not None and other.mean_ap is not None:
            return self.mean_ap >= other.mean_ap
        if self.mutual is not None and other.mutual is not None:
            return self.mutual >= other.mutual and (self.violated or 0.0) <= (other.violated or 0.0)
        if self.separation is not None and other.separation is not None:
            return self.separation >= other.separation
        return None


@dataclass(frozen=True, slots=True, eq=False)
class ValidationSet:
    """The data that figures are computed from.

    Attributes:
        people: All tracklets of the site, n.
        different: Pairs `(m, 2)` of rows that are certainly different people.
        held: Held-out rows, not trained on, for `mutual` and `separation`.
        queries, gallery: Labelled tracklets, if there are any.
        frames: Maximum crops of a tracklet per embedding, spread evenly.
    """

    people: Tracklets
    different: NDArray[np.int64]
    held: NDArray[np.int64]
    queries: Tracklets | None
    gallery: Tracklets | None
    frames: int


def validate(embed: Embed, validation: ValidationSet) -> SiteMetrics:
    """Return the figures of the weights behind `embed`."""
    mean_ap = rank1 = None
    if validation.queries is not None and validation.gallery is not None:
        ranking = rank(
            *(_labelled(embed, part, validation.frames) for part in (validation.queries, validation.gallery))
        )
        mean_ap, rank1 = ranking.mean_ap, ranking.rank(1)
    features = embedded(embed, validation.people, np.arange(len(validation.people.lengths)), validation.frames)
    distances = distances_of(features, validation.people.cameras)
    labels = clusters(distances, validation.different)
    unconstrained = clusters(distances, validation.different[:0])[validation.different]
    violated = (unconstrained[:, 0] == unconstrained[:, 1]) & (unconstrained[:, 0] >= 0)
    return SiteMetrics(
        mean_ap,
        rank1,
        _mutual(features, validation),
        _separation(embed, validation),
        int(labels.max(initial=-1)) + 1,
        int((labels < 0).sum()),
        _silhouette(distances, labels),
        float(violated.mean()) if len(violated) else None,
        _cosines(features, validation.people.cameras, labels),
    )


def embedded(
    embed: Embed, people: Tracklets, rows: NDArray[np.int64], frames: int, part: tuple[float, float] = (0.0, 1.0)
) -> NDArray[np.float32]:
    """Return the features `(len(rows), dim)` of tracklets.

    Args:
        embed: Embeds tracklets.
        people: The tracklets.
        rows: The tracklets to embed.
        frames: Maximum crops of each.
        part: Where to start and stop, as fractions of a tracklet.

    Raises:
        DataSetError: An image is missing or broken.
    """
    lengths = people.lengths

    def places(row: int) -> NDArray[np.int64]:
        first, stop = (int(share * lengths[row]) for share in part)
        return first + middle_frames(max(stop - first, 1), frames)

    chunks = [rows[i : i + _CHUNK] for i in range(0, len(rows), _CHUNK)]
    return np.concatenate([embed(crops) for crops in read_in_chunks(people, chunks, places)])


def _labelled(embed: Embed, people: Tracklets, frames: int) -> Labelled:
    features = embedded(embed, people, np.arange(len(people.lengths)), frames)
    return Labelled(features, people.identities, people.cameras)


def _cosines(features: NDArray[np.float32], cameras: NDArray[np.int64], labels: NDArray[np.int64]) -> Cosines | None:
    grouped = np.flatnonzero(labels >= 0)
    cosine = features[grouped] @ features[grouped].T
    across = np.triu(cameras[grouped, None] != cameras[None, grouped])
    one = labels[grouped, None] == labels[None, grouped]
    same, different = cosine[across & one], cosine[across & ~one]
    if not (len(same) and len(different)):
        return None
    return Cosines(float(same.mean()), float(same.std()), float(different.mean()), float(different.std()))


def _mutual(features: NDArray[np.float32], validation: ValidationSet) -> float | None:
    """Return the fraction of pairs (held-out tracklet, other camera) whose nearest neighbours are mutual."""
    cameras = validation.people.cameras
    back = []
    for camera in np.unique(cameras):
        own = np.flatnonzero(cameras == camera)
        held = np.intersect1d(own, validation.held)
        for elsewhere in (np.flatnonzero(cameras == other) for other in np.unique(cameras) if other != camera):
            nearest = elsewhere[(features[held] @ features[elsewhere].T).argmax(axis=1)]
            back.append(own[(features[nearest] @ features[own].T).argmax(axis=1)] == held)
    return float(np.concatenate(back).mean()) if back and sum(map(len, back)) else None


def _separation(embed: Embed, validation: ValidationSet) -> float | None:
    """Return d' of the halves of held-out tracklets against pairs of different tracklets."""
    rows = validation.held[validation.people.lengths[validation.held] > 1]
    if len(rows) < 2:
        return None
    early, late = (
        embedded(embed, validation.people, rows, validation.frames, part) for part in ((0.0, 0.5), (0.5, 1.0))
    )
    place = {int(row): number for number, row in enumerate(rows)}
    pairs = [(place[a], place[b]) for a, b in validation.different.tolist() if a in place and b in place]
    if not pairs:
        cameras = validation.people.cameras[rows]
        pairs = [(a, b) for a, b in np.argwhere(np.triu(cameras[:, None] == cameras[None, :], 1)).tolist()]
    if not pairs:
        return None
    first, second = np.array(pairs).T
    same = (early * late).sum(axis=1)
    other = np.concatenate([(early[first] * late[second]).sum(axis=1), (late[first] * early[second]).sum(axis=1)])
    return float((same.mean() - other.mean()) / np.sqrt((same.var() + other.var()) / 2 + 1e-12))


def _silhouette(distances: NDArray[np.float32], labels: NDArray[np.int64]) -> float | None:
    from sklearn.metrics import silhouette_score

    grouped = labels >= 0
    if not 1 < labels.max(initial=-1) + 1 < grouped.sum():
        return None
    held = distances[np.ix_(grouped, grouped)].copy()
    np.fill_diagonal(held, 0)
    return float(silhouette_score(held, labels[grouped], metric="precomputed"))
