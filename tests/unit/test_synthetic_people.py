"""Generated people: the seeds determine everything, and a person looks the same from every side."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.synthetic.body import sample_person
from training.synthetic.figure import build_figure, posed
from training.synthetic.mesh import Mesh, Ring, box, loft, moved
from training.synthetic.outfit import WRIST
from training.synthetic.people import PeopleGenerator
from training.synthetic.person import Bottom, Hair, Lower, Person, Top, Upper
from training.synthetic.pose import pose_bones, sample_manner
from training.synthetic.render import Layer, Window, draw, look_at, owners
from training.synthetic.shading import Light
from training.synthetic.texture import Material, Print
from training.synthetic.weave import noise3

CAMERA = look_at(np.array([0.0, -5.0, 1.6]), np.array([0.0, 0.0, 0.95]), 300.0, (96, 192))
FRAME = Window(0, 0, 96, 192)
EVEN = Light(np.zeros((0, 6), np.float32), np.ones((2, 3), np.float32))


@pytest.fixture(scope="module")
def generator() -> PeopleGenerator:
    return PeopleGenerator()


def person(seed: int = 0) -> Person:
    return sample_person(np.random.default_rng(seed))


def standing(who: Person, heading: float) -> Mesh:
    manner = sample_manner(np.random.default_rng(1), walking=False)
    calm = replace(manner, arms=((0.0, 0.1, 0.1), (0.0, 0.1, 0.1)), head=(0.0, 0.0), lean=0.0)
    calm = replace(calm, across=(0.0, 0.0), sway=(1.0, 1.0))
    return moved(posed(build_figure(who), pose_bones(calm, 0.0)), 0.0, 0.0, heading)


def photographed(who: Person, heading: float) -> Layer:
    return draw(standing(who, heading), build_figure(who).materials, CAMERA, EVEN, FRAME)


def test_the_same_seeds_give_the_same_crops_from_a_fresh_generator(generator: PeopleGenerator) -> None:
    first = generator.tracklet(5, 11, 0, frames=3)
    again = PeopleGenerator().tracklet(5, 11, 0, frames=3)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param((6, 11, 0), id="person"),
        pytest.param((5, 12, 0), id="camera"),
        pytest.param((5, 11, 1), id="tracklet"),
    ],
)
def test_another_seed_gives_other_crops(generator: PeopleGenerator, seeds: tuple[int, int, int]) -> None:
    assert not np.array_equal(generator.tracklet(5, 11, 0, frames=2), generator.tracklet(*seeds, frames=2))


def test_a_tracklet_has_the_requested_frames_and_size(generator: PeopleGenerator) -> None:
    crops = generator.tracklet(5, 11, 0, frames=4, size=(64, 32))
    assert crops.shape == (4, 64, 32, 3)
    assert crops.dtype == np.uint8


def test_a_camera_is_cached_only_while_it_is_used() -> None:
    generator = PeopleGenerator(keep=1)
    for camera in (1, 2, 1):
        generator.tracklet(5, camera, 0, frames=1)
    assert len(generator._vantages) == 1


@pytest.mark.parametrize(
    ("frames", "size"), [pytest.param(0, (256, 128), id="no frames"), pytest.param(8, (256, 0), id="no width")]
)
def test_an_impossible_tracklet_is_refused(generator: PeopleGenerator, frames: int, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        generator.tracklet(1, 1, 1, frames=frames, size=size)


def dressed(shirt: Material, kind: Upper = Upper.T_SHIRT, lower: Lower = Lower.TROUSERS) -> Person:
    top = Top(kind, shirt, replace(shirt, prints=()), WRIST, 0.9, 0.01)
    bottom = Bottom(lower, Material((0.05, 0.05, 0.08), fold=0.1), 0.08 if lower is Lower.TROUSERS else 0.5, 0.4)
    bare = replace(person(), hair_style=Hair.SHORT, headwear=None, scarf=None, apron=None, carried=())
    return replace(bare, layers=(top,), bottom=bottom)


def test_prints_on_front_and_back_are_seen_each_from_its_side_only() -> None:
    shirt = Material((0.02, 0.02, 0.05), relief=0.0, fold=0.01)
    chest = Print((0.9, 0.0, 0.0), 0.0, 1.3, 0.1, 0.1, 1.0)
    plain = dressed(shirt)
    for side, shown, hidden in ((1.0, np.pi, 0.0), (-1.0, 0.0, np.pi)):
        printed = dressed(replace(shirt, prints=(replace(chest, side=side),)))
        assert np.abs(photographed(printed, shown).rgb - photographed(plain, shown).rgb).sum() > 10
        assert np.abs(photographed(printed, hidden).rgb - photographed(plain, hidden).rgb).sum() == 0


@pytest.mark.parametrize("kind", list(Upper))
@pytest.mark.parametrize("lower", list(Lower))
def test_every_outfit_stands_on_the_floor_at_its_height(kind: Upper, lower: Lower) -> None:
    who = dressed(Material((0.3, 0.3, 0.3)), kind, lower)
    who = replace(who, hair_style=Hair.BALD, build=replace(who.build, height_m=1.8))
    z = standing(who, 0.0).vertices[:, 2]
    assert z.min() == pytest.approx(0.0, abs=1e-5)
    assert z.max() == pytest.approx(1.8, abs=0.03)


def test_a_walking_person_keeps_both_feet_near_the_floor_and_moves_them() -> None:
    figure = build_figure(person())
    manner = sample_manner(np.random.default_rng(3), walking=True)
    steps = [posed(figure, pose_bones(manner, phase)).vertices for phase in (0.0, 0.25, 0.5)]
    assert all(0.8 * figure.scale * 1.75 < s[:, 2].max() < 1.05 * figure.scale * 1.75 for s in steps)
    assert np.abs(steps[1] - steps[0]).max() > 0.2


def test_what_the_camera_looks_at_is_in_the_middle_of_the_frame() -> None:
    np.testing.assert_allclose(CAMERA.project(np.array([[0.0, 0.0, 0.95]]))[0, :2], (48, 96), atol=1e-9)


def test_the_nearer_thing_hides_the_farther_one_in_any_order() -> None:
    near, far = box((-0.3, -1.0, 0.5), (0.3, -0.8, 1.4), 0), box((-0.6, 1.0, 0.3), (0.6, 1.2, 1.6), 0)
    one, other = owners([near, far], CAMERA, FRAME), owners([far, near], CAMERA, FRAME)
    np.testing.assert_array_equal(one == 0, other == 1)
    assert one[96, 48] == 0
    assert (one == 1).any()


def test_more_samples_soften_edges_without_changing_the_area() -> None:
    ball = loft(_circle(), 0, 24)
    materials = np.stack([Material((0.5, 0.5, 0.5), relief=0.0).row()])
    hard = draw(ball, materials, CAMERA, EVEN, FRAME).cover
    soft = draw(ball, materials, CAMERA, EVEN, FRAME._replace(samples=4)).cover
    assert set(np.unique(hard)) == {0.0, 1.0}
    assert ((soft > 0.05) & (soft < 0.95)).any()
    assert soft.sum() == pytest.approx(hard.sum(), rel=0.02)


def _circle() -> list[Ring]:
    turns = np.linspace(0.02, np.pi - 0.02, 12)
    return [Ring(0.9 - 0.4 * np.cos(t), 0.4 * np.sin(t), 0.4 * np.sin(t)) for t in turns.tolist()]


def test_noise_stays_in_range_and_is_continuous() -> None:
    x: NDArray[np.float64] = np.linspace(-20, 20, 16001)
    values = np.array([noise3(float(v), 0.0, -7.0, 5) for v in x])
    assert 0 <= values.min() < 0.15
    assert 0.85 < values.max() <= 1
    assert np.abs(np.diff(values)).max() < 0.01
