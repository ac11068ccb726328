"""The training loop on people who are coloured noise: it learns, and it can be interrupted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import training.train as train_module
from reid_worker.model import load_embedder
from reid_worker.model.weights import load_weights
from tests.training_tools import coloured_noise, logged, small_config
from training import logs
from training.checkpoint import CheckpointError, load_checkpoint
from training.config import TrainConfig
from training.errors import TrainingError
from training.loader import Loader
from training.people import held_out_people, training_people
from training.schedule import Lesson
from training.step import train_step
from training.train import run_training


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return small_config(tmp_path / "run")


def loader_of(config: TrainConfig) -> Loader:
    people = training_people(config, coloured_noise, print)
    return Loader(config, people, train_module.sampler_of(config, people))


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


def test_a_resumed_run_ends_bit_for_bit_where_an_unbroken_one_does(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(config, ema=0.9, drop_tokens=0.5, crops="fresh", memory_start="visit")
    run_training(config, render=coloured_noise)
    unbroken = load_checkpoint(config.output / "checkpoint.pt")

    broken = replace(config, output=config.output.parent / "broken", evaluate_every=6)
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
    run_training(replace(broken, resume=True), render=coloured_noise)

    resumed = load_checkpoint(broken.output / "checkpoint.pt")
    assert resumed.step == unbroken.step
    assert torch.equal(resumed.memory, unbroken.memory)
    for part in ("network", "average"):
        before, after = getattr(unbroken, part), getattr(resumed, part)
        assert before
        assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_people_to_judge_by_have_whole_tracklets_whatever_is_rendered_to_learn_from(config: TrainConfig) -> None:
    few = replace(config, rendered_frames=2)
    assert set(training_people(few, coloured_noise, print).lengths.tolist()) == {2}
    assert set(held_out_people(few, coloured_noise, print).lengths.tolist()) == {config.architecture.frames}


@pytest.mark.parametrize("crops", ["cached", "fresh"])
def test_batches_are_the_same_whoever_makes_them_and_wherever_a_run_starts(config: TrainConfig, crops: str) -> None:
    config = replace(config, crops=crops, sites=2)
    here, ahead = (loader_of(replace(config, workers=workers)) for workers in (0, 1))
    lesson = Lesson(2, (32, 16))
    first = [ahead.batch(step, lesson) for step in range(3)]
    for step in (2, 0):
        mine = here.batch(step, lesson)
        assert torch.equal(mine.crops, first[step].crops)
        assert torch.equal(mine.labels, first[step].labels)


def test_fresh_crops_differ_between_visits_and_cached_ones_do_not(config: TrainConfig) -> None:
    lesson = Lesson(1, (32, 16))
    for crops, differ in (("cached", False), ("fresh", True)):
        loader = loader_of(replace(config, crops=crops, augmentation=0.0, rendered_frames=2, steps=12))
        seen: dict[int, set[bytes]] = {}
        for step in range(12):  # six epochs of two batches
            batch = loader.batch(step, lesson)
            for label, crop in zip(batch.labels.tolist(), batch.crops, strict=True):
                upright = min(crop.numpy().tobytes(), crop.numpy()[:, ::-1].tobytes())
                seen.setdefault(label, set()).add(upright)
        assert {len(views) > 4 for views in seen.values()} == {differ}  # two cameras, two frames


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
