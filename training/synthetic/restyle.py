"""The same garments in other fabrics: a second population, to evaluate what was learnt from the first."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.person import Person, Top
from training.synthetic.texture import Colour, Material, Pattern

Dye = Callable[[Material], Material]
GREY = np.full(3, 1 / 3)


@dataclass(frozen=True, slots=True)
class Fashion:
    """How clothes differ from the default ones.

    Attributes:
        turn: Largest rotation of hues, radians.
        exponent: Range of the exponent of reflectances; below 1 is paler.
        tint: Sigma of the log gain of each channel, which also colours greys and blacks.
        patterned: Fraction of plain tops that get one of `patterns`.
        plain: Fraction of outfits, by the outer garment, whose top and trousers lose patterns and prints first.
    """

    turn: float
    exponent: tuple[float, float]
    tint: float
    patterned: float
    patterns: tuple[Pattern, ...]
    plain: float = 0.0


def restyled(person: Person, fashion: Fashion) -> Person:
    """Return the person in clothes of other colours and patterns; body, skin and hair stay.

    The change is a function of the garment: two people who wear the same still do afterwards.
    """
    if np.random.default_rng([person.layers[-1].cloth.seed, 20]).random() < fashion.plain:
        person = _plain(person)
    outer, hips, feet = person.layers[-1].cloth, person.bottom.cloth, person.shoes.shoe
    weaver = np.random.default_rng([outer.seed, 16])
    top, weave = _dye(weaver, fashion), _weave(weaver, fashion)
    bottom = _dye(np.random.default_rng([hips.seed, 17]), fashion)
    shoes = _dye(np.random.default_rng([feet.seed, 18]), fashion)
    bag = _dye(np.random.default_rng([person.hat.seed, 19]), fashion)
    return replace(
        person,
        layers=tuple(_top(layer, top, weave) for layer in person.layers),
        bottom=replace(person.bottom, cloth=bottom(person.bottom.cloth)),
        shoes=replace(person.shoes, shoe=shoes(person.shoes.shoe), sock=shoes(person.shoes.sock)),
        hat=bag(person.hat),
        scarf=None if person.scarf is None else bag(person.scarf),
        apron=None if person.apron is None else bag(person.apron),
        carried=tuple(replace(thing, cloth=bag(thing.cloth)) for thing in person.carried),
    )


def _plain(person: Person) -> Person:
    """Return the person with a top and trousers of one colour each."""
    layers = (
        replace(layer, cloth=_unprinted(layer.cloth), sleeves=_unprinted(layer.sleeves)) for layer in person.layers
    )
    return replace(person, layers=tuple(layers), bottom=replace(person.bottom, cloth=_unprinted(person.bottom.cloth)))


def _unprinted(m: Material) -> Material:
    return replace(m, pattern=Pattern.PLAIN, prints=())


def _top(top: Top, dye: Dye, weave: Dye) -> Top:
    return replace(
        top,
        cloth=weave(dye(top.cloth)),
        sleeves=weave(dye(top.sleeves)),
        collar=None if top.collar is None else dye(top.collar),
        hood=None if top.hood is None else dye(top.hood),
    )


def _dye(rng: Generator, fashion: Fashion) -> Dye:
    """Draw a change of colours: hues turned about grey, then powers and gains."""
    turn = float(rng.uniform(-fashion.turn, fashion.turn))
    exponent, gain = float(rng.uniform(*fashion.exponent)), np.exp(rng.normal(0, fashion.tint, 3))
    matrix = _turned(turn)

    def colour(c: Colour) -> Colour:
        light = np.clip(matrix @ np.array(c), 0.004, 1.0) ** exponent * gain
        return float(min(0.85, light[0])), float(min(0.85, light[1])), float(min(0.85, light[2]))

    def dye(m: Material) -> Material:
        prints = tuple(replace(p, colour=colour(p.colour)) for p in m.prints)
        trim = None if m.trim is None else replace(m.trim, colour=colour(m.trim.colour))
        return replace(m, base=colour(m.base), second=colour(m.second), third=colour(m.third), prints=prints, trim=trim)

    return dye


def _turned(turn: float) -> NDArray[np.float64]:
    """Return the `(3, 3)` rotation of colours about the grey axis (Rodrigues)."""
    k = 1 / np.sqrt(3)
    cross = np.array([[0, -k, k], [k, 0, -k], [-k, k, 0]])
    return np.asarray(np.cos(turn) * np.eye(3) + np.sin(turn) * cross + (1 - np.cos(turn)) * np.outer(GREY, GREY) * 3)


def _weave(rng: Generator, fashion: Fashion) -> Dye:
    """Draw what happens to plain cloth: nothing, or a pattern in a paler or darker shade."""
    drawn = rng.random() < fashion.patterned
    pattern = fashion.patterns[int(rng.integers(len(fashion.patterns)))]
    scale, duty, shade = float(rng.uniform(0.03, 0.16)), float(rng.uniform(0.25, 0.55)), rng.uniform(0.02, 0.7, 3)
    second = (float(shade[0]), float(shade[1]), float(shade[2]))

    def weave(m: Material) -> Material:
        if not drawn or m.pattern is not Pattern.PLAIN:
            return m
        return replace(m, pattern=pattern, second=second, third=m.base, scale=scale, duty=duty)

    return weave
