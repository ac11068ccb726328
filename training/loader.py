"""Batches, made ahead of the steps that use them: a pure function of seed, step and lesson, whoever makes them.

Rendering and augmenting cost about as much as a step of the small network, so worker processes do them meanwhile.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from reid_worker.model.preprocess import Preprocessing
from training.augment import augment, augment_as_published
from training.config import TrainConfig
from training.data.crops import RenderedTracklets, Tracklets
from training.data.dataset import DataSetError
from training.ranks import ALONE, Ranks
from training.sampler import Batch, IdentitySampler
from training.schedule import Lesson

AHEAD = 4  # batches a worker makes ahead
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Augmented tracklets.

    Attributes:
        crops: uint8 `(sum(lengths), H, W, 3)`.
        lengths: Frames of each.
        labels: Identity of each `(n,)` int64.
        kept: Places of the patch tokens to be encoded `(sum(lengths), k)` int64, or None for all.
    """

    crops: Tensor
    lengths: list[int]
    labels: Tensor
    kept: Tensor | None = None


def load_batch(config: TrainConfig, step: int, batch: Batch, people: Tracklets, lesson: Lesson) -> Examples:
    """Read, resize and augment; what is drawn for a tracklet depends on seed, step, camera and place in the batch."""
    to = Preprocessing(*lesson.size)
    tracklets, kept = [], []
    for place, row, frames in zip(batch.places, batch.tracklets, batch.frames, strict=True):
        visit = int(np.random.SeedSequence((config.seed, 4, step, place)).generate_state(1)[0])
        source = replace(people, visit=visit) if isinstance(people, RenderedTracklets) else people
        rng = np.random.default_rng((config.seed, 3, step, place))
        crops = to.resize(source.read(int(row), frames))
        if config.augment == "paper":
            tracklets.append(augment_as_published(crops, rng))
        else:
            camera = np.random.default_rng((config.seed, 5, step, int(people.cameras[row])))
            tracklets.append(augment(crops, rng, config.augmentation, camera))
        kept.append(_kept_tokens(config, lesson, len(crops), rng))
    labels = torch.from_numpy(people.identities[batch.tracklets])
    return Examples(
        torch.from_numpy(np.concatenate(tracklets)),
        [len(t) for t in tracklets],
        labels,
        torch.from_numpy(np.concatenate(kept)) if lesson.dropped else None,
    )


def _kept_tokens(config: TrainConfig, lesson: Lesson, images: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return random places `(images, k)` of patch tokens."""
    patch = config.architecture.patch
    count = math.ceil(lesson.size[0] / patch) * math.ceil(lesson.size[1] / patch)
    return rng.random((images, count)).argsort(axis=1)[:, : max(1, round(count * (1 - lesson.dropped)))]


@dataclass(frozen=True, slots=True, eq=False)
class _Steps(Dataset[Examples | DataSetError]):
    """The batches of a lesson by step; a broken image comes back as a value, without a worker's traceback around it."""

    config: TrainConfig
    people: Tracklets
    sampler: IdentitySampler
    lesson: Lesson
    ranks: Ranks

    def __getitem__(self, step: int) -> Examples | DataSetError:
        """Return the batch of a step, or why there is none."""
        people = self.people
        if isinstance(people, RenderedTracklets):  # no more is rendered than is looked at
            people = replace(people, plan=replace(people.plan, frames=self.lesson.frames))
        batch = self.sampler.batch(step, frames=self.lesson.frames, lengths=people.lengths)
        mine = batch.part(self.ranks.share(len(batch.tracklets)))
        try:
            return load_batch(self.config, step, mine, people, self.lesson)
        except DataSetError as error:
            return error


@dataclass(slots=True)
class Loader:
    """Hands out the batches of a run; those of the next steps are being made by `workers` processes.

    Attributes:
        config: Of the run; with `workers` 0, a batch is made when it is asked for.
        people: Whom to learn from.
        sampler: Whom to take.
        ranks: Which share of every batch is made here.
    """

    config: TrainConfig
    people: Tracklets
    sampler: IdentitySampler
    ranks: Ranks = ALONE
    _lesson: Lesson | None = None
    _next: int = -1
    _batches: Iterator[Examples | DataSetError] = field(default_factory=lambda: iter(()))

    def batch(self, step: int, lesson: Lesson) -> Examples:
        """Return the batch of a step; a new lesson, or another than the next step, throws away what was made ahead.

        Raises:
            DataSetError: An image of it is missing or broken.
        """
        if (step, lesson) != (self._next, self._lesson):
            self._batches = self._from(step, lesson)
            self._lesson = lesson
        self._next = step + 1
        made = next(self._batches)
        if isinstance(made, DataSetError):
            raise made
        return made

    def _from(self, step: int, lesson: Lesson) -> Iterator[Examples | DataSetError]:
        workers = self.config.workers
        cv2.setNumThreads(1)  # a forked worker would wait for ever for OpenCV's threads, which do not come along
        return iter(
            DataLoader(
                _Steps(self.config, self.people, self.sampler, lesson, self.ranks),
                sampler=range(step, self.config.steps),
                batch_size=None,
                num_workers=workers,
                collate_fn=_as_it_is,
                prefetch_factor=AHEAD if workers else None,
                generator=torch.Generator(),  # its own: the loader draws a seed, and a step must not depend on that
            )
        )


def _as_it_is(made: _Made) -> _Made:
    return made
