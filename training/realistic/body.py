"""Bodies: a shape of MakeHuman, standing upright with arms and legs straight down, as tall as our rest pose."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.realistic.assets import Assets
from training.realistic.sources import Fit
from training.synthetic.jit import compiled
from training.synthetic.mesh import Floats
from training.synthetic.person import Build
from training.synthetic.pose import ARM, BONES, CHEST, FOOT, FOREARM, HEAD, PARENT, SHIN, THIGH

TALL_M = 1.75
LEAST_SHARE = 0.01  # targets with less are not seen
WRIST = BONES  # rows of the wrists among the joints
Points = NDArray[np.float64]
# Where our textures expect what: heights of ankle, knee, hip and so on in the rest pose of the other generator.
TRUNK_Z = (0.08, 0.49, 0.92, 1.07, 1.43, 1.52, 1.75)
ARM_Z = (0.69, 0.88, 1.13, 1.43, 1.5)


@dataclass(frozen=True, slots=True)
class Shape:
    """Weights of the shape targets; all 0..1 but `origin`, which sums to 1.

    Attributes:
        origin: Shares of the targets of three origins.
        male: 0 is female.
        old: 0 is young.
        muscle, weight: 0.5 is average.
    """

    origin: tuple[float, float, float]
    male: float
    old: float
    muscle: float
    weight: float

    def weights(self) -> Floats:
        """Return the weight of each target, in the order of `target_names`."""
        sexes, ages = np.array([1 - self.male, self.male]), np.array([1 - self.old, self.old])
        people = np.einsum("r,s,a->rsa", self.origin, sexes, ages).ravel()
        builds = np.einsum("s,a,m,w->samw", sexes, ages, _level(self.muscle), _level(self.weight)).ravel()
        return np.concatenate([people, builds]).astype(np.float32)


AVERAGE = Shape((0.34, 0.33, 0.33), 0.5, 0.0, 0.5, 0.5)


def _level(value: float) -> Points:
    """Return the weights of least, average and most."""
    return np.array([max(0.0, 1 - 2 * value), 1 - abs(2 * value - 1), max(0.0, 2 * value - 1)])


def draw_shape(rng: Generator, build: Build) -> Shape:
    """Draw a shape that suits a build: who is broader is heavier; `bust` says who is a woman."""
    origin = rng.dirichlet((0.4, 0.4, 0.4))
    male = float(np.clip(rng.normal(0.12 if build.bust > 0 else 0.9, 0.08), 0.0, 1.0))
    old = float(rng.beta(0.9, 2.2))
    weight = float(np.clip(0.6 + (build.girth - 0.98) * 1.6 + rng.normal(0, 0.05), 0.1, 1.0))
    muscle = float(np.clip(rng.normal(0.5, 0.16), 0.05, 1.0))
    return Shape((float(origin[0]), float(origin[1]), float(origin[2])), male, old, muscle, weight)


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """The base mesh of one person.

    Attributes:
        shaped: `(v, 3)` float32 metres, as MakeHuman stands; what clothes are fitted to.
        turns: `(BONES, 3, 4)` float64, from there to our rest pose, 1.75 m tall.
        pivots: `(BONES, 3)` float64 metres in the rest pose.
        wrist_z: Height of the wrists in the rest pose.
    """

    shaped: Floats
    turns: Points
    pivots: Points
    wrist_z: float


def build_body(assets: Assets, shape: Shape) -> Body:
    """Build a body, without clothes."""
    shaped = assets.base.copy()
    for share, target in zip(shape.weights(), assets.targets, strict=True):
        if share > LEAST_SHARE:
            shaped += share * target
    joints = shaped[assets.joints].mean(1).astype(np.float64)
    turns, pivots = _straightened(joints)
    wrist = turns[FOREARM] @ np.append(joints[WRIST], 1.0)
    skin = shaped[np.unique(assets.triangles["body"])]
    head = (turns[HEAD] @ np.append(skin.max(0), 1.0))[2]
    feet = (turns[FOOT] @ np.append(skin.min(0), 1.0))[2]
    centre = np.array([0.0, pivots[THIGH][1], feet])
    size = TALL_M / (head - feet)
    turns[:, :, 3] -= centre
    return Body(shaped, turns * size, (pivots - centre) * size, float((wrist[2] - feet) * size))


def _straightened(joints: Points) -> tuple[Points, Points]:
    """Return `(BONES, 3, 4)` transforms that let arms and legs hang straight down, and the pivots they lead to."""
    children = {ARM: FOREARM, FOREARM: WRIST, THIGH: SHIN, SHIN: FOOT}
    turns, pivots = np.zeros((BONES, 3, 4)), np.zeros((BONES, 3))
    for bone in range(BONES):
        kind = bone if bone < ARM else bone - (bone - ARM) % 2
        side, rotation = bone - kind, np.eye(3)
        if kind in children:
            out = (-1.0 if joints[bone, 0] < 0 else 1.0) * (0.1 if kind == ARM else 0.04 if kind == FOREARM else 0.02)
            rotation = _turn(joints[children[kind] + side] - joints[bone], np.array([out, 0.02, -1.0]))
        above = PARENT[bone]
        pivots[bone] = joints[bone] if above < 0 else turns[above] @ np.append(joints[bone], 1.0)
        turns[bone] = np.column_stack([rotation, pivots[bone] - rotation @ joints[bone]])
    return turns, pivots


def _turn(along: Points, wanted: Points) -> Points:
    """Return the shortest rotation from one direction to another (Rodrigues)."""
    a, b = along / np.linalg.norm(along), wanted / np.linalg.norm(wanted)
    v, c = np.cross(a, b), float(a @ b)
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + c))


def standing(body: Body, points: Floats, weights: Floats) -> Floats:
    """Return `(n, 3)` points of MakeHuman's stance in our rest pose, by the `(n, BONES)` bones they follow."""
    return _blended(body.turns, points, weights)


@compiled
def _blended(turns: Points, points: Floats, weights: Floats) -> Floats:
    """Return `(n, 3)` points moved by the weighted transforms of the bones."""
    out = np.zeros_like(points)
    for n in range(len(points)):
        for b in range(len(turns)):
            share = weights[n, b]
            if share > 0:
                for i in range(3):
                    at = turns[b, i, 3]
                    for j in range(3):
                        at += turns[b, i, j] * points[n, j]
                    out[n, i] += share * at
    return out


def fitted(assets: Assets, body: Body, fit: Fit) -> tuple[Floats, Floats]:
    """Return a garment on a body, `(n, 3)` in the rest pose, and the `(n, BONES)` weights of its vertices."""
    corners = body.shaped[fit.corners]
    axes = np.arange(3)
    spans = np.abs(body.shaped[fit.ends[:, 0], axes] - body.shaped[fit.ends[:, 1], axes])
    points = np.einsum("nc,nci->ni", fit.shares, corners) + fit.offsets * (spans / fit.spans)
    weights = np.maximum(np.einsum("nc,ncb->nb", fit.shares, assets.weights[fit.corners]), 0.0)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-6)
    return standing(body, np.asarray(points, np.float32), np.asarray(weights, np.float32)), weights


def texture_points(body: Body, points: Floats, weights: Floats) -> Floats:
    """Return where textures see the points: joints at the heights and arms at the distance they expect, `(n, 3)`."""
    p = body.pivots
    heights = [*(p[bone][2] for bone in (FOOT, SHIN, THIGH, CHEST, ARM, HEAD)), TALL_M]
    trunk = np.interp(points[:, 2], heights, TRUNK_Z)
    low = body.wrist_z - 0.19
    arm = np.interp(points[:, 2], [low, body.wrist_z, p[FOREARM][2], p[ARM][2], p[ARM][2] + 0.07], ARM_Z)
    share = np.clip(weights[:, ARM : FOREARM + 2].sum(1), 0, 1)
    out = points.copy()
    out[:, 2] = trunk + (arm - trunk) * share
    own = p[ARM][0] + (p[ARM][2] - points[:, 2]) * 0.08  # the middle line of the hanging arm
    wanted = 0.185 + 0.12 * (1.44 - arm)
    out[:, 0] += np.sign(points[:, 0]) * share * (wanted - own)
    return out
