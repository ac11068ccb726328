"""Generate tracklets of realistic people: in panoramas and in generated places, by the seeds of the other generator."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.crops import Render
from training.realistic.assets import load_assets
from training.realistic.dress import Tailor
from training.realistic.panorama import draw_panorama
from training.synthetic.boxes import DetectorErrors
from training.synthetic.people import SIGHT, PeopleGenerator
from training.synthetic.places import Places, Vantage, draw_vantage
from training.synthetic.restyle import Fashion
from training.synthetic.settings import Setting
from training.synthetic.texture import Pattern

# Calmer and darker than the other generator's clothes: what shops and offices show.
CLOTHES = Fashion(0.25, (0.95, 1.6), 0.08, 0.06, (Pattern.PLAID, Pattern.STRIPES, Pattern.MARL), plain=0.5)
REALISTIC = Setting("realistic", Places(), DetectorErrors(), CLOTHES)
KEPT_ASIDE = ("city", "lobby", "workshop")  # panoramas to judge by, which nothing is trained under
IN_PANORAMAS = 3  # of four cameras; the others are in generated places
SITE = 24  # people who share their cameras


def realistic_people(path: Path, *, keep: int = 48, aside: bool = False) -> PeopleGenerator:
    """Return a generator of people made of the packed assets; `aside` uses the panoramas kept to judge by.

    Raises:
        AssetsMissingError: The assets are absent or incomplete.
    """
    assets = load_assets(path)
    chosen = [assets.panoramas[name] for name in sorted(assets.panoramas) if (name in KEPT_ASIDE) == aside]

    def place(seed: int, setting: Setting) -> Vantage:
        if not aside and seed % 4 >= IN_PANORAMAS:
            return draw_vantage(seed, SIGHT, setting.places)
        return draw_panorama(seed, chosen[seed * 7919 % len(chosen)], SIGHT, setting.places.response)

    return PeopleGenerator(keep, REALISTIC, build=Tailor(assets).figure, place=place)


def every_second_site(others: PeopleGenerator, path: Path, *, keep: int = 48) -> Render:
    """Return a renderer whose even sites, of `SITE` consecutive identity seeds, are `others`' and whose odd ones ours.

    Raises:
        AssetsMissingError: The assets are absent or incomplete.
    """
    return _BySite(others, realistic_people(path, keep=keep), path, keep)


@dataclass(frozen=True, slots=True)
class _BySite:
    even: PeopleGenerator
    odd: PeopleGenerator
    path: Path
    keep: int

    def __call__(
        self, identity_seed: int, camera_seed: int, tracklet_seed: int, frames: int, size: tuple[int, int]
    ) -> NDArray[np.uint8]:
        """Render a tracklet by the generator of the identity's site."""
        generator = self.odd if identity_seed // SITE % 2 else self.even
        return generator.tracklet(identity_seed, camera_seed, tracklet_seed, frames, size)

    def __reduce__(self) -> tuple[Callable[..., Render], tuple[PeopleGenerator, Path]]:
        """Let each process that renders read the assets itself, which is cheaper than sending them."""
        return partial(every_second_site, keep=self.keep), (self.even, self.path)
