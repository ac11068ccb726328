"""One step and its parts: dropped tokens, recomputed layers, half precision, parts of a batch, averaged weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from reid_worker.model.clip import VisualTower
from tests.training_tools import coloured_noise, small_config
from training.average import copied, move_average
from training.build import preprocessing_of, sampler_of
from training.config import TrainConfig
from training.loader import Loader
from training.people import training_people
from training.schedule import Stage
from training.state import State, start
from training.step import train_step

SIZE = (64, 32)


def tower() -> VisualTower:
    torch.manual_seed(0)
    return VisualTower(nn.Conv2d(3, 16, 8, stride=8), (4, 2), width=16, layers=2, heads=2, joint=8)


def test_patch_tokens_may_come_in_any_order_and_some_may_be_dropped() -> None:
    images = torch.randn(2, 3, 32, 16)
    whole = tower()(images)
    order = torch.stack([torch.randperm(8), torch.randperm(8)])
    shuffled = tower()(images, kept=order)
    torch.testing.assert_close(shuffled.cls_token, whole.cls_token)
    torch.testing.assert_close(shuffled.patches, whole.patches.gather(1, order.unsqueeze(2).expand(-1, -1, 16)))
    some = tower()(images, kept=order[:, :3])
    assert some.patches.shape == (2, 3, 16)
    assert not torch.allclose(some.cls_token, whole.cls_token)


def test_recomputed_layers_give_the_same_gradient() -> None:
    images = torch.randn(2, 3, 32, 16)
    gradients = []
    for recomputed in (False, True):
        network = tower()
        network.recomputed = recomputed
        network(images).joint.square().sum().backward()
        gradients.append([p.grad for p in network.parameters()])
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(again, plain)


def begun(tmp_path: Path, *overrides: str) -> tuple[TrainConfig, State, Loader]:
    config = small_config(tmp_path / "run", "synthetic.crops=fresh", "schedule.early_frames=2", *overrides)
    people = training_people(config, coloured_noise, print)
    return config, start(config, config.synthetic.train_identities), Loader(config, people, sampler_of(config, people))


def test_a_stage_drops_its_share_of_tokens_of_every_crop_anew(tmp_path: Path) -> None:
    _, _, loader = begun(tmp_path)
    examples = loader.batch(0, Stage(2, SIZE, dropped=0.5))
    assert examples.kept is not None
    assert examples.kept.shape == (len(examples.crops), 4)  # of 4 x 2 patches
    assert all(len(set(row)) == 4 for row in examples.kept.tolist())
    assert len({tuple(row) for row in examples.kept.tolist()}) > 4
    assert loader.batch(1, Stage(2, SIZE)).kept is None


def test_half_precision_gives_nearly_the_same_losses_and_whole_weights(tmp_path: Path) -> None:
    totals = []
    for precision in ("float32", "bfloat16"):
        config, state, loader = begun(tmp_path, f"run.precision={precision}")
        losses = train_step(state, loader.batch(0, Stage(2, SIZE)), preprocessing_of(config), config, 0.6)
        totals.append(losses.total.item())
        assert {p.dtype for p in state.network.parameters()} == {torch.float32}
    assert totals[1] == pytest.approx(totals[0], rel=0.05)
    assert totals[1] != totals[0]


def test_parts_of_a_batch_update_running_statistics_once(tmp_path: Path) -> None:
    moved = []
    for parts in (1, 2):
        config, state, loader = begun(tmp_path, f"batch.chunks={parts}", "network.model=climb-tiny-64")
        train_step(state, loader.batch(0, Stage(2, SIZE)), preprocessing_of(config), config, 0.6)
        moved.append(state.network.bottleneck.running_mean)
        counts = [
            n for name, n in state.network.state_dict().items() if name.endswith("bottleneck.num_batches_tracked")
        ]
        assert counts == [torch.tensor(1)]
    assert moved[0] is not None
    assert moved[1] is not None
    assert torch.nn.functional.cosine_similarity(moved[0], moved[1], dim=0) > 0.8  # the stem's norms see parts


def test_an_average_follows_slowly_and_its_start_is_soon_forgotten() -> None:
    network = nn.BatchNorm1d(2)
    average = copied(network)
    with torch.no_grad():
        network.weight.fill_(3.0)
        network.num_batches_tracked.fill_(7)  # type: ignore[union-attr]
    move_average(average, network, decay=0.9, step=0)
    np.testing.assert_allclose(average["weight"], 1 + 2 * 0.9)  # a tenth of the initial weights is left
    assert average["num_batches_tracked"] == 7
    move_average(average, network, decay=0.9, step=1_000)
    np.testing.assert_allclose(average["weight"], 2.8 + 0.1 * 0.2, rtol=1e-6)
    assert torch.equal(network.weight, torch.full((2,), 3.0))
