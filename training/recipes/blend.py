"""Average the weights before and after a run, and renew the statistics of all norms.

    python -m training.recipes.blend CONFIG BEFORE AFTER OUT [--share 0.6] [--prior WEIGHTS] [group.key=value ...]

Weights that went on from others keep more of what those knew if both are averaged, at no cost when served (Wortsman
et al. 2022, "Robust fine-tuning of zero-shot models", section 3). The average has seen no data, so that the statistics
of its norms fit neither; and a run that trains the encoder alone (`schedule.temporal_from: 1`) leaves those of the
temporal head behind, until everybody is alike by 0.8. `--share 1` renews the statistics of AFTER alone. The similarity
prior is that of BEFORE, since AFTER's was measured with the old statistics; where BEFORE is itself the end of a run, as
when two runs are averaged, `--prior` names the weights from which both began.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from reid_worker.model.climb import Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import load_weights, save_weights
from training.augment import augment
from training.config import load_config
from training.data.crops import Tracklets
from training.people import generated_people, training_people

TRACKLETS, BATCH = 1024, 32
SHARE = 0.6  # of the weights after the run
STRENGTH = 0.3  # of the augmentation: what is served is neither as clean nor as changed as what is trained on


@torch.no_grad()
def blend(before: Climb, after: Climb, share: float) -> None:
    """Turn `after` into the average of both, `share` of it itself, 0 to 1; what has no fraction stays as it is."""
    first = before.state_dict()
    for name, tensor in after.state_dict().items():
        if tensor.is_floating_point():
            tensor.lerp_(first[name], 1 - share)


@torch.no_grad()
def renew(network: Climb, preprocessing: Preprocessing, people: Tracklets, *, tracklets: int = TRACKLETS) -> None:
    """Set mean and variance of all BatchNorms to those of augmented tracklets of some people."""
    rng = np.random.default_rng(0)
    rows = rng.choice(len(people.lengths), min(tracklets, len(people.lengths)), replace=False)
    network.eval()
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    for part in np.array_split(rows, -(-len(rows) // BATCH)):
        crops = [np.stack(people.read(int(row), np.arange(people.lengths[row]))) for row in part]
        shown = [augment(tracklet, rng, STRENGTH, rng) for tracklet in crops]
        tokens = network.encode(preprocessing.scale(torch.from_numpy(np.concatenate(shown))), [len(t) for t in shown])
        network.normed(network.pooled(tokens, temporal=True))
    network.eval()


def main(arguments: Sequence[str]) -> None:
    """Write the average of two weights with statistics of its own."""
    parser = argparse.ArgumentParser(prog="python -m training.recipes.blend", description=main.__doc__)
    parser.add_argument("config", type=Path, help="the run, whose people the statistics are of")
    parser.add_argument("before", type=Path, help="weights from which the run began")
    parser.add_argument("after", type=Path, help="weights that it ended with")
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=SHARE, help="of the weights after the run, 0 to 1")
    parser.add_argument("--prior", type=Path, help="weights whose similarity prior is kept, instead of before's")
    parser.add_argument("changes", nargs="*", metavar="group.key=value", help="settings that override those of the run")
    given = parser.parse_intermixed_args(arguments)
    if not 0 <= given.share <= 1:
        parser.error(f"--share {given.share}: must be 0 to 1")
    run = load_config(given.config, given.changes)
    people = training_people(run, generated_people(run.synthetic.assets), print)
    first, loaded = load_weights(given.before), load_weights(given.after)
    blend(first.network, loaded.network, given.share)
    renew(loaded.network, loaded.preprocessing, people)
    prior = first.prior if given.prior is None else load_weights(given.prior).prior
    save_weights(given.out, loaded.network, loaded.preprocessing, prior)
    sys.stdout.write(f"{given.out}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
