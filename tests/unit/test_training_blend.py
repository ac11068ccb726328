"""Two weights are averaged by their shares, and the statistics of norms are those of what is seen."""

import numpy as np
import pytest
import torch

from reid_worker.model.climb import Climb
from reid_worker.model.preprocess import Preprocessing
from tests.training_tools import coloured_noise
from training.config.groups import MODELS
from training.data.crops import CropSet
from training.recipes.blend import blend, main, renew

SIZES = MODELS["climb-tiny-64"]
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def people() -> CropSet:
    crops = [coloured_noise(person, camera, 0, 2, (64, 32)) for person in range(8) for camera in range(4)]
    return CropSet(np.stack(crops), np.repeat(np.arange(8), 4), np.tile(np.arange(4), 8))


def network(seed: int) -> Climb:
    torch.manual_seed(seed)
    return Climb(SIZES).eval()


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_each_weight_is_averaged_by_its_share(share: float) -> None:
    before, after = network(0), network(1)
    first = {name: tensor.clone() for name, tensor in before.state_dict().items()}
    second = {name: tensor.clone() for name, tensor in after.state_dict().items()}
    blend(before, after, share)
    for name, tensor in after.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, (1 - share) * first[name] + share * second[name])


def test_the_temporal_feature_is_centred_again_and_only_statistics_differ() -> None:
    network_ = network(0)
    assert network_.bottleneck_temporal.running_mean is not None
    network_.bottleneck_temporal.running_mean += 3.0  # as an encoder leaves it that learnt without the head
    before = {name: tensor.clone() for name, tensor in network_.state_dict().items()}
    renew(network_, Preprocessing(SIZES.height, SIZES.width), people())
    after = {name: tensor.clone() for name, tensor in network_.state_dict().items()}
    assert after["bottleneck_temporal.running_mean"].abs().mean() < 1.0
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "bottleneck_temporal.running_var" in changed
    assert all(name.endswith(STATISTICS) for name in changed)

    renew(network_, Preprocessing(SIZES.height, SIZES.width), people())
    for name, tensor in network_.state_dict().items():
        torch.testing.assert_close(tensor, after[name])


def test_a_share_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run.yaml", "a.safetensors", "b.safetensors", "out.safetensors", "--share", "nan"])
    assert "--share nan: must be 0 to 1" in capsys.readouterr().err
