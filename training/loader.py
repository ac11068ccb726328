"""Load batches ahead of the steps that use them: a pure function of seed, step and stage in any process.

Rendering and augmenting cost about as much as a step of the small network, so worker processes do them in parallel.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.augment import augment, augment_as_published
from training.config import TrainConfig
from training.data.crops import RenderedTracklets, Tracklets
from training.data.dataset import DataSetError
from training.distributed import SINGLE, Distributed
from training.sampler import Batch, IdentitySampler
from training.schedule import Stage
from training.workers import begin_worker

PREFETCH = 4  # batches a worker prepares in advance
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Augmented tracklets.

    Attributes:
        crops: uint8 `(sum(lengths), H, W, 3)`.
        lengths: Frames of each.
        labels: Identity of each `(n,)` int64.
        kept: Positions of the patch tokens to encode `(sum(lengths), k)` int64, or None for all.
        cameras: Row of each tracklet's camera in the network's side information; None if it has none.
    """

    crops: Tensor
    lengths: list[int]
    labels: Tensor
    kept: Tensor | None = None
    cameras: list[int] | None = None


def load_batch(config: TrainConfig, step: int, batch: Batch, people: Tracklets, stage: Stage) -> Examples:
    """Read, resize and augment a batch; draws depend on seed, step, camera and position in the batch."""
    to = replace(config.network.preprocessing, height=stage.size[0], width=stage.size[1])
    tracklets, kept = [], []
    seen_by = people.cameras[batch.tracklets]  # once, as rendered people work out the cameras of everybody
    for place, row, frames, seen in zip(batch.places, batch.tracklets, batch.frames, seen_by, strict=True):
        visit = int(np.random.SeedSequence((config.run.seed, 4, step, place)).generate_state(1)[0])
        source = replace(people, visit=visit) if isinstance(people, RenderedTracklets) else people
        rng = np.random.default_rng((config.run.seed, 3, step, place))
        crops = to.resize(source.read(int(row), frames))
        if config.data.augmentation == "paper":
            tracklets.append(augment_as_published(crops, rng))
        else:
            camera = np.random.default_rng((config.run.seed, 5, step, int(seen)))
            tracklets.append(augment(crops, rng, config.data.augmentation_strength, camera))
        kept.append(_kept_tokens(config, stage, len(crops), rng))
    labels = torch.from_numpy(people.identities[batch.tracklets])
    return Examples(
        torch.from_numpy(np.concatenate(tracklets)),
        [len(t) for t in tracklets],
        labels,
        torch.from_numpy(np.concatenate(kept)) if stage.dropped else None,
        None if people.side_rows is None else people.side_rows[batch.tracklets].tolist(),
    )


def _kept_tokens(config: TrainConfig, stage: Stage, images: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return random positions `(images, k)` of patch tokens."""
    patch = config.network.architecture.patch
    count = math.ceil(stage.size[0] / patch) * math.ceil(stage.size[1] / patch)
    return rng.random((images, count)).argsort(axis=1)[:, : max(1, round(count * (1 - stage.dropped)))]


@dataclass(frozen=True, slots=True, eq=False)
class _Steps(Dataset[Examples | DataSetError]):
    """The batches of a stage by step; a broken image is returned as a value, to avoid a worker's traceback."""

    config: TrainConfig
    people: Tracklets
    sampler: IdentitySampler
    stage: Stage
    group: Distributed

    def __getitem__(self, step: int) -> Examples | DataSetError:
        """Return the batch of a step, or the error that prevents it."""
        people = self.people
        if isinstance(people, RenderedTracklets):  # render only the frames that are used
            people = replace(people, plan=replace(people.plan, frames=self.stage.frames))
        batch = self.sampler.batch(step, frames=self.stage.frames, lengths=people.lengths)
        mine = batch.part(self.group.share(len(batch.tracklets)))
        try:
            return load_batch(self.config, step, mine, people, self.stage)
        except DataSetError as error:
            return error


@dataclass(slots=True)
class Loader:
    """Provides the batches of a run; `workers` processes prepare those of the next steps.

    Attributes:
        config: Configuration of the run; with `workers` 0, a batch is made on request.
        people: The tracklets to train on.
        sampler: Chooses the tracklets of a batch.
        group: Determines this process's share of every batch.
    """

    config: TrainConfig
    people: Tracklets
    sampler: IdentitySampler
    group: Distributed = SINGLE
    _stage: Stage | None = None
    _next: int = -1
    _batches: Iterator[Examples | DataSetError] = field(default_factory=lambda: iter(()))

    def batch(self, step: int, stage: Stage) -> Examples:
        """Return the batch of a step; a new stage, or a step out of order, discards prefetched batches.

        Raises:
            DataSetError: An image of the batch is missing or broken.
        """
        if (step, stage) != (self._next, self._stage):
            self._batches = self._from(step, stage)
            self._stage = stage
        self._next = step + 1
        made = next(self._batches)
        if isinstance(made, DataSetError):
            raise made
        return made

    def _from(self, step: int, stage: Stage) -> Iterator[Examples | DataSetError]:
        workers = self.config.run.workers
        return iter(
            DataLoader(
                _Steps(self.config, self.people, self.sampler, stage, self.group),
                sampler=range(step, self.config.schedule.steps),
                batch_size=None,
                num_workers=workers,
                collate_fn=_as_it_is,
                worker_init_fn=begin_worker,
                multiprocessing_context="spawn" if workers else None,  # a fork would copy locks held by our threads
                prefetch_factor=PREFETCH if workers else None,
                generator=torch.Generator(),  # separate: the loader draws a seed, which must not affect a step
            )
        )


def _as_it_is(made: _Made) -> _Made:
    return made
