"""A stand-in for the packed assets of realistic people: the other generator's body, with all parts and no files."""

from pathlib import Path

import numpy as np

from training.realistic.assets import Assets
from training.realistic.pack import target_names
from training.realistic.sources import Fit
from training.synthetic.body import sample_person
from training.synthetic.figure import build_figure
from training.synthetic.mesh import Floats
from training.synthetic.pose import BONES, FOOT, FOREARM, PIVOT

AROUND = 8  # vertices around each joint


def stand_in() -> Assets:
    """Return assets whose base mesh is a generated figure, with one pair of shoes and two panoramas."""
    figure = build_figure(sample_person(np.random.default_rng(3)))
    wrists = np.array([[0.247, 0.0, 0.87], [-0.247, 0.0, 0.87]])
    joints = np.concatenate([PIVOT, wrists]).astype(np.float32)
    n = len(figure.mesh.vertices)
    base = np.concatenate([figure.mesh.vertices, np.repeat(joints, AROUND, 0)])
    weights = np.zeros((len(base), BONES), np.float32)
    np.add.at(weights, (np.arange(n), figure.bones[:, 0]), figure.weight)
    np.add.at(weights, (np.arange(n), figure.bones[:, 1]), 1 - figure.weight)
    weights[n:, 0] = 1.0
    rows = (n + np.arange(len(joints) * AROUND, dtype=np.int32)).reshape(-1, AROUND)
    triangles = figure.mesh.triangles
    parts = dict.fromkeys(("body", "helper-tights", "helper-skirt"), triangles)
    parts |= {f"helper-{side}-eye": triangles[:4] for side in "lr"}
    shifts = np.zeros((len(target_names()), len(base), 3), np.float32)
    return Assets(base, rows, weights, shifts, parts, {"shoes01": shoe(base, weights)},
                  {name: panorama(seed) for seed, name in enumerate(("city", "hall"))})  # fmt: skip


def shoe(base: Floats, weights: Floats) -> Fit:
    """Return what covers the vertices of both feet, 1 cm in front of them."""
    rows = np.flatnonzero(weights[:, FOOT : FOOT + 2].sum(1) > 0.4).astype(np.int32)
    corners = np.repeat(rows[:, None], 3, 1)
    shares = np.tile(np.array([1, 0, 0], np.float32), (len(rows), 1))
    offsets = np.tile(np.array([0, 0.01, 0], np.float32), (len(rows), 1))
    hand = int(weights[:, FOREARM].argmax())
    ends = np.array([[hand, rows[0]]] * 3, np.int32)
    spans = np.abs(base[ends[:, 0], [0, 1, 2]] - base[ends[:, 1], [0, 1, 2]])
    fans = np.array([(k, k + 1, k + 2) for k in range(len(rows) - 2)], np.int32)
    return Fit(corners, shares, offsets, ends, np.maximum(spans, 1e-3).astype(np.float32), fans, rows)


def panorama(seed: int) -> Floats:
    """Return a small sphere with a sun, bright sky and darker ground."""
    sphere = np.full((32, 64, 3), 0.3, np.float32)
    sphere[:16] = (0.7, 0.8, 1.0)
    sphere[4:10, 8 + 20 * seed : 14 + 20 * seed] = 400.0
    return sphere


def saved(assets: Assets, path: Path) -> Path:
    """Write assets in the form that `training.realistic.pack` has, and return the path."""
    arrays = {"base": assets.base, "joints": assets.joints, "weights": assets.weights, "targets": assets.targets}
    arrays |= {f"triangles/{name}": part for name, part in assets.triangles.items()}
    arrays |= {f"panorama/{name}": pixels for name, pixels in assets.panoramas.items()}
    for name, fit in assets.worn.items():
        arrays |= {f"worn/{name}/{key}": getattr(fit, key) for key in Fit.__slots__}
    np.savez(path, allow_pickle=False, **arrays)
    return path
