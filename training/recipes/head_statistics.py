"""Renew the statistics that the temporal feature is normalised by, after a run that trained the encoder alone.

    python -m training.recipes.head_statistics CONFIG WEIGHTS OUT [group.key=value ...]

The head does not learn in such a run (`schedule.temporal_from: 1`), but what it sees changes: the mean of its feature
moved by five standard deviations in one hour, so that everybody was alike by 0.8. The weights stay as they are.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from reid_worker.model.climb import Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import load_weights, save_weights
from training.augment import augment
from training.config import load_config
from training.data.crops import Tracklets
from training.people import generated_people, training_people

TRACKLETS, BATCH = 1200, 16
STRENGTH = 0.3  # of the augmentation: what is served is neither as clean nor as changed as what is trained on


@torch.no_grad()
def renew(network: Climb, preprocessing: Preprocessing, people: Tracklets, *, tracklets: int = TRACKLETS) -> float:
    """Set mean and variance of the temporal feature's BatchNorm; return how far the mean moved, in deviations."""
    rng = np.random.default_rng(0)
    rows = rng.choice(len(people.lengths), min(tracklets, len(people.lengths)), replace=False)
    seen: list[torch.Tensor] = []
    network.eval()
    for part in np.array_split(rows, -(-len(rows) // BATCH)):
        crops = [np.stack(people.read(int(row), np.arange(people.lengths[row]))) for row in part]
        shown = [augment(tracklet, rng, STRENGTH, rng) for tracklet in crops]
        tokens = network.encode(preprocessing.scale(torch.from_numpy(np.concatenate(shown))), [len(t) for t in shown])
        temporal = network.pooled(tokens, temporal=True).temporal
        assert temporal is not None, "it was asked for"
        seen.append(temporal)
    values, norm = torch.cat(seen).double(), network.bottleneck_temporal
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None, "a BatchNorm that is served keeps statistics"
    assert variance is not None, "a BatchNorm that is served keeps statistics"
    moved = (values.mean(0) - mean).norm() / variance.double().sqrt().norm()
    mean.copy_(values.mean(0))
    variance.copy_(values.var(0))
    return float(moved)


def main(arguments: Sequence[str]) -> None:
    """Write the weights with new statistics."""
    config, weights, out, *changes = arguments
    run = load_config(Path(config), changes)
    loaded = load_weights(Path(weights))
    people = training_people(run, generated_people(run.synthetic.assets), print)
    moved = renew(loaded.network, loaded.preprocessing, people)
    save_weights(Path(out), loaded.network, loaded.preprocessing, loaded.prior)
    sys.stdout.write(f"{out}: the mean of the temporal feature moved by {moved:.2f} standard deviations\n")


if __name__ == "__main__":
    main(sys.argv[1:])
