"""One round of adaptation: the steps of `training.train`, on clusters instead of people."""

import math
import time
from dataclasses import replace

from pydantic.dataclasses import dataclass

from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.preprocess import Preprocessing
from training.average import copied
from training.build import device_of, sampler_of
from training.config import (
    BatchConfig,
    DataConfig,
    LossConfig,
    NetworkConfig,
    OptimiserConfig,
    RunConfig,
    ScheduleConfig,
    TrainConfig,
)
from training.data.crops import Tracklets
from training.loader import Loader
from training.ranges import GROUP
from training.schedule import progress_of, rate_at, stage_at
from training.state import start
from training.step import train_step
from training.synthetic.source import SyntheticSource
from training.validate import fill_memory, network_to_keep

_PEOPLE = 16  # of a batch, as in the recipe of climb-tiny
_FRAMES = 2  # of a tracklet while the temporal head trains; one before, which is cheaper
_HEAD_FROM = 0.7
_RATE = 3e-4
_CLIP_RATE = 5e-6
_UNENDING = 1_000_000  # steps, if the clock ends a round


@dataclass(frozen=True, slots=True)
class Budget:
    """The limit of a round: wall time or, if that is 0, a number of steps or visits to every cluster."""

    minutes: float
    epochs: float
    lr: float
    threads: int
    workers: int
    steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=GROUP)
class _SameNetwork(NetworkConfig):
    """The sizes of given weights, whatever they are, and the preprocessing stored with them."""

    sizes: Architecture
    prepared: Preprocessing

    @property
    def architecture(self) -> Architecture:
        return self.sizes

    @property
    def preprocessing(self) -> Preprocessing:
        return self.prepared


def rate_of(architecture: Architecture) -> float:
    """Return the highest learning rate: a CLIP tower, pretrained on far more data, moves as slowly as in the paper."""
    return _CLIP_RATE if architecture.stem == "patch" else _RATE


def learn(
    network: Climb, preprocessing: Preprocessing, people: Tracklets, budget: Budget, seed: int
) -> tuple[Climb, int]:
    """Return a network that learnt from people with identities 0 to Y - 1, and the steps it took.

    The network may have any sizes, but no side information of cameras. There are no classifiers: clusters are
    separated by the memories (MMC), pairs in the batch, and the triplet loss.

    Raises:
        TrainingError: The loss is NaN or infinite.
    """
    config = _config(network.architecture, preprocessing, int(people.identities.max()) + 1, budget, seed)
    sampler = sampler_of(config, people)
    if not budget.minutes:
        steps = budget.steps or max(1, math.ceil(budget.epochs * sampler.steps_per_epoch))
        config = replace(config, schedule=replace(config.schedule, steps=steps))
    state = start(config, int(people.identities.max()) + 1, device_of(config))
    state.network.load_state_dict(network.state_dict())
    if network.architecture.stem == "patch":
        state.network.encoder.freeze_patches()
    if config.optimiser.ema_decay:
        state.average = copied(state.network)
    state.memory = fill_memory(state.network, preprocessing, people, len(config.losses.memories))
    loader = Loader(config, people, sampler)
    while (progress := progress_of(config.schedule, state.step, state.elapsed_s)) < 1:
        began = time.monotonic()
        for group in state.optimiser.param_groups:
            group["lr"] = budget.lr * group["scale"] * rate_at(config.schedule, progress)
        train_step(state, loader.batch(state.step, stage_at(config, progress)), preprocessing, config, progress)
        state.step += 1
        state.elapsed_s += time.monotonic() - began
    return network_to_keep(state).cpu(), state.step


def _config(
    architecture: Architecture, preprocessing: Preprocessing, people: int, budget: Budget, seed: int
) -> TrainConfig:
    frames = min(_FRAMES, architecture.frames)
    return TrainConfig(
        run=RunConfig(
            seed=seed,
            threads=budget.threads,
            workers=budget.workers,
            gradient_checkpointing=architecture.stem == "patch",  # else a batch of the paper's size takes gigabytes
        ),
        network=_SameNetwork(sizes=architecture, prepared=preprocessing),
        data=DataConfig(augmentation_strength=0.3),
        synthetic=SyntheticSource(train_identities=people, frames=frames),
        batch=BatchConfig(identities=min(_PEOPLE, people), frames=frames),
        # Averages about the last ten steps: a round is short.
        optimiser=OptimiserConfig(learning_rate=budget.lr, weight_decay=0.05, ema_decay=0.9),
        losses=LossConfig(sequence_ce=0.0, sequence_contrast=1.0, temporal_ce=0.0),
        schedule=ScheduleConfig(
            steps=_UNENDING, minutes=budget.minutes, warmup=0.1, early_frames=1, temporal_from=_HEAD_FROM
        ),
    )
