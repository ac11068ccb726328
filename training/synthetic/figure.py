"""The surface of a person: skin, clothes, hair and bags as one mesh that bones can bend."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synthetic.body import Hair, Lower, Person, Upper
from training.synthetic.jit import compiled
from training.synthetic.mesh import Floats, Ints, Mesh, Ring, box, join, loft
from training.synthetic.pose import ARM, CHEST, FOOT, FOREARM, HEAD, PELVIS, SHIN, THIGH

SKIN, HAIR, UPPER, LOWER, SHOES, SOLE, PACK, BAG, HAT = range(9)

TORSO = [
    Ring(0.83, 0.10, 0.085), Ring(0.88, 0.160, 0.112), Ring(0.95, 0.172, 0.120, 0, -0.008), Ring(1.02, 0.158, 0.108),
    Ring(1.09, 0.148, 0.100), Ring(1.18, 0.155, 0.108), Ring(1.28, 0.168, 0.116), Ring(1.36, 0.176, 0.110, 0, -0.005),
    Ring(1.42, 0.165, 0.092, 0, -0.012), Ring(1.46, 0.120, 0.072, 0, -0.016), Ring(1.495, 0.068, 0.058, 0, -0.012),
]  # fmt: skip
LEG = [
    Ring(0.93, 0.085, 0.100), Ring(0.82, 0.086, 0.092, 0, 0.004), Ring(0.70, 0.074, 0.080, 0, 0.006),
    Ring(0.58, 0.060, 0.066), Ring(0.49, 0.055, 0.060), Ring(0.43, 0.052, 0.056, 0, -0.006),
    Ring(0.34, 0.052, 0.058, 0, -0.012), Ring(0.22, 0.041, 0.045), Ring(0.12, 0.034, 0.038), Ring(0.06, 0.034, 0.04),
]  # fmt: skip
ARM_RINGS = [
    Ring(1.475, 0.030, 0.040, 0.155, -0.008), Ring(1.44, 0.052, 0.056, 0.176, -0.008), Ring(1.37, 0.053, 0.057, 0.195),
    Ring(1.26, 0.047, 0.050, 0.212), Ring(1.17, 0.041, 0.043, 0.222), Ring(1.11, 0.038, 0.041, 0.228),
    Ring(1.02, 0.038, 0.040, 0.236, 0.006), Ring(0.93, 0.030, 0.032, 0.243, 0.01),
    Ring(0.865, 0.025, 0.028, 0.247, 0.012),
]  # fmt: skip
HAND = [
    Ring(0.875, 0.022, 0.026, 0.247, 0.012), Ring(0.82, 0.020, 0.040, 0.248, 0.016),
    Ring(0.76, 0.021, 0.042, 0.246, 0.02),
    Ring(0.71, 0.018, 0.030, 0.243, 0.024), Ring(0.69, 0.008, 0.012, 0.242, 0.026),
]  # fmt: skip
HEAD_RINGS = [
    Ring(1.44, 0.062, 0.060, 0, -0.012), Ring(1.50, 0.054, 0.056, 0, -0.004), Ring(1.535, 0.053, 0.066, 0, 0.010),
    Ring(1.545, 0.054, 0.078, 0, 0.020), Ring(1.575, 0.064, 0.090, 0, 0.014), Ring(1.62, 0.072, 0.096, 0, 0.010),
    Ring(1.67, 0.076, 0.099, 0, 0.006), Ring(1.71, 0.070, 0.090, 0, 0.002), Ring(1.737, 0.050, 0.064),
    Ring(1.75, 0.012, 0.015),
]  # fmt: skip
NOSE = [Ring(1.60, 0.016, 0.012, 0, 0.110), Ring(1.612, 0.015, 0.018, 0, 0.112), Ring(1.645, 0.008, 0.010, 0, 0.104)]
EAR = [
    Ring(1.605, 0.006, 0.010, 0.073, 0.0),
    Ring(1.635, 0.012, 0.020, 0.077, 0.0),
    Ring(1.66, 0.006, 0.012, 0.076, 0.0),
]
SHOE = [
    Ring(0.0, 0.043, 0.125, 0, 0.055), Ring(0.024, 0.046, 0.132, 0, 0.055), Ring(0.05, 0.044, 0.120, 0, 0.048),
    Ring(0.075, 0.040, 0.080, 0, 0.018), Ring(0.11, 0.038, 0.050, 0, -0.002),
]  # fmt: skip
CAP = [
    Ring(1.595, 0.066, 0.040, 0, -0.052), Ring(1.63, 0.079, 0.062, 0, -0.044), Ring(1.665, 0.084, 0.085, 0, -0.026),
    Ring(1.70, 0.081, 0.104, 0, -0.002), Ring(1.735, 0.066, 0.084, 0, 0.0), Ring(1.758, 0.040, 0.050, 0, -0.002),
    Ring(1.768, 0.010, 0.012),
]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A person's surface in the rest pose.

    Attributes:
        mesh: Vertices scaled to the person's size; `rest` keeps the unscaled coordinates for the textures.
        bones: `(n, 2)` int32, the two bones each vertex follows.
        weight: `(n,)` float32, share of the first bone.
        materials: `(9, 24)` float32 rows.
        scale: Body height over 1.75 m, to be applied after the bones.
    """

    mesh: Mesh
    bones: Ints
    weight: Floats
    materials: Floats
    scale: float


def build_figure(person: Person) -> Figure:
    """Dress a person."""
    parts: list[Mesh] = []
    bones: list[tuple[Ints, Floats]] = []
    for mesh, limb, side in [*_trunk(person), *_head(person), *_carried(person), *_limbs(person)]:
        parts.append(mesh)
        bones.append(_follow(mesh, limb, side))
    blank = np.zeros(24, np.float32)
    worn = [person.skin, person.hair, person.upper, person.lower, person.shoes, person.sole]
    rows = [m.row() for m in worn] + [
        blank if m is None else m.row() for m in (person.backpack, person.bag, person.hat)
    ]
    return Figure(join(parts), np.concatenate([b for b, _ in bones]), np.concatenate([w for _, w in bones]),
                  np.stack(rows), person.height_m / 1.75)  # fmt: skip


Part = tuple[Mesh, int, int]  # surface, the bone chain it follows, and its side


def _grown(rings: list[Ring], by: float, wide: float = 1.0, low: float = 0.0, high: float = 9.0) -> list[Ring]:
    """Return the rings between two heights, `by` metres larger all round, `wide` times as broad, cut at the ends."""
    table = np.array(sorted(rings), np.float64)
    low, high = max(low, table[0, 0]), min(high, table[-1, 0])
    heights = [low, *(z for z in table[:, 0] if low + 0.01 < z < high - 0.01), high]
    columns = [np.interp(heights, table[:, 0], table[:, k]) for k in range(1, 5)]
    return [Ring(z, rx * wide + by, ry * wide + by, x, y) for z, rx, ry, x, y in zip(heights, *columns, strict=True)]


def _broad(person: Person, by: float, low: float, high: float) -> list[Ring]:
    """Return the torso between two heights in this person's proportions."""

    def width(z: float) -> float:
        return person.girth * float(
            np.interp(z, [0.95, 1.1, 1.36], [person.hips, 0.5 + 0.5 * person.shoulders, person.shoulders])
        )

    belly = max(0.0, person.girth - 1.0) * 0.12
    return [
        Ring(
            r.z,
            r.rx * width(r.z) + by,
            r.ry * person.girth + by,
            r.x,
            r.y + belly * float(np.exp(-(((r.z - 1.1) / 0.12) ** 2))),
        )
        for r in _grown(TORSO, 0.0, 1.0, low, high)
    ]


def _trunk(person: Person) -> list[Part]:
    """Return pelvis, torso and whatever hangs from the waist."""
    loose = person.looseness
    parts: list[Part] = [(loft(_broad(person, 0.008, 0.83, 1.12), LOWER, 16, 2.4), CHEST, 0)]
    torso = _broad(person, loose, max(0.84, person.hem_z), 1.495)
    parts.append((loft([*torso[:-1], Ring(1.505, 0.058, 0.056, 0, -0.01)], UPPER, 16, 2.4), CHEST, 0))
    if person.upper_kind in {Upper.COAT, Upper.JACKET}:
        collar = [Ring(1.47, 0.085, 0.07, 0, -0.015), Ring(1.53, 0.068, 0.066, 0, -0.014)]
        parts.append((loft(collar, UPPER, 10), CHEST, 0))
    if person.hem_z < 0.84:
        parts.append((loft(_flared(person, person.hem_z, 0.05 + loose), UPPER, 16, 2.3), PELVIS, 0))
    if person.lower_kind is Lower.SKIRT:
        flare = 0.03 + 0.08 * person.leg_width
        parts.append((loft(_flared(person, person.leg_z, flare), LOWER, 16, 2.2), PELVIS, 0))
    return parts


def _flared(person: Person, low: float, flare: float) -> list[Ring]:
    """Return a skirt or the tail of a coat: from the hips to `low`, widening by `flare` metres."""
    wide = 0.172 * person.girth * person.hips + person.looseness
    deep = 0.12 * person.girth + person.looseness
    return [Ring(z, wide + flare * t, deep + flare * t) for z, t in
            ((low + (0.98 - low) * (1 - t), t) for t in (1.0, 0.75, 0.5, 0.25, 0.0))]  # fmt: skip


def _head(person: Person) -> list[Part]:
    """Return head, ears, nose, hair and hat."""
    ear = [r._replace(x=-r.x) for r in EAR]
    parts = [loft(HEAD_RINGS, SKIN, 14), loft(NOSE, SKIN, 6), loft(EAR, SKIN, 6), loft(ear, SKIN, 6)]
    style = person.hair_style
    if style is not Hair.BALD:
        thick = {Hair.CURLY: 0.022, Hair.MEDIUM: 0.010, Hair.LONG: 0.008}.get(style, 0.0)
        parts.append(loft(_grown(CAP, thick), HAIR, 14))
    if style in {Hair.LONG, Hair.MEDIUM}:
        low = 1.36 if style is Hair.LONG else 1.50
        fall = [Ring(low, 0.07, 0.025, 0, -0.105), Ring(1.5, 0.086, 0.04, 0, -0.075), Ring(1.6, 0.088, 0.056, 0, -0.05)]
        parts.append(loft([*fall, Ring(1.69, 0.086, 0.074, 0, -0.03)], HAIR, 12))
    if style is Hair.BUN:
        parts.append(
            loft([Ring(1.69 + 0.045 * h, r, r, 0, -0.105) for h, r in ((-1, 0.012), (0, 0.042), (1, 0.012))], HAIR, 8)
        )
    if style is Hair.PONYTAIL:
        parts.append(loft([Ring(1.40, 0.012, 0.012, 0, -0.13), Ring(1.5, 0.026, 0.024, 0, -0.135),
                           Ring(1.67, 0.020, 0.026, 0, -0.115)], HAIR, 8))  # fmt: skip
    if person.hat is not None:
        parts.append(loft([Ring(1.685, 0.088, 0.110), *_grown(CAP, 0.014, low=1.70)], HAT, 14))
        parts.append(loft([Ring(1.685, 0.070, 0.065, 0, 0.105), Ring(1.695, 0.066, 0.06, 0, 0.10)], HAT, 10))
    return [(mesh, HEAD, 0) for mesh in parts]


def _carried(person: Person) -> list[Part]:
    """Return backpack with straps, and a shoulder bag."""
    parts: list[Part] = []
    if person.backpack is not None:
        rings = [Ring(1.0, 0.12, 0.06, 0, -0.185), Ring(1.04, 0.15, 0.08, 0, -0.195), Ring(1.2, 0.155, 0.09, 0, -0.2),
                 Ring(1.36, 0.14, 0.07, 0, -0.18), Ring(1.44, 0.09, 0.04, 0, -0.155)]  # fmt: skip
        parts.append((loft(rings, PACK, 14, 3.5), CHEST, 0))
        deep = 0.118 * person.girth + person.looseness
        parts += [(box((x, 0.02, 1.16), (x + 0.035, deep + 0.012, 1.44), PACK), CHEST, 0) for x in (-0.11, 0.08)]
    if person.bag is not None:
        x = 0.2 * person.girth * person.hips
        parts.append(
            (
                loft([Ring(0.80, 0.045, 0.15, x), Ring(0.84, 0.05, 0.16, x), Ring(1.04, 0.035, 0.14, x)], BAG, 10, 4.0),
                CHEST,
                0,
            )
        )
    return parts


def _limbs(person: Person) -> list[Part]:
    """Return arms, hands, legs and shoes of both sides."""
    parts: list[Part] = []
    limb = 0.5 + 0.5 * person.girth
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        out = 0.175 * (person.shoulders * person.girth**0.7 - 1.0)
        arm = [r._replace(x=sign * (r.x + out)) for r in ARM_RINGS]
        parts.append((loft(_grown(arm, 0.0, limb, 0.86, min(1.44, person.sleeve_z + 0.03)), SKIN, 10), ARM, side))
        if person.sleeve_z < 1.45:
            parts.append(
                (loft(_grown(arm, person.looseness * 0.8 + 0.003, limb, person.sleeve_z), UPPER, 10), ARM, side)
            )
        parts.append((loft([r._replace(x=sign * (r.x + out)) for r in HAND], SKIN, 8), ARM, side))
        leg = [r._replace(x=sign * 0.09) for r in LEG]
        if person.leg_z > 0.2:
            parts.append((loft(_grown(leg, 0.0, limb, 0.06, min(0.93, person.leg_z + 0.06)), SKIN, 10), THIGH, side))
        if person.lower_kind is not Lower.SKIRT:
            trouser = _trouser(leg, person, limb)
            parts.append((loft(trouser, LOWER, 12), THIGH, side))
        parts.append((loft([r._replace(x=sign * 0.09) for r in SHOE[1:]], SHOES, 12, 2.4), FOOT, side))
        parts.append((loft([r._replace(x=sign * 0.09, rx=r.rx + 0.002) for r in SHOE[:2]], SOLE, 12, 2.4), FOOT, side))
    return parts


def _trouser(leg: list[Ring], person: Person, limb: float) -> list[Ring]:
    """Return a trouser leg: close at the hip, from narrow to wide below the knee."""
    cut = 0.006 + 0.02 * person.leg_width
    rings = []
    for r in _grown(leg, 0.0, 1.0, person.leg_z):
        ease = 0.004 + cut * (1.0 if r.z < 0.7 else 0.35)
        rx = max(r.rx * limb, 0.05 * person.leg_width + 0.012) + ease
        rings.append(r._replace(rx=rx, ry=max(r.ry * limb, 0.06 * person.leg_width + 0.012) + ease))
    return rings


def _follow(mesh: Mesh, limb: int, side: int) -> tuple[Ints, Floats]:
    """Return the two bones of every vertex, `(n, 2)`, and the share of the first, by height along the limb."""
    z, x = mesh.rest[:, 2], mesh.rest[:, 0]
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
    if limb == PELVIS:  # a skirt: its sides follow the thighs, less so near the waist and in the middle
        share = (1 - _ramp(z, 0.72, 0.96)) * (0.35 + 0.4 * np.clip(np.abs(x) / 0.12, 0, 1))
        return _pairs(np.where(x > 0, THIGH, THIGH + 1), np.full(n, PELVIS)), share.astype(np.float32)
    return _pairs(np.full(n, limb + side), np.full(n, limb + side)), np.ones(n, np.float32)


def _pairs(first: NDArray[np.int_], second: NDArray[np.int_]) -> Ints:
    return np.stack([first, second], 1).astype(np.int32)


def _ramp(z: Floats, low: float, high: float) -> Floats:
    return np.asarray(np.clip((z - low) / (high - low), 0.0, 1.0), np.float32)


@compiled
def _bend(
    mesh: tuple[Floats, Floats], bones: Ints, weight: Floats, transforms: NDArray[np.float64], scale: float
) -> tuple[Floats, Floats]:
    """Blend the transforms of two bones for every vertex and normal; the lowest vertex ends at z = 0."""
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
        lowest = min(lowest, out[i, 2])
    out[:, 2] -= lowest
    return out, turned


def posed(figure: Figure, transforms: NDArray[np.float64]) -> Mesh:
    """Bend a figure by `(BONES, 3, 4)` transforms; its feet stand on z = 0, its middle on x = y = 0, facing +y."""
    mesh = figure.mesh
    vertices, normals = _bend((mesh.vertices, mesh.normals), figure.bones, figure.weight, transforms, figure.scale)
    return Mesh(vertices, normals, mesh.rest, mesh.material, mesh.triangles)
