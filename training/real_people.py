"""Judge an embedding on the labelled people of four real cameras.

`python -m training.real_people [WEIGHTS]` prints the figures for weights, a colour histogram and random weights; the
videos are found by CLIMBTRACK_SHARED.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from reid_worker.model import load_embedder
from reid_worker.model.weights import SHIPPED
from training.baseline import colour_histogram, random_embedder
from training.crops import CropSet
from training.evaluate import evaluate

_REAL_SIZE = (128, 64)  # real people are cut out at this size (H, W), px


def real_crops(folder: Path, *, size: tuple[int, int], frames: int = 8, span: int = 20) -> CropSet:
    """Cut labelled people out of real videos into tracklets of `frames` crops spread over `span` video frames.

    Args:
        folder: `NAME.mp4` videos with `gt/NAME.txt` MOTChallenge labels, identities shared by the cameras.
        size: Crops are resized to this `(H, W)`.
    """
    crops, identities, cameras = [], [], []
    for camera, labels in enumerate(sorted((folder / "gt").glob("*.txt"))):
        boxes = read_boxes(labels)
        wanted = {
            p: _windows(np.array([f for f, who in boxes if who == p]), frames, span) for p in {w for _, w in boxes}
        }
        images = _decode(folder / f"{labels.stem}.mp4", {f for ws in wanted.values() for w in ws for f in w})
        for person, windows in sorted(wanted.items()):
            for window in windows:
                crops.append(np.stack([_cut(images[f], boxes[f, person], size) for f in window]))
                identities.append(person)
                cameras.append(camera)
    return CropSet(np.stack(crops), np.array(identities, np.int64), np.array(cameras, np.int64))


def read_boxes(path: Path) -> dict[tuple[int, int], NDArray[np.float64]]:
    """Return the counted boxes of a MOTChallenge file by (1-based frame, person): left, top, width, height in px."""
    rows = np.loadtxt(path, delimiter=",", ndmin=2)
    return {(int(r[0]), int(r[1])): r[2:6] for r in rows if r[6] > 0}


def _windows(frames: NDArray[np.int64], count: int, span: int) -> list[NDArray[np.int64]]:
    """Cut the frames a person is labelled in into runs of `span` and spread `count` over each full one."""
    if len(frames) == 0:
        return []
    bins = (frames - frames.min()) // span
    full = [np.sort(frames[bins == b]) for b in np.unique(bins) if (bins == b).sum() >= count]
    return [run[np.linspace(0, len(run) - 1, count).round().astype(int)] for run in full]


def _decode(path: Path, wanted: set[int]) -> dict[int, NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        numbered = enumerate(container.decode(video=0), start=1)
        return {number: frame.to_ndarray(format="rgb24") for number, frame in numbered if number in wanted}


def _cut(image: NDArray[np.uint8], box: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    left, top = np.maximum(box[:2], 0).astype(int)
    right, bottom = (box[:2] + box[2:]).astype(int)
    crop = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    return np.asarray(cv2.resize(crop, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.uint8)


def main(arguments: Sequence[str]) -> None:
    """Print the real figures of weights and of the two baselines, one line each."""
    shared = Path(os.environ.get("CLIMBTRACK_SHARED", "../shared"))
    weights = Path(arguments[0]) if arguments else SHIPPED
    embedder = load_embedder(weights)
    crops = real_crops(shared / "data" / "lab-4cam", size=_REAL_SIZE)
    for name, embed in (
        (embedder.model_id, embedder.embed),
        ("colour histogram", colour_histogram),
        ("random weights", random_embedder().embed),
    ):
        sys.stdout.write(f"{name}: {evaluate(embed, crops).line()}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
