"""MakeHuman's clothes, taken apart: pieces above and below the waist, shoes and hair, and how long they are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.realistic.assets import Assets
from training.realistic.body import Body, fitted, texture_points
from training.realistic.surface import Surface, part_of
from training.synthetic.mesh import Ints
from training.synthetic.person import Hair
from training.synthetic.pose import ARM, FOOT, FOREARM, SHIN

LEAST_POINTS = 60  # smaller pieces are buttons and the like
HAIRS: dict[Hair, tuple[str, ...]] = {
    Hair.SHORT: ("short01", "short02", "short03", "short04"), Hair.MEDIUM: ("bob02", "short01", "short02"),
    Hair.BOB: ("bob01", "bob02"), Hair.LONG: ("long01",), Hair.BUN: ("ponytail01",),
    Hair.PONYTAIL: ("ponytail01", "braid01"), Hair.CURLY: ("afro01",), Hair.CROPPED: (), Hair.BALD: (),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A part of a suit that is worn by itself.

    Attributes:
        suit: The asset that it is a part of.
        triangles: `(m, 3)` int32 of that asset.
        upper: Whether it is worn above the waist.
        sleeve_z, hem_z, leg_z: Where sleeves, trunk and legs end, in texture coordinates; 9 where there are none.
        male: Whether it is cut for men.
    """

    suit: str
    triangles: Ints
    upper: bool
    sleeve_z: float
    hem_z: float
    leg_z: float
    male: bool


def fitted_surface(assets: Assets, body: Body, name: str) -> Surface:
    """Return a garment as a body wears it."""
    fit = assets.worn[name]
    points, weights = fitted(assets, body, fit)
    return Surface(points, texture_points(body, points, weights), weights, fit.triangles)


def pieces_of(assets: Assets, body: Body) -> tuple[Piece, ...]:
    """Return the pieces of all suits, measured on a body."""
    found = []
    for name in sorted(n for n in assets.worn if "suit" in n):
        whole = fitted_surface(assets, body, name)
        label = _connected(whole.triangles, len(whole.points))
        groups: dict[bool, list[int]] = {True: [], False: []}
        for one in np.unique(label[whole.triangles]):
            z = whole.rest[label == one, 2]
            if len(z) >= LEAST_POINTS:
                groups[bool(z.max() > 1.3)].append(int(one))
        for upper, labels in groups.items():
            if labels:
                triangles = whole.triangles[np.isin(label[whole.triangles[:, 0]], labels)]
                found.append(_measured(part_of(whole, triangles), name, triangles, upper=upper))
    return tuple(found)


def _measured(part: Surface, suit: str, triangles: Ints, *, upper: bool) -> Piece:
    arms = part.weights[:, ARM : FOREARM + 2].sum(1)
    legs = part.weights[:, SHIN : FOOT + 2].sum(1)
    z = part.rest[:, 2]

    def lowest(which: NDArray[np.bool_]) -> float:
        return float(z[which].min()) if which.any() else 9.0

    return Piece(suit, triangles, upper, lowest(arms > 0.6), lowest(arms < 0.2),
                 lowest(z < 0.86) if not upper or legs.max() > 0.5 else 9.0, not suit.startswith("female"))  # fmt: skip


def _connected(triangles: Ints, count: int) -> Ints:
    """Return the lowest vertex number of the connected part that each vertex belongs to."""
    label = np.arange(count, dtype=np.int32)
    while True:
        new = label.copy()
        np.minimum.at(new, triangles.ravel(), np.repeat(label[triangles].min(1), 3))
        if (new == label).all():
            return label
        label = new
