"""Train for a few minutes on one machine: all cores render people while the GPU, if there is one, trains.

    python -m training.recipes.gpu --minutes 12 [--initial FILE | --from-scratch] [--out DIR] [group.key=value ...]

Every minute the network is validated on held-out people, and its weights are written in half precision with a JSON
card of their accuracy: `last.safetensors`, and `best.safetensors` if they are the best so far. SIGTERM and Ctrl-C end
the run after the step in progress and keep the best weights so far.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from reid_worker.model.tensors import WeightsError
from reid_worker.model.weights import SHIPPED, load_weights
from training.build import preprocessing_of
from training.config import ConfigError, TrainConfig, changed, load_config
from training.config.groups import model_of
from training.data.crops import Render
from training.errors import TrainingError
from training.people import people_of
from training.train import CHECKPOINT, TrainResult, run_training

RECIPE = Path(__file__).parents[1] / "configs" / "gpu.yaml"
_SCRATCH_RATE = 1e-3  # learning rate of an untrained network
_RESERVE_S = 5.0  # for the last validation and for writing its weights
_LEAST_S = 1.0  # of training, if rendering held-out people took all the time


def recipe(minutes: float, initial: Path | None, out: Path, changes: Sequence[str] = ()) -> TrainConfig:
    """Return a run that suits this machine.

    Args:
        minutes: Total wall time, above 0.
        initial: Weights to start from; None trains from scratch.
        out: Folder of the run.
        changes: `group.key=value`, overriding everything else.

    Raises:
        ConfigError: A change is unknown, or the weights have an unsupported size or other preprocessing.
        WeightsError: The weights cannot be used.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    settings = {"run.output": out, "synthetic.cache": out / "cache", "schedule.minutes": minutes}
    settings |= _on_gpu(cores) if torch.cuda.is_available() else _on_cpu(cores)
    if initial is None:
        settings["optimiser.learning_rate"] = _SCRATCH_RATE
    else:
        settings |= {"network.initial": initial, "network.model": _model(initial)}
    config = load_config(RECIPE, [*(f"{key}={value}" for key, value in settings.items()), *changes])
    if config.synthetic.lanes == 1:  # as many as the processes that render in the end, `changes` included
        config = changed(config, {"synthetic.lanes": max(1, config.run.workers)})
    if initial is not None and load_weights(initial).preprocessing != preprocessing_of(config):
        raise ConfigError(
            f"{initial} needs different preprocessing: {load_weights(initial).preprocessing}; choose other weights"
        )
    return config


def _on_gpu(cores: int) -> dict[str, Any]:
    return {"run.device": "cuda", "run.precision": "bfloat16", "run.threads": 1, "run.workers": max(1, cores - 1)}


def _on_cpu(cores: int) -> dict[str, Any]:
    """Return half the cores for training, half for rendering, and a suitable batch and validation size."""
    workers = max(1, cores // 2)
    learning = {"run.device": "cpu", "run.threads": max(1, cores - workers), "run.workers": workers}
    return learning | {"batch.identities": 16, "synthetic.validation_identities": 24, "synthetic.validation_cameras": 3}


def _model(initial: Path) -> str:
    architecture = load_weights(initial).network.architecture
    model = model_of(architecture)
    if model is None:
        raise ConfigError(
            f"{initial} is a {architecture.name} of a size that this recipe cannot train; choose other weights"
        )
    return model


def train(config: TrainConfig, began: float, *, render: Render | None = None) -> TrainResult:
    """Render the held-out people, then train for the remaining time.

    Args:
        config: A configuration of `recipe`; `schedule.minutes` is the total time.
        began: Start of that time on the monotonic clock.
        render: Renders the people; None for the default generator.

    Raises:
        TrainingError: The folder already contains a run, or the run cannot continue.
    """
    if (config.run.output / CHECKPOINT).exists():
        raise TrainingError(f"{config.run.output} already contains a run: give another --out")
    people_of(config, render, _log)  # renders them into the cache
    left_s = max(_LEAST_S, 60 * config.schedule.minutes - (time.monotonic() - began) - _RESERVE_S)
    return run_training(changed(config, {"schedule.minutes": left_s / 60}), render=render, on_signals=True)


def _log(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> None:
    """Train for some minutes, and print the result as one JSON line."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(
        prog="python -m training.recipes.gpu", description="Train for a few minutes on one machine, on all its cores."
    )
    parser.add_argument("--minutes", type=float, default=12.0, help="total wall time")
    parser.add_argument("--initial", type=Path, default=SHIPPED, help="weights to start from (default: shipped)")
    parser.add_argument("--from-scratch", action="store_true", help="train from scratch")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="folder of the run")
    parser.add_argument("changes", nargs="*", metavar="group.key=value", help="settings that override the recipe")
    given = parser.parse_intermixed_args(arguments)
    if not given.minutes > 0:
        parser.error(f"--minutes {given.minutes}: must be above 0")
    try:
        config = recipe(given.minutes, None if given.from_scratch else given.initial, given.out, given.changes)
        result = train(config, began)
    except (ConfigError, WeightsError) as error:
        parser.error(str(error))
    except TrainingError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    card = json.loads(result.weights.with_suffix(".json").read_text())
    said = {"weights": str(result.weights), **card, "end": result.end, "wall_s": round(time.monotonic() - began, 1)}
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
