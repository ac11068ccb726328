"""Evaluate an embedding on the few real people for whom there is video.

`python -m training.evaluation.real_people [WEIGHTS]` prints the figures for weights, a colour histogram and random
weights; CLIMBTRACK_SHARED locates the videos. Three people of lab-4cam are labelled there. `real_labels.csv` labels
three of studio-4cam, two of them in all four cameras, and 23 tracks of a hall and a shop as distractors: YOLOX-nano's
boxes followed by the worker's tracker, with identity switches removed or cut by eye. Six people are too few for fine
comparisons: differences of a few hundredths of mAP are not significant.
"""

import csv
import os
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from reid_worker.model import load_embedder
from reid_worker.model.weights import SHIPPED
from training.data.crops import CropSet
from training.evaluation.baseline import colour_histogram, random_embedder
from training.evaluation.evaluate import evaluate

LABELS = Path(__file__).with_name("real_labels.csv")
_REAL_SIZE = (128, 64)  # size of real people's crops (H, W), px


def real_crops(folder: Path, *, size: tuple[int, int], frames: int = 8, span: int = 20) -> CropSet:
    """Crop labelled people from real videos into tracklets of `frames` crops spread over `span` video frames.

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


def labelled_crops(folder: Path, labels: Path, *, size: tuple[int, int]) -> CropSet:
    """Crop tracklets of equal length from the videos listed in a table of boxes; each video is a camera.

    Args:
        folder: Base folder of the videos' names.
        labels: Columns video, tracklet, identity (-2: distractor), frame from 1, left, top, width, height (px).
        size: Crops are resized to this `(H, W)`.
    """
    with labels.open(newline="") as file:
        rows = list(csv.DictReader(file))
    crops, identities, cameras = [], [], []
    for camera, (video, of_video) in enumerate(groupby(rows, lambda row: row["video"])):
        boxes = list(of_video)
        images = _decode(folder / video, {int(row["frame"]) for row in boxes})
        for _, of_tracklet in groupby(boxes, lambda row: row["tracklet"]):
            tracklet = list(of_tracklet)
            cut = [_cut(images[int(row["frame"])], _box(row), size) for row in tracklet]
            crops.append(np.stack(cut))
            identities.append(int(tracklet[0]["identity"]))
            cameras.append(camera)
    return CropSet(np.stack(crops), np.array(identities, np.int64), np.array(cameras, np.int64))


def tracklet_names(labels: Path) -> list[str]:
    """Return the names of the tracklets of a table of boxes, in the order of `labelled_crops`."""
    with labels.open(newline="") as file:
        return list(dict.fromkeys(row["tracklet"] for row in csv.DictReader(file)))


def _box(row: dict[str, str]) -> NDArray[np.float64]:
    return np.array([float(row[name]) for name in ("left", "top", "width", "height")])


def joined(first: CropSet, second: CropSet) -> CropSet:
    """Return both sets as one; the second set's cameras are renumbered to be distinct from the first's."""
    return CropSet(
        np.concatenate([first.crops, second.crops]),
        np.concatenate([first.identities, second.identities]),
        np.concatenate([first.cameras, second.cameras + first.cameras.max() + 1]),
    )


def read_boxes(path: Path) -> dict[tuple[int, int], NDArray[np.float64]]:
    """Return the valid boxes of a MOTChallenge file by (1-based frame, person): left, top, width, height in px."""
    rows = np.loadtxt(path, delimiter=",", ndmin=2)
    return {(int(r[0]), int(r[1])): r[2:6] for r in rows if r[6] > 0}


def _windows(frames: NDArray[np.int64], count: int, span: int) -> list[NDArray[np.int64]]:
    """Split a person's labelled frames into runs of `span`, and spread `count` frames over each full run."""
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


def real_sets(data: Path) -> dict[str, CropSet]:
    """Return the real people in a folder of videos: the lab, the studio, and both among distractors."""
    lab = real_crops(data / "lab-4cam", size=_REAL_SIZE)
    others = labelled_crops(data, LABELS, size=_REAL_SIZE)
    known = others.identities >= 0
    studio = CropSet(others.crops[known], others.identities[known], others.cameras[known])
    return {"lab": lab, "studio": studio, "lab + studio + strangers": joined(lab, others)}


def real_crops_by_site(data: Path) -> dict[str, NDArray[np.uint8]]:
    """Return all labelled crops `(n, H, W, 3)` RGB of each folder of videos, in the order of its tracklets."""
    lab = real_crops(data / "lab-4cam", size=_REAL_SIZE)
    others = labelled_crops(data, LABELS, size=_REAL_SIZE)
    with LABELS.open(newline="") as file:
        videos = list(dict.fromkeys(row["video"] for row in csv.DictReader(file)))
    sites = np.array([videos[camera].partition("/")[0] for camera in others.cameras])
    by_site = {"lab-4cam": lab.crops} | {str(site): others.crops[sites == site] for site in dict.fromkeys(sites)}
    return {site: np.concatenate(list(crops)) for site, crops in by_site.items()}


def main(arguments: Sequence[str]) -> None:
    """Print the figures on real people for weights and the two baselines, one line each."""
    sets = real_sets(Path(os.environ.get("CLIMBTRACK_SHARED", "../shared")) / "data")
    embedder = load_embedder(Path(arguments[0]) if arguments else SHIPPED)
    for name, embed in (
        (embedder.model_id, embedder.embed),
        ("colour histogram", colour_histogram),
        ("random weights", random_embedder().embed),
    ):
        for of, crops in sets.items():
            sys.stdout.write(f"{name}, {of} ({len(crops.crops)} tracklets): {evaluate(embed, crops).line()}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
