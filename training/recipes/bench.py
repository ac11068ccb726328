"""Measure the speed of rendering and training, and how long a step waits for its batch.

climbtrack bench training [CONFIG] [group.key=value ...]
"""

import time
from dataclasses import dataclass

import numpy as np
import torch

from training.build import device_of, preprocessing_of, sampler_of
from training.config import TrainConfig, changed
from training.data.crops import Tracklets
from training.loader import PREFETCH, Examples, Loader
from training.logs import peak_memory_mb
from training.people import generated_people, training_people
from training.schedule import stage_at
from training.state import start
from training.step import train_step

_STEPS = 12
_RENDERED = 96  # tracklets


@dataclass(frozen=True, slots=True)
class TrainingSpeed:
    """Training throughput of a machine.

    Attributes:
        device: Device of the network.
        threads: Torch threads.
        workers: Processes that prepare batches.
        generated_per_s: Crops rendered per second by one process, with the frames per tracklet of the first stage.
        trained_per_s: Crops per second of the fastest step alone, without loading.
        loop_per_s: Crops per second including the loader, mean.
        loader_share: Fraction of the loop spent waiting for batches, 0 to 1.
        memory_mb: Peak memory, MB.
    """

    device: str
    threads: int
    workers: int
    generated_per_s: float
    trained_per_s: float
    loop_per_s: float
    loader_share: float
    memory_mb: float


def measure(config: TrainConfig) -> TrainingSpeed:
    """Render, train on one batch repeatedly, then run the loop with its loader."""
    torch.set_num_threads(config.run.threads)
    config = changed(config, {"synthetic.crops": "fresh"})
    people = training_people(config, generated_people(), print)
    generated = _generated(config, people)
    device = device_of(config)
    state, preprocessing = start(config, config.synthetic.train_identities, device), preprocessing_of(config)
    loader = Loader(config, people, sampler_of(config, people))
    stage = stage_at(config, 0.0)

    def step(examples: Examples) -> float:
        began = time.perf_counter()
        train_step(state, examples, preprocessing, config, 0.0)
        if device.type == "cuda":
            torch.cuda.synchronize()
        state.step += 1
        return time.perf_counter() - began

    first = loader.batch(0, stage)
    alone_s = min(step(first) for _ in range(_STEPS))
    crops = len(first.crops)
    waited_s = learnt_s = 0.0
    ready = 1 + PREFETCH * config.run.workers  # prefetched batches would hide the cost of a batch
    for number in range(1, ready):
        loader.batch(number, stage)
    for number in range(ready, ready + _STEPS):
        began = time.perf_counter()
        examples = loader.batch(number, stage)
        waited_s += time.perf_counter() - began
        learnt_s += step(examples)
    loop_s = waited_s + learnt_s
    return TrainingSpeed(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        threads=config.run.threads,
        workers=config.run.workers,
        generated_per_s=generated,
        trained_per_s=crops / alone_s,
        loop_per_s=crops * _STEPS / loop_s,
        loader_share=waited_s / loop_s,
        memory_mb=peak_memory_mb(),
    )


def _generated(config: TrainConfig, people: Tracklets) -> float:
    """Return crops per second of one process, after compilation."""
    frames = np.arange(stage_at(config, 0.0).frames)
    people.read(0, frames)
    began = time.perf_counter()
    crops = sum(len(people.read(row, frames)) for row in range(_RENDERED))
    return crops / (time.perf_counter() - began)
