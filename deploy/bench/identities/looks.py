"""Embeddings of generated people by the shipped weights: what the tracks of a timetable look like.

Crops come from the generator of training data in its setting `other`, whose clothes, places and cameras the weights
have not seen. Rendering and embedding take seconds for a site, and are kept in a folder between runs.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.bench.identities.timetable import LAST_PERSON, Seen, Timetable
from reid_worker.model import Embedder, load_embedder
from training.synthetic.people import PeopleGenerator
from training.synthetic.person import Person
from training.synthetic.population import person_of
from training.synthetic.restyle import Fashion
from training.synthetic.settings import OTHER
from wire.similarity import SimilarityPrior

CROPS = 4  # of a track when it has ended
EARLY = 2  # of these, when it is first reported
CHANGED = LAST_PERSON + 200_000  # from here on, generator seeds are people in their other clothes
AT_ONCE = 16

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What tracks look like.

    Attributes:
        early, late: `(n, d)` float16, embeddings when each track is first reported, and when it has ended.
        model_id, prior: Of the weights.
    """

    early: NDArray[np.float16]
    late: NDArray[np.float16]
    model_id: str
    prior: SimilarityPrior | None


class Studio:
    """Renders and embeds; keeps what it made in `folder`, if there is one."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._embedder: Embedder = load_embedder(device="cpu", threads=1)

    def looks(self, site: Timetable, seed: int) -> Looks:
        """Return what the tracks of a site look like; `seed` draws cameras, and where people walk."""
        path = None if self._folder is None else self._folder / f"{self._embedder.model_id}-{_digest(site, seed)}.npz"
        if path is not None and path.exists():
            with np.load(path) as kept:
                found = kept["early"], kept["late"]
            return Looks(*found, self._embedder.model_id, self._embedder.prior)
        early, late = self._embedded(site, seed)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial.npz")
            np.savez(partial, early=early, late=late)
            partial.replace(path)
        return Looks(early, late, self._embedder.model_id, self._embedder.prior)

    def _embedded(self, site: Timetable, seed: int) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        early: list[NDArray[np.float32]] = []
        late: list[NDArray[np.float32]] = []
        films = list(_filmed(site, seed))
        for some in (films[start : start + AT_ONCE] for start in range(0, len(films), AT_ONCE)):
            early.append(self._embedder.embed([list(crops[:EARLY]) for crops in some]))
            late.append(self._embedder.embed([list(crops) for crops in some]))
        return np.concatenate(early).astype(np.float16), np.concatenate(late).astype(np.float16)


def _digest(site: Timetable, seed: int) -> str:
    return hashlib.sha256(repr((site, seed, CROPS, EARLY)).encode()).hexdigest()[:16]


def _filmed(site: Timetable, seed: int) -> Iterator[Image]:
    """Yield `(CROPS, h, w, 3)` crops of each track."""
    rng = np.random.default_rng([seed, 43])
    cameras = rng.integers(100_000, 9_000_000, site.cameras).tolist()
    gains = np.exp(rng.normal(0, site.cast, (site.cameras, 3)))
    generator = PeopleGenerator(keep=site.cameras, setting=OTHER, person=_Wardrobe(site))
    for number, seen in enumerate(site.seen):
        crops = generator.tracklet(_seed_of(site, seen), cameras[seen.camera], seed + number, CROPS)
        yield crops if not site.cast else np.stack([_tinted(crop, gains[seen.camera]) for crop in crops])


def _tinted(crop: Image, gains: NDArray[np.float64]) -> Image:
    """Return a crop with each colour multiplied."""
    levels = np.arange(256)[:, None] * gains
    return np.asarray(cv2.LUT(crop, np.clip(levels, 0, 255).astype(np.uint8)[:, None, :]), np.uint8)


def _seed_of(site: Timetable, seen: Seen) -> int:
    return site.people[seen.person] if not seen.clothes else CHANGED + seen.person


@dataclass(frozen=True, slots=True)
class _Wardrobe:
    """Says whom a generator's seed means: people of the site in uniform or other clothes, or anybody."""

    site: Timetable

    def __call__(self, seed: int, fashion: Fashion | None) -> Person:
        if CHANGED <= seed < CHANGED + len(self.site.people):
            own = self.site.people[seed - CHANGED]
            return _dressed(person_of(own, fashion), person_of(seed, fashion))
        if self.site.uniform and seed in self.site.people:
            return _dressed(person_of(seed, fashion), person_of(self.site.people[0], fashion))
        return person_of(seed, fashion)


def _dressed(person: Person, like: Person) -> Person:
    """Return a person who wears what somebody else wears above and below the waist."""
    return replace(person, layers=like.layers, bottom=like.bottom, apron=like.apron, scarf=like.scarf)
