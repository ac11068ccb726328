"""Dress a body as a generated person is described: our outfits and fabrics, MakeHuman's bodies, cuts and hair."""

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from training.realistic.assets import Assets, two_bones
from training.realistic.body import AVERAGE, Body, build_body, draw_shape, standing, texture_points
from training.realistic.surface import Finer, Surface, creases, cut, displaced, finer, normals, part_of
from training.realistic.wardrobe import HAIRS, Piece, fitted_surface, pieces_of
from training.synthetic.figure import Figure, follow
from training.synthetic.headgear import headwear
from training.synthetic.luggage import carry, holds
from training.synthetic.mesh import Floats, Mesh, join
from training.synthetic.person import Hair, Lower, Person, Top, Upper
from training.synthetic.pose import ARM, FOOT, FOREARM, HEAD, SHIN, THIGH
from training.synthetic.texture import Material

SHOULDER_Z, WAIST_Z = 1.39, 1.06
READY_MADE = 0.6  # share of tops and trousers that are pieces of MakeHuman's suits, if one has the length
FOLDS_M = {True: 0.007, False: 0.014}  # depth of folds of ready-made pieces, which have some, and of ours


@dataclass(frozen=True, slots=True, eq=False)
class Worn:
    """A surface with its fabric: `other` is that of the sleeves, where arms carry more than half of a vertex."""

    surface: Surface
    cloth: Material
    other: Material | None = None


@dataclass(slots=True)
class Tailor:
    """Makes figures of people; keeps what all of them share."""

    assets: Assets
    _pieces: tuple[Piece, ...] = field(init=False)
    _tights: Finer = field(init=False)
    _skirt: Finer = field(init=False)

    def __post_init__(self) -> None:
        """Take the suits apart on an average body."""
        self._pieces = pieces_of(self.assets, build_body(self.assets, AVERAGE))
        self._tights, self._skirt = (finer(self.assets.triangles[f"helper-{part}"]) for part in ("tights", "skirt"))

    def figure(self, person: Person, seed: int) -> Figure:
        """Return the surface of a person; the seed draws what the description leaves open."""
        rng = np.random.default_rng([seed, 21])
        body = build_body(self.assets, draw_shape(rng, person.build))
        base = self._base(body)
        worn = [
            *self._bottoms(rng, body, base, person),
            *self._tops(rng, body, base, person),
            *self._shoes(rng, body, person),
        ]
        covered = _covered(base, person)
        worn += [self._skin(base, person, covered), *self._hair(rng, body, base, person)]
        return _assembled(worn, person, body)

    def _base(self, body: Body) -> Surface:
        points = standing(body, body.shaped, self.assets.weights)
        rest = texture_points(body, points, self.assets.weights)
        rest[:, 1] -= 0.045 * self.assets.weights[:, HEAD]  # our textures expect the head further back
        return Surface(points, rest, self.assets.weights, self.assets.triangles["body"])

    def _ready(self, rng: Generator, body: Body, wanted: tuple[bool, bool, float, float]) -> Surface | None:
        """Return a piece of a suit of about the wanted length: upper, male, sleeve or leg, hem; None if none fits."""
        upper, male, length, hem = wanted
        fits = [p for p in self._pieces if p.upper == upper
                and abs((p.sleeve_z if upper else p.leg_z) - length) < 0.13 and (not upper or abs(p.hem_z - hem) < 0.14)
                and (p.male == male or rng.random() < 0.25)]  # fmt: skip
        if not fits or rng.random() > READY_MADE:
            return None
        piece = fits[int(rng.integers(len(fits)))]
        return part_of(fitted_surface(self.assets, body, piece.suit), piece.triangles)

    def _tops(self, rng: Generator, body: Body, base: Surface, person: Person) -> list[Worn]:
        """Return the layers above the waist, from within."""
        worn = []
        outer = person.layers[-1]
        plain_cut = outer.gap == 0 and outer.kind not in {Upper.COAT, Upper.PUFFER}
        male = person.build.bust == 0
        ready = self._ready(rng, body, (True, male, outer.sleeve_z, outer.hem_z)) if plain_cut else None
        if ready is not None:
            loose = float(rng.uniform(0.0, 0.4)) * outer.looseness
            return [Worn(_folded(rng, ready, loose, made=True), outer.cloth, outer.sleeves)]
        shell = self._tights.of(base)
        layers = person.layers if outer.gap > 0 else (outer,)
        for number, top in enumerate(layers):
            over = 0.003 + 0.007 * number  # keeps layers apart on the shoulders
            cloth = _folded(rng, _top(shell, top), 0.004 + 0.7 * top.looseness, made=False, least=over)
            worn.append(Worn(cloth, top.cloth, top.sleeves))
            if top.hem_z < 0.84:
                tail = self._skirt.of(base)
                tail = cut(tail, np.minimum(tail.rest[:, 2] - top.hem_z, 9.0))
                tail = _opened(tail, top.gap)
                worn.append(Worn(_folded(rng, tail, top.looseness + 0.01, made=False), top.cloth))
        return worn

    def _bottoms(self, rng: Generator, body: Body, base: Surface, person: Person) -> list[Worn]:
        """Return trousers or skirt, with what shows of tights and socks."""
        bottom = person.bottom
        shell = self._tights.of(base)
        worn = []
        if bottom.kind is Lower.SKIRT:
            skirt = self._skirt.of(base)
            worn.append(
                Worn(_folded(rng, cut(skirt, skirt.rest[:, 2] - bottom.leg_z), 0.004, made=False), bottom.cloth)
            )
        else:
            male = person.build.bust == 0
            ready = self._ready(rng, body, (False, male, bottom.leg_z, 0.0)) if bottom.leg_z < 0.2 else None
            wide = 0.006 + 0.022 * bottom.width
            if ready is not None:
                return [Worn(_folded(rng, ready, 0.4 * wide, made=True), bottom.cloth)]
            trunk = _without_arms(shell)
            trunk = part_of(trunk, trunk.triangles[(trunk.rest[:, 2] < WAIST_Z)[trunk.triangles].all(1)])
            legs = cut(trunk, trunk.rest[:, 2] - bottom.leg_z)
            worn.append(Worn(_folded(rng, legs, wide, made=False), bottom.cloth))
        if person.shoes.sock_z > 0.5:
            worn.append(Worn(_without_arms(shell), person.shoes.sock))
        return worn

    def _shoes(self, rng: Generator, body: Body, person: Person) -> list[Worn]:
        pairs = sorted(name for name in self.assets.worn if name.startswith("shoes"))
        return [Worn(fitted_surface(self.assets, body, pairs[int(rng.integers(len(pairs)))]), person.shoes.shoe)]

    def _skin(self, base: Surface, person: Person, covered: Floats) -> Worn:
        """Return what shows of the body."""
        eyes = [self.assets.triangles[f"helper-{side}-eye"] for side in "lr"]
        inside = (covered > 0) & (base.rest[:, 2] < 1.36)
        shown = base.triangles[~inside[base.triangles].all(1)]
        inward = np.where(covered > 0, -0.014, 0.0).astype(np.float32)
        pulled = displaced(base, inward)
        return Worn(part_of(pulled, np.concatenate([shown, *eyes])), person.skin)

    def _hair(self, rng: Generator, body: Body, base: Surface, person: Person) -> list[Worn]:
        """Return scalp and hair; headwear covers it."""
        if person.hair_style is Hair.BALD:
            return []
        rest = base.rest
        scalp = (base.weights[:, HEAD] > 0.7) & (rest[:, 2] > 1.6) & (rest[:, 2] > 1.7 + 0.75 * (rest[:, 1] - 0.035))
        cap = part_of(base, base.triangles[scalp[base.triangles].all(1)])
        worn = [Worn(displaced(cap, np.full(len(cap.points), 0.006, np.float32)), person.hair)]
        names = [name for name in HAIRS[person.hair_style] if name in self.assets.worn]
        if names and person.headwear is None:
            worn.append(Worn(fitted_surface(self.assets, body, names[int(rng.integers(len(names)))]), person.hair))
        return worn


def _folded(rng: Generator, surface: Surface, loose: float, *, made: bool, least: float = 0.003) -> Surface:
    """Return a garment widened by `loose` metres, at least by `least`, with folds."""
    depth = FOLDS_M[made] * float(rng.uniform(0.5, 1.3))
    out = loose + depth * (creases(surface.rest, int(rng.integers(1 << 16))) + 0.3)
    close = np.interp(surface.rest[:, 2], (1.34, 1.45), (1.0, 0.1)) * (1 - 0.4 * _arms(surface))  # on the shoulders
    return displaced(surface, np.maximum(least, out * close))


def _arms(surface: Surface) -> Floats:
    return np.asarray(surface.weights[:, ARM : FOREARM + 2].sum(1), np.float32)


def _without_arms(surface: Surface) -> Surface:
    return part_of(surface, surface.triangles[(_arms(surface)[surface.triangles] < 0.4).all(1)])


def _top(shell: Surface, top: Top) -> Surface:
    """Return the tights cut to a top: sleeves, hem, neck and, if it is worn open, the front."""
    z = shell.rest[:, 2]
    legs = shell.weights[:, THIGH : FOOT + 2].sum(1)
    kept = part_of(shell, shell.triangles[((z < _neckline(shell)) & (legs < 0.9))[shell.triangles].all(1)])
    z, arms = kept.rest[:, 2], _arms(kept)
    low = np.where(arms > 0.45, min(top.sleeve_z, SHOULDER_Z), max(0.86, top.hem_z))
    return _opened(cut(kept, np.asarray(z - low, np.float32)), top.gap)


def _neckline(surface: Surface) -> Floats:
    """Return the height of the edge of a collar at each vertex, `(n,)`: higher on the shoulders, lower in front."""
    x, y = np.abs(surface.rest[:, 0]), surface.rest[:, 1]
    return np.asarray(1.478 + 0.5 * np.maximum(0.0, x - 0.055) - 0.35 * np.clip(y, 0.0, 0.06), np.float32)


def _opened(surface: Surface, gap: float) -> Surface:
    """Return a garment without a strip of half width `gap` down its front."""
    if gap <= 0:
        return surface
    front = (surface.rest[:, 1] > 0.02) & (np.abs(surface.rest[:, 0]) < gap)
    return part_of(surface, surface.triangles[~front[surface.triangles].any(1)])


def _covered(base: Surface, person: Person) -> Floats:
    """Return whether clothes cover each vertex of the body, `(n,)`, 1 or 0."""
    z, w = base.rest[:, 2], base.weights
    arms, feet = _arms(base), w[:, FOOT : FOOT + 2].sum(1)
    sleeve = min(t.sleeve_z for t in person.layers)
    legs_end = person.bottom.leg_z
    trunk = (arms < 0.3) & (z > legs_end + 0.04) & (z < _neckline(base) - 0.004)
    sleeved = (arms >= 0.3) & (z > min(sleeve, 1.40) + 0.04)
    return np.asarray(trunk | sleeved | (feet > 0.3) | ((z < 0.1) & (w[:, SHIN:].sum(1) > 0.5)), np.float32)


def _assembled(worn: list[Worn], person: Person, body: Body) -> Figure:
    """Return all surfaces, and what is carried and worn on the head, as one figure."""
    rows: dict[Material, int] = {}
    meshes, bones, weights = [], [], []
    for one in worn:
        s = one.surface
        if not len(s.triangles):
            continue
        material = np.full(len(s.points), rows.setdefault(one.cloth, len(rows)), np.int32)
        if one.other is not None:
            material[_arms(s) > 0.5] = rows.setdefault(one.other, len(rows))
        meshes.append(Mesh(s.points, normals(s.points, s.triangles), s.rest, material, s.triangles))
        pair, share = two_bones(s.weights)
        bones.append(pair)
        weights.append(share)
    for part in [*carry(person), *headwear(person)]:
        material = np.full(len(part.mesh.vertices), rows.setdefault(part.cloth, len(rows)), np.int32)
        meshes.append(Mesh(part.mesh.vertices, part.mesh.normals, part.mesh.rest, material, part.mesh.triangles))
        pair, share = follow(part)
        bones.append(pair)
        weights.append(share)
    return Figure(join(meshes), np.concatenate(bones), np.concatenate(weights), np.stack([m.row() for m in rows]),
                  person.build.height_m / 1.75, holds(person), body.pivots)  # fmt: skip
