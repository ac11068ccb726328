"""Write generated people to disk as a data set, in Market1501's or MARS's naming.

As in the real ones, half of the people are for training and half for testing; each camera's first image or tracklet
of a test person is a query. `BLOCK` people share their cameras, as on one site, and the two halves share none.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DataSetError
from training.data.write import MarketWriter, MarsWriter, Part
from training.synthetic.people import PeopleGenerator
from training.synthetic.settings import SETTINGS

Layout = Literal["market", "mars"]
BLOCK = 24
SEEDS = 1_000_000_000  # people and cameras of seed n start at (n + 1) times this: far from training seeds


class FolderTakenError(DataSetError):
    """Raised when the output folder is not empty."""


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """What to write; the values determine every byte.

    Attributes:
        identities: Number of people, 2 or more.
        cameras: Cameras that see each person, 2 or more.
        tracklets: Tracklets per person and camera.
        frames: Frames per tracklet; in `market` each one becomes a separate image.
        height: Image height in pixels; the width is half of it.
        setting: Name of a setting in SETTINGS.
    """

    layout: Layout
    identities: int
    seed: int
    cameras: int = 6
    tracklets: int = 1
    frames: int = 4
    height: int = 128
    setting: str = "default"

    def __post_init__(self) -> None:
        """Raise ValueError if no query could be searched for or the setting is unknown."""
        least = {"identities": 2, "seed": 0, "cameras": 2, "tracklets": 1, "frames": 1, "height": 16}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}")
        if self.layout == "market" and self.tracklets * self.frames < 2:
            raise ValueError(
                "a query needs another image of the person on its camera: frames must be at least 2, got 1"
            )
        if self.setting not in SETTINGS:
            raise ValueError(f"unknown setting {self.setting!r}: must be one of {', '.join(SETTINGS)}")

    @property
    def images(self) -> int:
        """Return how many images are written."""
        return self.identities * self.cameras * self.tracklets * self.frames

    def scenes(self) -> "tuple[Scene, ...]":
        """Return what is rendered, in the order in which it is written."""
        learn = (self.identities + 1) // 2
        blocks = [(first, min(first + BLOCK, end), begin == 0) for begin, end in ((0, learn), (learn, self.identities))
                  for first in range(begin, end, BLOCK)]  # fmt: skip
        return tuple(
            Scene(self, number * self.cameras + camera, tuple(range(first, last)), train)
            for number, (first, last, train) in enumerate(blocks)
            for camera in range(self.cameras)
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """One camera and the people it sees, all 0-based: what one worker renders at a time."""

    plan: FolderPlan
    camera: int
    people: tuple[int, ...]
    train: bool

    def render(self, generator: PeopleGenerator) -> "tuple[Rendered, ...]":
        """Return the tracklets of the people, one person after another."""
        plan, base = self.plan, SEEDS * (self.plan.seed + 1)
        size = (plan.height, plan.height // 2)
        return tuple(
            Rendered(person, self.camera, number, self.train,
                     generator.tracklet(base + person, base + self.camera, number, plan.frames, size))
            for person in self.people
            for number in range(plan.tracklets)
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A tracklet: `crops` is `(frames, h, w, 3)` uint8 RGB, the numbers are 0-based."""

    person: int
    camera: int
    number: int
    train: bool
    crops: NDArray[np.uint8]

    def write(self, writer: MarketWriter | MarsWriter) -> None:
        """Pass the tracklet to the writer in the form its layout needs."""

        def add(crops: NDArray[np.uint8], part: Part) -> None:
            if len(crops):
                writer.add(tuple(crops), self.person + 1, self.camera + 1, part)

        if self.train or self.number > 0:
            add(self.crops, "train" if self.train else "gallery")
        elif isinstance(writer, MarsWriter):
            add(self.crops, "query")  # the gallery of MARS includes the queries
        else:
            add(self.crops[:1], "query")
            add(self.crops[1:], "gallery")


def write_people(
    out: Path, plan: FolderPlan, *, workers: int = 1, progress: Callable[[int], None] | None = None
) -> Path:
    """Write the folder `out` and return it; `workers` affects only the time.

    `progress` is called with the number of images written so far. The folder is `OUT.partial` until complete.

    Raises:
        FolderTakenError: The folder is not empty.
        DataSetError: The folder cannot be written, for example because the disk is full.
    """
    _clear(out)
    writer = MarketWriter(out) if plan.layout == "market" else MarsWriter(out)
    written = 0
    try:
        for tracklets in _rendered(plan, workers):
            for tracklet in tracklets:
                tracklet.write(writer)
                written += plan.frames
            if progress is not None:
                progress(written)
        return writer.finish()
    except OSError as error:
        raise DataSetError(f"{out} cannot be written: {error.strerror}") from error


def _clear(out: Path) -> None:
    """Remove an empty folder: not every platform lets the finished one replace it."""
    try:
        if out.exists():
            if not out.is_dir() or any(out.iterdir()):
                raise FolderTakenError(f"{out} is not empty: give another folder, or remove it first")
            out.rmdir()
    except OSError as error:
        raise DataSetError(f"{out} cannot be written: {error.strerror}") from error


def _rendered(plan: FolderPlan, workers: int) -> Iterator[tuple[Rendered, ...]]:
    """Yield the tracklets of every scene, in order."""
    if workers == 1:
        generator = _generator(plan)
        yield from (scene.render(generator) for scene in plan.scenes())
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy locks held by the caller's threads
    inlets, processes = [], []
    for number in range(workers):
        inlet, outlet = context.Pipe(duplex=False)
        processes.append(context.Process(target=_serve, args=(plan, number, workers, outlet), daemon=True))
        processes[-1].start()
        outlet.close()  # so that the pipe closes when the worker ends
        inlets.append(inlet)
    try:
        for scene in plan.scenes():
            yield inlets[scene.camera // plan.cameras % workers].recv()
    except EOFError as error:
        raise DataSetError("a rendering process ended early, perhaps out of memory: use fewer workers") from error
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _serve(plan: FolderPlan, number: int, workers: int, outlet: "Connection[object, object]") -> None:
    """Render every `workers`-th block, one scene after another; the worker waits while the pipe is full."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process stops the workers
    cv2.setNumThreads(1)  # the workers already use all cores
    generator = _generator(plan)
    for scene in plan.scenes():
        if scene.camera // plan.cameras % workers == number:
            outlet.send(scene.render(generator))


def _generator(plan: FolderPlan) -> PeopleGenerator:
    return PeopleGenerator(keep=max(BLOCK, plan.cameras), setting=SETTINGS[plan.setting])
