"""The training loop on people made of coloured noise: it learns, and it can be interrupted."""

from pathlib import Path

import numpy as np
import pytest
import torch

import training.train as train_module
from reid_worker.model import load_embedder
from reid_worker.model.weights import load_weights
from tests.training_tools import coloured_noise, logged, small_config
from training import logs
from training.build import sampler_of
from training.checkpoint import CheckpointError, load_checkpoint
from training.config import TrainConfig, changed
from training.errors import TrainingError
from training.loader import Loader
from training.people import held_out_people, training_people
from training.schedule import Stage
from training.step import train_step
from training.train import run_training


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return small_config(tmp_path / "run")


def loader_of(config: TrainConfig) -> Loader:
    people = training_people(config, coloured_noise, print)
    return Loader(config, people, sampler_of(config, people))


@pytest.fixture
def log_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "EVERY", 1)


@pytest.mark.usefixtures("log_every_step")
def test_ten_steps_lower_the_loss_and_leave_weights_that_serve(config: TrainConfig) -> None:
    result = run_training(config, render=coloured_noise)
    losses = logged(config, "sequence_ce")
    assert len(losses) == 10
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    assert result.steps == 10
    embedder = load_embedder(result.weights, device="cpu")
    assert embedder.embed([list(coloured_noise(0, 0, 0, 2, (128, 64)))]).shape == (1, embedder.dim)


def test_a_resumed_run_ends_bit_for_bit_like_an_uninterrupted_one(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = changed(
        config,
        {
            "optimiser.ema_decay": 0.9,
            "schedule.patch_dropout": 0.5,
            "synthetic.crops": "fresh",
            "losses.memory_init": "visit",
        },
    )
    run_training(config, render=coloured_noise)
    unbroken = load_checkpoint(config.run.output / "checkpoint.pt")

    broken = changed(config, {"run.output": config.run.output.parent / "broken", "run.validate_every": 6})
    steps = iter(range(100))
    original = train_step

    def interrupted(*arguments: object) -> object:
        if next(steps) == 8:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train_module, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_training(broken, render=coloured_noise)
    monkeypatch.setattr(train_module, "train_step", original)
    run_training(changed(broken, {"run.resume": True}), render=coloured_noise)

    resumed = load_checkpoint(broken.run.output / "checkpoint.pt")
    assert resumed.step == unbroken.step
    assert torch.equal(resumed.memory, unbroken.memory)
    for part in ("network", "average"):
        before, after = getattr(unbroken, part), getattr(resumed, part)
        assert before
        assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_validation_people_have_whole_tracklets_whatever_training_uses(config: TrainConfig) -> None:
    few = changed(config, {"synthetic.frames": 2})
    assert set(training_people(few, coloured_noise, print).lengths.tolist()) == {2}
    assert set(held_out_people(few, coloured_noise, print).lengths.tolist()) == {config.network.architecture.frames}


@pytest.mark.parametrize("crops", ["cached", "fresh"])
def test_batches_do_not_depend_on_the_process_that_makes_them_or_where_a_run_starts(
    config: TrainConfig, crops: str
) -> None:
    config = changed(config, {"synthetic.crops": crops, "synthetic.sites": 2})
    here, ahead = (loader_of(changed(config, {"run.workers": workers})) for workers in (0, 1))
    stage = Stage(2, (32, 16))
    first = [ahead.batch(step, stage) for step in range(3)]
    for step in (2, 0):
        mine = here.batch(step, stage)
        assert torch.equal(mine.crops, first[step].crops)
        assert torch.equal(mine.labels, first[step].labels)


def test_fresh_crops_differ_between_visits_and_cached_ones_do_not(config: TrainConfig) -> None:
    stage = Stage(1, (32, 16))
    for crops, differ in (("cached", False), ("fresh", True)):
        loader = loader_of(
            changed(
                config,
                {
                    "synthetic.crops": crops,
                    "synthetic.frames": 2,
                    "data.augmentation_strength": 0.0,
                    "schedule.steps": 12,
                },
            )
        )
        seen: dict[int, set[bytes]] = {}
        for step in range(12):  # six epochs of two batches
            batch = loader.batch(step, stage)
            for label, crop in zip(batch.labels.tolist(), batch.crops, strict=True):
                upright = min(crop.numpy().tobytes(), crop.numpy()[:, ::-1].tobytes())
                seen.setdefault(label, set()).add(upright)
        assert {len(views) > 4 for views in seen.values()} == {differ}  # two cameras, two frames


def test_a_frozen_encoder_keeps_its_sequence_feature(config: TrainConfig) -> None:
    run_training(config, render=coloured_noise)
    before = load_weights(config.run.output / "best.safetensors").network
    at_rest = changed(
        config,
        {
            "network.initial": config.run.output / "best.safetensors",
            "run.output": config.run.output / "head",
            "schedule.temporal_from": 0.0,
            "schedule.encoder_until": 0.0,
        },
    )
    after = load_weights(run_training(at_rest, render=coloured_noise).weights).network
    for name, tensor in before.encoder.state_dict().items():
        assert torch.equal(tensor, after.encoder.state_dict()[name]), name
    head = "temporal.project.weight"
    assert not torch.equal(before.get_parameter(head), after.get_parameter(head))


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(config: TrainConfig) -> None:
    with pytest.raises(TrainingError, match=r"the loss is nan at step \d+: lower optimiser\.learning_rate"):
        run_training(changed(config, {"optimiser.learning_rate": 1e30}), render=coloured_noise)


def test_resuming_without_a_checkpoint_is_an_error(config: TrainConfig) -> None:
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt: .*No such file"):
        run_training(changed(config, {"run.resume": True}), render=coloured_noise)


def test_resuming_a_finished_run_says_so(config: TrainConfig) -> None:
    short = changed(config, {"schedule.steps": 1})
    run_training(short, render=coloured_noise)
    with pytest.raises(TrainingError, match="already completed all 1 steps"):
        run_training(changed(short, {"run.resume": True}), render=coloured_noise)
