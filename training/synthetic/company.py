"""Who else is about: somebody beside, before or behind the person a crop is of, or walking with them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.figure import Figure
from training.synthetic.pose import sample_manner
from training.synthetic.scene import Actor

Moments = tuple[Actor, ...]  # one person, frame by frame
ALONE, ONE, TWO = 0.66, 0.2, 0.07  # what remains walk as a pair


def draw_company(rng: Generator, person: Moments, camera: NDArray[np.float64],
                 somebody: Callable[[Generator], Figure]) -> tuple[Moments, ...]:  # fmt: skip
    """Draw nobody to two people near `person`; `camera` is its position, metres, and `somebody` draws a figure."""
    kind = rng.random()
    if kind < ALONE:
        return ()
    if kind < ALONE + ONE + TWO:
        count = 1 if kind < ALONE + ONE else 2
        return tuple(_bystander(rng, person, camera, somebody(rng)) for _ in range(count))
    return (_companion(rng, person, somebody(rng)),)


def _bystander(rng: Generator, person: Moments, camera: NDArray[np.float64], figure: Figure) -> Moments:
    """Return somebody who stands or passes within a metre, nearer to the camera or farther away."""
    at = person[len(person) // 2]
    towards = camera[:2] - (at.x, at.y)
    towards /= np.linalg.norm(towards)
    depth, aside = rng.uniform(-1.6, 1.0), rng.choice([-1, 1]) * rng.uniform(0.2, 0.9)
    x, y = np.array([at.x, at.y]) + depth * towards + aside * np.array([-towards[1], towards[0]])
    walking = bool(rng.random() < 0.6)
    manner, heading = sample_manner(rng, walking=walking), float(rng.uniform(0, 2 * np.pi))
    first = Actor(figure, manner, float(x), float(y), heading, float(rng.random()))
    step = float(rng.uniform(0.05, 0.2)) if walking else 0.0
    middle = len(person) // 2
    return tuple(
        replace(first, x=first.x - (k - middle) * step * float(np.sin(heading)),
                y=first.y + (k - middle) * step * float(np.cos(heading)), phase=first.phase + k * step / 1.4)
        for k in range(len(person))
    )  # fmt: skip


def _companion(rng: Generator, person: Moments, figure: Figure) -> Moments:
    """Return somebody who goes beside the person, in step with nobody."""
    walking = person[0].manner.stride > 0.2
    manner, phase = sample_manner(rng, walking=walking), float(rng.random())
    aside, along = float(rng.choice([-1, 1]) * rng.uniform(0.45, 0.75)), float(rng.uniform(-0.3, 0.3))
    moments = []
    for a in person:
        s, c = float(np.sin(a.heading)), float(np.cos(a.heading))
        moments.append(Actor(figure, manner, a.x + aside * c - along * s, a.y + aside * s + along * c, a.heading,
                             a.phase + phase))  # fmt: skip
    return tuple(moments)
