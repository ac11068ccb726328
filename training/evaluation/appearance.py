"""Tries an appearance model on generated people: which crop format tells them apart, and what its similarities mean."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reid_worker.appearance.crop_format import IMAGENET_MEAN, IMAGENET_STD, NO_MEAN, NO_STD, CropFormat, Triple, Values
from reid_worker.appearance.embedder import reformatted
from reid_worker.appearance.opening import OpenedModel
from reid_worker.errors import EmbeddingError
from reid_worker.model.tensors import WeightsError
from training.evaluation.metrics import Labelled, cosine_gap, rank_all
from training.evaluation.prior import prior_of
from training.synthetic.people import PeopleGenerator
from wire.similarity import SimilarityPrior

PEOPLE, CAMERAS, CROPS = 16, 3, 3
CLEARLY = 0.1  # mAP; with 48 queries, differences below are chance
_FIRST_PERSON, _FIRST_CAMERA = 700_000, 7_000

_NORMALISATIONS: tuple[tuple[Values, Triple, Triple], ...] = (
    ("0-1", IMAGENET_MEAN, IMAGENET_STD),
    ("0-255", NO_MEAN, NO_STD),
    ("0-1", NO_MEAN, NO_STD),
    ("0-1", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """How well a model tells generated people apart in one crop format.

    Attributes:
        mean_ap: Each tracklet ranked against those of the other cameras, 0 to 1; 0 if the model gave no numbers.
        numbers: Length of its features; 0 if it gave none.
        prior: What its similarities mean; None if the same person is no more similar than others.
    """

    crop_format: CropFormat
    mean_ap: float
    numbers: int
    prior: SimilarityPrior | None


def try_formats(model: OpenedModel) -> list[Trial]:
    """Try the format that the model is given, then the alternatives to it."""
    people = _people()
    return [_tried(model, one, people) for one in (model.crop_format, *alternatives(model))]


def alternatives(model: OpenedModel) -> list[CropFormat]:
    """Return the other formats to consider: colours in reverse, and other normalisations unless the graph says its own.

    What a person wrote down may be wrong as well.
    """
    own, said = model.crop_format, model.said
    others = [replace(own, colour="bgr" if own.colour == "rgb" else "rgb", mean=own.mean[::-1], std=own.std[::-1])]
    if (model.unsure or said.values or said.mean or said.std) and own.dtype != "uint8":
        others += [replace(own, values=values, mean=mean, std=std) for values, mean, std in _NORMALISATIONS]
    return [one for one in others if one != own]


def _people() -> list[list[list[NDArray[np.uint8]]]]:
    """Return crops by camera and person."""
    generator = PeopleGenerator()
    return [
        [
            list(generator.tracklet(_FIRST_PERSON + person, _FIRST_CAMERA + camera, person, CROPS))
            for person in range(PEOPLE)
        ]
        for camera in range(CAMERAS)
    ]


def _tried(model: OpenedModel, crop_format: CropFormat, people: Sequence[Sequence[list[NDArray[np.uint8]]]]) -> Trial:
    try:
        network = reformatted(model, crop_format)
        step = network.frames  # a model of single crops ranks the first one
        features = np.concatenate([network.embed([crops[:step] for crops in camera]) for camera in people])
    except (EmbeddingError, WeightsError):  # another format than its own may give NaN, or always the same
        return Trial(crop_format, 0.0, 0, None)
    labels, cameras = np.tile(np.arange(PEOPLE), CAMERAS), np.repeat(np.arange(CAMERAS), PEOPLE)
    items = Labelled(features, labels, cameras)
    return Trial(crop_format, rank_all(items).mean_ap, features.shape[1], prior_of(cosine_gap(items)))
