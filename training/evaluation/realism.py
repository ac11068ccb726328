"""Measure how generated crops differ from real ones, and how easily a very small network tells them apart.

    python -m training.evaluation.realism [--setting default | --assets PEOPLE.npz]

CLIMBTRACK_SHARED locates the real videos. The statistics show where a gap is; the network shows how large it is, with
the gaps that nobody has thought of. Only what it says of a real site that it was not trained on is about real pictures
in general: of the sites it was trained on, it knows the rooms.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from training.data.dataset import DataSetError
from training.synthetic.settings import SETTINGS

Crops = NDArray[np.uint8]  # `(n, H, W, 3)` RGB

_STEPS, _BATCH, _RATE = 250, 64, 3e-3
_BLOCK = 8  # px: side of the squares that JPEG transforms, and of those within which contrast is local
_SHOWN = 240  # crops of each site, so that the longest does not decide
_FIRST_SEED = 700_000  # of generated people and cameras, on which nothing is trained or validated
_SHARED_BY = 6  # generated people per camera


class Discriminator(nn.Module):
    """Three strided convolutions and a mean: ten thousand parameters, too few to know people."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, 12, 3, stride=2, padding=1), nn.GroupNorm(4, 12), nn.ReLU()),
            *(nn.Conv2d(12, 24, 3, stride=2, padding=1), nn.GroupNorm(4, 24), nn.ReLU()),
            *(nn.Conv2d(24, 32, 3, stride=2, padding=1), nn.GroupNorm(4, 32), nn.ReLU()),
        )
        self.decide = nn.Linear(32, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the log odds `(n,)` that images `(n, 3, H, W)` are real."""
        return torch.as_tensor(self.decide(self.layers(images).mean((2, 3)))[:, 0])


def told_apart(ours: Crops, real: Mapping[str, Crops], *, known: bool, seed: int = 0) -> dict[str, float]:
    """Return the accuracy, 0 to 1, on the second half of each site's real crops against that of the generated ones.

    0.5 is chance: all real crops of a site count as much as all generated ones.

    Args:
        ours: Generated crops, ordered by camera.
        real: Real crops by site, each ordered by tracklet; two sites or more.
        known: Whether the first halves of all sites are trained on, or of all sites but the one in question.
        seed: Seed of weights and batches.

    Raises:
        ValueError: There are fewer than two sites.
    """
    if len(real) < 2:
        raise ValueError(f"two sites or more are needed to judge one that was not trained on, got {len(real)}")
    learn, judge = np.array_split(ours, 2)
    halves = {name: np.array_split(crops, 2) for name, crops in real.items()}
    found = {}
    for name in real:
        shown = np.concatenate([first for other, (first, _) in halves.items() if known or other != name])
        network = _trained(learn, shown, seed)
        found[name] = (_share(network, halves[name][1], real=True) + _share(network, judge, real=False)) / 2
    return found


def _trained(ours: Crops, real: Crops, seed: int) -> Discriminator:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Discriminator().train()
    optimiser = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-2)
    half = _BATCH // 2
    labels = torch.cat([torch.zeros(half), torch.ones(half)])
    for _ in range(_STEPS):
        batch = np.concatenate([crops[rng.integers(len(crops), size=half)] for crops in (ours, real)])
        images = _scaled(batch[:, :, ::-1] if rng.random() < 0.5 else batch)
        loss = F.binary_cross_entropy_with_logits(network(images), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network.eval()


@torch.no_grad()
def _share(network: Discriminator, crops: Crops, *, real: bool) -> float:
    """Return the fraction of crops that are taken for what they are."""
    odds = torch.cat([network(_scaled(part)) for part in np.array_split(crops, -(-len(crops) // _BATCH))])
    return float(((odds > 0) == real).float().mean())


def _scaled(crops: Crops) -> Tensor:
    """Return crops of mean 0 and deviation 1, as the embedding sees them too: brightness is in the statistics."""
    images = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float()
    return (images - images.mean((1, 2, 3), keepdim=True)) / images.std((1, 2, 3), keepdim=True).clamp(min=1)


def statistics(crops: Crops) -> dict[str, float]:
    """Return the median over crops of each measure in MEASURES."""
    return {name: float(np.median([measure(crop) for crop in crops])) for name, measure in MEASURES.items()}


def _luma(crop: Crops) -> NDArray[np.float64]:
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.float64)


def _saturation(crop: Crops) -> float:
    return float(cv2.cvtColor(crop, cv2.COLOR_RGB2HSV)[..., 1].mean())


def _local_contrast(crop: Crops) -> float:
    """Return the mean standard deviation of luma within squares."""
    luma = _luma(crop)
    h, w = (side // _BLOCK for side in luma.shape)
    squares = luma[: h * _BLOCK, : w * _BLOCK].reshape(h, _BLOCK, w, _BLOCK)
    return float(squares.std((1, 3)).mean())


def _spectral_slope(crop: Crops) -> float:
    """Return the exponent with which amplitude falls with frequency; natural pictures have about 1 (Field 1987)."""
    luma = _luma(crop)
    h, w = luma.shape
    window = np.outer(np.hanning(h), np.hanning(w))
    amplitude = np.abs(np.fft.rfft2((luma - luma.mean()) * window))
    frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None])
    used = (frequency > 0.03) & (frequency < 0.45)
    return -float(np.polyfit(np.log(frequency[used]), np.log(amplitude[used] + 1e-6), 1)[0])


def _edges(crop: Crops) -> float:
    """Return the fraction of pixels with a strong gradient."""
    luma = _luma(crop)
    across, down = cv2.Sobel(luma, cv2.CV_64F, 1, 0), cv2.Sobel(luma, cv2.CV_64F, 0, 1)
    return float((np.hypot(across, down) > 80).mean())


def _noise(crop: Crops) -> float:
    """Return the standard deviation of noise, grey levels, from the quietest tenth of the squares."""
    rest = _luma(crop) - cv2.GaussianBlur(_luma(crop), (0, 0), 1.0)
    h, w = (side // _BLOCK for side in rest.shape)
    squares = rest[: h * _BLOCK, : w * _BLOCK].reshape(h, _BLOCK, w, _BLOCK)
    return float(np.percentile(squares.std((1, 3)), 10))


MEASURES: dict[str, Callable[[Crops], float]] = {
    "brightness": lambda crop: float(_luma(crop).mean()),
    "contrast": lambda crop: float(_luma(crop).std()),
    "dark pixels": lambda crop: float((_luma(crop) < 30).mean()),
    "saturation": _saturation,
    "local contrast": _local_contrast,
    "spectral slope": _spectral_slope,
    "edges": _edges,
    "noise": _noise,
}


def real_by_site(data: Path) -> dict[str, Crops]:
    """Return real crops by site, at most 240 of each, spread over its tracklets."""
    from training.evaluation.real_people import real_crops_by_site

    rng = np.random.default_rng(0)
    found = {}
    for site, crops in real_crops_by_site(data).items():
        found[site] = crops[np.sort(rng.choice(len(crops), min(_SHOWN, len(crops)), replace=False))]
    return found


def generated(setting: str, count: int, size: tuple[int, int], assets: Path | None = None) -> Crops:
    """Return crops of generated people of a setting, or of realistic people, ordered by camera.

    Raises:
        DataSetError: The packed `assets` of realistic people are absent or incomplete.
    """
    from training.realistic.people import realistic_people
    from training.synthetic.people import PeopleGenerator

    generator = PeopleGenerator(setting=SETTINGS[setting]) if assets is None else realistic_people(assets)
    return np.concatenate(
        [generator.tracklet(_FIRST_SEED + k, _FIRST_SEED + k // _SHARED_BY, 0, 1, size) for k in range(count)]
    )


def report(ours: Crops, real: Mapping[str, Crops]) -> str:
    """Return a table of statistics and accuracies, the generated crops first."""
    found = {"ours": statistics(ours), **{name: statistics(crops) for name, crops in real.items()}}
    lines = ["| | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(f"{of[name]:.3g}" for of in found.values()) + " |" for name in MEASURES]
    for title, known in (("told apart, site not trained on", False), ("told apart, site trained on", True)):
        accuracy = told_apart(ours, real, known=known)
        mean = float(np.mean(list(accuracy.values())))
        cells = [f"{mean:.3f} (mean)", *(f"{accuracy[name]:.3f}" for name in real)]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print the table for one setting."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluation.realism", description="Compare generated crops with real ones."
    )
    parser.add_argument("--setting", choices=list(SETTINGS), default="default")
    parser.add_argument("--assets", type=Path, help="packed assets: realistic people in place of a setting")
    parser.add_argument("--count", type=int, default=960, help="generated crops, 12 or more")
    given = parser.parse_args(arguments)
    if given.count < 2 * _SHARED_BY:
        parser.error(f"--count {given.count}: must be at least {2 * _SHARED_BY}")
    data = Path(os.environ.get("CLIMBTRACK_SHARED", "../shared")) / "data"
    if not data.is_dir():
        parser.error(f"{data} does not exist: set CLIMBTRACK_SHARED to the folder with the real videos")
    real = real_by_site(data)
    size = next(iter(real.values())).shape[1:3]
    try:
        ours = generated(given.setting, given.count, size, given.assets)
    except DataSetError as error:
        parser.error(str(error))
    sys.stdout.write(report(ours, real) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
