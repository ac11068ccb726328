"""Clothes as surfaces: layers above the waist, trousers and skirts, shoes, scarf and apron."""

import numpy as np

from training.synthetic.anatomy import HAND, LEG, LEG_X, SHOE, SKIRT, Part, arm_out, arm_rings, grown, limb_width, trunk
from training.synthetic.mesh import Mesh, Ring, loft, sheet
from training.synthetic.person import Bottom, Lower, Person, Top, Upper
from training.synthetic.pose import ARM, CHEST, FOOT, THIGH

BELOW_HIP = 0.84  # a garment that ends lower hangs freely and follows the thighs
OUTER = {Upper.COAT, Upper.JACKET, Upper.BLAZER, Upper.PUFFER}


def clothe(person: Person) -> list[Part]:
    """Return everything worn between neck and floor, and the skin that shows."""
    parts = _waist(person)
    for number, top in enumerate(person.layers):
        parts += _top(person, top, first=number == 0)
    for side in range(2):
        parts += [*_arm(person, side), *_leg(person, side), *_foot(person, side)]
    if person.scarf is not None:
        rings = [Ring(1.43, 0.10, 0.088, 0, -0.01), Ring(1.475, 0.105, 0.098, 0, 0.0), Ring(1.535, 0.078, 0.08, 0, 0.0)]
        parts.append(Part(loft(rings, 0, 12), person.scarf, CHEST))
        tail = trunk(person.build, person.layers[-1].looseness + 0.012, 1.1, 1.44)
        parts.append(Part(sheet(tail, [2.75] * len(tail), 3, 2.4, np.pi - 0.25), person.scarf, CHEST))
    if person.apron is not None:
        loose = person.layers[-1].looseness + 0.01
        bib = trunk(person.build, loose, 0.9, 1.32)
        parts.append(Part(sheet(bib, [2.15] * len(bib), 8, 2.4, np.pi), person.apron, CHEST))
        skirt = _flared(person, 0.55, 0.02, loose)
        parts.append(Part(sheet(skirt, [1.8] * len(skirt), 8, 2.4, np.pi), person.apron, SKIRT))
    return parts


def _waist(person: Person) -> list[Part]:
    """Return what covers the hips below the tops: the upper part of the trousers, or the skirt."""
    hem = max(t.hem_z for t in person.layers)
    bottom = person.bottom
    rings = trunk(person.build, 0.008, 0.83, min(1.1, max(1.0, hem + 0.03)))
    rings = [r._replace(rx=r.rx * (0.8 if r.z < 0.85 else 1.0)) for r in rings]
    parts = [Part(loft(rings, 0, 16, 2.4), bottom.cloth, CHEST)]
    if bottom.kind is Lower.SKIRT:
        flare = 0.015 + 0.1 * bottom.width**2
        parts.append(Part(loft(_flared(person, bottom.leg_z, flare, 0.012), 0, 16, 2.2), bottom.cloth, SKIRT))
    return parts


def _top(person: Person, top: Top, *, first: bool) -> list[Part]:
    """Return the body of one layer, with its tail, collar and hood."""
    low = max(BELOW_HIP, top.hem_z)
    rings = trunk(person.build, top.looseness, low, 1.495)
    wide = 0.178 * person.build.girth + top.looseness  # over the trousers, below the waist
    rings = [r._replace(rx=max(r.rx, wide), ry=r.ry + 0.006) if r.z < 0.95 else r for r in rings]
    if first:
        rings = [*rings[:-1], Ring(1.505, 0.058, 0.056, 0, -0.01)]
    parts = [Part(_opened(rings, top.gap), top.cloth, CHEST)]
    if top.hem_z < BELOW_HIP:
        tail = _flared(person, top.hem_z, 0.03, top.looseness)
        parts.append(Part(_opened(tail, top.gap), top.cloth, SKIRT))
    by = 0.5 * top.looseness
    if top.collar is not None:
        wide = 0.012 if top.kind in OUTER else 0.0
        collar = [Ring(1.455, 0.098 + by, 0.078 + by, 0, -0.015), Ring(1.49, 0.074 + by, 0.068 + by, 0, -0.014),
                  Ring(1.515 + wide, 0.064 + by, 0.064 + by, 0, -0.014)]  # fmt: skip
        parts.append(Part(_opened(collar, max(0.02, top.gap)), top.collar, CHEST))
    if top.hood is not None:
        hood = [Ring(1.34, 0.06, 0.03, 0, -0.125), Ring(1.40, 0.105, 0.055, 0, -0.11),
                Ring(1.47, 0.11, 0.075, 0, -0.07), Ring(1.52, 0.088, 0.07, 0, -0.045)]  # fmt: skip
        parts.append(Part(loft(hood, 0, 12), top.hood, CHEST))
    return parts


def _opened(rings: list[Ring], gap: float) -> Mesh:
    """Return a closed garment, or one open in front by `gap` metres to each side, wider at the chest."""
    if gap <= 0:
        return loft(rings, 0, 16, 2.4)
    gaps = [gap * (1.0 if r.z < 1.3 else 0.7) / max(r.rx, 0.05) for r in rings]
    return sheet(rings, gaps, 17, 2.4)


def _flared(person: Person, low: float, flare: float, loose: float) -> list[Ring]:
    """Return a skirt or the tail of a coat: from the hips to `low`, widening by `flare` metres."""
    build = person.build
    wide = 0.172 * build.girth * build.hips + loose
    deep = 0.122 * build.girth + loose
    return [Ring(z, wide + flare * t, deep + flare * t) for z, t in
            ((low + (0.98 - low) * (1 - t), t) for t in (1.0, 0.75, 0.5, 0.25, 0.0))]  # fmt: skip


def _arm(person: Person, side: int) -> list[Part]:
    """Return an arm: skin where there is no sleeve, every layer's sleeve, and the hand."""
    sign = 1.0 if side == 0 else -1.0
    arm, limb = arm_rings(person.build, sign), limb_width(person.build)
    bare = min(t.sleeve_z for t in person.layers)
    parts = []
    if bare > 0.9:
        skin = loft(grown(arm, 0.0, limb, 0.86, min(1.462, bare + 0.03)), 0, 10)
        parts.append(Part(skin, person.skin, ARM, side))
    covered = 9.0
    for top in reversed(person.layers):  # an inner sleeve is drawn only where it shows
        if top.sleeve_z >= min(1.45, covered):
            continue
        ease = 0.8 * top.looseness + 0.003
        high = min(9.0, covered + 0.03)
        sleeve = [r._replace(rx=r.rx - 0.5 * ease, ry=r.ry - 0.5 * ease) if r.z > 1.4 else r
                  for r in grown(arm, ease, limb, top.sleeve_z, high)]  # fmt: skip
        parts.append(Part(loft(sleeve, 0, 10), top.sleeves, ARM, side))
        covered = top.sleeve_z
    out = arm_out(person.build)
    hand = [r._replace(x=sign * (r.x + out)) for r in HAND]
    return [*parts, Part(loft(hand, 0, 8), person.skin, ARM, side)]


def _leg(person: Person, side: int) -> list[Part]:
    """Return a leg: skin, sock and trouser leg."""
    sign = 1.0 if side == 0 else -1.0
    leg, limb = [r._replace(x=sign * LEG_X) for r in LEG], limb_width(person.build)
    bottom, shoes = person.bottom, person.shoes
    parts = []
    if bottom.leg_z > 0.12:
        if bottom.leg_z > shoes.sock_z:
            skin = loft(grown(leg, 0.0, limb, 0.06, min(0.93, bottom.leg_z + 0.06)), 0, 10)
            parts.append(Part(skin, person.skin, THIGH, side))
        if shoes.sock_z > 0.1:
            sock = loft(grown(leg, 0.003, limb, 0.06, min(shoes.sock_z, bottom.leg_z + 0.06)), 0, 10)
            parts.append(Part(sock, shoes.sock, THIGH, side))
    if bottom.kind is not Lower.SKIRT:
        parts.append(Part(loft(_trouser(leg, bottom, limb), 0, 12), bottom.cloth, THIGH, side))
    if shoes.shaft_z > 0.12:
        ease = 0.012 if bottom.width < 0.4 or bottom.kind is not Lower.TROUSERS else 0.0
        parts.append(Part(loft(grown(leg, ease, limb, 0.06, shoes.shaft_z), 0, 10), shoes.shoe, THIGH, side))
    return parts


def _trouser(leg: list[Ring], bottom: Bottom, limb: float) -> list[Ring]:
    """Return a trouser leg: close at the hip, from tight to wide below the knee."""
    cut = 0.003 + 0.022 * bottom.width
    rings = []
    for r in grown(leg, 0.0, 1.0, bottom.leg_z):
        ease = 0.004 + cut * (1.0 if r.z < 0.7 else 0.35)
        rx = max(r.rx * limb, 0.05 * bottom.width + 0.012) + ease
        rings.append(r._replace(rx=rx, ry=max(r.ry * limb, 0.06 * bottom.width + 0.012) + ease))
    return rings


def _foot(person: Person, side: int) -> list[Part]:
    """Return a shoe and its sole."""
    sign = 1.0 if side == 0 else -1.0
    shoe = [r._replace(x=sign * LEG_X) for r in SHOE]
    sole = [r._replace(rx=r.rx + 0.002) for r in shoe[:2]]
    return [Part(loft(shoe[1:], 0, 12, 2.4), person.shoes.shoe, FOOT, side),
            Part(loft(sole, 0, 12, 2.4), person.shoes.sole, FOOT, side)]  # fmt: skip
