"""Train CLIMB: one loop, read from top to bottom.

    climbtrack train training/configs/climb_tiny.yaml run.seed=1
    torchrun --nproc-per-node 8 -m training.train training/configs/mars.yaml data.folder=/data/mars  # 8 GPUs

A step is a function of (seed, step) and the checkpointed state, so a resumed run repeats an uninterrupted one.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Event
from typing import Literal

import torch

from reid_worker.model.preprocess import Preprocessing
from training.build import check_initial, device_of, fixed_settings, initial_warning, preprocessing_of, sampler_of
from training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.config import ConfigError, TrainConfig, load_config
from training.data.crops import Render, Tracklets
from training.distributed import Distributed, join_group, leave_group, share_norms
from training.errors import TrainingError, explained
from training.evaluation.evaluate import Report
from training.keep import BEST, LAST, keep
from training.loader import Loader
from training.logs import RunLog, StepRecord
from training.losses import Losses
from training.people import HeldOut, people_of
from training.schedule import progress_of, rate_at, stage_at
from training.state import State, restore, snapshot, start
from training.step import train_step
from training.validate import fill_memory, network_to_keep, validate
from wire.signals import stop_on_signals

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The result of a run.

    Attributes:
        weights: Path of the best weights by held-out mAP.
        best_map: That mAP, 0 to 1; -1 if the run was stopped before its first validation.
        last: The last validation; None if there was none, and on all ranks but the first.
        steps: Steps completed.
        loss: The last total loss; None if no step was left.
        end: Why the run ended: all was `done`, or it was `stopped` and can be resumed.
    """

    weights: Path
    best_map: float
    last: Report | None
    steps: int
    loss: float | None
    end: Literal["done", "stopped"]


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What all steps of a run share; only `state` changes."""

    config: TrainConfig
    state: State
    people: Tracklets
    held_out: HeldOut
    group: Distributed
    log: RunLog
    preprocessing: Preprocessing

    @property
    def progress(self) -> float:
        """Completed fraction of the run, the same on all ranks."""
        return progress_of(self.config.schedule, self.state.step, self.group.agreed(self.state.elapsed_s))


def run_training(config: TrainConfig, *, render: Render | None = None, on_signals: bool = False) -> TrainResult:
    """Train according to `config`.

    Args:
        config: Configuration of the run.
        render: Renders the people; None for the default generator.
        on_signals: Whether SIGTERM and Ctrl-C end the run after the step in progress, with a checkpoint to resume from.

    Raises:
        TrainingError: The loss is NaN or infinite, memory or disk space ran out, or no step is left.
        ConfigError: `run.output` cannot be a folder.
        CheckpointError: `run.resume` is set and there is no checkpoint to resume from, or it is of another run.
        DataSetError: The data set is missing or incomplete, or an image of it is broken.
    """
    torch.set_num_threads(config.run.threads)
    with ExitStack() as stack:
        stack.enter_context(explained(config))
        group = join_group(on_gpu=config.run.device != "cpu")
        stack.callback(leave_group)
        output = _made(config.run.output)
        log = RunLog(output, quiet=not group.first, tensorboard=config.run.tensorboard)
        stack.callback(log.end)
        check_initial(config)
        if (warning := initial_warning(config)) is not None:
            log.message(warning)
        before = load_checkpoint(output / CHECKPOINT) if config.run.resume else None
        with group.first_alone():  # it may have people to render
            people, held_out = people_of(config, render, log.message)
        state = _started(config, int(people.identities.max()) + 1, before, group)
        stop = stack.enter_context(stop_on_signals()) if on_signals else Event()
        return _train(_Run(config, state, people, held_out, group, log, preprocessing_of(config)), stop)


def _made(output: Path) -> Path:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"run.output is {str(output)!r}: {error.strerror}; give a folder that can be written"
        ) from error
    return output


def _train(run: _Run, stop: Event) -> TrainResult:
    config, state, group = run.config, run.state, run.group
    sampler = sampler_of(config, run.people)
    loader = Loader(config, run.people, sampler, group)
    refresh = config.losses.memory_refresh_epochs * (config.schedule.epoch_steps or sampler.steps_per_epoch)
    run.log.begin(state.step)
    mark = time.monotonic()
    report, losses, stopped = _first_validation(run), None, False
    while (progress := run.progress) < 1 and not (stopped := bool(group.agreed(float(stop.is_set())))):
        began = time.monotonic()
        if _memories_due(run, progress, refresh):
            count = len(config.losses.memories)
            state.memory = fill_memory(state.network, run.preprocessing, run.people, count, group=group)
        for parameters in state.optimiser.param_groups:
            rate = rate_at(config.schedule, progress)
            parameters["lr"] = config.optimiser.learning_rate * parameters["scale"] * rate
        examples = loader.batch(state.step, stage_at(config, progress))
        waited_s = time.monotonic() - began
        losses = train_step(state, examples, run.preprocessing, config, progress, group)
        state.step += 1
        state.elapsed_s += time.monotonic() - mark
        mark = time.monotonic()  # before saving and validating, whose time counts towards the next step
        progress = run.progress
        run.log.step(StepRecord(state.step, progress, state.elapsed_s, waited_s, _values(state, losses)))
        report = _save_and_validate(run, progress) or report
    if losses is None and report is None and not stopped:
        raise TrainingError(
            f"{config.run.output} has already completed all {config.schedule.steps} steps: start a new run in another "
            "run.output"
        )
    if stopped:
        _save_stopped(run)
    loss = None if losses is None else losses.total.item()
    best = config.run.output / BEST
    return TrainResult(best, state.best_map, report, state.step, loss, "stopped" if stopped else "done")


def _memories_due(run: _Run, progress: float, refresh: int) -> bool:
    losses = run.config.losses
    filled = losses.memory_init == "fill" and losses.mmc > 0
    return filled and progress >= losses.mmc_from and run.state.step % refresh == 0


def _save_and_validate(run: _Run, progress: float) -> Report | None:
    """Save a checkpoint and validate when due; the checkpoint comes first, so a failed validation loses nothing."""
    settings, state = run.config.run, run.state
    if not run.group.first:
        return None
    minutes = (state.elapsed_s - state.validated_s) / 60
    by_clock = bool(settings.validate_minutes) and minutes >= settings.validate_minutes
    due = by_clock or state.step % settings.validate_every == 0 or progress >= 1
    if due or state.step % settings.checkpoint_every == 0:
        _save(run)
    return _validate(run) if due else None


def _first_validation(run: _Run) -> Report | None:
    """Validate initial weights if requested, or after a run was killed between a checkpoint and its validation."""
    settings, state = run.config.run, run.state
    begun = state.step > 0
    due = (state.step % settings.validate_every == 0 or run.progress >= 1) if begun else settings.validate_first
    return _validate(run) if due and state.validated_step != state.step and run.group.first else None


def _validate(run: _Run) -> Report:
    """Validate the network, save its weights, also as the best if they are, and update the checkpoint."""
    config, state = run.config, run.state
    network = network_to_keep(state, apart=config.run.compile)
    report = validate(network, run.preprocessing, run.held_out)
    run.log.message(f"step {state.step}: held-out {report.line()}")
    run.log.validated(state.step, {"mAP": report.ranking.mean_ap, "rank1": report.ranking.rank(1)})
    _keep(run, LAST, report)
    if report.ranking.mean_ap > state.best_map:
        state.best_map = report.ranking.mean_ap
        _keep(run, BEST, report)
    state.validated_step, state.validated_s = state.step, state.elapsed_s
    _save(run, keep_previous=False)
    return report


def _save_stopped(run: _Run) -> None:
    """Save what is needed to resume a stopped run, and weights in any case."""
    state, output = run.state, run.config.run.output
    if not run.group.first:
        return
    _save(run)
    if not (output / BEST).exists():
        _keep(run, BEST, None)
    run.log.message(f"stopped at step {state.step}: resume with run.resume=true")


def _keep(run: _Run, name: str, report: Report | None) -> None:
    settings, state = run.config.run, run.state
    network = network_to_keep(state, apart=settings.compile)
    keep(
        settings.output / name,
        network,
        run.preprocessing,
        report=report,
        step=state.step,
        elapsed_s=state.elapsed_s,
        half=settings.save_precision == "float16",
    )


def _save(run: _Run, *, keep_previous: bool = True) -> None:
    path = run.config.run.output / CHECKPOINT
    save_checkpoint(path, snapshot(run.state, fixed_settings(run.config)), keep_previous=keep_previous)


def _started(config: TrainConfig, identities: int, before: Checkpoint | None, group: Distributed) -> State:
    """Return the state to start from, new or from the checkpoint."""
    state = start(config, identities, device_of(config))
    if before is not None:
        restore(state, before, fixed_settings(config))
    if group.world_size > 1:
        if config.batch.identities % group.world_size:
            raise TrainingError(
                f"batch.identities is {config.batch.identities}, must be a multiple of the {group.world_size} processes"
            )
        share_norms(state.network.encoder)
    if config.run.compile:
        state.network.encoder.compile()
    return state


def _values(state: State, losses: Losses) -> dict[str, float]:
    parts = {field.name: float(getattr(losses, field.name).detach()) for field in fields(losses)}
    return {"lr": state.optimiser.param_groups[0]["lr"], **parts}


def main(arguments: Sequence[str]) -> None:
    """Train with a configuration file and `group.key=value` overrides."""
    result = run_training(load_config(Path(arguments[0]), arguments[1:]), on_signals=True)
    sys.stderr.write(f"best held-out mAP {result.best_map:.3f}: {result.weights}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
