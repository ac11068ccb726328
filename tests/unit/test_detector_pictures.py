"""What the bundled detector is shown: backdrops, things and people put into pictures, objects, postures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from training.detector.clutter import backdrop, dead_leaves, textured
from training.detector.compose import on_other_background, with_people, with_people_relit, with_things
from training.detector.cutouts import Cutout, paste, scrambled, shapeless
from training.detector.frames import LabelledFrame
from training.detector.furnish import around_somebody, furnished
from training.detector.objects import MAKERS
from training.detector.patterns import coloured_noise, rows_of_goods, seen_at_an_angle, stripes
from training.detector.pool import render_shards, rendering
from training.detector.postures import posture
from training.detector.props import Props
from training.detector.shapes import ROWS, disc, rod, sample_materials
from training.detector.zoom import randomly_zoomed
from training.synthetic.body import sample_person
from training.synthetic.figure import Figure, build_figure
from training.synthetic.look import sample_look
from training.synthetic.mesh import Mesh
from training.synthetic.room import build_room
from training.synthetic.scene import open_view, place_camera
from training.synthetic.stage import Stage, VisibilityLimits, standing_spots

Image = NDArray[np.uint8]


def someone(height: int = 90, width: int = 120) -> LabelledFrame:
    """Return a grey frame in which one person is a bright upright block, seen whole."""
    image, owners = np.full((height, width, 3), 90, np.uint8), np.zeros((height, width), np.uint8)
    owners[20:80, 50:70] = 1
    image[owners == 1] = 230
    return LabelledFrame(image, owners, np.array([float((owners == 1).sum())]))


def props(seed: int) -> Props:
    made = Props(np.random.default_rng(seed))
    made.keep(someone())
    return made


@pytest.fixture(scope="module")
def figure() -> Figure:
    return build_figure(sample_person(np.random.default_rng(1)))


@pytest.fixture(scope="module")
def stage() -> Stage:
    """A camera in a room in which it sees people at many places."""
    rng = np.random.default_rng([3, 2])
    while True:
        room = build_room(rng, float(rng.uniform(3.0, 7.0)), float(rng.uniform(2.5, 6.0)), int(rng.integers(2, 16)))
        camera = place_camera(rng, room, (640, 360))
        spots = standing_spots(rng, room, camera, VisibilityLimits(30.0, 400.0))
        if len(spots) >= 12:
            return Stage(open_view(room, camera, sample_look(rng, 360)), spots)


class TestBackdrops:
    @pytest.mark.parametrize("maker", [backdrop, dead_leaves, coloured_noise, stripes, rows_of_goods])
    def test_they_are_pictures_of_the_size_asked_for_and_the_same_for_the_same_seed(
        self, maker: Callable[[Generator, int, int], Image]
    ) -> None:
        for seed in range(4):
            first, again = (maker(np.random.default_rng(seed), 72, 128) for _ in range(2))
            assert first.shape == (72, 128, 3)
            assert first.dtype == np.uint8
            np.testing.assert_array_equal(first, again)

    def test_they_differ_from_place_to_place(self) -> None:
        spreads = [backdrop(np.random.default_rng(seed), 72, 128).std((0, 1)).max() for seed in range(20)]
        assert np.median(spreads) > 15

    def test_a_texture_of_no_strength_changes_nothing(self) -> None:
        image, texture = someone().image, dead_leaves(np.random.default_rng(0), 90, 120)
        np.testing.assert_array_equal(textured(image, texture, 0.0), image)
        assert np.abs(textured(image, texture, 0.8).astype(int) - image).mean() > 5

    def test_an_angle_moves_no_pixel_out_of_a_picture_of_one_colour(self) -> None:
        plain = np.full((40, 60, 3), 77, np.uint8)
        for seed in range(10):
            np.testing.assert_array_equal(seen_at_an_angle(np.random.default_rng(seed), plain), plain)


class TestCutouts:
    def test_what_is_pasted_behind_leaves_people_as_they_are(self) -> None:
        frame = someone()
        image, owners = frame.image.copy(), frame.owners.copy()
        block = Cutout(np.full((60, 60, 3), 10, np.uint8), np.full((60, 60), 255, np.uint8))
        paste(image, owners, block, (30, 20), 0, behind=True)
        np.testing.assert_array_equal(owners, frame.owners)
        assert (image[22:78, 52:68] == 230).all()
        assert (image[25:75, 33:47] == 10).all()

    def test_what_is_pasted_in_front_hides_people(self) -> None:
        frame = someone()
        image, owners = frame.image.copy(), frame.owners.copy()
        block = Cutout(np.full((60, 10, 3), 10, np.uint8), np.full((60, 10), 255, np.uint8))
        paste(image, owners, block, (50, 20), 0)
        assert not owners[20:80, 50:60].any()
        assert (owners[20:80, 60:70] == 1).all()

    def test_what_lies_outside_is_left_out(self) -> None:
        frame = someone()
        image, owners = frame.image.copy(), frame.owners.copy()
        block = Cutout(np.full((20, 20, 3), 10, np.uint8), np.full((20, 20), 255, np.uint8))
        for at in ((-30, 0), (120, 0), (0, -20), (0, 90)):
            paste(image, owners, block, at, 2)
        np.testing.assert_array_equal(image, frame.image)
        paste(image, owners, block, (-10, -10), 2)
        assert (owners == 2).sum() == 100

    def test_somebody_scrambled_keeps_their_colours_and_loses_their_form(self) -> None:
        colours = np.arange(60 * 24, dtype=np.uint16).reshape(60, 24)
        person = Cutout(np.repeat((colours % 251).astype(np.uint8)[..., None], 3, 2), np.full((60, 24), 255, np.uint8))
        other = scrambled(np.random.default_rng(0), person)
        rows, columns = other.cover.shape
        assert rows * columns > 0.8 * 60 * 24
        assert set(np.unique(other.image)) <= set(np.unique(person.image))
        assert not np.array_equal(other.image, person.image[:rows, :columns])

    @pytest.mark.parametrize("size", [(1, 1), (3, 1), (2, 2), (7, 2), (4, 3)])
    def test_somebody_of_a_few_pixels_is_scrambled_too(self, size: tuple[int, int]) -> None:
        person = Cutout(np.full((*size, 3), 90, np.uint8), np.full(size, 255, np.uint8))
        for seed in range(20):
            other = scrambled(np.random.default_rng(seed), person)
            assert (other.image == 90).all()
            assert (other.cover == 255).all()

    @pytest.mark.parametrize("seed", range(8))
    def test_a_shapeless_thing_is_of_the_height_asked_for_and_covers_something(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        made = shapeless(rng, 50, dead_leaves(rng, 50, 50))
        assert made.cover.shape[0] == 50
        assert made.image.shape == (*made.cover.shape, 3)
        assert made.cover.any()


class TestComposing:
    @pytest.mark.parametrize("seed", range(6))
    def test_more_people_are_described_and_owned(self, seed: int) -> None:
        made = with_people(np.random.default_rng(seed), props(seed), someone(180, 240), 4)
        assert len(made.whole) == 5
        assert made.owners.max() <= 5
        assert (made.whole > 0).all()

    @pytest.mark.parametrize("seed", range(6))
    def test_things_add_nobody(self, seed: int) -> None:
        frame = someone(180, 240)
        made = with_things(np.random.default_rng(seed), props(seed), frame, 8)
        assert not made.owners[frame.owners == 0].any()
        assert not np.array_equal(made.image, frame.image)

    @pytest.mark.parametrize("seed", range(6))
    def test_another_background_moves_nobody(self, seed: int) -> None:
        frame = someone(180, 240)
        made = on_other_background(np.random.default_rng(seed), props(seed), frame)
        np.testing.assert_array_equal(made.owners, frame.owners)
        assert not np.array_equal(made.image[frame.owners == 0], frame.image[frame.owners == 0])

    def test_other_light_on_people_leaves_what_is_around_as_it_is(self) -> None:
        frame = someone()
        made = [with_people_relit(np.random.default_rng(seed), frame) for seed in range(12)]
        for one in made:
            np.testing.assert_array_equal(one.image[:, :45], frame.image[:, :45])
        assert min(int(one.image[40, 60, 0]) for one in made) < 150

    @pytest.mark.parametrize("size", [(90, 120), (160, 90), (90, 300)])
    def test_a_frame_that_fills_a_picture_shows_no_border(self, size: tuple[int, int]) -> None:
        """Its own grey is everywhere, or the border is seen on one pair of sides only."""
        nothing = LabelledFrame(np.full((90, 120, 3), 90, np.uint8), np.zeros((90, 120), np.uint8), np.empty(0))

        def black(height: int, width: int) -> Image:
            return np.zeros((height, width, 3), np.uint8)

        shares = [
            (randomly_zoomed(np.random.default_rng(seed), nothing, *size, 1.2, black).image == 90).mean()
            for seed in range(24)
        ]
        assert np.mean(np.array(shares) > 0.95) > 0.4


class TestObjects:
    @pytest.mark.parametrize("maker", list(dict.fromkeys(MAKERS)))
    def test_they_stand_on_the_floor_and_are_of_materials_there_are(self, maker: Callable[[Generator], Mesh]) -> None:
        for seed in range(25):
            mesh = maker(np.random.default_rng(seed))
            assert np.isfinite(mesh.vertices).all()
            assert mesh.vertices[:, 2].min() > -0.1
            assert np.abs(mesh.vertices).max() < 3.0
            assert 0 <= mesh.material.min() <= mesh.material.max() < ROWS

    def test_a_bar_reaches_from_one_point_to_the_other(self) -> None:
        bar = rod((0.1, 0.2, 0.3), (0.5, -0.4, 1.1), 0.01, 4)
        for end in ((0.1, 0.2, 0.3), (0.5, -0.4, 1.1)):
            assert np.linalg.norm(bar.vertices - np.array(end), axis=1).min() == pytest.approx(0.01 * 2**0.5, rel=1e-3)

    def test_a_wheel_is_round_about_its_axis(self) -> None:
        wheel = disc((1.0, 0.0, 0.3), (1.0, 0.0, 0.0), 0.3, 0.02, 0)
        assert np.abs(wheel.vertices[:, 0] - 1.0).max() < 0.03
        assert np.hypot(wheel.vertices[:, 1], wheel.vertices[:, 2] - 0.3).max() == pytest.approx(0.3, rel=1e-3)

    def test_materials_come_in_one_table_of_as_many_rows_as_objects_use(self) -> None:
        assert len(sample_materials(np.random.default_rng(0))) == ROWS

    def test_all_that_stands_around_has_its_materials(self, stage: Stage, figure: Figure) -> None:
        for seed in range(12):
            rng = np.random.default_rng(seed)
            things = furnished(rng, stage, [figure])
            things += around_somebody(rng, stage, 0.0, 0.0, 1.0, seated=seed % 2 == 0)
            for thing in things:
                assert thing.mesh.material.max() < len(thing.materials)


class TestPostures:
    def test_people_stand_crouch_bend_and_reach_on_the_floor(self, figure: Figure) -> None:
        meshes = [posture(np.random.default_rng(seed), figure, seated=False) for seed in range(80)]
        heights = np.array([mesh.vertices[:, 2].max() for mesh in meshes]) / figure.scale
        assert all(mesh.vertices[:, 2].min() == pytest.approx(0.0, abs=1e-5) for mesh in meshes)
        assert heights.min() < 1.4  # crouching, or bent to the floor
        assert heights.max() > 1.9  # reaching above their head
        assert np.median(heights) == pytest.approx(1.74, abs=0.1)

    def test_seated_people_are_lower_than_standing_ones(self, figure: Figure) -> None:
        sits = [posture(np.random.default_rng(s), figure, seated=True).vertices[:, 2].max() for s in range(12)]
        assert np.median(sits) < 1.5


class TestRendering:
    def test_other_processes_render_and_end_with_the_block(self, tmp_path: Path) -> None:
        render_shards(tmp_path, 0, 1, seed=1)
        with rendering(tmp_path, range(1), seed=1, processes=3) as processes:
            assert len(processes) == 1
            processes[0].join()
        assert processes[0].exitcode == 0
