"""A fashion changes clothes by garment: two people who wear the same still do."""

from dataclasses import replace

import numpy as np

from training.synthetic.people import PeopleGenerator
from training.synthetic.population import person_of
from training.synthetic.restyle import Fashion, restyled
from training.synthetic.settings import DEFAULT, PLAIN, SETTINGS
from training.synthetic.texture import Pattern

SEEDS = range(60)


def fashion(plain: float) -> Fashion:
    assert PLAIN.fashion is not None
    return replace(PLAIN.fashion, plain=plain)


def patterned(plain: float) -> list[bool]:
    people = [restyled(person_of(seed, None), fashion(plain)) for seed in SEEDS]
    cloths = [[cloth for top in p.layers for cloth in (top.cloth, top.sleeves)] + [p.bottom.cloth] for p in people]
    return [any(c.pattern is not Pattern.PLAIN or c.prints for c in worn) for worn in cloths]


def test_a_plain_fashion_has_neither_patterns_nor_prints() -> None:
    assert not any(patterned(1.0))
    assert 0 < sum(patterned(0.5)) < sum(patterned(0.0))


def test_garments_that_were_alike_stay_alike() -> None:
    one = person_of(3, None)
    taller = replace(one, hat=person_of(4, None).hat)
    first, second = (restyled(person, fashion(0.5)).layers for person in (one, taller))
    assert first == second


def test_the_plain_setting_is_darker_than_the_default() -> None:
    crops = {
        setting.name: np.concatenate(
            [PeopleGenerator(setting=setting).tracklet(seed, seed, 0, 1, (64, 32)) for seed in range(6)]
        )
        for setting in (DEFAULT, PLAIN)
    }
    assert np.median(crops["plain"].mean((1, 2, 3))) < np.median(crops["default"].mean((1, 2, 3)))


def test_every_setting_is_found_by_its_name() -> None:
    assert {name: setting.name for name, setting in SETTINGS.items()} == {name: name for name in SETTINGS}
    assert set(SETTINGS) == {"default", "other", "plain"}
