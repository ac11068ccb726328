"""Train CLIMB: one loop, read from top to bottom.

    climbtrack train training/configs/climb_tiny.yaml seed=1
    torchrun --nproc-per-node 8 -m training.train training/configs/mars.yaml data=/data/mars   # one batch on 8 GPUs

A step is a function of (seed, step) and the state in the checkpoint, so a resumed run repeats an unbroken one.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import save_weights
from training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.config import TrainConfig
from training.config_file import load_config
from training.data.crops import Render, RenderedTracklets, Tracklets
from training.errors import TrainingError, explained
from training.evaluation.evaluate import Report
from training.judge import fill_memory, judge, served
from training.loader import Loader
from training.logs import Moment, RunLog
from training.losses import Losses
from training.people import HeldOut, people_of
from training.ranks import Ranks, join_ranks, leave_ranks, share_norms
from training.sampler import BatchPlan, IdentitySampler
from training.schedule import lesson_at, progress_of, rate_at
from training.state import State, restore, snapshot, start
from training.step import train_step


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run left behind.

    Attributes:
        weights: The best by held-out mAP.
        best_map: That mAP, 0 to 1.
        last: The last judgement; of the first process only, as the mAP.
        steps: Steps done.
        loss: The last total loss.
    """

    weights: Path
    best_map: float
    last: Report | None
    steps: int
    loss: float


def run_training(config: TrainConfig, *, render: Render | None = None) -> TrainResult:
    """Train as `config` says and return what came out; `render` makes other people than the usual generated ones.

    Raises:
        TrainingError: The loss is no number any more, memory or disk are full, or there is nothing left to do.
        CheckpointError: `resume` is set and there is no checkpoint to go on from, or it is of another run.
        DataSetError: The data set is not there, not whole, or an image of it is broken.
    """
    torch.set_num_threads(config.threads)
    with ExitStack() as stack:
        stack.enter_context(explained(config))
        ranks = join_ranks(on_gpu=config.device != "cpu")
        stack.callback(leave_ranks)
        config.output.mkdir(parents=True, exist_ok=True)
        log = RunLog(config.output, quiet=not ranks.first, tensorboard=config.tensorboard)
        stack.callback(log.end)
        before = load_checkpoint(config.output / "checkpoint.pt") if config.resume else None
        with ranks.first_alone():  # it may have people to render
            people, held_out = people_of(config, render, log.say)
        state = _begun(config, int(people.identities.max()) + 1, before, ranks)
        return _train(config, state, people, held_out, ranks, log)


def _train(
    config: TrainConfig, state: State, people: Tracklets, held_out: HeldOut, ranks: Ranks, log: RunLog
) -> TrainResult:
    preprocessing = preprocessing_of(config)
    sampler = sampler_of(config, people)
    loader = Loader(config, people, sampler, ranks)
    refresh = config.refresh_epochs * (config.epoch_steps or sampler.steps_per_epoch)
    log.begin(state.step)
    report = losses = None
    while (progress := progress_of(config, state.step, ranks.agreed(state.elapsed_s))) < 1:
        began = time.monotonic()
        if config.memory_start == "fill" and config.mmc and progress >= config.mmc_from and state.step % refresh == 0:
            state.memory = fill_memory(state.network, preprocessing, people, len(config.memories), ranks=ranks)
        for group in state.optimiser.param_groups:
            group["lr"] = config.lr * group["scale"] * rate_at(config, progress)
        examples = loader.batch(state.step, lesson_at(config, progress))
        waited_s = time.monotonic() - began
        losses = train_step(state, examples, preprocessing, config, progress, ranks)
        state.step += 1
        state.elapsed_s += time.monotonic() - began
        progress = progress_of(config, state.step, ranks.agreed(state.elapsed_s))
        log.step(Moment(state.step, progress, state.elapsed_s, waited_s, _values(state, losses)))
        judged = state.step % config.evaluate_every == 0 or progress >= 1
        if judged and ranks.first:
            report = _judge(config, state, preprocessing, held_out, log)
        if (judged or state.step % config.checkpoint_every == 0) and ranks.first:
            save_checkpoint(config.output / "checkpoint.pt", snapshot(state, _run_of(config)))
    if losses is None:
        raise TrainingError(f"{config.output} has done all its {config.steps} steps already")
    return TrainResult(config.output / "best.safetensors", state.best_map, report, state.step, losses.total.item())


def _begun(config: TrainConfig, identities: int, before: Checkpoint | None, ranks: Ranks) -> State:
    """Return the state to go on from, new or of the checkpoint."""
    state = start(config, identities, device_of(config))
    if before is not None:
        restore(state, before, _run_of(config))
    if ranks.count > 1:
        if config.identities % ranks.count:
            raise TrainingError(f"identities is {config.identities}, must be a multiple of the {ranks.count} processes")
        share_norms(state.network.encoder)
    if config.compiled:
        state.network.encoder.compile()
    return state


def device_of(config: TrainConfig) -> torch.device:
    """Return where the network of a run is.

    Raises:
        TrainingError: A GPU is wanted and there is none.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device is cuda, and torch finds no GPU here: set device=cpu, or install torch for CUDA")
    on_gpu = config.device != "cpu" and torch.cuda.is_available()
    return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")


def _run_of(config: TrainConfig) -> dict[str, str]:
    """Return what must be the same for whoever goes on with a run."""
    names = ("seed", "model", "strides", "layout", "split", "crops", "train_identities", "train_cameras", "optimiser")
    return {name: str(getattr(config, name)) for name in (*names, "identities", "tracklets", "memories")}


def preprocessing_of(config: TrainConfig) -> Preprocessing:
    """Return the preprocessing that the weights of this run will carry."""
    return Preprocessing(config.architecture.height, config.architecture.width, standardise=config.standardise)


def sampler_of(config: TrainConfig, people: Tracklets) -> IdentitySampler:
    """Return who draws the batches of a run.

    Raises:
        TrainingError: There are fewer people than a batch has.
    """
    fresh = isinstance(people, RenderedTracklets)
    plan = BatchPlan(
        config.identities,
        config.tracklets,
        config.cluster,
        sites=config.sites if fresh else 0,
        turns=config.turns if fresh else 1,
    )
    try:
        return IdentitySampler(people.identities, people.cameras, plan, seed=config.seed)
    except ValueError as error:
        raise TrainingError(f"{error}: set identities lower") from error


def _judge(config: TrainConfig, state: State, preprocessing: Preprocessing, people: HeldOut, log: RunLog) -> Report:
    """Judge the network, and keep the weights if they are the best so far."""
    network = served(state, apart=config.compiled)
    report = judge(network, preprocessing, people)
    log.say(f"step {state.step}: held-out {report.line()}")
    log.judged(state.step, {"mAP": report.ranking.mean_ap, "rank1": report.ranking.rank(1)})
    if report.ranking.mean_ap > state.best_map:
        state.best_map = report.ranking.mean_ap
        save_weights(config.output / "best.safetensors", network, preprocessing)
    return report


def _values(state: State, losses: Losses) -> dict[str, float]:
    parts = {field.name: float(getattr(losses, field.name).detach()) for field in fields(losses)}
    return {"lr": state.optimiser.param_groups[0]["lr"], **parts}


def main(arguments: Sequence[str]) -> None:
    """Train as a configuration file and `key=value` overrides say."""
    result = run_training(load_config(Path(arguments[0]), arguments[1:]))
    sys.stderr.write(f"best held-out mAP {result.best_map:.3f}: {result.weights}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
