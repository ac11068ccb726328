"""What a site has learnt about similarities, in figures. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gallery.decision.calibrate import MAX_LOGIT, Calibration, probability
from gallery.decision.coverage import Coverage, cameras_of
from gallery.decision.normalise import Shifts
from gallery.reliability.certain import Sample, different_people, same_person
from gallery.reliability.curves import Curve, curve
from wire.messages import Tracklet

Source = Literal["prior", "certain pairs", "unlabelled pairs"]


@dataclass(frozen=True, slots=True)
class Normal:
    """Mean and standard deviation of similarities."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class ModelScale:
    """What similarities under one model mean at a site.

    Attributes:
        model_id: The model.
        prior_different, prior_same: The distributions that came with the weights, or the defaults for weights without.
        source: The best evidence that the distributions in use rest on.
        certain_pairs: Effective number of pairs of different people, seen at once in one camera.
        unlabelled_pairs: Effective number of other pairs.
        different, same: The distributions in use.
        alike: Share of strangers taken to look like one person whatever the distributions say.
        alike_pairs: Effective number of pairs of strangers that it was learnt from.
        matches_from: Similarity from which on a match is likely enough; None if no similarity is.
        shifts: Length of each camera's shift, where an embedding has length 1.
        seen_different: What the stored pairs of different people are like now; None without any.
        seen_same: The same for pairs of one person.
        different_curve: Probabilities stated for pairs of people who certainly differ.
        same_curve: Probabilities stated for pairs that certainly show one person.
        tracklets: Number of stored tracklets the pairs were looked for in.
    """

    model_id: str
    prior_different: Normal
    prior_same: Normal
    source: Source
    certain_pairs: float
    unlabelled_pairs: float
    different: Normal
    same: Normal
    alike: float
    alike_pairs: float
    matches_from: float | None
    shifts: Mapping[str, float]
    seen_different: Normal | None
    seen_same: Normal | None
    different_curve: Curve
    same_curve: Curve
    tracklets: int


def model_scale(
    model_id: str, calibration: Calibration, shifts: Shifts, tracklets: Sequence[Tracklet], match: float
) -> ModelScale:
    """Return what similarities under one model mean.

    Args:
        model_id: The model.
        calibration: What was learnt.
        shifts: The shifts of the cameras, under any model.
        tracklets: Closed tracklets of this model, in which certain pairs are looked for.
        match: Log odds from which on a tracklet is matched.
    """
    prior, scale = calibration.prior, calibration.scale
    different, same = different_people(tracklets, shifts), same_person(tracklets, shifts)
    return ModelScale(
        model_id=model_id,
        prior_different=Normal(prior.different_mean, prior.different_std),
        prior_same=Normal(prior.same_mean, prior.same_std),
        source=_source(calibration),
        certain_pairs=calibration.pairs,
        unlabelled_pairs=sum(calibration.unlabelled),
        different=Normal(scale.different, math.sqrt(scale.different_variance)),
        same=Normal(scale.same, math.sqrt(scale.same_variance)),
        alike=calibration.doubles.share,
        alike_pairs=calibration.doubles.pairs,
        matches_from=_matches_from(calibration, match),
        shifts={
            camera: float(np.linalg.norm(shift))
            for (model, camera), shift in sorted(shifts.vectors.items())
            if model == model_id
        },
        seen_different=_seen(different),
        seen_same=_seen(same),
        different_curve=_curve(different, calibration, is_same=False),
        same_curve=_curve(same, calibration, is_same=True),
        tracklets=len(tracklets),
    )


def disjoint_cameras(coverage: Coverage) -> list[tuple[str, str]]:
    """Return the cameras that never see one person at the same time, each two once, sorted."""
    found = {cameras_of(one, other) for one, others in coverage.disjoint_from.items() for other in others}
    return sorted(found)


def _source(calibration: Calibration) -> Source:
    if calibration.fit is not None:
        return "unlabelled pairs"
    return "certain pairs" if calibration.pairs else "prior"


def _matches_from(calibration: Calibration, match: float) -> float | None:
    """Return the lowest similarity in [-1, 1] of a match; None if there is none."""
    lowest = max(-1.0, calibration.similarity(match))
    return lowest if match <= MAX_LOGIT and lowest <= 1 else None


def _seen(sample: Sample) -> Normal | None:
    return Normal(sample.mean, sample.std) if sample.size else None


def _curve(sample: Sample, calibration: Calibration, *, is_same: bool) -> Curve:
    stated = [probability(calibration.logit(similarity)) for similarity in sample.similarities.tolist()]
    return curve(np.array(stated), sample.weights, is_same=is_same)
