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
from training.average import move_average
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import TrainConfig, load_config
from training.crops import CropSet, Render, RenderedTracklets, Tracklets
from training.evaluate import Report, evaluate
from training.loader import Examples, Loader
from training.losses import Losses, climb_losses
from training.memory import initial_memory, move_rows, start_rows
from training.people import generated_people, held_out_people, training_people
from training.sampler import BatchPlan, IdentitySampler
from training.schedule import lesson_at, progress_of, rate, weights_at
from training.state import State, restore, snapshot, start

_PROGRESS_EVERY = 20  # steps between two lines of progress and of the log
_CLIP_NORM = 5.0  # gradients of a first batch can be huge, those of a healthy run stay below
_SEED_STRIDE = 1_000_003  # more than a run has steps, so that no two seeds share a step's draws
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
    render = render or generated_people()
    train, test = training_people(config, render, _say), held_out_people(config, render, _say)
    sampler = sampler_of(config, train)
    loader = Loader(config, train, sampler)
    state = start(config)
    if config.resume:
        restore(state, load_checkpoint(config.output / "checkpoint.pt"))
    report = losses = None
    while (progress := progress_of(config, state.step, state.elapsed_s)) < 1:
        began = time.monotonic()
        due = config.memory_start == "fill" and state.step % (config.refresh_epochs * sampler.steps_per_epoch) == 0
        if due and progress >= config.mmc_from:  # before that, what the steps put into the memories is enough
            state.memory = fill_memory(state.network, preprocessing, train, len(config.memories))
        for group in state.optimiser.param_groups:
            group["lr"] = config.lr * group["scale"] * rate(progress, config.warmup)
        examples = loader.batch(state.step, lesson_at(config, progress))
        losses = train_step(state, examples, preprocessing, config)
        state.step += 1
        state.elapsed_s += time.monotonic() - began
        if state.step % _PROGRESS_EVERY == 0:
            _log(config, state, losses)
        if state.step % config.evaluate_every == 0 or progress_of(config, state.step, state.elapsed_s) >= 1:
            report = _judge(config, state, preprocessing, test)
    if report is None or losses is None:
        raise TrainingError(f"{config.output} has done all its {config.steps} steps already")
    return TrainResult(config.output / "best.safetensors", state.best_map, report, state.step, losses.total.item())


def train_step(state: State, examples: Examples, preprocessing: Preprocessing, config: TrainConfig) -> Losses:
    """Move the network by one batch, then the memories; return the losses before the move.

    Raises:
        TrainingError: The loss is no number.
    """
    progress = progress_of(config, state.step, state.elapsed_s)
    weights = weights_at(config, progress)
    learning = progress < config.encoder_until
    network = state.network.train()
    for body in (network.encoder, network.bottleneck, network.bottleneck_joint):
        body.train(learning)
    with_head = weights.temporal_ce or weights.temporal_triplet
    draws = torch.Generator().manual_seed(config.seed * _SEED_STRIDE + state.step)
    with torch.set_grad_enabled(learning):
        images = preprocessing.scale(examples.crops)
        kept = None if with_head else kept_tokens(network.architecture, images, config.drop_tokens, draws)
        tokens = network.encode(images, examples.lengths, kept=kept)
        sequence = network.sequence_feature(tokens)
    start_rows(state.memory, sequence, examples.labels)
    temporal = network.temporal_feature(tokens) if with_head else sequence.new_zeros(len(sequence), 1)
    losses = climb_losses(Features(sequence, temporal), examples.labels, state.classifiers, state.memory, weights)
    if not math.isfinite(losses.total.item()):
        raise TrainingError(f"the loss is {losses.total.item()} at step {state.step}: lower lr (now {config.lr})")
    state.optimiser.zero_grad(set_to_none=True)
    losses.total.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), _CLIP_NORM)
    state.optimiser.step()
    move_rows(state.memory, sequence, examples.labels, config.memories, draws)
    if config.ema:
        move_average(state.average, network, config.ema, state.step)
    return losses


def kept_tokens(a: Architecture, images: Tensor, dropped: float, draws: torch.Generator) -> Tensor | None:
    """Return random places `(b, k)` of the patch tokens of images `(b, 3, H, W)` to be encoded, None for all."""
    if not dropped:
        return None
    count = math.ceil(images.shape[2] / a.patch) * math.ceil(images.shape[3] / a.patch)
    places = torch.rand(len(images), count, generator=draws).argsort(dim=1)
    return places[:, : max(1, round(count * (1 - dropped)))].to(images.device)


@torch.no_grad()
def fill_memory(network: Climb, preprocessing: Preprocessing, people: Tracklets, count: int) -> Tensor:
    """Return `count` memories under the current encoder, from the middle frame of every tracklet (eq. 2)."""
    network.eval()
    lengths, labels = people.lengths, torch.from_numpy(people.identities)
    features = []
    for i in range(0, len(labels), _CHUNK):
        rows = range(i, min(i + _CHUNK, len(labels)))
        middles = [people.read(row, np.array([lengths[row] // 2]))[0] for row in rows]
        images = preprocessing.scale(torch.from_numpy(preprocessing.resize(middles)))
        features.append(network.sequence_feature(network.encode(images, [1] * len(images))))
    return initial_memory(torch.cat(features), labels, int(labels.max()) + 1, count)


def preprocessing_of(config: TrainConfig) -> Preprocessing:
    """Return the preprocessing that the weights of this run will carry."""
    return Preprocessing(config.architecture.height, config.architecture.width, standardise=config.standardise)


def sampler_of(config: TrainConfig, people: Tracklets) -> IdentitySampler:
    """Return who draws the batches of a run."""
    fresh = isinstance(people, RenderedTracklets)
    plan = BatchPlan(
        config.identities,
        config.tracklets,
        config.cluster,
        sites=config.sites if fresh else 0,
        turns=config.turns if fresh else 1,
    )
    return IdentitySampler(people.identities, people.cameras, plan, seed=config.seed)


def _judge(config: TrainConfig, state: State, preprocessing: Preprocessing, people: CropSet) -> Report:
    """Evaluate, keep the weights if they are the best so far, and write the checkpoint."""
    network = _served(state)
    embedder = Embedder(LoadedWeights(network, preprocessing, "in training"), torch.device("cpu"))
    report = evaluate(embedder.embed, people)
    _say(f"step {state.step}: held-out {report.line()}")
    if report.ranking.mean_ap > state.best_map:
        state.best_map = report.ranking.mean_ap
        save_weights(config.output / "best.safetensors", network, preprocessing)
    save_checkpoint(config.output / "checkpoint.pt", snapshot(state))
    return report


def _served(state: State) -> Climb:
    """Return the network to be judged and kept: that of the moving average, where the run keeps one."""
    if not state.average:
        return state.network.eval()
    network = Climb(state.network.architecture)
    network.load_state_dict(state.average)
    return network.eval()


def _log(config: TrainConfig, state: State, losses: Losses) -> None:
    """Print progress and append a row to the CSV log."""
    parts = {field.name: round(getattr(losses, field.name).item(), 4) for field in fields(losses)}
    progress = progress_of(config, state.step, state.elapsed_s)
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
