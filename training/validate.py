"""Validate a network during training on held-out people, and fill its memories."""

import numpy as np
import torch
from torch import Tensor

from reid_worker.model.climb import Climb
from reid_worker.model.embedder import Embedder
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import LoadedWeights
from training.data.crops import Tracklets
from training.data.prefetch import read_in_chunks
from training.distributed import SINGLE, Distributed
from training.evaluation.embedding import EmbedPlan, embed_tracklets
from training.evaluation.evaluate import Report
from training.evaluation.metrics import Labelled, cosine_gap, rank
from training.evaluation.prior import gap_between
from training.memory import initial_memory
from training.people import HeldOut
from training.state import State

_CHUNK = 64  # crops encoded together if no gradient is needed


def validate(network: Climb, preprocessing: Preprocessing, people: HeldOut) -> Report:
    """Rank every query against the gallery, each tracklet by T frames in the middle of equal spans (section 4.1)."""
    device = next(network.parameters()).device
    embedder = Embedder(LoadedWeights(network, preprocessing, "in training"), device)
    frames = network.architecture.frames
    query = _embedded(embedder, people.query, frames)
    gallery = query if people.gallery is people.query else _embedded(embedder, people.gallery, frames)
    return Report(rank(query, gallery), cosine_gap(query) if query is gallery else gap_between(query, gallery))


def network_to_keep(state: State, *, apart: bool = False) -> Climb:
    """Return the network to validate and save: the moving average, if the run keeps one.

    `apart` forces a copy: a compiled network would be recompiled for every batch size.
    """
    if not state.average and not apart:
        return state.network.eval()
    network = Climb(state.network.architecture).to(state.memory.device)
    network.load_state_dict(state.average or state.network.state_dict())
    return network.eval()


@torch.no_grad()
def fill_memory(
    network: Climb,
    preprocessing: Preprocessing,
    people: Tracklets,
    count: int,
    *,
    group: Distributed = SINGLE,
) -> Tensor:
    """Return `count` memories under the current encoder, from the middle frame of every tracklet (eq. 2).

    Every rank encodes its share of the tracklets; all get the same memories.
    """
    network.eval()
    device = next(network.parameters()).device
    lengths, labels = people.lengths, torch.from_numpy(people.identities)
    n = len(labels)
    whole = np.resize(
        np.arange(n), -(-n // group.world_size) * group.world_size
    )  # shares of equal length: some tracklets are encoded twice
    mine = whole[group.share(len(whole))]
    rows = [mine[i : i + _CHUNK] for i in range(0, len(mine), _CHUNK)]
    features = []
    cameras = (None if people.side_rows is None else people.side_rows[part].tolist() for part in rows)
    for crops in read_in_chunks(people, rows, lambda row: np.array([lengths[row] // 2])):
        resized = torch.from_numpy(preprocessing.resize([crop for (crop,) in crops]))
        images = preprocessing.scale(resized.to(device))
        features.append(network.sequence_feature(network.encode(images, [1] * len(images), next(cameras))))
    whole_features = group.gather(torch.cat(features))[:n]
    return initial_memory(whole_features, labels.to(device), int(labels.max()) + 1, count)


def _embedded(embedder: Embedder, people: Tracklets, frames: int) -> Labelled:
    features = embed_tracklets(embedder.embed, people, EmbedPlan(frames)).features
    return Labelled(features, people.identities, people.cameras)
