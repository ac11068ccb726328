"""Batches, made ahead of the steps that use them: a pure function of seed, step and lesson, whoever makes them.

Rendering and augmenting cost about as much as a step of the small network, so worker processes do them meanwhile.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from reid_worker.model.preprocess import Preprocessing
from training.augment import augment
from training.config import TrainConfig
from training.crops import RenderedTracklets, Tracklets
from training.sampler import Batch, IdentitySampler
from training.schedule import Lesson

_AHEAD = 4  # batches a worker makes ahead


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Augmented tracklets: uint8 `(sum(lengths), H, W, 3)`, the frames of each, its identity `(n,)`."""

    crops: Tensor
    lengths: list[int]
    labels: Tensor


def load_batch(config: TrainConfig, step: int, batch: Batch, people: Tracklets, size: tuple[int, int]) -> Examples:
    """Read, resize to `(H, W)` and augment; a tracklet's augmentation depends on seed, step and place in the batch."""
    to = Preprocessing(*size)
    tracklets = []
    for i, (row, frames) in enumerate(zip(batch.tracklets, batch.frames, strict=True)):
        visit = int(np.random.SeedSequence((config.seed, 4, step, i)).generate_state(1)[0])
        source = replace(people, visit=visit) if isinstance(people, RenderedTracklets) else people
        rng = np.random.default_rng((config.seed, 3, step, i))
        tracklets.append(augment(to.resize(source.read(int(row), frames)), rng, config.augmentation))
    labels = torch.from_numpy(people.identities[batch.tracklets])
    return Examples(torch.from_numpy(np.concatenate(tracklets)), [len(t) for t in tracklets], labels)


@dataclass(frozen=True, slots=True, eq=False)
class _Steps(Dataset[Examples]):
    """The batches of a lesson by step."""

    config: TrainConfig
    people: Tracklets
    sampler: IdentitySampler
    lesson: Lesson

    def __getitem__(self, step: int) -> Examples:
        """Return the batch of a step."""
        people = self.people
        if isinstance(people, RenderedTracklets):  # no more is rendered than is looked at
            people = replace(people, plan=replace(people.plan, frames=self.lesson.frames))
        batch = self.sampler.batch(step, frames=self.lesson.frames, lengths=people.lengths)
        return load_batch(self.config, step, batch, people, self.lesson.size)


@dataclass(slots=True)
class Loader:
    """Hands out the batches of a run; those of the next steps are being made by `workers` processes.

    Attributes:
        config: Of the run; with `workers` 0, a batch is made when it is asked for.
        people: Whom to learn from.
        sampler: Whom to take.
    """

    config: TrainConfig
    people: Tracklets
    sampler: IdentitySampler
    _lesson: Lesson | None = None
    _next: int = -1
    _batches: Iterator[Examples] = field(default_factory=lambda: iter(()))

    def batch(self, step: int, lesson: Lesson) -> Examples:
        """Return the batch of a step; a new lesson, or another than the next step, throws away what was made ahead."""
        if (step, lesson) != (self._next, self._lesson):
            self._batches = self._from(step, lesson)
            self._lesson = lesson
        self._next = step + 1
        return next(self._batches)

    def _from(self, step: int, lesson: Lesson) -> Iterator[Examples]:
        workers = self.config.workers
        cv2.setNumThreads(1)  # a forked worker would wait for ever for OpenCV's threads, which do not come along
        return iter(
            DataLoader(
                _Steps(self.config, self.people, self.sampler, lesson),
                sampler=range(step, self.config.steps),
                batch_size=None,
                num_workers=workers,
                prefetch_factor=_AHEAD if workers else None,
                generator=torch.Generator(),  # its own: the loader draws a seed, and a step must not depend on that
            )
        )
