"""Choose weights by a few real people: find each again as another camera would show them.

    python -m training.evaluation.changed_cameras [WEIGHTS ...]

No labelled person of the hall and the shop is seen by two cameras. So the earliest and the latest crops of each are
changed as two different cameras would: colour, tone, sharpness, size and crop. That says nothing of other sides and
poses, but people are real, and lab-4cam and studio-4cam stay unseen. CLIMBTRACK_SHARED locates the videos.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from reid_worker.model import load_embedder
from reid_worker.model.weights import SHIPPED
from training.data.crops import CropSet
from training.evaluation.embedding import Embed, EmbedPlan, embed_tracklets
from training.evaluation.metrics import Labelled, rank_all
from training.evaluation.real_people import LABELS, labelled_crops, tracklet_names

Crops = NDArray[np.uint8]
PAIRS = 12  # pairs of simulated cameras
FRAMES = 4
# First and last tracklet of each person in `real_labels.csv`; where both are the same, its halves. The man with white
# trousers and the one in the shop's uniform come back later (83 to 85, 92 to 94), which is left out as not certain.
FIRST_AND_LAST = (
    (40, 40), (41, 42), (43, 43), (44, 45), (46, 47), (48, 48), (49, 49), (50, 52), (53, 55), (56, 58), (59, 61),
    (62, 64), (65, 67), (68, 69), (70, 72), (73, 75), (76, 78), (79, 81), (82, 82), (86, 88), (89, 91),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lens:
    """How one simulated camera shows people; drawn stronger than most real ones differ.

    Attributes:
        gains: Factors of red, green and blue.
        saturation: 1 keeps colours.
        gamma, contrast: Of the tone curve; 1 keeps it.
        height_px: Height that people are recorded at.
        blur_px: Sigma at that size.
        quality: JPEG quality.
        shift, zoom: Of the box, as fractions of its size.
    """

    gains: tuple[float, float, float]
    saturation: float
    gamma: float
    contrast: float
    height_px: int
    blur_px: float
    quality: int
    shift: tuple[float, float]
    zoom: float

    @classmethod
    def draw(cls, rng: Generator) -> "Lens":
        """Draw a camera."""
        warm, green = rng.normal(0, 0.16), rng.normal(0, 0.06)
        level = float(np.exp(rng.normal(0, 0.2)))
        gains = (level * float(np.exp(warm)), level * float(np.exp(green)), level * float(np.exp(-warm)))
        gamma, zoom = float(np.exp(rng.normal(0, 0.3))), float(np.exp(rng.normal(0, 0.08)))
        return cls(gains, float(rng.uniform(0.4, 1.4)), gamma, float(rng.uniform(0.7, 1.2)), int(rng.uniform(44, 128)),
                   float(rng.uniform(0.0, 1.2)), int(rng.uniform(25, 85)),
                   (float(rng.normal(0, 0.05)), float(rng.normal(0, 0.04))), zoom)  # fmt: skip

    def show(self, crops: Crops) -> Crops:
        """Return crops `(n, H, W, 3)` RGB as this camera would show them."""
        return np.stack([self._one(crop) for crop in crops])

    def _one(self, crop: Crops) -> Crops:
        h, w = crop.shape[:2]
        k = 1 / self.zoom
        matrix = np.array([[k, 0, w * (0.5 - 0.5 * k + self.shift[0])], [0, k, h * (0.5 - 0.5 * k + self.shift[1])]])
        moved = cv2.warpAffine(crop, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        light = (moved.astype(np.float32) / 255) ** 2.2 * np.array(self.gains, np.float32)
        grey = light @ np.array([0.3, 0.59, 0.11], np.float32)
        light = grey[..., None] + self.saturation * (light - grey[..., None])
        shown = np.clip(light, 0, 1) ** (self.gamma / 2.2)
        shown = np.clip((shown - 0.4) * self.contrast + 0.4, 0, 1) * 255
        small = cv2.resize(shown, (max(8, self.height_px * w // h), self.height_px), interpolation=cv2.INTER_AREA)
        if self.blur_px > 0.2:
            small = cv2.GaussianBlur(small, (0, 0), self.blur_px)
        _, data = cv2.imencode(".jpg", np.asarray(small[..., ::-1], np.uint8), [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        back = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1]
        return np.asarray(cv2.resize(back, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


def first_and_last(data: Path) -> tuple[Crops, Crops]:
    """Return the earliest and the latest crops of each person of hall and shop, `(people, FRAMES, H, W, 3)` each."""
    crops = labelled_crops(data, LABELS, size=(128, 64)).crops
    row = {name: n for n, name in enumerate(tracklet_names(LABELS))}
    early = np.stack([crops[row[str(a)]][:FRAMES] for a, _ in FIRST_AND_LAST])
    late = np.stack([crops[row[str(b)]][-FRAMES:] for _, b in FIRST_AND_LAST])
    return early, late


def found_again(embed: Embed, early: Crops, late: Crops, *, pairs: int = PAIRS, seed: int = 0) -> tuple[float, float]:
    """Return mAP and rank-1, 0 to 1, of finding people of one simulated camera in another, mean over pairs of them."""
    people = np.arange(len(early), dtype=np.int64)
    maps, firsts = [], []
    for pair in range(pairs):
        rng = np.random.default_rng([seed, pair])
        shown = [Lens.draw(rng) for _ in range(2)]
        crops = np.concatenate([np.stack([lens.show(person) for person in side])
                                for lens, side in zip(shown, (early, late), strict=True)])  # fmt: skip
        both = CropSet(crops, np.tile(people, 2), np.repeat(np.arange(2, dtype=np.int64), len(people)))
        features = embed_tracklets(embed, both, EmbedPlan(FRAMES)).features
        ranking = rank_all(Labelled(features, both.identities, both.cameras))
        maps.append(ranking.mean_ap)
        firsts.append(ranking.rank(1))
    return float(np.mean(maps)), float(np.mean(firsts))


def main(arguments: Sequence[str]) -> None:
    """Print a line for each file of weights."""
    early, late = first_and_last(Path(os.environ.get("CLIMBTRACK_SHARED", "../shared")) / "data")
    for path in [Path(a) for a in arguments] or [SHIPPED]:
        mean_ap, first = found_again(load_embedder(path).embed, early, late)
        sys.stdout.write(f"{path.name}, hall + shop, changed cameras: mAP {mean_ap:.3f}  rank-1 {first:.3f}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
