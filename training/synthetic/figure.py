"""The surface of a person: skin, clothes, hair and bags as one mesh deformed by bones."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.synthetic.anatomy import SKIRT, Part
from training.synthetic.headgear import dress_head
from training.synthetic.jit import compiled
from training.synthetic.luggage import carry, holds
from training.synthetic.mesh import Floats, Ints, Mesh, join, relabelled
from training.synthetic.person import Person
from training.synthetic.pose import ARM, CHEST, FOOT, FOREARM, FREE, HEAD, PELVIS, PIVOT, SHIN, THIGH, Holds
from training.synthetic.tailor import clothe
from training.synthetic.texture import Material

AVERAGE_M, NECK_M = 1.75, 1.52


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A person's surface in the rest pose.

    Attributes:
        mesh: Vertices in metres at 1.75 m body height; `rest` keeps the coordinates for the textures.
        bones: `(n, 2)` int32, the two bones each vertex follows.
        weight: `(n,)` float32, weight of the first bone.
        materials: `(k, WIDTH)` float32 rows, one for each material the person wears.
        scale: Factor to the person's size, applied after the bones.
        holds: How the arms hold carried items.
        pivots: `(BONES, 3)` float64 metres, the points that bones turn about.
    """

    mesh: Mesh
    bones: Ints
    weight: Floats
    materials: Floats
    scale: float
    holds: Holds = FREE
    pivots: NDArray[np.float64] = field(default_factory=lambda: PIVOT)


def build_figure(person: Person) -> Figure:
    """Build the surface of a dressed person."""
    parts = [*clothe(person), *dress_head(person), *carry(person)]
    rows: dict[Material, int] = {}
    meshes = [relabelled(p.mesh, rows.setdefault(p.cloth, len(rows))) for p in parts]
    bones = [follow(p) for p in parts]
    tall = NECK_M + person.build.head * (AVERAGE_M - NECK_M)
    return Figure(join(meshes), np.concatenate([b for b, _ in bones]), np.concatenate([w for _, w in bones]),
                  np.stack([cloth.row() for cloth in rows]), person.build.height_m / tall, holds(person))  # fmt: skip


def follow(part: Part) -> tuple[Ints, Floats]:
    """Return the two bones of every vertex, `(n, 2)`, and the weight of the first, by height along the limb."""
    limb, side = part.limb, part.side
    z, x = part.mesh.rest[:, 2], part.mesh.rest[:, 0]
    n = len(z)
    if limb == THIGH:
        upper = _ramp(z, 0.43, 0.55)
        foot = z < 0.09
        first = np.where(foot, FOOT + side, np.where(upper > 0, THIGH + side, SHIN + side))
        return _pairs(first, np.full(n, SHIN + side)), np.where(foot, 0.5, np.where(upper > 0, upper, 1.0)).astype(
            np.float32
        )
    if limb == ARM:
        fore = 1 - _ramp(z, 1.08, 1.18)
        top = _ramp(z, 1.42, 1.48)
        first = np.where(fore > 0, FOREARM + side, np.where(top > 0, CHEST, ARM + side))
        weight = np.where(fore > 0, fore, np.where(top > 0, 0.7 * top, 1.0))
        return _pairs(first, np.full(n, ARM + side)), weight.astype(np.float32)
    if limb == CHEST:
        return _pairs(np.full(n, CHEST), np.full(n, PELVIS)), _ramp(z, 0.98, 1.2)
    if limb == HEAD:
        return _pairs(np.full(n, HEAD), np.full(n, CHEST)), _ramp(z, 1.47, 1.55)
    if limb == SKIRT:  # its sides follow the thighs, less so near the waist and in the middle
        share = (1 - _ramp(z, 0.72, 0.96)) * (0.35 + 0.4 * np.clip(np.abs(x) / 0.12, 0, 1))
        return _pairs(np.where(x > 0, THIGH, THIGH + 1), np.full(n, PELVIS)), share.astype(np.float32)
    return _pairs(np.full(n, limb + side), np.full(n, limb + side)), np.ones(n, np.float32)


def _pairs(first: NDArray[np.int_], second: NDArray[np.int_]) -> Ints:
    return np.stack([first, second], 1).astype(np.int32)


def _ramp(z: Floats, low: float, high: float) -> Floats:
    return np.asarray(np.clip((z - low) / (high - low), 0.0, 1.0), np.float32)


FEET = 11  # first bone of the feet


@compiled
def _bend(
    mesh: tuple[Floats, Floats], bones: Ints, weight: Floats, transforms: NDArray[np.float64], scale: float
) -> tuple[Floats, Floats]:
    """Blend the transforms of two bones for every vertex and normal; the lower foot ends at z = 0."""
    vertices, normals = mesh
    out, turned = np.empty_like(vertices), np.empty_like(normals)
    lowest = 1e9
    for i in range(len(vertices)):
        a, b = transforms[bones[i, 0]], transforms[bones[i, 1]]
        w = weight[i]
        for r in range(3):
            m0, m1, m2 = (
                w * a[r, 0] + (1 - w) * b[r, 0],
                w * a[r, 1] + (1 - w) * b[r, 1],
                w * a[r, 2] + (1 - w) * b[r, 2],
            )
            shift = w * a[r, 3] + (1 - w) * b[r, 3]
            out[i, r] = (m0 * vertices[i, 0] + m1 * vertices[i, 1] + m2 * vertices[i, 2] + shift) * scale
            turned[i, r] = m0 * normals[i, 0] + m1 * normals[i, 1] + m2 * normals[i, 2]
        if bones[i, 0] >= FEET:
            lowest = min(lowest, out[i, 2])
    for i in range(len(vertices)):
        out[i, 2] = max(0.0, out[i, 2] - lowest)  # anything that hangs below the feet lies on the floor
    return out, turned


def posed(figure: Figure, transforms: NDArray[np.float64]) -> Mesh:
    """Pose a figure by `(BONES, 3, 4)` transforms; it stands on z = 0, centred on x = y = 0, facing +y."""
    mesh = figure.mesh
    vertices, normals = _bend((mesh.vertices, mesh.normals), figure.bones, figure.weight, transforms, figure.scale)
    return Mesh(vertices, normals, mesh.rest, mesh.material, mesh.triangles)
