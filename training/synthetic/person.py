"""Description of a generated person: body, clothes in layers, and carried items.

All heights are in metres, in the rest pose of a 1.75 m body.
"""

from dataclasses import dataclass
from enum import StrEnum

from training.synthetic.texture import Material


class Upper(StrEnum):
    """Garment above the waist."""

    T_SHIRT = "t-shirt"
    TANK = "tank top"
    POLO = "polo"
    SHIRT = "shirt"
    SWEATER = "sweater"
    HOODIE = "hoodie"
    JACKET = "jacket"
    PUFFER = "puffer"
    BLAZER = "blazer"
    COAT = "coat"
    DRESS = "dress"
    WAISTCOAT = "waistcoat"


class Lower(StrEnum):
    """Garment below the waist."""

    TROUSERS = "trousers"
    SHORTS = "shorts"
    SKIRT = "skirt"


class Hair(StrEnum):
    """Shape of the hair."""

    BALD = "bald"
    CROPPED = "cropped"
    SHORT = "short"
    MEDIUM = "medium"
    BOB = "bob"
    LONG = "long"
    BUN = "bun"
    PONYTAIL = "ponytail"
    CURLY = "curly"


class Headwear(StrEnum):
    """Headwear."""

    CAP = "cap"
    BEANIE = "beanie"
    BRIM = "brimmed hat"
    HOOD = "hood"
    HEADSCARF = "headscarf"


class Luggage(StrEnum):
    """Carried item."""

    BACKPACK = "backpack"
    SLING = "bag with a strap across the chest"
    HANDBAG = "bag on a shoulder"
    TOTE = "bag in a hand"
    TROLLEY = "trolley"
    UMBRELLA = "umbrella"
    BOOK = "book"


@dataclass(frozen=True, slots=True)
class Top:
    """One layer above the waist.

    Attributes:
        sleeve_z: Height in metres where the sleeves end (1.45 and more: none; 0.88: the wrist).
        hem_z: Height where the garment ends.
        looseness: Distance of the cloth from the body in metres.
        gap: Half width in metres of an open front; 0 is closed.
        collar: Cloth of a standing or turned-down collar.
        hood: Cloth of a hood that lies on the shoulders.
    """

    kind: Upper
    cloth: Material
    sleeves: Material
    sleeve_z: float
    hem_z: float
    looseness: float
    gap: float = 0.0
    collar: Material | None = None
    hood: Material | None = None


@dataclass(frozen=True, slots=True)
class Bottom:
    """What is worn below the waist: `leg_z` is the height where it ends, `width` 0 (tight)..1 (wide or flared)."""

    kind: Lower
    cloth: Material
    leg_z: float
    width: float


@dataclass(frozen=True, slots=True)
class Footwear:
    """Shoes: `shaft_z` is the top of the boots (0.1: low shoes), `sock_z` that of the socks (0.06: not visible)."""

    shoe: Material
    sole: Material
    shaft_z: float
    sock: Material
    sock_z: float


@dataclass(frozen=True, slots=True)
class Carried:
    """One carried item, on the left (+1) or right (-1) if it has a side; `size` 1 is typical."""

    kind: Luggage
    cloth: Material
    side: float
    size: float


@dataclass(frozen=True, slots=True)
class Build:
    """Shape of a body.

    Attributes:
        height_m: 1.1..2.0.
        girth: Width of the body relative to the average, 0.8..1.4.
        shoulders: Width of the shoulders relative to the average, 0.85..1.15.
        hips: Width of the hips relative to the average, 0.9..1.15.
        bust: Metres by which the chest protrudes, 0..0.03.
        head: Size of the head relative to the average, 0.93..1.3.
    """

    height_m: float
    girth: float
    shoulders: float
    hips: float
    bust: float
    head: float


@dataclass(frozen=True, slots=True)
class Person:
    """One person and what they wear.

    Attributes:
        layers: Tops from innermost to outermost; the last is the most visible.
        apron, scarf: None if not worn.
    """

    build: Build
    skin: Material
    hair_style: Hair
    hair: Material
    layers: tuple[Top, ...]
    bottom: Bottom
    shoes: Footwear
    headwear: Headwear | None
    hat: Material
    scarf: Material | None
    apron: Material | None
    carried: tuple[Carried, ...]
