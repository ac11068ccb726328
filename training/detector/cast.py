"""Who is in detector frames and where: generated people and places, or realistic ones among them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from training.detector.stage import SIGHT, draw_stage
from training.realistic.assets import load_assets
from training.realistic.dress import Tailor
from training.realistic.panorama import Stand, draw_panorama
from training.realistic.people import CLOTHES, KEPT_ASIDE
from training.synthetic.body import sample_person
from training.synthetic.figure import Figure, build_figure
from training.synthetic.people import FIRST_SITE_IDENTITY
from training.synthetic.places import Places
from training.synthetic.restyle import restyled
from training.synthetic.stage import Stage, heights_px

REALISTIC_SHARE = 0.8  # of people: those with the bodies of packed assets
PANORAMA_SHARE = 0.4  # of cameras
STAND = Stand(height_m=(1.0, 6.0), focal=(0.42, 1.7))


@dataclass(frozen=True, slots=True)
class Cast:
    """Draws the people of detector frames, and the places with a camera in them."""

    figure: Callable[[Generator], Figure]
    stage: Callable[[Generator], Stage]


def generated_cast() -> Cast:
    """Return people and places of our own."""
    return Cast(_our_figure, draw_stage)


def realistic_cast(path: Path, *, aside: bool = False) -> Cast:
    """Return a cast most of whom have the bodies and clothes of packed assets, and often stand in their panoramas.

    `aside` takes the panoramas that nothing is trained in, to measure in.

    Raises:
        AssetsMissingError: The assets are absent or incomplete.
    """
    assets = load_assets(path)
    tailor = Tailor(assets)
    names = sorted(name for name in assets.panoramas if (name in KEPT_ASIDE) == aside)

    def figure(rng: Generator) -> Figure:
        if rng.random() >= REALISTIC_SHARE:
            return _our_figure(rng)
        return tailor.figure(restyled(sample_person(rng), CLOTHES), int(rng.integers(FIRST_SITE_IDENTITY)))

    def stage(rng: Generator) -> Stage:
        if rng.random() >= PANORAMA_SHARE:
            return draw_stage(rng)
        sphere = assets.panoramas[names[int(rng.integers(len(names)))]]
        place = draw_panorama(int(rng.integers(FIRST_SITE_IDENTITY)), sphere, SIGHT, Places().response, STAND)
        return Stage(place.view, np.column_stack([place.spots, heights_px(place.view.camera, place.spots)]))

    return Cast(figure, stage)


def cast_of(assets: Path | None, *, aside: bool = False) -> Cast:
    """Return the cast with packed assets, or our own without them; `aside` as for `realistic_cast`.

    Raises:
        AssetsMissingError: The assets are absent or incomplete.
    """
    return generated_cast() if assets is None else realistic_cast(assets, aside=aside)


def _our_figure(rng: Generator) -> Figure:
    return build_figure(sample_person(rng))
