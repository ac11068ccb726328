"""Head, hair and headwear."""

import numpy as np

from training.synthetic.anatomy import Part, grown
from training.synthetic.mesh import Mesh, Ring, loft, sheet
from training.synthetic.person import Hair, Headwear, Person
from training.synthetic.pose import HEAD
from training.synthetic.texture import Material

HEAD_RINGS = [
    Ring(1.44, 0.062, 0.060, 0, -0.012), Ring(1.50, 0.052, 0.055, 0, -0.006), Ring(1.535, 0.050, 0.062, 0, 0.008),
    Ring(1.548, 0.050, 0.072, 0, 0.018), Ring(1.575, 0.061, 0.086, 0, 0.014), Ring(1.62, 0.070, 0.094, 0, 0.010),
    Ring(1.67, 0.075, 0.098, 0, 0.004), Ring(1.71, 0.069, 0.090, 0, 0.0), Ring(1.737, 0.049, 0.064),
    Ring(1.75, 0.012, 0.015),
]  # fmt: skip
NOSE = [Ring(1.60, 0.016, 0.012, 0, 0.106), Ring(1.612, 0.015, 0.018, 0, 0.107), Ring(1.645, 0.008, 0.010, 0, 0.1)]
EAR = [
    Ring(1.605, 0.006, 0.010, 0.071, 0.0),
    Ring(1.635, 0.012, 0.020, 0.075, 0.0),
    Ring(1.66, 0.006, 0.012, 0.074, 0.0),
]
CAP = [
    Ring(1.595, 0.066, 0.040, 0, -0.052), Ring(1.63, 0.077, 0.060, 0, -0.044), Ring(1.665, 0.081, 0.082, 0, -0.028),
    Ring(1.70, 0.079, 0.100, 0, -0.006), Ring(1.735, 0.064, 0.082, 0, -0.002), Ring(1.758, 0.038, 0.048, 0, -0.004),
    Ring(1.768, 0.010, 0.012),
]  # fmt: skip
TOP = Ring(1.772, 0.001, 0.001, 0, -0.004)  # closes anything that covers the head
THICKNESS = {Hair.CURLY: 0.024, Hair.MEDIUM: 0.010, Hair.LONG: 0.006, Hair.BOB: 0.012, Hair.CROPPED: -0.005}
NECK_Z = 1.52


def dress_head(person: Person) -> list[Part]:
    """Return head, ears, nose, hair and headwear, scaled by the build."""
    ear = [r._replace(x=-r.x) for r in EAR]
    skin = [loft(HEAD_RINGS, 0, 14), loft(NOSE, 0, 6), loft(EAR, 0, 6), loft(ear, 0, 6)]
    parts = [(mesh, person.skin) for mesh in skin]
    if person.headwear not in {Headwear.HOOD, Headwear.HEADSCARF}:
        parts += [(mesh, person.hair) for mesh in _hair(person.hair_style, under=person.headwear is not None)]
    return [*(Part(_scaled(mesh, person.build.head), cloth, HEAD) for mesh, cloth in parts), *headwear(person)]


def headwear(person: Person) -> list[Part]:
    """Return what is worn on the head, scaled by the build."""
    if person.headwear is None:
        return []
    worn = _worn(person.headwear, person.hat)
    return [Part(_scaled(mesh, person.build.head), cloth, HEAD) for mesh, cloth in worn]


def _scaled(mesh: Mesh, by: float) -> Mesh:
    """Scale everything above the neck; texture coordinates stay the same."""
    vertices = mesh.vertices.copy()
    above = vertices[:, 2] > NECK_Z
    vertices[:, :2] *= np.where(above, by, 1.0)[:, None]
    vertices[above, 2] = NECK_Z + by * (vertices[above, 2] - NECK_Z)
    return Mesh(vertices.astype(np.float32), mesh.normals, mesh.rest, mesh.material, mesh.triangles)


def _hair(style: Hair, *, under: bool) -> list[Mesh]:
    """Return the hair; `under` a hat it lies flat on top."""
    if style is Hair.BALD:
        return []
    thick = THICKNESS.get(style, 0.0)
    meshes = [loft([*grown(CAP, min(0.0, thick) if under else thick), TOP], 0, 14)]
    if style in {Hair.LONG, Hair.MEDIUM, Hair.BOB}:
        low = {Hair.LONG: 1.34, Hair.MEDIUM: 1.5, Hair.BOB: 1.53}[style]
        wide = 0.012 if style is Hair.BOB else 0.0
        back = -0.1 if low < 1.4 else -0.07
        fall = [Ring(low, 0.075 + wide, 0.026, 0, back), Ring(1.55, 0.086 + wide, 0.046, 0, -0.062),
                Ring(1.6, 0.086 + wide, 0.058, 0, -0.045), Ring(1.69, 0.082, 0.074, 0, -0.03)]  # fmt: skip
        meshes.append(loft(fall, 0, 12))
    if style is Hair.BUN:
        bun = [Ring(1.68 + 0.045 * h, r, r, 0, -0.108) for h, r in ((-1, 0.012), (0, 0.04), (1, 0.012))]
        meshes.append(loft(bun, 0, 8))
    if style is Hair.PONYTAIL:
        tail = [Ring(1.40, 0.012, 0.012, 0, -0.13), Ring(1.5, 0.028, 0.024, 0, -0.135),
                Ring(1.67, 0.022, 0.026, 0, -0.112)]  # fmt: skip
        meshes.append(loft(tail, 0, 8))
    return meshes


def _worn(kind: Headwear, cloth: Material) -> list[tuple[Mesh, Material]]:
    """Return the surfaces of a hat, hood or scarf."""
    if kind is Headwear.BEANIE:
        return [(loft([*grown([Ring(1.655, 0.084, 0.104, 0, -0.004), *CAP[3:]], 0.008), TOP], 0, 14), cloth)]
    if kind in {Headwear.HOOD, Headwear.HEADSCARF}:
        ease = 0.014 if kind is Headwear.HOOD else 0.004
        rings = [Ring(1.43, 0.105, 0.09, 0, -0.02), Ring(1.5, 0.078 + ease, 0.082 + ease, 0, -0.016),
                 Ring(1.56, 0.08 + ease, 0.092 + ease, 0, -0.012), Ring(1.63, 0.084 + ease, 0.1 + ease, 0, -0.01),
                 Ring(1.7, 0.08 + ease, 0.1 + ease, 0, -0.004), Ring(1.742, 0.062 + ease, 0.08 + ease, 0, -0.004),
                 Ring(1.768, 0.03, 0.04, 0, -0.004), Ring(1.776, 0.001, 0.001, 0, -0.004)]  # fmt: skip
        gaps = [0.05, 0.25, 0.62, 0.78, 0.66, 0.3, 0.05, 0.05]
        return [(sheet(rings, gaps, 14), cloth)]
    crown = loft([Ring(1.685, 0.086, 0.108, 0, -0.002), *grown(CAP, 0.012, low=1.70), TOP], 0, 14)
    if kind is Headwear.BRIM:
        return [(crown, cloth), (loft([Ring(1.678, 0.15, 0.17), Ring(1.69, 0.086, 0.108)], 0, 14), cloth)]
    visor = loft([Ring(1.68, 0.070, 0.065, 0, 0.105), Ring(1.695, 0.066, 0.06, 0, 0.10)], 0, 10)
    return [(crown, cloth), (visor, cloth)]
