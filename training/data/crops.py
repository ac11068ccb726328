"""Crops of rendered people, either cached in a memory-mapped array shared by runs, or rendered on demand."""

import json
import math
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Render = Callable[[int, int, int, int, tuple[int, int]], NDArray[np.uint8]]
"""`(identity seed, camera seed, tracklet seed, frames, (H, W))` to RGB crops `(frames, H, W, 3)`; a pure function."""


_PART = 96  # tracklets per rendering task: those of the people of one site, who share its cameras
_SAID_EVERY_S = 15.0


class Tracklets(Protocol):
    """n tracklets for training or evaluation, whether their crops are rendered or read from a data set's files."""

    @property
    def identities(self) -> NDArray[np.int64]:
        """Labels `(n,)`."""

    @property
    def cameras(self) -> NDArray[np.int64]:
        """Camera of each tracklet `(n,)`."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Crops of each tracklet `(n,)`, at least 1."""

    @property
    def side_rows(self) -> NDArray[np.int64] | None:
        """Row of each tracklet's camera in the network's side information `(n,)`; None to use none."""

    def read(self, row: int, frames: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Return the crops `(H, W, 3)` RGB of tracklet `row` at indices `frames`; sizes may differ between crops."""


@dataclass(frozen=True, slots=True, eq=False)
class CropSet:
    """n tracklets with the same number of crops.

    Attributes:
        crops: `(n, T, H, W, 3)` uint8 RGB.
        identities: `(n,)` int64 labels from 0.
        cameras: `(n,)` int64.
    """

    crops: NDArray[np.uint8]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Raise ValueError if the arrays' shapes are inconsistent."""
        n = len(self.crops)
        if self.crops.ndim != 5 or self.identities.shape != (n,) or self.cameras.shape != (n,):
            raise ValueError(
                f"{self.crops.shape} crops, {self.identities.shape} identities, {self.cameras.shape} cameras"
            )

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Crops of each tracklet `(n,)`."""
        return np.full(len(self.crops), self.crops.shape[1], np.int64)

    @property
    def side_rows(self) -> None:
        """None: no network has side information for these cameras."""

    def read(self, row: int, frames: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Return crops `(H, W, 3)` RGB of tracklet `row` by their places in it."""
        return list(self.crops[row][frames])


@dataclass(frozen=True, slots=True)
class CropPlan:
    """What to render. Plans with disjoint seed ranges share neither people nor cameras.

    Attributes:
        name: Name of the cache file.
        first_identity: Seed of the first person; the others follow consecutively.
        identities: Number of people.
        first_camera: Seed of the first camera; the others follow consecutively.
        cameras: Cameras that see each person, one tracklet each.
        block: Number of people sharing cameras, as on one site.
        frames: Crops per tracklet.
        size: Height and width of a crop, px.
    """

    name: str
    first_identity: int
    identities: int
    first_camera: int
    cameras: int
    block: int
    frames: int
    size: tuple[int, int]

    def seeds(self) -> NDArray[np.int64]:
        """Return identity, camera and tracklet seed of every tracklet, `(identities · cameras, 3)`."""
        return self.seeds_of(np.arange(self.identities * self.cameras))

    def seeds_of(self, rows: NDArray[np.int64] | np.int64) -> NDArray[np.int64]:
        """Return identity, camera and tracklet seed of some tracklets, `(..., 3)`."""
        person, view = np.divmod(rows, self.cameras)
        camera = self.first_camera + person // self.block * self.cameras + view
        return np.stack([self.first_identity + person, camera, np.zeros_like(person)], axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class RenderedTracklets:
    """The tracklets of a plan, rendered on demand: an unlimited number of people without using the disk.

    Attributes:
        plan: People and cameras; each tracklet has `plan.frames` crops.
        render: Renderer of the crops.
        visit: Tracklet seed: another visit shows the same people elsewhere in the same scenes.
    """

    plan: CropPlan
    render: Render
    visit: int = 0

    @property
    def identities(self) -> NDArray[np.int64]:
        """Labels `(n,)`, from 0."""
        return self.plan.seeds()[:, 0] - self.plan.first_identity

    @property
    def cameras(self) -> NDArray[np.int64]:
        """Camera of each tracklet `(n,)`."""
        return self.plan.seeds()[:, 1]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Crops of each tracklet `(n,)`."""
        return np.full(self.plan.identities * self.plan.cameras, self.plan.frames, np.int64)

    @property
    def side_rows(self) -> None:
        """None: generated cameras never recur."""

    def read(self, row: int, frames: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Return the crops `(*plan.size, 3)` RGB of tracklet `row` at indices `frames`."""
        identity, camera, _ = self.plan.seeds_of(np.int64(row))
        return list(self.render(int(identity), int(camera), self.visit, self.plan.frames, self.plan.size)[frames])


def load_crops(
    plan: CropPlan, render: Render, cache: Path, *, report: Callable[[str], None], processes: int = 0
) -> CropSet:
    """Return the crops of a plan, memory-mapped from `cache`, rendering them first if the cache is incomplete.

    Args:
        plan: What to render.
        render: Renderer of the crops.
        cache: Cache folder.
        report: Called with progress messages.
        processes: Number of rendering processes; 0 renders in this process.
    """
    seeds = plan.seeds()
    path = cache / f"{plan.name}.npy"
    description = cache / f"{plan.name}.json"
    wanted = repr(plan)
    if not (path.exists() and description.exists() and json.loads(description.read_text()) == wanted):
        cache.mkdir(parents=True, exist_ok=True)
        description.unlink(missing_ok=True)
        _render(plan, render, path, report, processes)
        description.write_text(json.dumps(wanted))  # written last: its presence marks the array as complete
    crops: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return CropSet(crops, seeds[:, 0] - plan.first_identity, seeds[:, 1])


def _render(plan: CropPlan, render: Render, path: Path, report: Callable[[str], None], processes: int) -> None:
    rows = np.arange(plan.identities * plan.cameras)
    shape = (len(rows), plan.frames, *plan.size, 3)
    crops = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    parts = np.array_split(rows, max(processes, math.ceil(len(rows) / _PART)))
    start = said = time.monotonic()
    for part, made in zip(parts, _made(plan, render, parts, processes), strict=True):
        crops[part] = made
        done = int(part[-1]) + 1 if len(part) else len(rows)
        if time.monotonic() - said > _SAID_EVERY_S:
            said = time.monotonic()
            left_s = (said - start) / done * (len(rows) - done)
            report(f"{plan.name}: {done}/{len(rows)} tracklets rendered, {left_s / 60:.1f} min left")
    crops.flush()


def _made(
    plan: CropPlan, render: Render, parts: list[NDArray[np.int64]], processes: int
) -> Iterator[NDArray[np.uint8]]:
    """Yield the crops of a plan part by part, in order; each part is rendered by one process, as it shares cameras."""
    make = partial(_render_rows, plan, render)
    if processes == 0:
        yield from map(make, parts)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy locks held by the caller's threads
    with ProcessPoolExecutor(processes, context, cv2.setNumThreads, (1,)) as pool:  # the processes use all cores
        yield from pool.map(make, parts)


def _render_rows(plan: CropPlan, render: Render, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    made = np.empty((len(rows), plan.frames, *plan.size, 3), np.uint8)
    for crops, (identity, camera, tracklet) in zip(made, plan.seeds_of(rows), strict=True):
        crops[:] = render(int(identity), int(camera), int(tracklet), plan.frames, plan.size)
    return made
