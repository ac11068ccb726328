"""Small training runs: people who are coloured noise, and a process that learns from them, to be killed or doubled.

python -m tests.training_tools output=DIR key=value ...
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import logs
from training.config import TrainConfig
from training.config_file import load_config
from training.train import run_training

_SMALL = (
    "model=climb-tiny-64",
    "device=cpu",
    "threads=1",
    "workers=0",
    "train_identities=8",
    "train_cameras=2",
    "test_identities=6",
    "test_cameras=2",
    "identities=4",
    "tracklets=2",
    "frames=2",
    "early_frames=1",
    "early_scale=0.5",
    "temporal_from=0.5",
    "steps=10",
    "lr=1e-3",
    "temporal_classifier_lr=1.0",
    "sequence_contrast=1.0",
    "evaluate_every=100",
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
    return load_config(None, [*_SMALL, f"output={output}", f"cache={output.parent / 'cache'}", *overrides])


def logged(config: TrainConfig, column: str) -> list[float]:
    """A column of the log of a run, one value a row."""
    lines = (config.output / "log.csv").read_text().splitlines()
    place = lines[0].split(",").index(column)
    return [float(line.split(",")[place]) for line in lines[1:]]


if __name__ == "__main__":
    logs.EVERY = 1
    folder = Path(sys.argv[1].removeprefix("output="))
    run_training(small_config(folder, *sys.argv[2:]), render=coloured_noise)
