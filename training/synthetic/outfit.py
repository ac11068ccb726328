"""Matching outfits for warm, mild and cold weather, in layers."""

from dataclasses import dataclass, replace

from numpy.random import Generator

from training.synthetic import wardrobe
from training.synthetic.person import Bottom, Footwear, Lower, Top, Upper
from training.synthetic.texture import Material, Pattern, Trim
from training.synthetic.wardrobe import Palette

SLEEVELESS, WRIST = 1.5, 0.885
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Weather:
    """The weather a person is dressed for: 0 warm, 1 mild, 2 cold."""

    cold: int

    @property
    def palette(self) -> Palette:
        """Colours worn in this weather."""
        return wardrobe.COLD_WEATHER if self.cold == 2 else wardrobe.WARM_WEATHER


@dataclass(frozen=True, slots=True)
class _Cut:
    """How one kind of garment varies: ranges in metres, and probabilities."""

    sleeve: Range
    hem: Range
    loose: Range
    patterned: float
    printed: float = 0.0
    collar: float = 0.0
    hood: float = 0.0
    opened: float = 0.0
    fold: float = 0.42


CUTS = {
    Upper.T_SHIRT: _Cut((1.16, 1.32), (0.85, 0.97), (0.008, 0.028), 0.3, 0.5),
    Upper.TANK: _Cut((SLEEVELESS, SLEEVELESS), (0.86, 1.0), (0.005, 0.018), 0.3, 0.2),
    Upper.POLO: _Cut((1.18, 1.3), (0.86, 0.96), (0.008, 0.022), 0.3, 0.12, 1.0),
    Upper.SHIRT: _Cut((WRIST, 1.02), (0.84, 0.97), (0.008, 0.026), 0.5, 0.0, 1.0, 0.0, 0.22),
    Upper.SWEATER: _Cut((0.87, 0.92), (0.85, 0.98), (0.008, 0.026), 0.28, 0.25, 0.1),
    Upper.HOODIE: _Cut((0.87, 0.9), (0.85, 0.95), (0.016, 0.034), 0.08, 0.4, 0.0, 1.0, 0.3, 0.5),
    Upper.JACKET: _Cut((0.86, 0.9), (0.84, 0.97), (0.018, 0.034), 0.12, 0.12, 0.8, 0.25, 0.45, 0.5),
    Upper.PUFFER: _Cut((0.87, 0.9), (0.84, 0.97), (0.032, 0.055), 0.0, 0.0, 0.9, 0.4, 0.3, 0.15),
    Upper.BLAZER: _Cut((0.87, 0.9), (0.84, 0.9), (0.014, 0.024), 0.15, 0.0, 0.6, 0.0, 0.85, 0.25),
    Upper.COAT: _Cut((0.86, 0.89), (0.42, 0.78), (0.02, 0.038), 0.12, 0.0, 0.8, 0.2, 0.45, 0.3),
    Upper.DRESS: _Cut((SLEEVELESS, 1.2), (0.92, 0.98), (0.005, 0.018), 0.5),
    Upper.WAISTCOAT: _Cut((SLEEVELESS, SLEEVELESS), (0.85, 0.98), (0.024, 0.045), 0.05, 0.2, 0.3, 0.0, 0.6, 0.2),
}
KINDS = (Upper.T_SHIRT, Upper.TANK, Upper.POLO, Upper.SHIRT, Upper.SWEATER, Upper.HOODIE, Upper.JACKET, Upper.PUFFER,
         Upper.BLAZER, Upper.COAT, Upper.DRESS)  # fmt: skip
# How often each of KINDS is worn in warm, mild and cold weather, by men and by women.
WORN = {
    (0, False): (0.6, 0.04, 0.13, 0.16, 0.04, 0.02, 0.01, 0, 0, 0, 0),
    (0, True): (0.5, 0.1, 0.03, 0.12, 0.07, 0.02, 0.02, 0, 0.01, 0, 0.13),
    (1, False): (0.14, 0, 0.04, 0.18, 0.2, 0.16, 0.2, 0.02, 0.05, 0.01, 0),
    (1, True): (0.13, 0.01, 0.01, 0.14, 0.22, 0.12, 0.18, 0.02, 0.05, 0.05, 0.07),
    (2, False): (0, 0, 0, 0.02, 0.08, 0.12, 0.4, 0.22, 0.03, 0.13, 0),
    (2, True): (0, 0, 0, 0.02, 0.09, 0.08, 0.28, 0.25, 0.03, 0.24, 0.01),
}
OUTER = {Upper.JACKET, Upper.PUFFER, Upper.BLAZER, Upper.COAT, Upper.HOODIE, Upper.WAISTCOAT}


def sample_layers(rng: Generator, weather: Weather, *, feminine: bool) -> tuple[Top, ...]:
    """Draw a person's tops, from innermost to outermost."""
    kind = KINDS[int(rng.choice(len(KINDS), p=_shares(WORN[weather.cold, feminine])))]
    top = sample_top(rng, kind, weather.palette)
    layers = [top]
    if top.gap > 0 or kind in OUTER or (kind is Upper.SWEATER and rng.random() < 0.25):
        layers.insert(0, _beneath(rng, top, feminine=feminine))
    elif kind in {Upper.T_SHIRT, Upper.TANK} and rng.random() < 0.05:
        long = sample_top(rng, Upper.SWEATER, wardrobe.WARM_WEATHER)
        layers.insert(0, replace(long, looseness=0.4 * top.looseness, hem_z=top.hem_z - 0.03))
    if rng.random() < (0.03, 0.05, 0.06)[weather.cold]:
        layers.append(_over(rng, top))
    return tuple(layers)


def sample_top(rng: Generator, kind: Upper, palette: Palette) -> Top:
    """Draw one garment of a kind."""
    cut = CUTS[kind]
    cloth = _decorated(rng, wardrobe.cloth(rng, palette, cut.patterned, cut.fold), kind, cut)
    sleeve_z = float(rng.uniform(*cut.sleeve)) if cut.sleeve[0] < cut.sleeve[1] else cut.sleeve[0]
    if kind is Upper.SHIRT and rng.random() < 0.4:
        sleeve_z = float(rng.uniform(1.05, 1.25))
    if kind is Upper.DRESS:
        sleeve_z = float(rng.choice([SLEEVELESS, rng.uniform(1.2, 1.35), WRIST]))
    if kind in {Upper.SWEATER, Upper.HOODIE} and rng.random() < 0.12:
        sleeve_z = float(rng.uniform(0.98, 1.12))
    gap = float(rng.uniform(0.025, 0.1)) if rng.random() < cut.opened else 0.0
    return Top(kind, cloth, _sleeves(rng, cloth, kind, palette), sleeve_z, float(rng.uniform(*cut.hem)),
               float(rng.uniform(*cut.loose)), gap, _some(rng, cut.collar, cloth, palette),
               _some(rng, cut.hood, cloth, palette))  # fmt: skip


def _shares(weights: tuple[float, ...]) -> list[float]:
    return [w / sum(weights) for w in weights]


def _some(rng: Generator, chance: float, cloth: Material, palette: Palette) -> Material | None:
    """Return the cloth of a collar or hood: None, the garment's without prints, or occasionally another."""
    if rng.random() >= chance:
        return None
    kind = rng.random()
    if kind < 0.72:
        return replace(cloth, prints=(), trim=None, fold=max(0.05, cloth.fold))
    return wardrobe.plain(rng, palette, 0.2)


def _decorated(rng: Generator, cloth: Material, kind: Upper, cut: _Cut) -> Material:
    """Return the cloth with the usual details of its kind: prints, plackets, zips, bands, quilting."""
    calm = cloth.pattern in {Pattern.PLAIN, Pattern.MARL, Pattern.GRADIENT}
    if kind is Upper.PUFFER:
        dark = (0.35 * cloth.base[0], 0.35 * cloth.base[1], 0.35 * cloth.base[2])
        cloth = replace(cloth, pattern=Pattern.QUILT, second=dark, scale=float(rng.uniform(0.05, 0.13)))
    elif calm and rng.random() < cut.printed:
        cloth = replace(cloth, prints=wardrobe.prints(rng, cloth.base))
    if kind in {Upper.SHIRT, Upper.POLO} and rng.random() < 0.3:
        return wardrobe.trimmed(rng, cloth, Trim((0, 0, 0), front=0.012))
    if kind in {Upper.HOODIE, Upper.JACKET, Upper.PUFFER} and rng.random() < 0.35:
        return wardrobe.trimmed(rng, cloth, Trim((0, 0, 0), front=0.01))
    if calm and rng.random() < 0.14:
        yoke, hem = float(rng.uniform(1.26, 1.4)), float(rng.uniform(0.96, 1.06))
        trim = (Trim((0, 0, 0), above=yoke), Trim((0, 0, 0), below=hem), Trim((0, 0, 0), below=hem, above=yoke))
        return wardrobe.trimmed(rng, cloth, trim[int(rng.choice(3, p=[0.5, 0.3, 0.2]))])
    return cloth


def _sleeves(rng: Generator, cloth: Material, kind: Upper, palette: Palette) -> Material:
    """Return the cloth of the sleeves: usually that of the body; some are raglan, striped or cuffed."""
    same = replace(cloth, prints=(), trim=None)
    chance = rng.random()
    if kind in {Upper.BLAZER, Upper.COAT, Upper.DRESS} or chance > 0.3:
        return same
    if chance < 0.12:
        return replace(wardrobe.plain(rng, palette), fold=max(0.1, cloth.fold))
    if chance < 0.2:
        return wardrobe.trimmed(rng, same, Trim((0, 0, 0), side=float(rng.uniform(0.012, 0.03))))
    return wardrobe.trimmed(rng, same, Trim((0, 0, 0), below=0.95 if kind is not Upper.T_SHIRT else 1.24))


def _beneath(rng: Generator, top: Top, *, feminine: bool) -> Top:
    """Draw what shows under a jacket: a shirt, sometimes with a tie, a T-shirt or a sweater, often longer."""
    formal = top.kind in {Upper.BLAZER, Upper.COAT} and rng.random() < 0.6
    kind = (Upper.SHIRT if formal else (Upper.T_SHIRT, Upper.SHIRT, Upper.SWEATER, Upper.HOODIE)[
        int(rng.choice(4, p=[0.5, 0.2, 0.2, 0.1]))])  # fmt: skip
    inner = sample_top(rng, kind, wardrobe.WARM_WEATHER)
    if formal and not feminine and rng.random() < 0.5:
        inner = replace(inner, cloth=wardrobe.trimmed(rng, inner.cloth, Trim((0, 0, 0), front=0.028)))
    if formal and rng.random() < 0.5:
        white = replace(wardrobe.plain(rng, ((1, 226, 226, 224),), 0.2), trim=inner.cloth.trim)
        inner = replace(inner, cloth=white, sleeves=replace(white, trim=None), collar=white)
    long = rng.random() < 0.35 and top.hem_z > 0.86
    hem = top.hem_z - float(rng.uniform(0.02, 0.07)) if long else top.hem_z + 0.04
    loose = 0.75 * top.looseness if long else min(inner.looseness, 0.45 * top.looseness)
    return replace(inner, looseness=loose, hem_z=max(0.84, hem), gap=0.0)


def _over(rng: Generator, top: Top) -> Top:
    """Draw a waistcoat over the rest; some are high-visibility with reflective bands."""
    over = sample_top(rng, Upper.WAISTCOAT, wardrobe.COLD_WEATHER)
    if rng.random() < 0.35:
        bright = wardrobe.plain(rng, wardrobe.HIGH_VISIBILITY, 0.2)
        bright = replace(bright, pattern=Pattern.STRIPES, second=(0.6, 0.6, 0.58), scale=0.17, duty=0.3)
        over = replace(over, cloth=bright, sleeves=bright, collar=None, gap=float(rng.choice([0.0, 0.03])))
    elif rng.random() < 0.5:
        over = replace(over, cloth=replace(over.cloth, pattern=Pattern.QUILT, scale=0.08, second=(0.01, 0.01, 0.01)))
    return replace(over, looseness=top.looseness + 0.012, hem_z=max(over.hem_z, top.hem_z - 0.02))


def sample_bottom(rng: Generator, weather: Weather, top: Top, *, feminine: bool) -> Bottom:
    """Draw what is worn below the waist."""
    if top.kind is Upper.DRESS:
        return Bottom(Lower.SKIRT, replace(top.cloth, prints=()), float(rng.uniform(0.22, 0.68)), float(rng.random()))
    shares = {(0, False): (0.62, 0.38, 0.0), (0, True): (0.5, 0.24, 0.26)}.get(
        (weather.cold, feminine), (0.86, 0.02, 0.12) if feminine else (0.96, 0.04, 0.0)
    )
    kind = list(Lower)[int(rng.choice(3, p=shares))]
    if kind is Lower.SKIRT:
        return Bottom(
            kind, wardrobe.cloth(rng, wardrobe.SKIRTS, 0.35, 0.4), float(rng.uniform(0.2, 0.7)), float(rng.random())
        )
    cloth = _trousers(rng, kind)
    width = float(rng.random()) * (0.6 if feminine else 1.0)
    if kind is Lower.SHORTS:
        return Bottom(kind, cloth, float(rng.uniform(0.45, 0.72 if feminine else 0.58)), 0.3 + 0.7 * width)
    if feminine and rng.random() < 0.35:
        width = 0.0
    return Bottom(
        kind, cloth, float(rng.uniform(0.16, 0.36) if rng.random() < 0.14 else rng.uniform(0.04, 0.11)), width
    )


def _trousers(rng: Generator, kind: Lower) -> Material:
    """Draw the cloth of trousers: jeans, plain, some with side stripes, waistband, patches or patterns."""
    if rng.random() < (0.38 if kind is Lower.TROUSERS else 0.25):
        return wardrobe.denim(rng)
    cloth = wardrobe.cloth(rng, wardrobe.DARK_TROUSERS, 0.05 if kind is Lower.TROUSERS else 0.2, 0.5)
    chance = rng.random()
    if chance < 0.09:
        return wardrobe.trimmed(rng, cloth, Trim((0, 0, 0), side=float(rng.uniform(0.01, 0.028))))
    if chance < 0.2:
        return wardrobe.trimmed(rng, cloth, Trim((0, 0, 0), above=0.985))
    return cloth


def sample_shoes(rng: Generator, weather: Weather, bottom: Bottom, *, feminine: bool) -> Footwear:
    """Draw shoes or boots with soles, and socks."""
    shoe = replace(wardrobe.plain(rng, wardrobe.SHOES, 0.05), grain=0.03)
    light = ((3, 222, 222, 218), (2, 30, 30, 33), (1, 150, 110, 76), (0.4, 190, 60, 60))
    dark = ((3, 28, 28, 30), (2, 220, 220, 216), (0.7, 120, 90, 60))
    sole = Material(wardrobe.pick(rng, light if rng.random() < 0.5 else dark), relief=0.05)
    boots = rng.random() < ((0.0, 0.06, 0.2)[weather.cold] if feminine else 0.04)
    shaft = float(rng.uniform(0.18, 0.42)) if boots else 0.1
    sock_z = float(rng.uniform(0.1, 0.24)) if rng.random() < 0.6 else 0.06
    if bottom.kind is not Lower.TROUSERS and feminine and weather.cold and rng.random() < 0.8:
        sock_z = 0.93  # tights
    sock = wardrobe.plain(rng, ((5, 220, 220, 218), (6, 34, 34, 37), (1, 120, 120, 124), (1, 170, 60, 60)), 0.2)
    return Footwear(shoe, sole, shaft, sock, sock_z)
