"""Rendered frames on disk: drawn once, by any number of processes, and used many times while they still arrive."""

import logging
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from pathlib import Path

import cv2
import msgspec
import numpy as np

from training.detector.cast import Cast, cast_of
from training.detector.frames import LabelledFrame, detector_frames

log = logging.getLogger(__name__)

SHARD_FRAMES = 50  # frames of five cameras: rendered in two seconds, so that little is lost at an interruption
JPEG_QUALITY = 96


class PackedFrame(msgspec.Struct, frozen=True):
    """A `LabelledFrame` as bytes: the picture as JPEG, the owners as PNG."""

    image: bytes
    owners: bytes
    whole: tuple[float, ...]

    @classmethod
    def of(cls, frame: LabelledFrame) -> "PackedFrame":
        """Encode a frame."""
        _, image = cv2.imencode(".jpg", frame.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        _, owners = cv2.imencode(".png", frame.owners, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        return cls(image.tobytes(), owners.tobytes(), tuple(frame.whole.tolist()))

    def unpacked(self) -> LabelledFrame:
        """Decode the frame."""
        image = cv2.imdecode(np.frombuffer(self.image, np.uint8), cv2.IMREAD_COLOR)
        owners = cv2.imdecode(np.frombuffer(self.owners, np.uint8), cv2.IMREAD_GRAYSCALE)
        return LabelledFrame(
            np.ascontiguousarray(np.asarray(image, np.uint8)[..., ::-1]),
            np.asarray(owners, np.uint8),
            np.array(self.whole),
        )


def render_shards(
    folder: Path, first: int, count: int, seed: int, assets: Path | None = None, *, aside: bool = False
) -> None:
    """Render shard `first` to `first + count - 1` of `SHARD_FRAMES` frames each; what is there already stays.

    `assets` are those of realistic people; without them all people are of our own. `aside` takes the panoramas that
    nothing is trained in.

    Raises:
        AssetsMissingError: The assets are absent or incomplete.
    """
    _render(folder, range(first, first + count), seed, cast_of(assets, aside=aside))


def _render_alone(folder: Path, shards: range, seed: int, assets: Path | None) -> None:
    """Do what `_render` does, in a process of its own."""
    cv2.setNumThreads(1)
    _render(folder, shards, seed, cast_of(assets))


def _render(folder: Path, shards: range, seed: int, cast: Cast) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in shards:
        path = folder / f"{number:05d}.frames"
        if path.exists():
            continue
        packed = [PackedFrame.of(frame) for frame in detector_frames(SHARD_FRAMES, seed * 100_000 + number, cast)]
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(msgspec.msgpack.encode(packed))
        part.replace(path)
        log.info("rendered %s", path.name)


@contextmanager
def rendering(
    folder: Path, shards: range, seed: int, processes: int, assets: Path | None = None
) -> Iterator[list[SpawnProcess]]:
    """Render shards in other processes, which end with the block; they are what the block is given.

    A new process imports what it runs: it would not find it in the `__main__` of `python -m`.
    """
    context = multiprocessing.get_context("spawn")
    running = [
        context.Process(target=_render_alone, args=(folder, shards[k::processes], seed, assets), daemon=True)
        for k in range(min(processes, len(shards)))
    ]
    for process in running:
        process.start()
    try:
        yield running
    finally:
        for process in running:
            process.terminate()
            process.join()


class FramePool:
    """All frames of a folder, encoded, in memory; `refresh` takes up what was rendered meanwhile.

    A frame takes about 60 kB.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: set[str] = set()
        self._frames: list[PackedFrame] = []
        self.refresh()

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, number: int) -> LabelledFrame:
        return self._frames[number].unpacked()

    def __iter__(self) -> Iterator[LabelledFrame]:
        return (frame.unpacked() for frame in self._frames)

    def refresh(self) -> None:
        """Read the shards that are new."""
        for path in sorted(self._folder.glob("*.frames")):
            if path.name not in self._read:
                self._frames += msgspec.msgpack.decode(path.read_bytes(), type=list[PackedFrame])
                self._read.add(path.name)
