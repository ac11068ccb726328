"""What a training run starts from."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reid_worker.model.climb import CLIMB_TINY, Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.tensors import WeightsError
from reid_worker.model.weights import save_weights
from training.build import check_initial, initial_warning
from training.config import ConfigError, TrainConfig, changed, groups
from training.errors import TrainingError
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
    monkeypatch.setitem(groups.MODELS, "climb-base", SMALL)


def base(**network: object) -> TrainConfig:
    return changed(
        TrainConfig(), {"network.model": "climb-base", **{f"network.{key}": one for key, one in network.items()}}
    )


def test_the_encoder_starts_from_clip_with_its_patch_projection_frozen(tmp_path: Path) -> None:
    torch.manual_seed(1)
    tower = Climb(SMALL).encoder
    torch.save(tower.state_dict(), tmp_path / "clip.pt")
    state = start(base(clip=str(tmp_path / "clip.pt")), 5)
    assert torch.equal(state.network.encoder.proj, tower.proj)
    learned = {id(p) for group in state.optimiser.param_groups for p in group["params"]}
    assert not any(id(p) in learned for p in state.network.encoder.conv1.parameters())
    assert id(state.network.encoder.proj) in learned


def test_without_clip_everything_is_learnt() -> None:
    state = start(base(), 5)
    learned = {id(p) for group in state.optimiser.param_groups for p in group["params"]}
    assert all(id(p) in learned for p in state.network.encoder.parameters())


def test_a_run_can_start_from_climbtrack_weights(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = Climb(SMALL)
    save_weights(tmp_path / "small.safetensors", network, Preprocessing(SMALL.height, SMALL.width))
    state = start(base(initial=tmp_path / "small.safetensors"), 5)
    assert torch.equal(state.network.encoder.proj, network.encoder.proj)


def saved(path: Path, *, cameras: int = 0, layers: int = 1) -> Climb:
    torch.manual_seed(2)
    network = Climb(replace(SMALL, cameras=cameras, layers=layers))
    save_weights(path, network, Preprocessing(network.architecture.height, network.architecture.width))
    return network


def knowing(cameras: int, initial: Path) -> TrainConfig:
    told = {"data.folder": initial.parent, "data.layout": "market", "network.cameras": cameras}
    return changed(base(initial=initial), told)


def test_a_run_without_cameras_starts_from_the_mean_of_all_camera_vectors(tmp_path: Path) -> None:
    network = saved(tmp_path / "three.safetensors", cameras=3)
    mean = network.any_camera()
    assert mean is not None
    state = start(base(initial=tmp_path / "three.safetensors"), 5)
    expected = network.encoder.class_embedding + mean
    torch.testing.assert_close(state.network.encoder.class_embedding, expected)


def test_a_run_keeps_camera_vectors_if_their_number_matches_and_otherwise_starts_afresh(tmp_path: Path) -> None:
    three, none = tmp_path / "three.safetensors", tmp_path / "none.safetensors"
    side = saved(three, cameras=3).get_parameter("side")
    assert torch.equal(start(knowing(3, three), 5).network.get_parameter("side"), side)
    assert start(knowing(4, three), 5).network.get_parameter("side").shape == (4, 16)
    saved(none)
    state = start(knowing(3, none), 5)
    learned = {id(p) for group in state.optimiser.param_groups for p in group["params"]}
    assert id(state.network.get_parameter("side")) in learned


def test_initial_weights_of_another_size_are_refused_by_name(tmp_path: Path) -> None:
    saved(tmp_path / "deeper.safetensors", layers=2)
    with pytest.raises(WeightsError, match=r"deeper\.safetensors: .* do not fit the run's small: unknown encoder"):
        start(base(initial=tmp_path / "deeper.safetensors"), 5)


def test_initial_weights_of_another_size_are_refused_before_anything_is_rendered(tmp_path: Path) -> None:
    saved(tmp_path / "base.safetensors")
    saved(tmp_path / "deeper.safetensors", layers=2)
    check_initial(base(initial=tmp_path / "base.safetensors"))
    check_initial(base())
    with pytest.raises(TrainingError, match=r"layers 2, but climb-base has layers 1: start from weights of its own"):
        check_initial(base(initial=tmp_path / "deeper.safetensors"))
    with pytest.raises(TrainingError, match=r"tower_width 16, .* set network.model=climb-base$"):
        check_initial(changed(base(initial=tmp_path / "base.safetensors"), {"network.model": "climb-tiny"}))


def test_initial_weights_with_other_preprocessing_cause_a_warning(tmp_path: Path) -> None:
    saved(tmp_path / "area.safetensors")
    assert initial_warning(base(initial=tmp_path / "area.safetensors")) is None
    remark = initial_warning(base(initial=tmp_path / "area.safetensors", resize="bicubic"))
    assert remark is not None
    assert "filter='area'" in remark
    assert "filter='bicubic'" in remark


def test_missing_clip_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.pt"):
        start(base(clip=str(tmp_path / "nowhere.pt")), 5)


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [
        ({"network.model": "climb-tiny"}, "CLIP's weights do not fit climb-tiny"),
        ({"network.model": "climb-base", "network.initial": "x"}, "network.initial x: give only one"),
    ],
)
def test_clip_is_refused_where_it_does_not_fit(choice: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=f"network.clip is 'openai'.*{complaint}"):
        changed(TrainConfig(), {"network.clip": "openai", **choice})
