"""Do a queue of training runs one after another on an otherwise busy machine, and judge each of them.

    python -m training.recipes.queue QUEUE.yaml

    config: climb_tiny_varied.yaml           # looked up beside the queue
    output: runs/queue
    changes: {schedule.minutes: 30}          # of all runs
    seeds: [0, 1]
    settings: [other]                        # generated people to judge by
    runs:                                    # the first is the baseline
      base: {}
      gentle: {data.augmentation_strength: 0.3}

The file is read again after each run, so runs can be added meanwhile. After an interruption the same command resumes
the run in progress from its last checkpoint. `results.jsonl` in the output folder has a line for each completed run.
"""

import argparse
import fcntl
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from reid_worker.model.tensors import WeightsError
from training.checkpoint import CheckpointError, load_checkpoint
from training.config import TrainConfig, changed
from training.data.crops import CropPlan, Render, load_crops
from training.data.dataset import DataSetError
from training.errors import TrainingError
from training.people import HeldOut
from training.recipes.ablation import validated
from training.recipes.queue_file import Queue, QueuedRun, QueueError, load_queue
from training.recipes.queue_results import RESULTS, Row, append, comparable, results, table
from training.schedule import progress_of
from training.train import CHECKPOINT, run_training

_NICENESS = 15
_SETTINGS = "settings.json"
_JUDGED_SEEDS = 600_000  # people and cameras to judge by: neither trained nor validated on
_PEOPLE, _CAMERAS, _FRAMES, _BLOCK = 144, 4, 2, 24
_FAILURES = (TrainingError, CheckpointError, DataSetError, WeightsError)


def run_queue(path: Path, *, render: Render | None = None, judges: Mapping[str, Render] | None = None) -> bool:
    """Do all runs of a queue that are not completed yet; return False if a run failed or training was stopped.

    A run that fails does not keep the next ones waiting; it is tried again when the queue is started again.

    Args:
        path: The queue; see `queue_file`.
        render: Renders the people to train on; None for the default generator.
        judges: Renderers by setting; None for those of the settings.

    Raises:
        QueueError: The queue is invalid, another process is doing it, or a completed run now has other settings.
    """
    tried: set[str] = set()
    failed = False
    queue = load_queue(path)
    with _alone(queue.output):
        while waiting := [run for run in _waiting(queue) if run.label not in tried]:
            run = waiting[0]
            tried.add(run.label)
            log(f"{run.label}: run {len(queue.runs) - len(waiting) + 1} of {len(queue.runs)}")
            try:
                if not _do(queue, run, render, judges):
                    return False
            except _FAILURES as error:
                failed = True
                log(f"{run.label}: {error}")
            queue = _read_again(path, queue)
    return not failed


def log(text: str) -> None:
    """Write a line of progress to standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _do(queue: Queue, run: QueuedRun, render: Render | None, judges: Mapping[str, Render] | None) -> bool:
    """Train, or finish training, and judge one run; return False if it was stopped by a signal."""
    config = run.config
    checkpoint = config.run.output / CHECKPOINT
    _claim(config)
    if checkpoint.exists():
        config = changed(config, {"run.resume": True})
    if not (checkpoint.exists() and _trained(config, checkpoint)):
        ended = run_training(config, render=render, on_signals=True)
        if ended.end == "stopped":
            return False
    last = load_checkpoint(checkpoint)
    people = {setting: _people(config, setting, judges) for setting in queue.settings}
    weights = config.run.output / "last.safetensors"
    figures = {setting: validated(weights, held_out)["frame average"] for setting, held_out in people.items()}
    row: Row = {"run": run.name, "seed": run.seed, "steps": last.step, "minutes": round(last.elapsed_s / 60, 2)}
    row |= {"figures": figures, "config": comparable(run.config)}
    append(queue.output / RESULTS, row)
    log(json.dumps({key: value for key, value in row.items() if key != "config"}))
    return True


def _claim(config: TrainConfig) -> None:
    """Record what a folder is used for, so that a run is not resumed with other settings than it began with."""
    config.run.output.mkdir(parents=True, exist_ok=True)
    file, now = config.run.output / _SETTINGS, comparable(config)
    if (config.run.output / CHECKPOINT).exists() and file.exists():
        before = json.loads(file.read_text())
        if different := sorted(key for key in now if before.get(key) != now[key]):
            key = different[0]
            raise TrainingError(
                f"{config.run.output} began with {key} {before.get(key)}, now {now[key]}: give the run a new name, or "
                "remove its folder"
            )
    file.write_text(json.dumps(now, indent=2) + "\n")


def _trained(config: TrainConfig, checkpoint: Path) -> bool:
    """Return whether a run has its last checkpoint and weights: an interruption may come while it is judged."""
    last = load_checkpoint(checkpoint)
    return last.validated_step == last.step and progress_of(config.schedule, last.step, last.elapsed_s) >= 1


def _people(config: TrainConfig, setting: str, judges: Mapping[str, Render] | None) -> HeldOut:
    """Return the generated people of a setting to judge by, rendered into the cache of the run at first."""
    a = config.network.architecture
    size = (a.height, a.width)
    name = f"judged-{setting}-{_PEOPLE}x{_CAMERAS}x{_FRAMES}-{size[0]}x{size[1]}"
    plan = CropPlan(name, _JUDGED_SEEDS, _PEOPLE, _JUDGED_SEEDS, _CAMERAS, _BLOCK, _FRAMES, size)
    crops = load_crops(
        plan, _renderer(setting) if judges is None else judges[setting], config.synthetic.cache, report=log
    )
    return HeldOut(crops, crops)


def _renderer(setting: str) -> Render:
    from training.synthetic.people import PeopleGenerator  # its compiler is only loaded if people are rendered
    from training.synthetic.settings import SETTINGS

    return PeopleGenerator(setting=SETTINGS[setting]).tracklet


def _waiting(queue: Queue) -> list[QueuedRun]:
    """Return the runs without a result.

    Raises:
        QueueError: A run with a result has other settings now.
    """
    done = {(row["run"], row["seed"]): row for row in results(queue.output)}
    for run in queue.runs:
        row = done.get((run.name, run.seed))
        if row is None:
            continue
        now = comparable(run.config)
        if different := sorted(key for key in now if row["config"].get(key) != now[key]):
            key = different[0]
            raise QueueError(
                f"{run.label} was run with {key} {row['config'].get(key)}, now {now[key]}: give it a new name, or "
                f"remove its line from {queue.output / RESULTS} and its folder"
            )
        if missing := [setting for setting in queue.settings if setting not in row["figures"]]:
            raise QueueError(f"{run.label} was not judged on {missing[0]}: use another output, or remove its line")
    return [run for run in queue.runs if (run.name, run.seed) not in done]


def _read_again(path: Path, before: Queue) -> Queue:
    """Return the queue as it is now; while it is being edited and invalid, as it was before."""
    try:
        queue = load_queue(path)
        _waiting(queue)
    except QueueError as error:
        log(f"going on with the queue as it was: {error}")
        return before
    if queue.output != before.output:
        log("going on with the queue as it was: output cannot change meanwhile")
        return before
    return queue


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Keep a second process from the same runs."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        file = (output / "lock").open("w")
    except OSError as error:
        raise QueueError(f"{output} cannot be written: {error.strerror}; give another output") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise QueueError(f"another process is doing the runs in {output}: wait for it, or stop it") from error
        yield


def main(arguments: Sequence[str]) -> None:
    """Do a queue at low priority and print the table of its results."""
    parser = argparse.ArgumentParser(
        prog="python -m training.recipes.queue", description="Do training runs one after another, and judge them."
    )
    parser.add_argument("queue", type=Path, help="YAML file of runs")
    path = parser.parse_args(arguments).queue
    os.nice(_NICENESS)
    try:
        completed = run_queue(path)
        queue = load_queue(path)
    except QueueError as error:
        parser.error(str(error))
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error}: make room, or give another output; the same command resumes\n")
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: interrupted; the same command resumes\n")
    sys.stdout.write(table(queue, results(queue.output)) + "\n")
    if not completed:
        parser.exit(1, f"{parser.prog}: not all runs are completed: the same command does the others\n")


if __name__ == "__main__":
    main(sys.argv[1:])
