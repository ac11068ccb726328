"""Other people in a crop: bystanders beside, in front of or behind the person, or a companion walking along."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.figure import Figure
from training.synthetic.pose import sample_manner
from training.synthetic.scene import Actor

Trajectory = tuple[Actor, ...]  # one person, one actor per frame
ALONE, ONE, TWO = 0.66, 0.2, 0.07  # probabilities of 0, 1 and 2 bystanders; otherwise a companion


def draw_bystanders(rng: Generator, person: Trajectory, camera: NDArray[np.float64],
                     draw_figure: Callable[[Generator], Figure]) -> tuple[Trajectory, ...]:  # fmt: skip
    """Draw up to two people near `person`; `camera` is its position in metres, and `draw_figure` draws a figure."""
    kind = rng.random()
    if kind < ALONE:
        return ()
    if kind < ALONE + ONE + TWO:
        count = 1 if kind < ALONE + ONE else 2
        return tuple(_bystander(rng, person, camera, draw_figure(rng)) for _ in range(count))
    return (_companion(rng, person, draw_figure(rng)),)


def _bystander(rng: Generator, person: Trajectory, camera: NDArray[np.float64], figure: Figure) -> Trajectory:
    """Return a person who stands or passes within a metre, nearer to the camera or farther away."""
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


def _companion(rng: Generator, person: Trajectory, figure: Figure) -> Trajectory:
    """Return a person who walks beside the other one, out of step."""
    walking = person[0].manner.stride > 0.2
    manner, phase = sample_manner(rng, walking=walking), float(rng.random())
    aside, along = float(rng.choice([-1, 1]) * rng.uniform(0.45, 0.75)), float(rng.uniform(-0.3, 0.3))
    moments = []
    for a in person:
        s, c = float(np.sin(a.heading)), float(np.cos(a.heading))
        moments.append(Actor(figure, manner, a.x + aside * c - along * s, a.y + aside * s + along * c, a.heading,
                             a.phase + phase))  # fmt: skip
    return tuple(moments)
