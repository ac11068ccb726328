"""Judge an embedding: on held-out generated people, and on the labelled people of four real cameras.

`python -m training.evaluate [WEIGHTS]` prints the real figures for weights, a colour histogram and random weights; the
videos are found by CLIMBTRACK_SHARED.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reid_worker.model import Embedder, load_embedder
from reid_worker.model.climb import CLIMB_TINY, Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import SHIPPED, LoadedWeights
from training.crops import CropSet
from training.metrics import CosineGap, Labelled, Ranking, cosine_gap, rank_all

Embed = Callable[[Sequence[Sequence[NDArray[np.uint8]]]], NDArray[np.float32]]

_CHUNK = 16  # tracklets embedded together: enough to fill the vector units, small enough for the cache
_REAL_SIZE = (128, 64)  # real people are cut out at this size (H, W), px


@dataclass(frozen=True, slots=True)
class Report:
    """What an embedding is worth on one set."""

    ranking: Ranking
    gap: CosineGap

    def line(self) -> str:
        """Return the figures in one line."""
        return (
            f"mAP {self.ranking.mean_ap:.3f}  rank-1 {self.ranking.rank(1):.3f}  rank-5 {self.ranking.rank(5):.3f}  "
            f"cosine same {self.gap.same:.3f} different {self.gap.different:.3f} gap {self.gap.gap:.3f}"
        )


def evaluate(embed: Embed, crops: CropSet) -> Report:
    """Embed every tracklet and rank each against those of the other cameras."""
    rows = range(0, len(crops.crops), _CHUNK)
    features = np.concatenate([embed([list(t) for t in crops.crops[i : i + _CHUNK]]) for i in rows])
    items = Labelled(features, crops.identities, crops.cameras)
    return Report(rank_all(items), cosine_gap(items))


def colour_histogram(tracklets: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.float32]:
    """Embed without learning: hue-saturation-value histograms of six horizontal stripes, `(n, 6·8·4·4)`."""
    return np.stack([_histogram_of(tracklet) for tracklet in tracklets])


def _histogram_of(tracklet: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    total = np.zeros((6, 8, 4, 4), np.float32)
    for crop in tracklet:
        hsv = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2HSV)
        middle = hsv[:, hsv.shape[1] // 5 : -(hsv.shape[1] // 5)]  # the sides are background
        for stripe, part in enumerate(np.array_split(middle, 6)):
            total[stripe] += cv2.calcHist([part], [0, 1, 2], None, [8, 4, 4], [0, 180, 0, 256, 0, 256])
    root = np.sqrt(total.ravel() / total.sum())  # Hellinger: many small bins against few large ones
    return np.asarray(root / np.linalg.norm(root), np.float32)


def random_embedder(seed: int = 0) -> Embedder:
    """Return `climb-tiny` as it is before training, the floor under every figure."""
    torch.manual_seed(seed)
    network = Climb(CLIMB_TINY).eval()
    return Embedder(
        LoadedWeights(network, Preprocessing(CLIMB_TINY.height, CLIMB_TINY.width), "random"), torch.device("cpu")
    )


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
