"""Hard negatives: people who resemble another person except for one or two things they wear or carry.

Telling such pairs apart teaches a network to look beyond colour (ClonedPerson, Wang et al. 2022, recommends similar
people in one training set; UnrealPerson, Zhang et al. 2021, calls them hard samples).
"""

from collections.abc import Callable
from dataclasses import replace

from numpy.random import Generator

from training.synthetic import wardrobe
from training.synthetic.body import sample_carried, sample_hair
from training.synthetic.outfit import Weather, sample_bottom, sample_layers, sample_shoes
from training.synthetic.person import Build, Headwear, Lower, Person, Upper

Change = Callable[[Person, Generator], Person]


def similar_person(person: Person, rng: Generator) -> Person:
    """Return another person who differs from `person` in one or two things, and always a little in build.

    A person in a dress keeps it, because it is one garment above and below the waist.
    """
    other = replace(person, build=_near(person, rng))
    changes = list(_CHANGES if person.layers[-1].kind is not Upper.DRESS else _CHANGES[2:])
    for _ in range(1 + int(rng.random() < 0.35)):
        other = changes.pop(int(rng.integers(len(changes))))(other, rng)
    return other


def _near(person: Person, rng: Generator) -> Build:
    """Draw a build a little different from the person's."""
    build = person.build
    return replace(
        build,
        height_m=build.height_m + float(rng.normal(0.0, 0.04)),
        girth=build.girth * float(rng.uniform(0.95, 1.05)),
    )


def _feminine(person: Person) -> bool:
    return person.build.bust > 0


def _weather(person: Person) -> Weather:
    """Guess the weather from the sleeves."""
    return Weather(0 if person.layers[-1].sleeve_z > 1.0 else 1)


def _other_bottom(person: Person, rng: Generator) -> Person:
    bottom = sample_bottom(rng, _weather(person), person.layers[-1], feminine=_feminine(person))
    return replace(person, bottom=bottom)


def _other_layers(person: Person, rng: Generator) -> Person:
    layers = sample_layers(rng, _weather(person), feminine=False)
    headwear = None if person.headwear is Headwear.HOOD else person.headwear
    return replace(person, layers=layers, headwear=headwear)


def _other_shoes(person: Person, rng: Generator) -> Person:
    shoes = sample_shoes(rng, _weather(person), person.bottom, feminine=_feminine(person))
    keep = person.shoes.sock_z if person.bottom.kind is not Lower.TROUSERS else shoes.sock_z
    return replace(person, shoes=replace(shoes, sock_z=keep))


def _other_hair(person: Person, rng: Generator) -> Person:
    style, hair = sample_hair(rng, feminine=_feminine(person))
    return replace(person, hair_style=style, hair=hair)


def _other_load(person: Person, rng: Generator) -> Person:
    """Carry something else, or nothing."""
    drawn = person.carried
    while drawn == person.carried:
        drawn = sample_carried(rng, feminine=_feminine(person))
    return replace(person, carried=drawn)


def _other_print(person: Person, rng: Generator) -> Person:
    """Wear the same outer garment with different prints."""
    top = person.layers[-1]
    cloth = replace(top.cloth, prints=wardrobe.prints(rng, top.cloth.base))
    return replace(person, layers=(*person.layers[:-1], replace(top, cloth=cloth)))


_CHANGES: tuple[Change, ...] = (_other_bottom, _other_layers, _other_shoes, _other_hair, _other_load, _other_print)
