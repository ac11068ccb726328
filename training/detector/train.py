"""Training of the bundled detector: one process learns, one makes examples, and a stopped run goes on."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from reid_worker.detectors.yolox import Grid
from training.detector.examples import Example, ExampleMaker
from training.detector.frames import LabelledFrame
from training.detector.losses import Truth, detection_loss
from training.detector.network import PersonDetector
from training.detector.pool import FramePool
from training.workers import begin_worker

log = logging.getLogger(__name__)

Sizes = tuple[tuple[int, int], ...]  # height, width

# What serving gives pictures of 16:9, 4:3, 1:1 and 9:16, and a little more and less.
SERVED: Sizes = ((288, 512), (288, 512), (288, 512), (320, 448), (384, 384), (512, 288), (224, 416), (352, 608))
# Most of the time is spent on smaller pictures, because a network learns from nearly twice as many of them.
SMALL: Sizes = ((256, 448), (256, 448), (256, 448), (288, 384), (320, 320), (416, 256), (224, 384), (320, 544))
PHASES = ((0.85, SMALL), (1.0, SERVED))  # until which share of the time
FEWEST_FRAMES = 500
REFRESH_BATCHES = 100  # between two looks for new frames
SAVE_S = 120.0


@dataclass(frozen=True, slots=True)
class DetectorTraining:
    """How the detector is trained.

    Attributes:
        minutes: Of the clock, added up over all parts of an interrupted run; they decide the learning rate.
        warm_steps: Over which the learning rate rises.
        average: Decay of the running average of the weights, which is what is shipped.
        workers: Processes that make examples; one keeps a CPU core busy that learns, a GPU takes as many as there are.
        device: What learns: `auto` is a GPU where torch has one.
    """

    minutes: float = 100.0
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warm_steps: int = 100
    average: float = 0.998
    seed: int = 3
    workers: int = 1
    device: str = "auto"


class Batches(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Batches for ever: `(b, 3, h, w)` uint8, boxes `(b, m, 4)` and who counts `(b, m)`.

    Every worker process has a stream of its own; `start` makes a resumed run see other examples than its first part.
    """

    def __init__(self, folder: Path, options: DetectorTraining, sizes: Sizes, start: int) -> None:
        self._folder, self._options, self._sizes, self._start = folder, options, sizes, start

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Make batches."""
        worker = get_worker_info()
        rng = np.random.default_rng([self._options.seed, self._start, 0 if worker is None else worker.id])
        pool = FramePool(self._folder)

        def draw(rng: Generator) -> LabelledFrame:
            return pool[int(rng.integers(len(pool)))]

        maker = ExampleMaker(rng, draw)
        number = 0
        while True:
            if number % REFRESH_BATCHES == 0:
                pool.refresh()
            number += 1
            height, width = self._sizes[int(rng.integers(len(self._sizes)))]
            yield collate([maker.example(height, width) for _ in range(self._options.batch)])


def collate(examples: list[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """Put examples of one size together."""
    most = max(1, *(len(example.boxes) for example in examples))
    boxes = np.zeros((len(examples), most, 4), np.float32)
    counted = np.zeros((len(examples), most), np.bool_)
    for row, example in enumerate(examples):
        boxes[row, : len(example.boxes)] = example.boxes
        counted[row, : len(example.boxes)] = example.counted
    return torch.from_numpy(np.stack([e.image for e in examples])), torch.from_numpy(boxes), torch.from_numpy(counted)


class Run:
    """A training run with its checkpoint file; without one it begins from `initial` weights, or from nothing."""

    def __init__(self, options: DetectorTraining, checkpoint: Path, initial: Path | None = None) -> None:
        torch.manual_seed(options.seed)
        self.options, self._checkpoint = options, checkpoint
        self._device = device_of(options.device)
        self.network = PersonDetector().to(self._device).to(memory_format=torch.channels_last)
        if initial is not None and not checkpoint.exists():
            load_network(self.network, initial)
        decay = get_ema_multi_avg_fn(options.average)  # type: ignore[no-untyped-call]  # torch publishes no type for it
        self.average = AveragedModel(self.network, multi_avg_fn=decay, use_buffers=True)
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": options.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=options.learning_rate,
        )
        self.step, self.seconds = 0, 0.0
        if checkpoint.exists():
            self._load()

    @property
    def done(self) -> float:
        """Return the share of the time that has passed, 0..1."""
        return min(1.0, self.seconds / (60 * self.options.minutes))

    def train(self, frames: Path) -> PersonDetector:
        """Learn until the time is up; return the average of the last weights, in evaluation mode."""
        for until, sizes in PHASES:
            if self.done < until:
                self._train(Batches(frames, self.options, sizes, self.step), until)
        return averaged(self.average)

    def _train(self, batches: Batches, until: float) -> None:
        """Learn until a share of the time is up."""
        # A forked worker would inherit OpenCV's thread pool without its threads, and wait for them for ever.
        loader = DataLoader(
            batches,
            batch_size=None,
            num_workers=self.options.workers,
            prefetch_factor=4,
            worker_init_fn=begin_worker,
            multiprocessing_context="spawn",
        )
        saved = began = time.monotonic()
        losses: list[float] = []
        for images, boxes, counted in loader:
            losses.append(self._learn(images, Truth(boxes, counted)))
            now = time.monotonic()
            self.seconds, began = self.seconds + now - began, now
            if self.step % 100 == 0:
                log.info("step %d, %.1f %% of the time, loss %.3f", self.step, 100 * self.done, np.mean(losses))
                losses.clear()
            if now - saved > SAVE_S or self.done >= until:
                self._save()
                saved = now
            if self.done >= until:
                return

    def _learn(self, images: Tensor, truth: Truth) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.learning_rate * pace(self.done, self.step, self.options.warm_steps)
        grid = grid_of(images.shape[2], images.shape[3]).to(self._device)
        # Every value of a pixel is exact in bfloat16, in which the first convolution would read it anyway.
        images = images.to(self._device, torch.bfloat16, memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16):
            levels = self.network.levels(images)
        loss = detection_loss(self.network.predictions(levels), truth.to(self._device), grid)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch publishes no type for it
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimiser.step()
        self.step += 1
        if self.step >= self.options.warm_steps:  # before that, there is nothing worth averaging
            self.average.update_parameters(self.network)
        return float(loss.detach())

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        part = self._checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self._checkpoint)

    def _load(self) -> None:
        state = torch.load(self._checkpoint, weights_only=True, map_location=self._device)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]
        log.info("going on after step %d, %.1f %% of the time", self.step, 100 * self.done)


def device_of(name: str) -> torch.device:
    """Return the device of a setting; `auto` is a GPU where torch has one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def save_network(network: PersonDetector, path: Path) -> None:
    """Write the weights, in half precision: enough to go on from, at half the size."""
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file({name: v.half() if v.is_floating_point() else v for name, v in weights.items()}, path)


def load_network(network: PersonDetector, path: Path) -> None:
    """Read weights that `save_network` wrote; residual blocks that the file's network had not stay as they are.

    Raises:
        OSError: The file cannot be read.
        RuntimeError: It holds another network.
    """
    weights = network.state_dict()
    found = load_file(path)
    deeper = {name: value for name, value in weights.items() if name.startswith("stages.") and ".path." in name}
    network.load_state_dict(deeper | found)


def averaged(average: AveragedModel) -> PersonDetector:
    """Return the averaged network in evaluation mode."""
    network = average.module
    assert isinstance(network, PersonDetector)
    return network.cpu().eval()


def grid_of(height: int, width: int) -> Tensor:
    """Return `(n, 3)`: cell x, cell y and stride of every cell of an input."""
    grid = Grid.of(height, width)
    return torch.from_numpy(np.concatenate([grid.cells, grid.strides], 1))


def pace(done: float, step: int, warm_steps: int) -> float:
    """Return the learning rate's share: up over `warm_steps`, then down along a half cosine to a hundredth."""
    return min(1.0, (step + 1) / warm_steps) * (0.01 + 0.99 * (0.5 + 0.5 * float(np.cos(np.pi * done))))
