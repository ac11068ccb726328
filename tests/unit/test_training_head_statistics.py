"""After the statistics of the head are renewed, its feature is centred again, and nothing else has changed."""

from pathlib import Path

import numpy as np
import torch

from reid_worker.model.climb import Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import load_weights, save_weights
from tests.training_tools import coloured_noise
from training.config.groups import MODELS
from training.data.crops import CropSet
from training.recipes.head_statistics import renew

SIZES = MODELS["climb-tiny-64"]


def people() -> CropSet:
    crops = [coloured_noise(person, camera, 0, 2, (64, 32)) for person in range(8) for camera in range(4)]
    return CropSet(np.stack(crops), np.repeat(np.arange(8), 4), np.tile(np.arange(4), 8))


def test_the_temporal_feature_is_centred_again_and_only_its_statistics_differ(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Climb(SIZES).eval()
    assert network.bottleneck_temporal.running_mean is not None
    network.bottleneck_temporal.running_mean += 3.0  # as an encoder leaves it that learnt without the head
    path = tmp_path / "weights.safetensors"
    preprocessing = Preprocessing(SIZES.height, SIZES.width)
    save_weights(path, network, preprocessing, None)
    moved = renew(network, preprocessing, people())
    assert moved > 1.0
    assert renew(network, preprocessing, people()) < 1e-4
    before, after = load_weights(path).network.state_dict(), network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"bottleneck_temporal.running_mean", "bottleneck_temporal.running_var"}
