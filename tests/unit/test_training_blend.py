"""Two weights are averaged by their shares, and the statistics of norms are those of what is seen."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reid_worker.model.climb import Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import load_weights, save_weights
from tests.training_tools import coloured_noise
from training.config.groups import MODELS
from training.data.crops import CropSet
from training.recipes.blend import blend, main, renew
from wire.similarity import SimilarityPrior

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


@pytest.mark.parametrize(("chosen", "kept"), [((), "before"), (("--prior", "begin.safetensors"), "begin")])
def test_the_blend_has_the_prior_of_the_weights_before_or_of_those_named(
    chosen: tuple[str, ...], kept: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """That of those after was measured with the statistics that are renewed: it took everybody for alike."""
    priors = {
        "before": SimilarityPrior(same_mean=0.6, same_std=0.2, different_mean=0.0, different_std=0.2),
        "after": SimilarityPrior(same_mean=0.9, same_std=0.2, different_mean=0.7, different_std=0.2),
        "begin": SimilarityPrior(same_mean=0.5, same_std=0.2, different_mean=0.1, different_std=0.2),
    }
    monkeypatch.chdir(tmp_path)
    for seed, (name, prior) in enumerate(priors.items()):
        preprocessing = Preprocessing(SIZES.height, SIZES.width)
        save_weights(tmp_path / f"{name}.safetensors", network(seed), preprocessing, prior)
    (tmp_path / "run.yaml").write_text("network: {model: climb-tiny-64}\n")
    monkeypatch.setattr("training.recipes.blend.training_people", lambda *_: people())

    main(["run.yaml", "before.safetensors", "after.safetensors", "out.safetensors", *chosen])

    assert load_weights(tmp_path / "out.safetensors").prior == priors[kept]


def test_a_share_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run.yaml", "a.safetensors", "b.safetensors", "out.safetensors", "--share", "nan"])
    assert "--share nan: must be 0 to 1" in capsys.readouterr().err
