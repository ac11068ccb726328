"""Small training runs: people who are coloured noise, and a process that learns from them, to be killed or doubled.

python -m tests.training_tools run.output=DIR group.key=value ...
"""

import sys
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from training import logs
from training.config import TrainConfig, load_config
from training.train import run_training

_SMALL = (
    "network.model=climb-tiny-64",
    "run.device=cpu",
    "run.threads=1",
    "run.workers=0",
    "synthetic.train_identities=8",
    "synthetic.train_cameras=2",
    "synthetic.validation_identities=6",
    "synthetic.validation_cameras=2",
    "batch.identities=4",
    "batch.tracklets=2",
    "batch.frames=2",
    "schedule.early_frames=1",
    "schedule.early_scale=0.5",
    "schedule.temporal_from=0.5",
    "schedule.steps=10",
    "optimiser.learning_rate=1e-3",
    "optimiser.temporal_classifier_lr_factor=1.0",
    "losses.sequence_contrast=1.0",
    "run.validate_every=100",
)


def coloured_noise(identity: int, camera: int, tracklet: int, frames: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A person is two colours, one above the other; a camera is a brightness; frames are noise."""
    upper, lower = np.random.default_rng((identity, 1)).uniform(40, 215, (2, 3))
    gain = np.random.default_rng((camera, 2)).uniform(0.8, 1.2)
    noise = np.random.default_rng((identity, camera, tracklet)).normal(0, 12, (frames, *size, 3))
    rows = np.where(np.arange(size[0])[:, None, None] < size[0] // 2, upper, lower)
    crops: NDArray[np.uint8] = np.clip(rows * gain + noise, 0, 255).astype(np.uint8)
    return crops


def small_config(output: Path, *overrides: str) -> TrainConfig:
    """A run of ten steps that a test has time for."""
    return load_config(
        None, [*_SMALL, f"run.output={output}", f"synthetic.cache={output.parent / 'cache'}", *overrides]
    )


def small_changes(folder: Path) -> dict[str, object]:
    """The settings of such a run by `group.key`, its people cached in `folder`."""
    pairs = (one.split("=") for one in _SMALL)
    return {key: yaml.safe_load(value) for key, value in pairs} | {"synthetic.cache": str(folder / "cache")}


def logged(config: TrainConfig, column: str) -> list[float]:
    """A column of the log of a run, one value a row."""
    lines = (config.run.output / "log.csv").read_text().splitlines()
    place = lines[0].split(",").index(column)
    return [float(line.split(",")[place]) for line in lines[1:]]


if __name__ == "__main__":
    logs.EVERY = 1
    folder = Path(sys.argv[1].removeprefix("run.output="))
    run_training(small_config(folder, *sys.argv[2:]), render=coloured_noise)
