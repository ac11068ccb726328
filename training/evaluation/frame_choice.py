"""Measure what the choice of frames is worth: the embeddings of the frames that the worker chooses, against others.

`python -m training.evaluation.frame_choice DIR...` follows every person of generated sites (`climbtrack synth site`) by
the bundled detector's boxes, cuts their visits into tracklets of a few seconds, and embeds each from T frames: those
that the worker keeps, T evenly spaced ones, and the first T. It prints one JSON line with the mAP of each when every
tracklet is looked for in the other cameras.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from gallery.score import Boxes, read_boxes
from reid_worker import crops, tracklet
from reid_worker.crops import Cutout
from reid_worker.detectors.choose import BUNDLED
from reid_worker.detectors.detection import Detections, Detector, iou
from reid_worker.detectors.yolox import YoloxDetector
from reid_worker.model import Embedder, load_embedder
from reid_worker.trackers.association import best_pairs
from reid_worker.tracklet import FrameFacts, OpenTracklet, Pick, Row, TrackletOptions
from training.evaluation.metrics import Labelled, rank_all

SECONDS = 8.0  # of a tracklet; a visit is cut into several
FEWEST = 16  # boxes of a tracklet: with as few as T, nothing is left to choose
SAME_IOU = 0.5
STRONG = 0.5
MOST = 1000  # people, or cameras, of a site; others than these are other people


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One person in one frame.

    Attributes:
        crop: As the worker saves it.
        quality: As the worker judges it, in [0, 1].
    """

    time_ns: int
    number: int
    crop: Cutout
    quality: float


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One tracklet."""

    person: int
    camera: int
    shots: Sequence[Shot]


Choice = Callable[[Sequence[Shot], int], list[Shot]]


def chosen(shots: Sequence[Shot], count: int) -> list[Shot]:
    """Return the frames that the worker keeps: the best of each of `count` spans of time."""
    options = TrackletOptions(spans=count)
    opened = OpenTracklet(rows=[Row(shots[0].time_ns, shots[0].number, (0.0, 0.0, 1.0, 1.0), 1.0)])
    for shot in shots:
        if tracklet.wants(opened, shot.time_ns, shot.quality, options):
            tracklet.keep(opened, shot.time_ns, Pick(0, shot.quality, shot.number, shot.crop), options)
    kept = {pick.number for pick in opened.picks}
    return [shot for shot in shots if shot.number in kept] or [max(shots, key=lambda shot: shot.quality)]


def evenly(shots: Sequence[Shot], count: int) -> list[Shot]:
    """Return frames at equal distances, the first and the last among them."""
    return [shots[i] for i in np.linspace(0, len(shots) - 1, min(count, len(shots))).round().astype(int)]


def first(shots: Sequence[Shot], count: int) -> list[Shot]:
    """Return the first frames."""
    return list(shots[:count])


CHOICES: Mapping[str, Choice] = {"chosen": chosen, "evenly": evenly, "first": first}


def read_site(folder: Path, detector: Detector) -> list[Seen]:
    """Return the tracklets of a generated site: boxes of the detector, people of the ground truth."""
    seen: list[Seen] = []
    for camera, labels in enumerate(sorted((folder / "gt").glob("*.txt"))):
        people: dict[int, list[Shot]] = defaultdict(list)
        truth = read_boxes(labels)
        for number, time_ns, image in _frames(folder / f"{labels.stem}.mp4"):
            (found,) = detector.detect([image])
            for person, shot in _shots(image, found, truth, number, time_ns):
                people[person].append(shot)
        seen += [Seen(person, camera, part) for person, shots in sorted(people.items()) for part in _parts(shots)]
    return seen


def compare(seen: Sequence[Seen], embedder: Embedder) -> dict[str, float]:
    """Return the mAP of every choice."""
    people = np.array([one.person for one in seen], np.int64)
    cameras = np.array([one.camera for one in seen], np.int64)
    answer = {}
    for name, choose in CHOICES.items():
        images = [[shot.crop.rgb() for shot in choose(one.shots, embedder.frames)] for one in seen]
        answer[name] = round(rank_all(Labelled(embedder.embed(images), people, cameras)).mean_ap, 4)
    return answer


def _frames(video: Path) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0), 1):
            yield number, round(float(frame.time or 0.0) * 1e9), np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def _shots(
    image: NDArray[np.uint8], found: Detections, truth: Boxes, number: int, time_ns: int
) -> Iterator[tuple[int, Shot]]:
    """Yield the people of a frame whom the detector found."""
    rows = np.flatnonzero(truth.frames == number)
    corners = truth.boxes[rows].astype(np.float32)
    corners[:, 2:] += corners[:, :2]
    overlaps = iou(corners, found.boxes).astype(np.float64)
    covered = tracklet.occlusions(found.boxes)
    for row, i in best_pairs(overlaps, (overlaps >= SAME_IOU) & (found.scores >= STRONG)[None]):
        crop = crops.cut(image, found.boxes[i].tolist())
        facts = FrameFacts(
            height_px=float(found.boxes[i, 3] - found.boxes[i, 1]),
            width_px=float(found.boxes[i, 2] - found.boxes[i, 0]),
            score=float(found.scores[i]),
            truncation=tracklet.truncation(found.boxes[i].tolist(), *image.shape[:2]),
            occlusion=float(covered[i]),
            sharpness=crops.sharpness(crop),
        )
        yield (
            int(truth.ids[rows[row]]),
            Shot(time_ns, number, Cutout.restored(Cutout.of(crop).jpeg()), tracklet.frame_quality(facts)),
        )


def _parts(shots: Sequence[Shot]) -> list[list[Shot]]:
    """Return the tracklets of a person in one camera that are long enough to leave a choice."""
    parts: dict[int, list[Shot]] = defaultdict(list)
    for shot in shots:
        parts[int((shot.time_ns - shots[0].time_ns) / 1e9 / SECONDS)].append(shot)
    return [part for part in parts.values() if len(part) >= FEWEST]


if __name__ == "__main__":
    network, yolox = load_embedder(threads=1), YoloxDetector(BUNDLED, threads=1)
    tracklets = [
        Seen(MOST * site + one.person, MOST * site + one.camera, one.shots)
        for site, folder in enumerate(sys.argv[1:])
        for one in read_site(Path(folder), yolox)
    ]
    figures = {"tracklets": len(tracklets), "frames": network.frames, "model": network.model_id}
    print(json.dumps({**figures, **compare(tracklets, network)}))
