"""The training loop on people who are coloured noise: it learns, and it can be interrupted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import training.train as train_module
from reid_worker.model import load_embedder
from reid_worker.model.weights import load_weights
from training.checkpoint import CheckpointError, load_checkpoint
from training.config import TrainConfig
from training.train import TrainingError, load_people, run_training


def coloured_noise(identity: int, camera: int, tracklet: int, frames: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A person is two colours, one above the other; a camera is a brightness; frames are noise."""
    upper, lower = np.random.default_rng((identity, 1)).uniform(40, 215, (2, 3))
    gain = np.random.default_rng((camera, 2)).uniform(0.8, 1.2)
    noise = np.random.default_rng((identity, camera, tracklet)).normal(0, 12, (frames, *size, 3))
    rows = np.where(np.arange(size[0])[:, None, None] < size[0] // 2, upper, lower)
    crops: NDArray[np.uint8] = np.clip(rows * gain + noise, 0, 255).astype(np.uint8)
    return crops


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        output=tmp_path / "run",
        model="climb-tiny-64",
        cache=tmp_path / "cache",
        threads=1,
        train_identities=8,
        train_cameras=2,
        test_identities=6,
        test_cameras=2,
        identities=4,
        tracklets=2,
        frames=2,
        early_frames=1,
        early_scale=0.5,
        temporal_from=0.5,
        steps=10,
        lr=1e-3,
        temporal_classifier_lr=1.0,
        sequence_contrast=1.0,
        evaluate_every=100,
    )


def logged_losses(config: TrainConfig) -> list[float]:
    lines = (config.output / "log.csv").read_text().splitlines()
    column = lines[0].split(",").index("sequence_ce")
    return [float(line.split(",")[column]) for line in lines[1:]]


@pytest.fixture
def log_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "_PROGRESS_EVERY", 1)


@pytest.mark.usefixtures("log_every_step")
def test_ten_steps_lower_the_loss_and_leave_weights_that_serve(config: TrainConfig) -> None:
    result = run_training(config, render=coloured_noise)
    losses = logged_losses(config)
    assert len(losses) == 10
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    assert result.steps == 10
    embedder = load_embedder(result.weights, device="cpu")
    assert embedder.embed([list(coloured_noise(0, 0, 0, 2, (128, 64)))]).shape == (1, embedder.dim)


def test_a_resumed_run_ends_bit_for_bit_where_an_unbroken_one_does(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_training(config, render=coloured_noise)
    unbroken = load_checkpoint(config.output / "checkpoint.pt")

    broken = replace(config, output=config.output.parent / "broken", evaluate_every=6)
    steps = iter(range(100))
    original = train_module.load_batch

    def interrupted(*arguments: object) -> object:
        if next(steps) == 8:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train_module, "load_batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_training(broken, render=coloured_noise)
    monkeypatch.setattr(train_module, "load_batch", original)
    run_training(replace(broken, resume=True), render=coloured_noise)

    resumed = load_checkpoint(broken.output / "checkpoint.pt")
    assert resumed.step == unbroken.step
    assert torch.equal(resumed.memory, unbroken.memory)
    assert all(torch.equal(tensor, resumed.network[name]) for name, tensor in unbroken.network.items())


def test_people_to_judge_by_have_whole_tracklets_whatever_is_rendered_to_learn_from(config: TrainConfig) -> None:
    train, test = load_people(replace(config, rendered_frames=2), coloured_noise)
    assert train.crops.shape[1] == 2
    assert test.crops.shape[1] == config.architecture.frames


def test_an_encoder_at_rest_keeps_its_sequence_feature(config: TrainConfig) -> None:
    run_training(config, render=coloured_noise)
    before = load_weights(config.output / "best.safetensors").network
    at_rest = replace(
        config,
        initial=config.output / "best.safetensors",
        output=config.output / "head",
        temporal_from=0.0,
        encoder_until=0.0,
    )
    after = load_weights(run_training(at_rest, render=coloured_noise).weights).network
    for name, tensor in before.encoder.state_dict().items():
        assert torch.equal(tensor, after.encoder.state_dict()[name]), name
    head = "temporal.project.weight"
    assert not torch.equal(before.get_parameter(head), after.get_parameter(head))


def test_a_loss_that_is_no_number_stops_the_run_and_says_where(config: TrainConfig) -> None:
    with pytest.raises(TrainingError, match=r"the loss is nan at step \d+: lower lr"):
        run_training(replace(config, lr=1e30), render=coloured_noise)


def test_resuming_without_a_checkpoint_is_an_error(config: TrainConfig) -> None:
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt: .*No such file"):
        run_training(replace(config, resume=True), render=coloured_noise)


def test_resuming_a_finished_run_says_so(config: TrainConfig) -> None:
    short = replace(config, steps=1)
    run_training(short, render=coloured_noise)
    with pytest.raises(TrainingError, match="done all its 1 steps"):
        run_training(replace(short, resume=True), render=coloured_noise)
