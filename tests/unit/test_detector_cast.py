"""Who is in detector frames and where, with and without realistic people."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.realistic_tools import saved, stand_in
from training.detector.cast import Cast, cast_of, generated_cast, realistic_cast
from training.detector.frames import detector_frames
from training.detector.stage import SIGHT
from training.realistic.assets import AssetsMissingError
from training.realistic.panorama import draw_panorama
from training.synthetic.body import sample_person
from training.synthetic.figure import build_figure
from training.synthetic.places import Vantage


@pytest.fixture(scope="module")
def realistic(tmp_path_factory: pytest.TempPathFactory) -> Cast:
    return realistic_cast(saved(stand_in(), tmp_path_factory.mktemp("assets") / "people.npz"))


def test_without_assets_everybody_is_of_our_own() -> None:
    figure = cast_of(None).figure(np.random.default_rng(4))
    ours = build_figure(sample_person(np.random.default_rng(4)))
    np.testing.assert_array_equal(figure.mesh.vertices, ours.mesh.vertices)


def test_most_people_have_the_bodies_of_the_assets_and_some_are_of_our_own(realistic: Cast) -> None:
    ours = generated_cast()
    same = [
        len(realistic.figure(np.random.default_rng(s)).mesh.vertices)
        == len(ours.figure(_after_the_choice(s)).mesh.vertices)
        for s in range(16)
    ]
    assert 0 < sum(same) < 8


def _after_the_choice(seed: int) -> np.random.Generator:
    rng = np.random.default_rng(seed)
    rng.random()
    return rng


def test_some_cameras_stand_in_panoramas_and_see_people_of_known_heights(realistic: Cast) -> None:
    stages = [realistic.stage(np.random.default_rng(seed)) for seed in range(12)]
    assert 0 < sum(len(stage.view.room.mesh.vertices) == 0 for stage in stages) < 12
    for stage in stages:
        assert (stage.spots[:, 2] > SIGHT.low_px).all()
        assert (stage.spots[:, 2] < SIGHT.high_px).all()


@pytest.mark.parametrize(("aside", "expected"), [(False, "hall"), (True, "city")])
def test_frames_to_measure_on_stand_in_panoramas_that_nothing_is_trained_in(
    aside: bool, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets, seen = stand_in(), []

    def draw(seed: int, sphere: NDArray[np.float32], *others: Any) -> Vantage:
        seen.append(sphere)
        return draw_panorama(seed, sphere, *others)

    monkeypatch.setattr("training.detector.cast.draw_panorama", draw)
    cast = realistic_cast(saved(assets, tmp_path / "people.npz"), aside=aside)
    for seed in range(8):
        cast.stage(np.random.default_rng(seed))
    assert seen
    for sphere in seen:
        np.testing.assert_array_equal(sphere, assets.panoramas[expected])


def test_frames_of_realistic_people_are_the_same_for_the_same_seed(realistic: Cast) -> None:
    for a, b in zip(detector_frames(3, 2, realistic), detector_frames(3, 2, realistic), strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.owners, b.owners)


def test_absent_assets_are_reported_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(AssetsMissingError, match=r"training\.realistic\.pack"):
        cast_of(tmp_path / "none.npz")
