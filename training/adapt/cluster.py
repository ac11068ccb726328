"""Cluster the tracklets of a site without labels, with pairs that certainly differ as constraints.

Letters: n tracklets. Distances are Jaccard distances of k-reciprocal neighbourhoods (Zhong et al. 2017, "Re-ranking
person re-identification with k-reciprocal encoding", section 3), as in clustering for unsupervised re-identification
(Ge et al. 2020, "Self-paced contrastive learning", section 3.2). Clusters are scipy's average linkage, in which two
groups that contain a pair of certainly different people are never merged.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from training.evaluation.rerank import jaccard_distances

NEIGHBOURS = 8  # k1; a site sees a person a few times, public data sets about twenty
EXPANSION = 3  # k2, neighbours whose neighbourhoods are averaged
THRESHOLD = 0.45  # on the Jaccard distance; tuned on generated people, where 0.4 to 0.55 are about as good
OVERLAP_NS = 1_000_000_000  # a tracker may keep a person's old box for a second beside the new one
MOST = 10_000  # tracklets at a time: comparing 6 000 took 0.8 GB, which grows quadratically

_FORBIDDEN = 1e6  # a mean with one such distance among a million pairs is still above any threshold
_CAMERA_PRIOR = 4.0  # weight of a zero mean, in tracklets: a few tracklets say little about their camera


def certainly_different(cameras: NDArray[np.int64], spans_ns: Sequence[tuple[int, int] | None]) -> NDArray[np.int64]:
    """Return pairs `(m, 2)` of tracklets that one camera saw simultaneously for more than a second.

    Args:
        cameras: `(n,)`.
        spans_ns: First and last capture time of each of the n tracklets, None if unknown.
    """
    pairs = []
    for camera in np.unique(cameras):
        rows = np.flatnonzero(cameras == camera).tolist()
        timed = sorted((span, row) for row in rows if (span := spans_ns[row]) is not None)
        earlier: list[tuple[int, int]] = []  # last capture time and row of tracklets still visible
        for (first, last), row in timed:
            earlier = [(end, other) for end, other in earlier if end - first > OVERLAP_NS]
            pairs += [
                (min(row, other), max(row, other)) for end, other in earlier if min(end, last) - first > OVERLAP_NS
            ]
            earlier.append((last, row))
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def without_cameras(features: NDArray[np.float32], cameras: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return features `(n, dim)` minus the mean of their camera `(n,)`, rows of length 1.

    What all people of a camera have in common comes from the camera: its light, background and mounting height.
    """
    centred = features.astype(np.float32, copy=True)
    for camera in np.unique(cameras):
        rows = cameras == camera
        count = int(rows.sum())
        centred[rows] -= features[rows].mean(axis=0) * count / (count + _CAMERA_PRIOR)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12), np.float32)


def distances_of(features: NDArray[np.float32], cameras: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return distances `(n, n)`, 0 to 1, of features `(n, dim)` with rows of length 1, seen by cameras `(n,)`."""
    return jaccard_distances(without_cameras(features, cameras), k1=NEIGHBOURS, k2=EXPANSION)


def clusters(
    distances: NDArray[np.float32], different: NDArray[np.int64], threshold: float = THRESHOLD
) -> NDArray[np.int64]:
    """Return the cluster `(n,)` of each tracklet, from 0; -1 for tracklets in no cluster.

    Args:
        distances: `(n, n)`, symmetric.
        different: Pairs `(m, 2)` that are certainly not in one cluster.
        threshold: Two clusters whose mean distance is at most this are merged.
    """
    n = len(distances)
    if n < 2:
        return np.full(n, -1, np.int64)
    held = distances.astype(np.float64)
    held[different[:, 0], different[:, 1]] = held[different[:, 1], different[:, 0]] = _FORBIDDEN
    np.fill_diagonal(held, 0)
    found = fcluster(linkage(squareform(held, checks=False), "average"), threshold, "distance")
    counts = np.bincount(found)
    labels = np.full(n, -1, np.int64)
    together = counts[found] > 1
    labels[together] = np.unique(found[together], return_inverse=True)[1]
    return labels
