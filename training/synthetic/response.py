"""Camera responses for training: mostly ordinary, some poor, few bad, never so bad that clothes lose their colour."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from training.synthetic.look import Look

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Grade:
    """A quality grade of cameras; ranges are sampled uniformly, or log-uniformly where noted.

    Attributes:
        level: Mean linear light after automatic exposure, log-uniform.
        warm: Sigma of the log gain by which red rises and blue falls.
        tint: Sigma of the log gain of green.
        saturation: 1 keeps colours.
        contrast: Contrast of the tone curve.
        haze: Sigma of stray light.
        blur: Sigma of the lens blur, in frame heights.
        noise: Standard deviation in display levels, log-uniform.
        quality: JPEG quality.
    """

    level: Range
    warm: float
    tint: float
    saturation: Range
    contrast: Range
    haze: float
    blur: Range
    noise: Range
    quality: Range


ORDINARY = Grade((0.15, 0.3), 0.09, 0.03, (0.8, 1.25), (-0.1, 0.45), 0.012, (0.0005, 0.0014), (0.5, 2.2), (55, 95))
POOR = Grade((0.1, 0.36), 0.14, 0.045, (0.6, 1.3), (-0.2, 0.55), 0.03, (0.0012, 0.0021), (1.5, 4.5), (38, 75))
BAD = Grade((0.08, 0.38), 0.19, 0.06, (0.5, 1.3), (-0.2, 0.6), 0.045, (0.0018, 0.0026), (3.0, 6.5), (25, 50))


@dataclass(frozen=True, slots=True)
class Response:
    """Distribution of camera responses.

    Attributes:
        shares: Probability of each grade, summing to 1.
        grey: Fraction of infrared and black-and-white cameras.
        gamma, vignette: Ranges for all grades.
        sharpen: Largest strength; half of the cameras do not sharpen.
        cast: Mean of the log gain by which red rises and blue falls.
    """

    grades: tuple[Grade, ...] = (ORDINARY, POOR, BAD)
    shares: tuple[float, ...] = (0.62, 0.26, 0.12)
    grey: float = 0.05
    gamma: Range = (1.9, 2.45)
    vignette: float = 0.4
    sharpen: float = 1.0
    cast: float = 0.0


def sample_response(rng: Generator, frame_height: int, response: Response) -> Look:
    """Draw a camera's grade, then a response within its ranges."""
    grade = response.grades[int(rng.choice(len(response.grades), p=response.shares))]
    warm, tint = rng.normal(response.cast, grade.warm), rng.normal(0, grade.tint)
    haze = abs(rng.normal(0, grade.haze)) * np.exp(rng.normal(0, 0.2, 3))
    look = Look(
        level=_log_uniform(rng, grade.level),
        white=(float(np.exp(warm)), float(np.exp(tint)), float(np.exp(-warm))),
        saturation=float(rng.uniform(*grade.saturation)),
        gamma=float(rng.uniform(*response.gamma)),
        contrast=float(rng.uniform(*grade.contrast)),
        haze=(float(haze[0]), float(haze[1]), float(haze[2])),
        vignette=float(rng.uniform(0, response.vignette)),
        blur_px=frame_height * float(rng.uniform(*grade.blur)),
        sharpen=float(rng.choice([0.0, rng.uniform(0.0, response.sharpen)])),
        noise=_log_uniform(rng, grade.noise),
        quality=int(rng.uniform(*grade.quality)),
    )
    if rng.random() < response.grey:
        return replace(look, saturation=float(rng.uniform(0.0, 0.1)))
    return look


def _log_uniform(rng: Generator, bounds: Range) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))
