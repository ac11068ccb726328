"""Where and how a person moves during a tracklet."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from training.synthetic.figure import Figure
from training.synthetic.mesh import Mesh
from training.synthetic.places import OPEN, Vantage
from training.synthetic.pose import sample_manner
from training.synthetic.room import chair
from training.synthetic.scene import Actor, View
from training.synthetic.stage import seen_shares

# Fractions of a person that furniture and the frame leave visible: few people are half hidden, nobody more.
IN_FULL, HALF_HIDDEN = (OPEN, 1.0), (0.42, 0.68)
HIDDEN_SHARE = 0.08
TRIES = 24


@dataclass(frozen=True, slots=True)
class Course:
    """A person's movement during a tracklet, one actor per frame, and the chair they may sit on."""

    actors: tuple[Actor, ...]
    walking: bool
    chair: Mesh | None
    hidden: bool


def draw_course(rng: Generator, vantage: Vantage, figure: Figure, frames: int) -> Course:
    """Draw a walk, or a standing or sitting person, around a point with the required visibility."""
    kind = rng.random()
    walking, seated = bool(kind < 0.8), bool(kind > 0.96 and vantage.view.room.seats)
    manner = sample_manner(rng, walking=walking, seated=seated)
    seat = chair(rng) if seated else None
    wanted = HALF_HIDDEN if rng.random() < HIDDEN_SHARE else IN_FULL
    fitting = np.flatnonzero((vantage.shares >= wanted[0]) & (vantage.shares <= wanted[1]))
    if not len(fitting):
        wanted, fitting = IN_FULL, np.flatnonzero(vantage.shares > OPEN)
    best, least = None, -1.0
    for _ in range(TRIES):
        x, y = vantage.spots[fitting[int(rng.integers(len(fitting)))]]
        start = Actor(figure, manner, float(x), float(y), float(rng.uniform(0, 2 * np.pi)), float(rng.random()))
        step = float(rng.uniform(0.06, 0.35)) if walking else 0.0
        course = Course(_walk(rng, start, frames, step), walking, seat, wanted is HALF_HIDDEN)
        shares = seen_shares(vantage.view, np.array([(a.x, a.y) for a in course.actors]))
        fits = wanted[0] - 0.05 <= shares.min() and all(_usable(vantage.view, a) for a in course.actors)
        if fits and shares.max() <= wanted[1]:
            return course
        if fits and shares.min() > least:
            best, least = course, float(shares.min())
    if best is None:  # a standing person always fits on a suitable spot
        return Course(_walk(rng, start, frames, 0.0), walking, seat, wanted is HALF_HIDDEN)
    return best


def _walk(rng: Generator, start: Actor, frames: int, step: float) -> tuple[Actor, ...]:
    """Return a person's actors along a slightly curved line whose midpoint is `start`."""
    turn = float(rng.normal(0, 0.12 if step else 0.05))
    heading, phase = start.heading, start.phase
    x, y = start.x + 0.5 * frames * step * np.sin(heading), start.y - 0.5 * frames * step * np.cos(heading)
    actors = []
    for _ in range(frames):
        actors.append(replace(start, x=float(x), y=float(y), heading=heading, phase=phase))
        x, y = x - step * np.sin(heading), y + step * np.cos(heading)
        heading, phase = heading + turn, phase + (step / 1.4 if step else float(rng.uniform(0, 0.02)))
    return tuple(actors)


def _usable(view: View, actor: Actor) -> bool:
    """Return whether a person can stand where they are, at a usable distance and size."""
    if not view.room.free(actor.x, actor.y, 0.1):
        return False
    screen = view.camera.project(np.array([[actor.x, actor.y, 0.0], [actor.x, actor.y, 1.75 * actor.figure.scale]]))
    return bool(screen[:, 2].min() > 0.9 and 40 < screen[0, 1] - screen[1, 1] < 340)
