"""Train CLIMB: one loop, read from top to bottom.

    climbtrack train training/configs/climb_tiny.yaml seed=1
    python -m training.train training/configs/climb_tiny.yaml seed=1     # the same without the command line

A step is a function of (seed, step) and the state in the checkpoint, so a resumed run repeats an unbroken one.
"""

import csv
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from reid_worker.model.climb import Architecture, Climb, Features
from reid_worker.model.embedder import Embedder
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import LoadedWeights, save_weights
from training.augment import augment
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import TrainConfig, load_config
from training.crops import CropPlan, CropSet, Render, load_crops
from training.evaluate import Report, evaluate
from training.losses import Losses, LossWeights, climb_losses
from training.memory import initial_memory, updated_memory
from training.sampler import Batch, IdentitySampler
from training.state import State, restore, snapshot, start

_PROGRESS_EVERY = 20  # steps between two lines of progress and of the log
_TEST_SEEDS = 400_000  # people and cameras to judge by start here: no run trains on as many
_SITE_PEOPLE = 24  # people who share their cameras, so that the background tells nobody apart
_CLIP_NORM = 5.0  # gradients of a first batch can be huge, those of a healthy run stay below
_CHUNK = 64  # crops encoded together where no gradient is needed


class TrainingError(Exception):
    """A run cannot go on; the message says at which step and why."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run left behind: best weights by held-out mAP, the last report, the steps done, the last total loss."""

    weights: Path
    best_map: float
    last: Report
    steps: int
    loss: float


def run_training(config: TrainConfig, *, render: Render | None = None) -> TrainResult:
    """Train as `config` says and return what came out; `render` makes other people than the usual generated ones.

    Raises:
        TrainingError: The loss is no number any more, or there is nothing left to do.
        CheckpointError: `resume` is set and there is no checkpoint to go on from.
    """
    torch.set_num_threads(config.threads)
    config.output.mkdir(parents=True, exist_ok=True)
    preprocessing = preprocessing_of(config)
    train, test = load_people(config, render or generated_people())
    sampler = _sampler(config, train)
    state = start(config)
    if config.resume:
        restore(state, load_checkpoint(config.output / "checkpoint.pt"))
    report = losses = None
    while (progress := progress_of(config, state)) < 1:
        began = time.monotonic()
        due = state.step % (config.refresh_epochs * sampler.steps_per_epoch) == 0
        if due and progress >= config.mmc_from:  # before that, what the steps put into the memories is enough
            state.memory = fill_memory(state.network, preprocessing, train)
        for group in state.optimiser.param_groups:
            group["lr"] = config.lr * group["scale"] * rate(progress, config.warmup)
        lesson = lesson_at(config, progress)
        batch = sampler.batch(state.step, frames=lesson.frames, of=train.crops.shape[1])
        losses = train_step(state, load_batch(config, state.step, batch, train, lesson.size), preprocessing, config)
        state.step += 1
        state.elapsed_s += time.monotonic() - began
        if state.step % _PROGRESS_EVERY == 0:
            _log(config, state, losses)
        if state.step % config.evaluate_every == 0 or progress_of(config, state) >= 1:
            report = _judge(config, state, preprocessing, test)
    if report is None or losses is None:
        raise TrainingError(f"{config.output} has done all its {config.steps} steps already")
    return TrainResult(config.output / "best.safetensors", state.best_map, report, state.step, losses.total.item())


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Augmented tracklets: uint8 `(n·t, H, W, 3)`, the frames of each, its identity `(n,)`."""

    crops: Tensor
    lengths: list[int]
    labels: Tensor


def load_batch(config: TrainConfig, step: int, batch: Batch, people: CropSet, size: tuple[int, int]) -> Examples:
    """Read, resize to `(H, W)` and augment; a tracklet's augmentation depends on seed, step and place in the batch."""
    to = Preprocessing(*size)
    tracklets = [
        augment(
            to.resize(list(people.crops[row][frames])),
            np.random.default_rng((config.seed, 3, step, i)),
            config.augmentation,
        )
        for i, (row, frames) in enumerate(zip(batch.tracklets, batch.frames, strict=True))
    ]
    labels = torch.from_numpy(people.identities[batch.tracklets])
    return Examples(torch.from_numpy(np.concatenate(tracklets)), [len(t) for t in tracklets], labels)


def train_step(state: State, examples: Examples, preprocessing: Preprocessing, config: TrainConfig) -> Losses:
    """Move the network by one batch, then the memories; return the losses before the move.

    Raises:
        TrainingError: The loss is no number.
    """
    progress = progress_of(config, state)
    weights = weights_at(config, progress)
    learning = progress < config.encoder_until
    network = state.network.train()
    for body in (network.encoder, network.bottleneck, network.bottleneck_joint):
        body.train(learning)
    with torch.set_grad_enabled(learning):
        tokens = network.encode(preprocessing.scale(examples.crops), examples.lengths)
        sequence = network.sequence_feature(tokens)
    with_head = weights.temporal_ce or weights.temporal_triplet
    temporal = network.temporal_feature(tokens) if with_head else sequence.new_zeros(len(sequence), 1)
    losses = climb_losses(Features(sequence, temporal), examples.labels, state.classifiers, state.memory, weights)
    if not math.isfinite(losses.total.item()):
        raise TrainingError(f"the loss is {losses.total.item()} at step {state.step}: lower lr (now {config.lr})")
    state.optimiser.zero_grad(set_to_none=True)
    losses.total.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), _CLIP_NORM)
    state.optimiser.step()
    state.memory = updated_memory(state.memory, sequence, examples.labels)
    return losses


def progress_of(config: TrainConfig, state: State) -> float:
    """Return the share of the run that is done, 0 to 1, by steps or by the clock, whichever is further."""
    by_clock = state.elapsed_s / (60 * config.minutes) if config.minutes else 0.0
    return max(state.step / config.steps, by_clock)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a step looks at: frames of a tracklet, and `(H, W)` of a crop, px."""

    frames: int
    size: tuple[int, int]


def lesson_at(config: TrainConfig, progress: float) -> Lesson:
    """Return what to look at: little of many people first, whole tracklets once the temporal head trains."""
    a = config.architecture
    with_head = progress >= config.temporal_from
    scale = 1.0 if with_head or progress >= config.full_size_from else config.early_scale
    return Lesson(
        config.frames if with_head else config.early_frames, (round(a.height * scale), round(a.width * scale))
    )


def rate(progress: float, warmup: float) -> float:
    """Return the factor on the learning rate: linear up to 1 over `warmup`, then half a cosine down to 0.

    >>> [rate(p, 0.1) for p in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if progress < warmup:
        return max(progress, 1e-3) / warmup
    return round(0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup))), 12)


def weights_at(config: TrainConfig, progress: float) -> LossWeights:
    """Return the factors of the losses at a moment of the run."""
    with_head = progress >= config.temporal_from
    learning = progress < config.encoder_until
    return LossWeights(
        mmc=config.mmc if learning and progress >= config.mmc_from else 0.0,
        sequence_ce=config.sequence_ce if learning else 0.0,
        sequence_contrast=config.sequence_contrast if learning else 0.0,
        temporal_ce=config.temporal_ce if with_head else 0.0,
        temporal_triplet=config.temporal_triplet if with_head else 0.0,
    )


@torch.no_grad()
def fill_memory(network: Climb, preprocessing: Preprocessing, people: CropSet) -> Tensor:
    """Return the memories under the current encoder, from the middle frame of every tracklet (eq. 2)."""
    network.eval()
    middle = people.crops.shape[1] // 2
    features = []
    for i in range(0, len(people.crops), _CHUNK):
        crops = torch.from_numpy(preprocessing.resize(list(people.crops[i : i + _CHUNK, middle])))
        features.append(network.sequence_feature(network.encode(preprocessing.scale(crops), [1] * len(crops))))
    labels = torch.from_numpy(people.identities)
    return initial_memory(torch.cat(features), labels, int(labels.max()) + 1)


def preprocessing_of(config: TrainConfig) -> Preprocessing:
    """Return the preprocessing that the weights of this run will carry."""
    return Preprocessing(config.architecture.height, config.architecture.width, standardise=config.standardise)


def generated_people() -> Render:
    """Return the generator of people; its compiler is only loaded where people are rendered."""
    from training.synthetic.people import PeopleGenerator

    return PeopleGenerator().tracklet


def load_people(config: TrainConfig, render: Render) -> tuple[CropSet, CropSet]:
    """Return the people to learn from and, by other cameras, the people to judge by."""
    size = _rendered_size(config.architecture, config.rendered_scale)
    first = _TEST_SEEDS
    tag = f"{size[0]}x{size[1]}"
    people, cameras = config.train_identities, config.train_cameras
    frames = config.rendered_frames
    train = CropPlan(f"train-{people}x{cameras}-{tag}", 0, people, 0, cameras, _SITE_PEOPLE, frames, size)
    frames = config.architecture.frames  # judged by whole tracklets, whatever was rendered to learn from
    people, cameras = config.test_identities, config.test_cameras
    test = CropPlan(f"test-{people}x{cameras}-{tag}", first, people, first, cameras, _SITE_PEOPLE, frames, size)
    return load_crops(train, render, config.cache, report=_say), load_crops(test, render, config.cache, report=_say)


def _rendered_size(a: Architecture, scale: float) -> tuple[int, int]:
    """Return `scale` times the network's size, as real crops are larger too, but no more than 256 px high."""
    scale = min(scale, 256 / a.height)
    return round(a.height * scale), round(a.width * scale)


def _sampler(config: TrainConfig, people: CropSet) -> IdentitySampler:
    return IdentitySampler(
        people.identities,
        people.cameras,
        identities_per_batch=config.identities,
        tracklets_per_identity=config.tracklets,
        cluster=config.cluster,
        seed=config.seed,
    )


def _judge(config: TrainConfig, state: State, preprocessing: Preprocessing, people: CropSet) -> Report:
    """Evaluate, keep the weights if they are the best so far, and write the checkpoint."""
    served = Embedder(LoadedWeights(state.network.eval(), preprocessing, "in training"), torch.device("cpu"))
    report = evaluate(served.embed, people)
    _say(f"step {state.step}: held-out {report.line()}")
    if report.ranking.mean_ap > state.best_map:
        state.best_map = report.ranking.mean_ap
        save_weights(config.output / "best.safetensors", state.network, preprocessing)
    save_checkpoint(config.output / "checkpoint.pt", snapshot(state))
    return report


def _log(config: TrainConfig, state: State, losses: Losses) -> None:
    """Print progress and append a row to the CSV log."""
    parts = {field.name: round(getattr(losses, field.name).item(), 4) for field in fields(losses)}
    progress = progress_of(config, state)
    left_min = state.elapsed_s * (1 - progress) / progress / 60
    listed = "  ".join(f"{name} {value:.3f}" for name, value in parts.items())
    _say(f"step {state.step}  {progress:.1%}  {left_min:.1f} min left  {listed}")
    row = {
        "step": state.step,
        "elapsed_s": round(state.elapsed_s, 1),
        "lr": state.optimiser.param_groups[0]["lr"],
    } | parts
    path = config.output / "log.csv"
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> None:
    """Train as a configuration file and `key=value` overrides say."""
    result = run_training(load_config(Path(arguments[0]), arguments[1:]))
    _say(f"best held-out mAP {result.best_map:.3f}: {result.weights}")


if __name__ == "__main__":
    main(sys.argv[1:])
