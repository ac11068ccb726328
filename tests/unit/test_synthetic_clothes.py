"""Clothes, carried items and look-alikes of generated people: varied, plausible, and determined by the seed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pytest

from training.synthetic.body import sample_person
from training.synthetic.figure import build_figure, posed
from training.synthetic.hard_negatives import similar_person
from training.synthetic.luggage import holds
from training.synthetic.mesh import moved
from training.synthetic.outfit import WRIST
from training.synthetic.person import Bottom, Carried, Hair, Headwear, Lower, Luggage, Person, Top, Upper
from training.synthetic.pose import CROSSED, FOREARM, Manner, joint_angles, pose_bones, sample_manner
from training.synthetic.render import Layer, Window, draw, look_at
from training.synthetic.shading import Light
from training.synthetic.texture import WIDTH, Artwork, Material, Pattern, Print, Trim, albedo
from training.synthetic.wardrobe import PATTERNS
from training.synthetic.weave import fold_shade

CAMERA = look_at(np.array([0.0, -5.0, 1.6]), np.array([0.0, 0.0, 0.95]), 300.0, (96, 192))
FRAME = Window(0, 0, 96, 192)
EVEN = Light(np.zeros((0, 6), np.float32), np.ones((2, 3), np.float32))
CALM = Manner(0.0, False, ((0.0, 0.1, 0.1), (0.0, 0.1, 0.1)), 0.0, (0.0, 0.0))
GREY, RED = Material((0.2, 0.2, 0.2), relief=0.0, fold=0.01), Material((0.8, 0.0, 0.0), relief=0.0, fold=0.01)


@pytest.fixture(scope="module")
def crowd() -> list[Person]:
    return [sample_person(np.random.default_rng([seed, 1])) for seed in range(500)]


def simple(*layers: Top) -> Person:
    bare = replace(sample_person(np.random.default_rng(2)), headwear=None, scarf=None, apron=None, carried=())
    trousers = Bottom(Lower.TROUSERS, GREY, 0.08, 0.4)
    return replace(bare, hair_style=Hair.SHORT, hair=GREY, skin=GREY, layers=layers, bottom=trousers)


def seen(person: Person, heading: float) -> Layer:
    figure = build_figure(person)
    mesh = moved(posed(figure, pose_bones(CALM, 0.0, figure.holds)), 0.0, 0.0, heading)
    return draw(mesh, figure.materials, CAMERA, EVEN, FRAME)


def redness(layer: Layer) -> float:
    return float((layer.rgb[..., 0] - layer.rgb[..., 1]).clip(0.2).sum() - 0.2 * layer.cover.size)


def materials(person: Person) -> Iterator[Material]:
    for top in person.layers:
        yield from (m for m in (top.cloth, top.sleeves, top.collar, top.hood) if m is not None)
    yield from (person.bottom.cloth, person.shoes.shoe, person.skin, person.hair)


def test_the_same_generator_state_gives_the_same_person_and_surface() -> None:
    one, other = (sample_person(np.random.default_rng(8)) for _ in range(2))
    assert one == other
    np.testing.assert_array_equal(build_figure(one).materials, build_figure(other).materials)
    np.testing.assert_array_equal(build_figure(one).mesh.vertices, build_figure(other).mesh.vertices)


def test_no_two_people_in_a_crowd_are_dressed_alike(crowd: list[Person]) -> None:
    assert len({(p.layers, p.bottom) for p in crowd}) == len(crowd)


def test_colours_of_clothes_are_many_and_mostly_calm(crowd: list[Person]) -> None:
    shown = np.array([p.layers[-1].cloth.base for p in crowd]).clip(0, 1) ** (1 / 2.2)
    share = np.array(list(Counter(map(tuple, (shown * 5.99).astype(int))).values())) / len(crowd)
    assert -(share * np.log2(share)).sum() > 4.5
    spread = shown.max(1) - shown.min(1)
    assert 0.5 < np.mean(spread < 0.25) < 0.9


def test_trousers_are_darker_than_tops(crowd: list[Person]) -> None:
    tops, bottoms = (np.mean([np.mean(m.base) for m in ms]) for ms in (
        [p.layers[-1].cloth for p in crowd], [p.bottom.cloth for p in crowd]))  # fmt: skip
    assert bottoms < tops


def test_a_crowd_wears_every_kind_of_garment_pattern_and_carried_item(crowd: list[Person]) -> None:
    worn = {m.pattern for p in crowd for m in materials(p)} | {c.cloth.pattern for p in crowd for c in p.carried}
    assert worn >= {*PATTERNS} - {Pattern.DIAGONAL, Pattern.ARGYLE}
    assert {t.kind for p in crowd for t in p.layers} == set(Upper)
    assert {c.kind for p in crowd for c in p.carried} == set(Luggage)
    assert {p.headwear for p in crowd} == {None, *Headwear}
    assert {p.hair_style for p in crowd} == set(Hair)


def test_many_but_not_most_wear_layers_and_carry_something(crowd: list[Person]) -> None:
    assert 0.25 < np.mean([len(p.layers) > 1 for p in crowd]) < 0.6
    assert 0.3 < np.mean([bool(p.carried) for p in crowd]) < 0.65


def test_an_outer_layer_lies_outside_what_is_under_it(crowd: list[Person]) -> None:
    for person in crowd:
        ease = [t.looseness for t in person.layers]
        assert ease == sorted(ease)


def test_a_hood_is_up_only_where_the_outermost_layer_has_one(crowd: list[Person]) -> None:
    hooded = [p for p in crowd if p.headwear is Headwear.HOOD]
    assert hooded
    assert all(p.layers[-1].hood is not None for p in hooded)


def test_some_people_have_different_kinds_of_prints_on_front_and_back(crowd: list[Person]) -> None:
    pairs = [t.cloth.prints for p in crowd for t in p.layers if len(t.cloth.prints) == 2]
    assert all({p.side for p in pair} == {1.0, -1.0} for pair in pairs)
    assert any(pair[0].artwork is not pair[1].artwork for pair in pairs)


def test_surfaces_are_finite_and_reflect_at_most_the_incident_light(crowd: list[Person]) -> None:
    for person in crowd[:60]:
        figure = build_figure(person)
        assert np.isfinite(figure.mesh.vertices).all()
        assert np.isfinite(figure.mesh.normals).all()
        assert figure.materials.shape[1] == WIDTH
        assert figure.mesh.material.max() == len(figure.materials) - 1
        assert figure.materials[:, :9].max() <= 1.0


def test_an_open_jacket_shows_the_shirt_under_it_from_the_front_only() -> None:
    shirt = Top(Upper.T_SHIRT, RED, RED, 1.25, 0.9, 0.006)
    jacket = Top(Upper.JACKET, GREY, GREY, WRIST, 0.88, 0.025, gap=0.07)
    assert redness(seen(simple(shirt, jacket), np.pi)) > 20
    assert redness(seen(simple(shirt, jacket), 0.0)) < 2
    assert redness(seen(simple(shirt, replace(jacket, gap=0.0)), np.pi)) < 2


def test_a_shirt_longer_than_the_jacket_shows_below_it() -> None:
    jacket = Top(Upper.JACKET, GREY, GREY, WRIST, 0.95, 0.025)
    long, short = (Top(Upper.T_SHIRT, RED, RED, 1.25, hem, 0.018) for hem in (0.85, 0.99))
    assert redness(seen(simple(long, jacket), 0.0)) > redness(seen(simple(short, jacket), 0.0)) + 10


def test_a_backpack_hides_the_back_and_shows_its_straps_in_front() -> None:
    pack = Carried(Luggage.BACKPACK, RED, 1.0, 1.0)
    person = replace(simple(Top(Upper.T_SHIRT, GREY, GREY, 1.25, 0.9, 0.01)), carried=(pack,))
    behind, front = redness(seen(person, 0.0)), redness(seen(person, np.pi))
    assert behind > 3 * front > 15


@pytest.mark.parametrize("side", [pytest.param(1.0, id="left"), pytest.param(-1.0, id="right")])
def test_a_hand_that_carries_a_bag_does_nothing_else(side: float) -> None:
    person = replace(
        simple(Top(Upper.TANK, GREY, GREY, 1.5, 0.9, 0.01)), carried=(Carried(Luggage.TOTE, RED, side, 1.0),)
    )
    crossed = replace(CALM, arms=(CROSSED[0][:3], CROSSED[1][:3]), across=(1.2, 1.2))
    hand, free = (0, 1) if side > 0 else (1, 0)
    held = joint_angles(crossed, 0.0, holds(person))
    assert held[FOREARM + hand, 0] < 0.3 < held[FOREARM + free, 0]
    assert held[FOREARM + hand, 2] == 0


def test_a_seated_person_with_a_trolley_keeps_both_feet_on_the_floor() -> None:
    plain = simple(Top(Upper.T_SHIRT, GREY, GREY, 1.25, 0.9, 0.01))
    trolley = replace(plain, carried=(Carried(Luggage.TROLLEY, RED, 1.0, 1.0),))
    manner = sample_manner(np.random.default_rng(4), walking=False, seated=True)
    heads = [posed(build_figure(p), pose_bones(manner, 0.0)).vertices for p in (plain, trolley)]
    assert heads[0][:, 2].max() == pytest.approx(heads[1][:, 2].max(), abs=1e-5)
    assert heads[1][:, 2].min() == pytest.approx(0.0, abs=1e-5)


def test_arms_do_many_things_and_mostly_hang_while_walking() -> None:
    rng = np.random.default_rng(6)
    elbows = {
        w: np.array([[a[2] for a in sample_manner(rng, walking=w).arms] for _ in range(300)]) for w in (True, False)
    }
    assert np.mean((elbows[True] < 0.6).all(1)) > 0.6
    assert np.mean((elbows[False] > 0.6).any(1)) > 0.35


@pytest.mark.parametrize("seed", range(40))
def test_a_look_alike_differs_in_build_and_one_or_two_things(seed: int) -> None:
    rng = np.random.default_rng(seed)
    person = sample_person(rng)
    other = similar_person(person, rng)
    changed = {f.name for f in fields(person) if getattr(person, f.name) != getattr(other, f.name)}
    changed.discard("hair_style")  # drawn with the hair
    assert "build" in changed
    assert len(changed - {"build", "headwear"}) in {1, 2}
    assert abs(other.build.height_m - person.build.height_m) < 0.25


def test_look_alikes_are_decided_by_the_generator() -> None:
    person = sample_person(np.random.default_rng(1))
    assert similar_person(person, np.random.default_rng(2)) == similar_person(person, np.random.default_rng(2))
    assert similar_person(person, np.random.default_rng(2)) != similar_person(person, np.random.default_rng(3))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_shows_its_second_colour_somewhere_and_never_leaves_the_range(pattern: Pattern) -> None:
    scale = 1.2 if pattern in {Pattern.BLOCK, Pattern.GRADIENT} else 0.08
    row = Material((0.1, 0.1, 0.1), (0.9, 0.9, 0.9), (0.5, 0.5, 0.5), pattern, scale, relief=0.0, seed=3).row()
    points = np.random.default_rng(0).uniform((-0.2, -0.1, 0.8), (0.2, 0.1, 1.5), (600, 3))
    values = np.array([albedo(row, *map(float, p))[0] for p in points])
    assert values.min() >= 0.1 - 1e-6
    assert values.max() <= 0.9 + 1e-6
    assert values.std() > 0.05


@pytest.mark.parametrize("artwork", Artwork)
def test_every_print_covers_part_of_its_rectangle_and_nothing_outside(artwork: Artwork) -> None:
    picture = Print((1.0, 0.0, 0.0), 0.0, 1.3, 0.1, 0.1, 1.0, artwork)
    row = replace(GREY, prints=(picture,)).row()
    inside = np.random.default_rng(0).uniform((-0.1, 1.2), (0.1, 1.4), (300, 2))
    green = np.array([albedo(row, float(x), 0.1, float(z))[1] for x, z in inside])
    assert 0.15 < np.mean(green < 0.1) < 0.95
    assert albedo(row, 0.0, 0.1, 1.41) == albedo(GREY.row(), 0.0, 0.1, 1.41)


def test_trims_colour_hem_yoke_and_the_middle_of_the_front() -> None:
    row = replace(GREY, trim=Trim((0.0, 0.9, 0.0), below=0.95, above=1.4, front=0.02)).row()
    green = [albedo(row, x, y, z)[1] > 0.4 for x, y, z in (
        (0.1, 0.1, 0.9), (0.1, -0.1, 1.45), (0.0, 0.1, 1.2), (0.0, -0.1, 1.2), (0.1, 0.1, 1.2))]  # fmt: skip
    assert green == [True, True, True, False, False]


def test_creases_change_the_shade_but_hardly_the_mean() -> None:
    points = np.random.default_rng(1).uniform((-0.2, -0.1, 0.1), (0.2, 0.1, 1.45), (3000, 3))
    shades = np.array([fold_shade(0.4, 5, (float(x), float(y), float(z))) for x, y, z in points])
    assert shades.mean() == pytest.approx(1.0, abs=0.12)
    assert shades.std() > 0.08
    assert shades.min() >= 0.35
