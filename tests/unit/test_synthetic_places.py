"""Generated places and cameras: the person is visible, light has a direction, and most cameras are ordinary."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.synthetic import people as people_module
from training.synthetic.boxes import CropDistortion, DetectorErrors
from training.synthetic.bystanders import draw_bystanders
from training.synthetic.course import draw_course
from training.synthetic.daylight import Climate, draw_day
from training.synthetic.figure import build_figure
from training.synthetic.look import Look
from training.synthetic.mesh import box, join
from training.synthetic.outdoor import Yard, build_yard, sheet
from training.synthetic.people import SIGHT, PeopleGenerator
from training.synthetic.places import Places, Vantage, draw_vantage
from training.synthetic.population import KIN, person_of
from training.synthetic.pose import sample_manner
from training.synthetic.render import Window, look_at, owners
from training.synthetic.response import Response, sample_response
from training.synthetic.room import Room
from training.synthetic.scene import Actor, Shot, Thing, View, extent, open_view, shoot
from training.synthetic.settings import DEFAULT, OTHER
from training.synthetic.shading import sunlit
from training.synthetic.texture import Material

GOOD = Look(0.2, (1.0, 1.0, 1.0), 1.0, 2.2, 0.0, (0.0, 0.0, 0.0), 0.0, 0.0, 0.0, 0.0, 95)
ALWAYS_SUNNY = Climate(sunny=1.0, overcast=0.0)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A crop, and the fraction of the whole person visible in it."""

    crop: NDArray[np.uint8]
    share: float


def share_seen(view: View, person: Thing, shot: Shot, window: Window) -> float:
    found = extent(view.camera, person.mesh)
    assert found is not None
    left, top, right, bottom = (int(v) for v in found)
    whole = Window(left - 1, top - 1, right - left + 3, bottom - top + 3)
    alone = np.count_nonzero(owners([person.mesh], view.camera, whole) == 0)
    return float(np.count_nonzero(shot.owner == 0) / window.samples**2 / alone)


@pytest.fixture(scope="module")
def drawn() -> list[Drawn]:
    """Return 120 crops of 20 people on 18 cameras."""
    shares: list[float] = []

    def watched(view: View, things: list[Thing], window: Window) -> Shot:
        shot = shoot(view, things, window)
        shares.append(share_seen(view, things[0], shot, window))
        return shot

    generator, crops = PeopleGenerator(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people_module, "shoot", watched)
        for identity in range(20):
            for camera in range(6):
                seeds = (7000 + identity, 9000 + identity // 7 * 6 + camera, 0)
                crops.append(generator.tracklet(*seeds, frames=1, size=(64, 32))[0])
    return [Drawn(crop, share) for crop, share in zip(crops, shares, strict=True)]


@pytest.fixture(scope="module")
def vantages() -> list[Vantage]:
    return [draw_vantage(seed, SIGHT, Places()) for seed in range(10)]


def test_nearly_every_crop_shows_most_of_the_person(drawn: list[Drawn]) -> None:
    shares = np.array([d.share for d in drawn])
    assert (shares > 0.5).mean() > 0.93
    assert shares.min() > 0.15
    assert np.median(shares) > 0.9


def test_hardly_any_crop_is_dark_or_blown_out(drawn: list[Drawn]) -> None:
    light = np.array([d.crop.mean() for d in drawn])
    assert ((light > 45) & (light < 200)).mean() > 0.96
    assert 80 < light.mean() < 130


def test_a_crop_is_not_one_flat_colour(drawn: list[Drawn]) -> None:
    assert (np.array([d.crop.std() for d in drawn]) > 12).mean() > 0.97


def test_cameras_are_outdoors_and_in_rooms(vantages: list[Vantage]) -> None:
    outdoors = [not vantage.view.room.seats for vantage in vantages]
    assert 3 <= sum(outdoors) <= 9


def test_a_camera_sees_enough_of_the_ground_and_is_above_it(vantages: list[Vantage]) -> None:
    for vantage in vantages:
        assert (vantage.shares > 0.9).sum() >= 12
        assert 1.0 < vantage.view.camera.position[2] < 6.1
        assert all(vantage.view.room.free(x, y, 0.0) for x, y in vantage.spots)


def test_people_are_seen_from_all_sides(vantages: list[Vantage]) -> None:
    figure = build_figure(person_of(1))
    quarters = []
    for seed in range(80):
        vantage = vantages[seed % len(vantages)]
        actor = draw_course(np.random.default_rng(seed), vantage, figure, 1).actors[0]
        x, y = vantage.view.camera.position[:2] - (actor.x, actor.y)
        quarters.append(int((actor.heading - np.arctan2(-x, y)) % (2 * np.pi) // (np.pi / 2)))
    assert np.bincount(quarters, minlength=4).min() >= 8


def test_most_cameras_are_ordinary_and_few_are_bad() -> None:
    rng = np.random.default_rng(1)
    looks = [sample_response(rng, 360, Response()) for _ in range(1500)]
    noise = np.array([look.noise for look in looks])
    assert (noise < 2.5).mean() > 0.6
    assert (noise > 4.5).mean() < 0.12
    assert noise.max() < 7
    assert (np.array([look.quality for look in looks]) >= 50).mean() > 0.65
    assert np.mean([look.saturation < 0.2 for look in looks]) == pytest.approx(Response().grey, abs=0.02)


def test_boxes_are_tight_and_sometimes_wrong() -> None:
    rng = np.random.default_rng(2)
    errors = DetectorErrors()
    margins = np.array([CropDistortion.draw(rng, errors).margin for _ in range(3000)])
    assert np.median(margins) == pytest.approx(errors.margin[0], abs=0.01)
    assert (margins[:, 3] < -0.1).mean() == pytest.approx(errors.legs, abs=0.02)
    assert (np.abs(margins[:, 0] - margins[:, 2]) > 0.2).mean() == pytest.approx(errors.aside, abs=0.02)
    assert ((margins > 0.06).all(1)).mean() == pytest.approx(errors.large, abs=0.02)


def sunny(place_seed: int = 0) -> Room:
    """Return bare ground with a block at its end, in the sun."""
    mesh = join([sheet(-20, -20, 20, 20, 0.0, 0, 40), box((-1.0, 4.0, 0.0), (1.0, 5.0, 3.0), 0)])
    day = draw_day(np.random.default_rng(place_seed), mesh, 6.0, 6.0, ALWAYS_SUNNY)
    return Room(
        mesh, np.stack([Material((0.4, 0.4, 0.4), relief=0.0).row()]), day.light, 6.0, 6.0, (), day.sky, day.sun
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_block_shades_the_ground_behind_it_and_not_before_it(seed: int) -> None:
    room = sunny(seed)
    assert room.sun is not None
    away = np.array(room.sun[:2]) / np.hypot(*room.sun[:2])
    behind, before = (np.array([0.0, 4.5]) + sign * 1.3 * away for sign in (-1, 1))
    assert sunlit(room.light.shade, float(behind[0]), float(behind[1]), 0.0) == 0
    assert sunlit(room.light.shade, float(before[0]), float(before[1]), 0.0) == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_person_casts_a_shadow_away_from_the_sun(seed: int) -> None:
    room = sunny(seed)
    assert room.sun is not None
    camera = look_at(np.array([0.0, -6.0, 4.0]), np.array([0.0, 0.0, 0.3]), 300.0, (320, 240))
    view = open_view(room, camera, GOOD)
    manner = sample_manner(np.random.default_rng(3), walking=False)
    figure = build_figure(person_of(2))
    shot = shoot(view, [Thing(Actor(figure, manner, 0.0, 0.0, 0.0, 0.0).mesh(), figure.materials)],
                 Window(0, 0, 320, 240))  # fmt: skip
    away = np.array(room.sun) / np.hypot(*room.sun[:2])
    darker = shot.rgb.sum(2) / view.background.sum(2)
    for sign, shaded in ((-1, True), (1, False)):
        x, y = camera.project(np.array([[sign * away[0] * 0.9, sign * away[1] * 0.9, 0.0]]))[0, :2].astype(int)
        if shot.owner[y, x] < 0:
            assert (darker[y, x] < 0.85) == shaded


def test_an_overcast_sky_casts_no_shadow() -> None:
    day = draw_day(np.random.default_rng(0), sheet(-5, -5, 5, 5, 0.0, 0), 4.0, 4.0, Climate(0.0, 1.0))
    assert day.sun is None
    assert len(day.light.lamps) == 0


def test_dusk_has_lamps() -> None:
    day = draw_day(np.random.default_rng(0), sheet(-5, -5, 5, 5, 0.0, 0), 4.0, 4.0, Climate(0.0, 0.0))
    assert len(day.light.lamps) >= 2


@pytest.mark.parametrize("setting", [DEFAULT, OTHER], ids=lambda s: s.name)
def test_nobody_can_stand_where_objects_stand_in_a_yard(setting: object) -> None:
    yard = OTHER.places.yard if setting is OTHER else Yard()
    for seed in range(4):
        place = build_yard(np.random.default_rng(seed), yard)
        assert all(not place.free(o.x, o.y) for o in place.obstacles)
        assert int(place.mesh.material.max()) < len(place.materials)


def test_a_companion_walks_beside_the_person() -> None:
    rng, figure = np.random.default_rng(5), build_figure(person_of(3))
    start = Actor(figure, sample_manner(rng, walking=True), 0.0, 0.0, 1.0, 0.0)
    walk = tuple(replace(start, x=-0.3 * k, y=0.2 * k) for k in range(6))
    crowds = [draw_bystanders(rng, walk, np.array([0.0, -8.0, 3.0]), lambda _: figure) for _ in range(300)]
    assert {len(crowd) for crowd in crowds} == {0, 1, 2}
    assert 0.55 < np.mean([len(crowd) == 0 for crowd in crowds]) < 0.77
    pairs = [
        c[0] for c in crowds if len(c) == 1 and all(a.heading == b.heading for a, b in zip(walk, c[0], strict=True))
    ]
    assert pairs
    for pair in pairs:
        apart = [np.hypot(a.x - b.x, a.y - b.y) for a, b in zip(walk, pair, strict=True)]
        assert 0.4 < min(apart) <= max(apart) < 0.9
        assert np.ptp(apart) < 0.01


def test_some_people_of_a_block_are_alike_and_none_are_the_same() -> None:
    alike = 0
    for group in range(60):
        kin = [person_of(KIN * group + k) for k in range(KIN)]
        assert len({repr(person) for person in kin}) == KIN
        alike += kin[0].skin == kin[1].skin
    assert 12 <= alike <= 38


def test_those_who_wear_the_same_also_do_in_another_fashion() -> None:
    for group in range(40):
        usual = [person_of(KIN * group + k) for k in range(2)]
        other = [person_of(KIN * group + k, OTHER.fashion) for k in range(2)]
        same = usual[0].layers == usual[1].layers
        assert (other[0].layers == other[1].layers) == same
        assert other[0].layers[-1].cloth.base != usual[0].layers[-1].cloth.base
        assert (other[0].skin, other[0].build) == (usual[0].skin, usual[0].build)


def test_a_setting_decides_what_is_drawn_and_draws_it_again() -> None:
    crops = [PeopleGenerator(setting=s).tracklet(3, 4, 0, frames=1, size=(32, 16)) for s in (DEFAULT, OTHER, OTHER)]
    assert not np.array_equal(crops[0], crops[1])
    np.testing.assert_array_equal(crops[1], crops[2])


def test_without_a_setting_the_default_is_drawn() -> None:
    usual = PeopleGenerator().tracklet(3, 4, 0, frames=1, size=(32, 16))
    np.testing.assert_array_equal(usual, PeopleGenerator(setting=DEFAULT).tracklet(3, 4, 0, frames=1, size=(32, 16)))
