"""What a training run begins from."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reid_worker.model.climb import CLIMB_TINY, Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.tensors import WeightsError
from reid_worker.model.weights import save_weights
from training import config_checks as configuration
from training.config import TrainConfig
from training.config_checks import ConfigError
from training.state import start

SMALL = replace(
    CLIMB_TINY,
    name="small",
    height=32,
    width=16,
    stem="patch",
    tower_width=16,
    layers=1,
    heads=2,
    joint_width=8,
    state=4,
)


@pytest.fixture(autouse=True)
def small_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(configuration.MODELS, "climb-base", SMALL)


def test_the_encoder_begins_from_clip_with_its_patch_projection_at_rest(tmp_path: Path) -> None:
    torch.manual_seed(1)
    tower = Climb(SMALL).encoder
    torch.save(tower.state_dict(), tmp_path / "clip.pt")
    state = start(TrainConfig(model="climb-base", clip=str(tmp_path / "clip.pt")), 5)
    assert torch.equal(state.network.encoder.proj, tower.proj)
    learned = {id(p) for group in state.optimiser.param_groups for p in group["params"]}
    assert not any(id(p) in learned for p in state.network.encoder.conv1.parameters())
    assert id(state.network.encoder.proj) in learned


def test_without_clip_everything_is_learnt() -> None:
    state = start(TrainConfig(model="climb-base"), 5)
    learned = {id(p) for group in state.optimiser.param_groups for p in group["params"]}
    assert all(id(p) in learned for p in state.network.encoder.parameters())


def test_a_run_can_begin_from_weights_of_ours(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = Climb(SMALL)
    save_weights(tmp_path / "small.safetensors", network, Preprocessing(SMALL.height, SMALL.width))
    state = start(TrainConfig(model="climb-base", initial=tmp_path / "small.safetensors"), 5)
    assert torch.equal(state.network.encoder.proj, network.encoder.proj)


def test_clip_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.pt"):
        start(TrainConfig(model="climb-base", clip=str(tmp_path / "nowhere.pt")), 5)


@pytest.mark.parametrize("choice", [{"model": "climb-tiny"}, {"model": "climb-base", "initial": Path("x")}])
def test_clip_is_refused_where_it_does_not_fit(choice: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="clip is 'openai', must be empty"):
        TrainConfig(clip="openai", **choice)  # type: ignore[arg-type]
