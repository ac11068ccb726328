"""Untrained baselines, as a lower bound for every figure."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reid_worker.model import Embedder
from reid_worker.model.climb import CLIMB_TINY, Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import LoadedWeights


def colour_histogram(
    tracklets: Sequence[Sequence[NDArray[np.uint8]]],
    cameras: Sequence[int] | None = None,  # noqa: ARG001 (part of the `Embed` protocol)
) -> NDArray[np.float32]:
    """Embed tracklets as hue-saturation-value histograms of six horizontal stripes, `(n, 6·8·4·4)`."""
    return np.stack([_histogram_of(tracklet) for tracklet in tracklets])


def _histogram_of(tracklet: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    total = np.zeros((6, 8, 4, 4), np.float32)
    for crop in tracklet:
        hsv = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2HSV)
        margin = hsv.shape[1] // 5
        middle = hsv[:, margin : hsv.shape[1] - margin]  # the sides are background
        for stripe, part in enumerate(np.array_split(middle, 6)):
            if len(part):  # images with fewer than six rows have empty stripes
                total[stripe] += cv2.calcHist([part], [0, 1, 2], None, [8, 4, 4], [0, 180, 0, 256, 0, 256])
    root = np.sqrt(total.ravel() / total.sum())  # Hellinger: balances many small bins against few large ones
    return np.asarray(root / np.linalg.norm(root), np.float32)


def random_embedder(seed: int = 0) -> Embedder:
    """Return an untrained `climb-tiny`."""
    torch.manual_seed(seed)
    network = Climb(CLIMB_TINY).eval()
    return Embedder(
        LoadedWeights(network, Preprocessing(CLIMB_TINY.height, CLIMB_TINY.width), "random"), torch.device("cpu")
    )
