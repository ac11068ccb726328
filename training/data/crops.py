"""Rendered people: one memory-mapped array of crops, rendered once and shared by runs, or rendered when asked for."""

import json
import math
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


_PART = 96  # tracklets rendered at a time: those of a site's people, who share its cameras
_SAID_EVERY_S = 15.0


class Tracklets(Protocol):
    """n tracklets to learn from or to judge by, wherever their crops come from: rendered, or files of a data set."""

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
        """Row of each tracklet's camera in a network's side information `(n,)`; None where none is to be used."""

    def read(self, row: int, frames: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Return crops `(H, W, 3)` RGB of tracklet `row` by their places in it; sizes may differ between crops."""


@dataclass(frozen=True, slots=True, eq=False)
class CropSet:
    """n tracklets of equally many crops.

    Attributes:
        crops: `(n, T, H, W, 3)` uint8 RGB.
        identities: `(n,)` int64 labels from 0.
        cameras: `(n,)` int64.
    """

    crops: NDArray[np.uint8]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Raise ValueError where the arrays do not belong together."""
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
        """None: no network has learnt these cameras."""

    def read(self, row: int, frames: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Return crops `(H, W, 3)` RGB of tracklet `row` by their places in it."""
        return list(self.crops[row][frames])


@dataclass(frozen=True, slots=True)
class CropPlan:
    """What to render. Two plans whose seed ranges do not overlap share neither people nor cameras.

    Attributes:
        name: Of the file in the cache.
        first_identity: Seed of the first person; the others follow.
        identities: Number of people.
        first_camera: Seed of the first camera; the others follow.
        cameras: Cameras that see each person, one tracklet each.
        block: People that share their cameras, as on one site.
        frames: Crops of a tracklet.
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
    """The tracklets of a plan, rendered when they are read: as many people as there are seeds, and no disk.

    Attributes:
        plan: Who is seen by whom; a tracklet has `plan.frames` crops.
        render: What makes the crops.
        visit: Tracklet seed of what is read: another visit shows the same people elsewhere in the same places.
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
        """None: generated cameras are never met again."""

    def read(self, row: int, frames: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Return crops `(*plan.size, 3)` RGB of tracklet `row` by their places in it."""
        identity, camera, _ = self.plan.seeds_of(np.int64(row))
        return list(self.render(int(identity), int(camera), self.visit, self.plan.frames, self.plan.size)[frames])


def load_crops(
    plan: CropPlan, render: Render, cache: Path, *, report: Callable[[str], None], processes: int = 0
) -> CropSet:
    """Return the crops of a plan, memory-mapped from `cache`; render them first where they are not there in full.

    Args:
        plan: What to render.
        render: What makes the crops.
        cache: Folder of the file.
        report: Told how far rendering is.
        processes: That render; with 0, this one does.
    """
    seeds = plan.seeds()
    path = cache / f"{plan.name}.npy"
    description = cache / f"{plan.name}.json"
    wanted = repr(plan)
    if not (path.exists() and description.exists() and json.loads(description.read_text()) == wanted):
        cache.mkdir(parents=True, exist_ok=True)
        description.unlink(missing_ok=True)
        _render(plan, render, path, report, processes)
        description.write_text(json.dumps(wanted))  # last: its presence says that the array is complete
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
    """Yield the crops of parts of a plan, in order; neighbours share cameras, so a part is one process's."""
    make = partial(_render_rows, plan, render)
    if processes == 0:
        yield from map(make, parts)
        return
    cv2.setNumThreads(1)  # a forked process would wait for ever for OpenCV's threads, which do not come along
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(make, parts)


def _render_rows(plan: CropPlan, render: Render, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    made = np.empty((len(rows), plan.frames, *plan.size, 3), np.uint8)
    for crops, (identity, camera, tracklet) in zip(made, plan.seeds_of(rows), strict=True):
        crops[:] = render(int(identity), int(camera), int(tracklet), plan.frames, plan.size)
    return made
