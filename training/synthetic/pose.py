"""How a body stands, walks or sits: joint angles, and the bone transforms that follow from them.

Bones move the rest pose (upright, arms hanging, metres at 1.75 m body height) into the world. Angles are radians.
"""

from dataclasses import dataclass
from math import cos, pi, sin
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.jit import compiled

PELVIS, CHEST, HEAD, ARM, FOREARM, THIGH, SHIN, FOOT = 0, 1, 2, 3, 5, 7, 9, 11  # the right of a pair is the next number
BONES = 13
Floats = NDArray[np.float32]

PARENT = np.array([-1, 0, 1, 1, 1, 3, 4, 0, 0, 7, 8, 9, 10], np.int32)
PIVOT = np.array(
    [
        [0, 0, 0.95], [0, 0, 1.07], [0, 0, 1.52], [0.175, 0, 1.43], [-0.175, 0, 1.43], [0.225, 0, 1.13],
        [-0.225, 0, 1.13], [0.09, 0, 0.92], [-0.09, 0, 0.92], [0.09, 0, 0.49],
        [-0.09, 0, 0.49], [0.09, 0, 0.08], [-0.09, 0, 0.08],
    ],
    np.float64,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manner:
    """A person's posture and gait, constant over the frames of a tracklet.

    Attributes:
        stride: Largest thigh angle when walking; 0 is standing.
        seated: Thighs level, feet in front.
        arms: `(2, 3)` radians, left and right: forward, outward, elbow; added to the swing.
        lean: Forward bend of the chest.
        head: `(2,)` radians, turn to the left and nod.
        across: Radians by which the left and right forearm turn towards the midline of the body.
        sway: Fraction of the swing that the left and right arm follow.
    """

    stride: float
    seated: bool
    arms: tuple[tuple[float, float, float], tuple[float, float, float]]
    lean: float
    head: tuple[float, float]
    across: tuple[float, float] = (0.0, 0.0)
    sway: tuple[float, float] = (1.0, 1.0)


class Hold(NamedTuple):
    """An arm that holds something: forward, outward and elbow in radians, and the fraction of the swing it keeps."""

    forward: float
    outward: float
    elbow: float
    sway: float


Holds = tuple[Hold | None, Hold | None]  # left and right
FREE: Holds = (None, None)


# Forward, outward, elbow, across and sway of an arm, and the spread of the first three.
GESTURES = {
    "pocket": ((-0.12, 0.16, 0.55, 0.35, 0.1), 0.05),
    "phone in front": ((0.35, 0.02, 1.7, 0.55, 0.1), 0.1),
    "phone at the ear": ((0.55, 0.25, 2.35, 0.1, 0.05), 0.08),
    "hand on the strap": ((0.1, 0.06, 2.2, 0.5, 0.1), 0.08),
    "in conversation": ((0.4, 0.1, 1.4, 0.3, 0.3), 0.3),
    "on the hip": ((-0.25, 0.7, 1.5, 0.9, 0.1), 0.08),
}
CROSSED = ((0.3, 0.06, 1.55, 1.25, 0.05), (0.38, 0.06, 1.4, 1.15, 0.05))
BEHIND = ((-0.45, 0.12, 0.5, 0.9, 0.1), (-0.45, 0.12, 0.5, 0.9, 0.1))
Arm = tuple[float, float, float, float, float]


def sample_manner(rng: Generator, *, walking: bool, seated: bool = False) -> Manner:
    """Draw a manner; standing and seated people do more with their arms than walking ones."""
    arms = _arms(rng, walking=walking)
    stride = float(rng.uniform(0.3, 0.55)) if walking else float(rng.uniform(0.0, 0.12))
    lean = float(rng.normal(0.05, 0.05)) + (0.15 if seated else 0.0)
    if not walking and rng.random() < 0.04:
        lean += float(rng.uniform(0.3, 0.8))
    head = (float(rng.normal(0.0, 0.3)), float(rng.normal(0.05 if walking else 0.15, 0.15)))
    angles = [(a[0], a[1], a[2]) for a in arms]
    return Manner(
        stride, seated, (angles[0], angles[1]), lean, head, (arms[0][3], arms[1][3]), (arms[0][4], arms[1][4])
    )


def _arms(rng: Generator, *, walking: bool) -> tuple[Arm, Arm]:
    """Draw what both arms do together."""
    kind = rng.random()
    if kind < (0.02 if walking else 0.12):
        return CROSSED
    if kind < (0.04 if walking else 0.17):
        return BEHIND
    busy = rng.random() < (0.3 if walking else 0.6)
    both = rng.random() < 0.35
    first = _arm(rng, busy=bool(busy))
    second = first if busy and both else _arm(rng, busy=False)
    return (first, second) if rng.random() < 0.5 else (second, first)


def _arm(rng: Generator, *, busy: bool) -> Arm:
    """Draw forward, outward and elbow angles of one arm, its turn inward and its fraction of the swing."""
    if busy:
        mean, spread = list(GESTURES.values())[int(rng.choice(len(GESTURES), p=[0.3, 0.24, 0.1, 0.1, 0.2, 0.06]))]
        forward, outward, elbow = (float(v) for v in rng.normal(mean[:3], spread))
        return forward, outward, max(0.1, elbow), mean[3], mean[4]
    swing = float(rng.uniform(0.5, 1.3))
    return float(rng.normal(0.0, 0.08)), float(rng.normal(0.05, 0.04)), float(rng.uniform(0.1, 0.5)), 0.0, swing


def joint_angles(manner: Manner, phase: float, holding: Holds = FREE) -> NDArray[np.float64]:
    """Return `(BONES, 3)` radians about x (forward positive for limbs), y (outward) and z, at gait `phase` in turns."""
    angles = np.zeros((BONES, 3))
    angles[CHEST, 0] = -manner.lean
    angles[HEAD, 0], angles[HEAD, 2] = -manner.head[1] + manner.lean * 0.5, manner.head[0]
    angles[CHEST, 2] = -0.25 * manner.stride * sin(2 * pi * phase)
    angles[PELVIS, 2] = 0.15 * manner.stride * sin(2 * pi * phase)
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        turn = 2 * pi * (phase + 0.5 * side)
        swing = manner.stride * sin(turn)
        if manner.seated:
            angles[THIGH + side] = (1.45, sign * 0.12, 0.0)
            angles[SHIN + side, 0] = -1.45
        else:
            bend = 0.05 + manner.stride * (0.25 + 1.7 * max(0.0, cos(turn - 0.35)) ** 2)
            angles[THIGH + side] = (swing + 0.3 * bend, sign * 0.02, 0.0)
            angles[SHIN + side, 0] = -bend
            angles[FOOT + side, 0] = 0.6 * bend - 0.5 * swing if swing > 0 else 0.35 * bend
        (forward, outward, elbow), across, sway = manner.arms[side], manner.across[side], manner.sway[side]
        hold = holding[side]
        if hold is not None:
            (forward, outward, elbow, sway), across = hold, 0.0
        angles[ARM + side] = (forward - 0.9 * sway * swing, sign * (0.04 + outward), 0.0)
        angles[FOREARM + side] = (elbow + 0.5 * sway * max(0.0, -swing), 0.0, sign * across)
    return angles


@compiled
def bone_transforms(
    angles: NDArray[np.float64], parent: NDArray[np.int32], pivot: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return `(bones, 3, 4)`: rotation and offset that take rest coordinates to posed ones, parents before children."""
    out = np.zeros((len(parent), 3, 4))
    for bone in range(len(parent)):
        cx, sx = np.cos(angles[bone, 0]), np.sin(angles[bone, 0])
        cy, sy = np.cos(-angles[bone, 1]), np.sin(-angles[bone, 1])
        cz, sz = np.cos(angles[bone, 2]), np.sin(angles[bone, 2])
        rx = np.array([[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]])
        ry = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
        rz = np.array([[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]])
        local = rz @ ry @ rx
        offset = pivot[bone] - local @ pivot[bone]
        if parent[bone] >= 0:
            above = out[parent[bone]]
            offset = np.ascontiguousarray(above[:, :3]) @ offset + above[:, 3]
            local = np.ascontiguousarray(above[:, :3]) @ local
        out[bone, :, :3] = local
        out[bone, :, 3] = offset
    return out


def pose_bones(
    manner: Manner, phase: float, holding: Holds = FREE, pivots: NDArray[np.float64] = PIVOT
) -> NDArray[np.float64]:
    """Return `(BONES, 3, 4)` transforms of a manner at gait `phase` in turns (0..1 is two steps).

    Arms in `holding` follow the item they carry; bones turn about `pivots`, `(BONES, 3)` metres.
    """
    return bone_transforms(joint_angles(manner, phase, holding), PARENT, pivots)
