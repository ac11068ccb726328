"""Sample a generated person: body, clothes and carried items, drawn once from a random generator."""

from dataclasses import replace

from numpy.random import Generator

from training.synthetic import wardrobe
from training.synthetic.outfit import Weather, sample_bottom, sample_layers, sample_shoes
from training.synthetic.person import Build, Carried, Hair, Headwear, Luggage, Person, Top
from training.synthetic.texture import Material, Pattern, Trim

STYLES = (Hair.BALD, Hair.CROPPED, Hair.SHORT, Hair.MEDIUM, Hair.BOB, Hair.LONG, Hair.BUN, Hair.PONYTAIL, Hair.CURLY)
LUGGAGE = (Luggage.SLING, Luggage.HANDBAG, Luggage.TOTE, Luggage.TROLLEY, Luggage.UMBRELLA, Luggage.BOOK)


def sample_person(rng: Generator) -> Person:
    """Draw a person; the same generator state gives the same person."""
    feminine = bool(rng.random() < 0.48)
    weather = Weather(int(rng.choice(3, p=[0.46, 0.3, 0.24])))
    hair_style, hair = sample_hair(rng, feminine=feminine)
    layers = sample_layers(rng, weather, feminine=feminine)
    bottom = sample_bottom(rng, weather, layers[-1], feminine=feminine)
    headwear, hat = sample_headwear(rng, weather, layers[-1], feminine=feminine)
    return Person(
        build=sample_build(rng, feminine=feminine),
        skin=_skin(rng, hair, feminine=feminine),
        hair_style=hair_style,
        hair=hair,
        layers=layers,
        bottom=bottom,
        shoes=sample_shoes(rng, weather, bottom, feminine=feminine),
        headwear=headwear,
        hat=hat,
        scarf=wardrobe.cloth(rng, weather.palette, 0.4) if rng.random() < (0.01, 0.05, 0.22)[weather.cold] else None,
        apron=wardrobe.plain(rng, wardrobe.SKIRTS) if rng.random() < 0.012 else None,
        carried=sample_carried(rng, feminine=feminine),
    )


def sample_build(rng: Generator, *, feminine: bool) -> Build:
    """Draw the shape of a body; a few people are children."""
    girth = float(min(1.38, max(0.82, rng.normal(0.97 if feminine else 1.0, 0.095))))
    shoulders = float(rng.normal(0.92 if feminine else 1.02, 0.035))
    hips = float(rng.normal(1.05 if feminine else 0.98, 0.035))
    bust = float(rng.uniform(0.008, 0.03)) if feminine else 0.0
    if rng.random() < 0.025:
        height = float(rng.uniform(1.15, 1.45))
        return Build(height, 0.95 * girth, 0.9, 0.96, 0.0, 1.33 - 0.22 * (height - 1.15) / 0.3)
    height = float(rng.normal(1.63, 0.065) if feminine else rng.normal(1.75, 0.07))
    return Build(height, girth, shoulders, hips, bust, float(rng.normal(1.02, 0.035)))


def sample_hair(rng: Generator, *, feminine: bool) -> tuple[Hair, Material]:
    """Draw the style and colour of the hair."""
    weights = ([0.0, 0.01, 0.06, 0.2, 0.12, 0.35, 0.08, 0.15, 0.03] if feminine
               else [0.07, 0.2, 0.54, 0.1, 0.01, 0.02, 0.01, 0.01, 0.04])  # fmt: skip
    style = STYLES[int(rng.choice(len(STYLES), p=weights))]
    seed = int(rng.integers(1 << 16))
    return style, Material(wardrobe.pick(rng, wardrobe.HAIR), relief=0.35, grain=0.02, seed=seed)


def sample_headwear(rng: Generator, weather: Weather, top: Top, *, feminine: bool) -> tuple[Headwear | None, Material]:
    """Draw headwear, usually none; a hood only if the outermost layer has one."""
    hat = wardrobe.cloth(rng, wardrobe.BAGS, 0.1, 0.15)
    hat = replace(hat, prints=())
    if top.hood is not None and rng.random() < (0.02, 0.06, 0.16)[weather.cold]:
        return Headwear.HOOD, top.hood
    kind = rng.random()
    if kind < (0.07, 0.05, 0.03)[weather.cold]:
        return Headwear.CAP, hat
    if kind > (0.995, 0.98, 0.9)[weather.cold]:
        return Headwear.BEANIE, hat
    if 0.3 < kind < (0.33 if feminine else 0.31):
        return Headwear.BRIM, hat
    if feminine and 0.4 < kind < 0.44:
        return Headwear.HEADSCARF, hat
    return None, hat


def sample_carried(rng: Generator, *, feminine: bool) -> tuple[Carried, ...]:
    """Draw what a person carries: nothing, a backpack, something at the side or in a hand, or both."""
    things = []
    if rng.random() < 0.24:
        things.append(_thing(rng, Luggage.BACKPACK))
    shares = [0.2, 0.4, 0.24, 0.05, 0.03, 0.08] if feminine else [0.32, 0.06, 0.34, 0.1, 0.04, 0.14]
    if rng.random() < (0.42 if feminine else 0.26):
        things.append(_thing(rng, LUGGAGE[int(rng.choice(len(LUGGAGE), p=shares))]))
    return tuple(things)


def _thing(rng: Generator, kind: Luggage) -> Carried:
    """Draw the appearance of a carried item; many have two colours."""
    palette = wardrobe.PAPER_AND_PLASTIC if kind in {Luggage.TOTE, Luggage.BOOK} else wardrobe.BAGS
    if kind is Luggage.UMBRELLA:
        palette = wardrobe.WARM_WEATHER
    cloth = wardrobe.cloth(rng, palette, 0.12, 0.2)
    if kind is Luggage.BACKPACK and rng.random() < 0.45:
        low, high = float(rng.uniform(1.05, 1.18)), float(rng.uniform(1.3, 1.4))
        cloth = replace(cloth, trim=Trim(wardrobe.pick(rng, palette), below=low, above=float(rng.choice([high, 9.0]))))
    if kind is Luggage.TOTE and rng.random() < 0.4:
        cloth = replace(cloth, trim=Trim(wardrobe.pick(rng, wardrobe.WARM_WEATHER), above=0.55, below=0.45))
    return Carried(kind, cloth, float(rng.choice([-1.0, 1.0])), float(rng.uniform(0.75, 1.2)))


def _skin(rng: Generator, hair: Material, *, feminine: bool) -> Material:
    """Draw skin with a face: `third` holds the strengths of beard and glasses, the trim a mask."""
    beard = float(rng.uniform(0.25, 0.75)) if not feminine and rng.random() < 0.3 else 0.0
    glasses = 0.85 if rng.random() < 0.24 else 0.0
    dark = (hair.base[0] * 0.6, hair.base[1] * 0.6, hair.base[2] * 0.6)
    base = wardrobe.pick(rng, wardrobe.SKIN, 0.06)
    mask = None
    if rng.random() < 0.06:
        mask = Trim(wardrobe.pick(rng, ((4, 222, 226, 230), (3, 120, 170, 206), (3, 34, 34, 38))))
    return Material(base, dark, (beard, glasses, 0.0), Pattern.FACE, relief=0.05, grain=0.05, fold=0.04, trim=mask)
