"""One round of adaptation: the steps of `training.train` on clusters in place of people."""

import math
import time
from dataclasses import dataclass, replace

import torch

from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.preprocess import Preprocessing
from training.average import copied
from training.config import TrainConfig
from training.config_checks import MODELS
from training.data.crops import Tracklets
from training.judge import fill_memory, served
from training.loader import Loader
from training.schedule import lesson_at, progress_of, rate_at
from training.state import start
from training.step import train_step
from training.train import sampler_of

_PEOPLE = 16  # of a batch, as in the recipe of climb-tiny
_FRAMES = 2  # of a tracklet while the temporal head learns; one before, which is cheaper
_HEAD_FROM = 0.7
_UNENDING = 1_000_000  # steps, where the clock ends a round


@dataclass(frozen=True, slots=True)
class Budget:
    """What a round may take: wall time or, where that is 0, so many steps or visits to every cluster; and how fast."""

    minutes: float
    epochs: float
    lr: float
    threads: int
    workers: int
    steps: int = 0


def trainable(architecture: Architecture) -> bool:
    """Tell whether a network of this size can be trained."""
    return _model_of(architecture) is not None


def learn(
    network: Climb, preprocessing: Preprocessing, people: Tracklets, budget: Budget, seed: int
) -> tuple[Climb, int]:
    """Return a network that learnt from people with identities 0 to Y - 1, and the steps it took.

    There are no classifiers: what tells clusters apart is the memories (MMC), pairs of the batch, and the triplet loss.

    Raises:
        TrainingError: The loss is no number.
    """
    config = _config(network.architecture, int(people.identities.max()) + 1, budget, seed)
    sampler = sampler_of(config, people)
    if not budget.minutes:
        steps = budget.steps or max(1, math.ceil(budget.epochs * sampler.steps_per_epoch))
        config = replace(config, steps=steps)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = start(config, int(people.identities.max()) + 1, device)
    state.network.load_state_dict(network.state_dict())
    if config.ema:
        state.average = copied(state.network)
    state.memory = fill_memory(state.network, preprocessing, people, len(config.memories))
    loader = Loader(config, people, sampler)
    while (progress := progress_of(config, state.step, state.elapsed_s)) < 1:
        began = time.monotonic()
        for group in state.optimiser.param_groups:
            group["lr"] = config.lr * group["scale"] * rate_at(config, progress)
        train_step(state, loader.batch(state.step, lesson_at(config, progress)), preprocessing, config, progress)
        state.step += 1
        state.elapsed_s += time.monotonic() - began
    return served(state).cpu(), state.step


def _config(architecture: Architecture, people: int, budget: Budget, seed: int) -> TrainConfig:
    frames = min(_FRAMES, architecture.frames)
    model = _model_of(architecture)
    assert model is not None
    return TrainConfig(
        model=model,
        seed=seed,
        threads=budget.threads,
        workers=budget.workers,
        train_identities=people,
        identities=min(_PEOPLE, people),
        frames=frames,
        early_frames=1,
        temporal_from=_HEAD_FROM,
        rendered_frames=frames,
        augmentation=0.3,
        steps=_UNENDING,
        minutes=budget.minutes,
        lr=budget.lr,
        ema=0.9,  # of about the last ten steps: a round is short
        warmup=0.1,
        weight_decay=0.05,
        mmc=1.0,
        sequence_ce=0.0,
        sequence_contrast=1.0,
        temporal_ce=0.0,
        temporal_triplet=1.0,
    )


def _model_of(architecture: Architecture) -> str | None:
    return next((name for name, model in MODELS.items() if model == architecture), None)
