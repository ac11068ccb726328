"""The packed assets: base mesh, shape targets, skinning weights, garments, hair and panoramas."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from training.data.dataset import DataSetError
from training.realistic.sources import Fit
from training.synthetic.mesh import Floats, Ints


class AssetsMissingError(DataSetError):
    """Raised when the packed assets are absent or incomplete."""


@dataclass(frozen=True, eq=False)
class Assets:
    """Everything that realistic people are made of.

    Attributes:
        base: `(v, 3)` float32 metres, the base mesh with its helpers.
        joints: `(15, 8)` int32 vertices around our pivots and both wrists.
        weights: `(v, BONES)` float32.
        targets: `(k, v, 3)` float32 metres, in the order of `target_names`.
        triangles: `(m, 3)` int32 of each part of the base mesh.
        worn: How each garment and each hair follows the base mesh.
        panoramas: `(h, w, 3)` float16 linear light, the whole sphere.
    """

    base: Floats
    joints: Ints
    weights: Floats
    targets: Floats
    triangles: dict[str, Ints]
    worn: dict[str, Fit]
    panoramas: dict[str, Floats]

    @cached_property
    def bones(self) -> tuple[Ints, Floats]:
        """The two bones that each vertex follows most, `(v, 2)`, and the share of the first, `(v,)`."""
        return two_bones(self.weights)


def two_bones(weights: Floats) -> tuple[Ints, Floats]:
    """Return the two bones with most weight, `(n, 2)`, and the share of the first, `(n,)`."""
    order = np.argsort(-weights, 1)[:, :2].astype(np.int32)
    best = np.take_along_axis(weights, order, 1)
    return order, np.asarray(best[:, 0] / np.maximum(best.sum(1), 1e-6), np.float32)


def load_assets(path: Path) -> Assets:
    """Read the file that `training.realistic.pack` wrote.

    Raises:
        AssetsMissingError: It is absent or incomplete.
    """
    if not path.is_file():
        raise AssetsMissingError(f"{path} does not exist: make it with python -m training.realistic.pack")
    with np.load(path) as file:
        groups: dict[str, dict[str, np.ndarray]] = {"triangles": {}, "panorama": {}}
        worn: dict[str, dict[str, np.ndarray]] = {}
        for name in file.files:
            head, _, rest = name.partition("/")
            if head in groups:
                groups[head][rest] = file[name]
            elif head == "worn":
                garment, _, key = rest.partition("/")
                worn.setdefault(garment, {})[key] = file[name]
        try:
            fits = {name: Fit(**arrays) for name, arrays in worn.items()}
            base, joints, weights, targets = (file[name] for name in ("base", "joints", "weights", "targets"))
            shifts = targets.astype(np.float32)
            return Assets(base, joints, weights, shifts, groups["triangles"], fits, groups["panorama"])
        except (KeyError, TypeError) as error:
            raise AssetsMissingError(f"{path} is incomplete ({error}): make it again") from error
