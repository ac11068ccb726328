"""Who a generated person is: body, clothes and things carried, drawn once from a random generator."""

from dataclasses import dataclass, replace
from enum import StrEnum

from numpy.random import Generator

from training.synthetic import wardrobe
from training.synthetic.texture import Material, Pattern


class Upper(StrEnum):
    """Garment above the waist."""

    T_SHIRT = "t-shirt"
    LONG_SLEEVE = "long sleeve"
    JACKET = "jacket"
    COAT = "coat"
    DRESS = "dress"


class Lower(StrEnum):
    """Garment below the waist."""

    TROUSERS = "trousers"
    SHORTS = "shorts"
    SKIRT = "skirt"


class Hair(StrEnum):
    """Shape of the hair."""

    BALD = "bald"
    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"
    BUN = "bun"
    PONYTAIL = "ponytail"
    CURLY = "curly"


@dataclass(frozen=True, slots=True)
class Person:
    """One person and what they wear.

    Attributes:
        height_m: 1.5..2.0.
        girth: Width of the body against the average, 0.85..1.3.
        shoulders: Width of the shoulders against the average, 0.88..1.12.
        hips: Width of the hips against the average, 0.92..1.12.
        sleeve_z: Rest height in metres where the sleeves end (1.45 sleeveless .. 0.88 wrist).
        hem_z: Rest height where the upper garment ends.
        leg_z: Rest height where the lower garment ends.
        looseness: Distance of the cloth from the body in metres.
        backpack, bag, hat, glasses: Things carried; None or False is none.
    """

    height_m: float
    girth: float
    shoulders: float
    hips: float
    skin: Material
    hair_style: Hair
    hair: Material
    upper_kind: Upper
    upper: Material
    sleeve_z: float
    hem_z: float
    lower_kind: Lower
    lower: Material
    leg_z: float
    leg_width: float
    looseness: float
    shoes: Material
    sole: Material
    backpack: Material | None
    bag: Material | None
    hat: Material | None


def sample_person(rng: Generator) -> Person:
    """Draw a person; the same generator state gives the same person."""
    feminine = bool(rng.random() < 0.48)
    upper_kind = Upper(
        rng.choice(list(Upper), p=[0.34, 0.3, 0.24, 0.07, 0.05] if feminine else [0.4, 0.3, 0.25, 0.05, 0])
    )
    lower_kind = Lower(rng.choice(list(Lower), p=[0.8, 0.08, 0.12] if feminine else [0.87, 0.13, 0]))
    upper = _upper(rng, upper_kind)
    lower = upper if upper_kind is Upper.DRESS else wardrobe.cloth(rng, wardrobe.LOWER, 0.05)
    lower_kind = Lower.SKIRT if upper_kind is Upper.DRESS else lower_kind
    hair_style, hair = _hair(rng, feminine=feminine)
    return Person(
        height_m=float(rng.normal(1.65, 0.065) if feminine else rng.normal(1.77, 0.07)),
        girth=float(min(1.35, max(0.84, rng.normal(1.0, 0.1)))),
        shoulders=float(rng.normal(0.94 if feminine else 1.02, 0.035)),
        hips=float(rng.normal(1.05 if feminine else 0.99, 0.03)),
        skin=_skin(rng, hair, feminine=feminine),
        hair_style=hair_style,
        hair=hair,
        upper_kind=upper_kind,
        upper=upper,
        sleeve_z=_sleeve(rng, upper_kind),
        hem_z=_hem(rng, upper_kind),
        lower_kind=lower_kind,
        lower=lower,
        leg_z=_leg(rng, lower_kind),
        leg_width=float(rng.uniform(0.0, 1.0)),
        looseness=float(rng.uniform(0.006, 0.024)) + (0.012 if upper_kind in {Upper.JACKET, Upper.COAT} else 0.0),
        shoes=Material(wardrobe.pick(rng, wardrobe.SHOES), relief=0.1),
        sole=Material(wardrobe.pick(rng, ((2, 20, 20, 22), (1, 215, 215, 210), (0.5, 120, 90, 60))), relief=0.1),
        backpack=wardrobe.cloth(rng, wardrobe.UPPER, 0.3) if rng.random() < 0.12 else None,
        bag=wardrobe.cloth(rng, wardrobe.UPPER, 0.2) if rng.random() < 0.12 else None,
        hat=wardrobe.cloth(rng, wardrobe.UPPER, 0.1) if rng.random() < 0.07 else None,
    )


def _upper(rng: Generator, kind: Upper) -> Material:
    """Draw the upper garment's cloth, with prints on shirts and an open front on some jackets."""
    cloth = wardrobe.cloth(
        rng, wardrobe.UPPER, 0.22 if kind in {Upper.T_SHIRT, Upper.LONG_SLEEVE, Upper.DRESS} else 0.08
    )
    if kind in {Upper.T_SHIRT, Upper.LONG_SLEEVE} and cloth.pattern is Pattern.PLAIN and rng.random() < 0.4:
        return replace(cloth, prints=wardrobe.printed(rng, cloth.base))
    if kind in {Upper.JACKET, Upper.COAT} and rng.random() < 0.6:
        return replace(cloth, opening=float(rng.uniform(0.02, 0.08)), third=wardrobe.pick(rng, wardrobe.UPPER))
    return cloth


def _hair(rng: Generator, *, feminine: bool) -> tuple[Hair, Material]:
    """Draw style and colour of the hair."""
    weights = [0.0, 0.06, 0.26, 0.4, 0.08, 0.16, 0.04] if feminine else [0.1, 0.62, 0.18, 0.03, 0.02, 0.01, 0.04]
    style = Hair(rng.choice(list(Hair), p=weights))
    seed = int(rng.integers(1 << 16))
    return style, Material(wardrobe.pick(rng, wardrobe.HAIR), relief=0.3, grain=0.02, seed=seed)


def _skin(rng: Generator, hair: Material, *, feminine: bool) -> Material:
    """Draw skin with a face: `third` holds the strengths of beard and glasses."""
    beard = float(rng.uniform(0.3, 0.9)) if not feminine and rng.random() < 0.35 else 0.0
    glasses = 0.9 if rng.random() < 0.2 else 0.0
    dark = (hair.base[0] * 0.5, hair.base[1] * 0.5, hair.base[2] * 0.5)
    base = wardrobe.pick(rng, wardrobe.SKIN, 0.07)
    return Material(base, dark, (beard, glasses, 0.0), Pattern.FACE, relief=0.06, grain=0.05)


def _sleeve(rng: Generator, kind: Upper) -> float:
    """Draw where the sleeves end, as a rest height in metres."""
    if kind is Upper.T_SHIRT:
        return float(rng.uniform(1.16, 1.32))
    if kind is Upper.DRESS:
        return float(rng.choice([1.5, rng.uniform(1.2, 1.35), 0.89]))
    return float(rng.uniform(0.98, 1.14)) if rng.random() < 0.15 else float(rng.uniform(0.86, 0.9))


def _hem(rng: Generator, kind: Upper) -> float:
    """Draw where the upper garment ends, as a rest height in metres."""
    if kind is Upper.COAT:
        return float(rng.uniform(0.42, 0.7))
    if kind is Upper.JACKET:
        return float(rng.uniform(0.8, 0.95))
    return float(rng.uniform(0.84, 0.98))


def _leg(rng: Generator, kind: Lower) -> float:
    """Draw where the lower garment ends, as a rest height in metres."""
    if kind is Lower.TROUSERS:
        return float(rng.uniform(0.05, 0.11))
    return float(rng.uniform(0.42, 0.56)) if kind is Lower.SHORTS else float(rng.uniform(0.3, 0.62))
