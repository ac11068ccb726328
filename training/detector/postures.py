"""How people in detector frames hold themselves: as in other generated pictures, and bent, crouching, reaching too."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.figure import Figure, posed
from training.synthetic.mesh import Mesh
from training.synthetic.pose import (
    ARM,
    CHEST,
    FOOT,
    FOREARM,
    HEAD,
    PARENT,
    SHIN,
    THIGH,
    bone_transforms,
    joint_angles,
    sample_manner,
)

Angles = NDArray[np.float64]


def posture(rng: Generator, figure: Figure, *, seated: bool) -> Mesh:
    """Return a figure on the floor at the origin, facing +y, walking, standing, at work, or sitting."""
    manner = sample_manner(rng, walking=bool(rng.random() < 0.5), seated=seated)
    angles = joint_angles(manner, float(rng.random()), figure.holds)
    kind = rng.random()
    if not seated and kind < 0.08:
        _crouch(rng, angles)
    elif not seated and kind < 0.17:
        angles[CHEST, 0] = -rng.uniform(0.5, 1.4)  # to a shelf, a shoe, a child
        angles[HEAD, 0] = rng.uniform(-0.3, 0.6)
    elif not seated and kind < 0.21:
        spread = rng.uniform(0.15, 0.5)
        angles[THIGH, 1], angles[THIGH + 1, 1] = spread, -spread
    if rng.random() < 0.15:
        _reach(rng, angles)
    if rng.random() < 0.4:
        angles += rng.normal(0, 0.06, angles.shape)
        angles[ARM : FOREARM + 2] += rng.normal(0, 0.25, (4, 3))
        angles[[CHEST, HEAD]] += rng.normal(0, 0.15, (2, 3))
    return posed(figure, bone_transforms(angles, PARENT, figure.pivots))


def _crouch(rng: Generator, angles: Angles) -> None:
    """Bend hips and knees; the soles stay level."""
    for side in range(2):
        hip = rng.uniform(1.0, 2.0)
        knee = hip * rng.uniform(1.1, 1.3)
        angles[THIGH + side, 0], angles[SHIN + side, 0], angles[FOOT + side, 0] = hip, -knee, knee - hip
    angles[CHEST, 0] = -rng.uniform(0.1, 0.7)


def _reach(rng: Generator, angles: Angles) -> None:
    """Lift one arm or both, forward or above the head."""
    first = int(rng.integers(2))
    for side in (first,) if rng.random() < 0.6 else (0, 1):
        angles[ARM + side, 0] = rng.uniform(1.0, 2.9)
        angles[ARM + side, 1] += (1 if side == 0 else -1) * rng.uniform(0, 0.8)
        angles[FOREARM + side, 0] = rng.uniform(0, 0.9)
