"""A very small network tells generated crops from real ones where they differ, and cannot where they do not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.evaluation import realism
from training.evaluation.realism import Discriminator, main, report, statistics, told_apart

SIZE = (32, 16)


@pytest.fixture(autouse=True)
def fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realism, "_STEPS", 40)


def noise(seed: int, *, blur: float = 0.0, count: int = 64) -> NDArray[np.uint8]:
    drawn = np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3)).astype(np.uint8)
    return np.stack([cv2.GaussianBlur(crop, (0, 0), blur) for crop in drawn]) if blur else drawn


def test_absent_assets_of_realistic_people_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(realism, "real_by_site", lambda data: {"hall": noise(1)})
    monkeypatch.setenv("CLIMBTRACK_SHARED", str(tmp_path))
    (tmp_path / "data").mkdir()
    with pytest.raises(SystemExit):
        main(["--assets", str(tmp_path / "people.npz")])
    assert "training.realistic.pack" in capsys.readouterr().err


def test_the_network_has_ten_thousand_parameters() -> None:
    assert 9_000 < sum(parameter.numel() for parameter in Discriminator().parameters()) < 11_000


@pytest.mark.parametrize("known", [False, True])
def test_blurred_crops_are_told_from_sharp_ones_at_sites_that_were_and_were_not_trained_on(known: bool) -> None:
    found = told_apart(noise(0), {"hall": noise(1, blur=1.5), "shop": noise(2, blur=1.5)}, known=known)
    assert set(found) == {"hall", "shop"}
    assert min(found.values()) > 0.95


def test_crops_of_one_kind_are_not_told_apart() -> None:
    found = told_apart(noise(0, count=400), {"hall": noise(1, count=400), "shop": noise(2, count=400)}, known=False)
    assert all(abs(accuracy - 0.5) < 0.12 for accuracy in found.values())


def test_brightness_alone_tells_nothing_apart() -> None:
    dark = {site: noise(seed, count=400) // 2 for seed, site in enumerate(("hall", "shop"), 1)}
    found = told_apart(noise(0, count=400), dark, known=False)
    assert all(abs(accuracy - 0.5) < 0.15 for accuracy in found.values())


def test_the_same_seed_gives_the_same_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realism, "_STEPS", 3)
    sites = {"hall": noise(1), "shop": noise(2)}
    torch.manual_seed(5)
    first = told_apart(noise(0), sites, known=True)
    torch.manual_seed(6)
    assert told_apart(noise(0), sites, known=True) == first


def test_one_site_is_refused() -> None:
    with pytest.raises(ValueError, match="two sites or more"):
        told_apart(noise(0), {"hall": noise(1)}, known=False)


def test_blur_lowers_contrast_and_edges_and_steepens_the_spectrum() -> None:
    sharp, blurred = statistics(noise(0)), statistics(noise(0, blur=1.5))
    for measure in ("local contrast", "edges", "noise", "saturation"):
        assert blurred[measure] < sharp[measure]
    assert blurred["spectral slope"] > sharp["spectral slope"] + 0.5


def test_a_grey_crop_without_detail_has_only_brightness() -> None:
    found = statistics(np.full((2, *SIZE, 3), 90, np.uint8))
    assert found["brightness"] == 90
    assert all(found[name] == 0 for name in ("contrast", "dark pixels", "saturation", "local contrast", "edges"))


def test_the_table_has_a_column_for_each_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realism, "_STEPS", 3)
    lines = report(noise(0), {"hall": noise(1), "shop": noise(2)}).splitlines()
    assert lines[0] == "| | ours | hall | shop |"
    assert all(line.count("|") == 5 for line in lines)
    assert lines[-1].startswith("| told apart, site trained on |")


def test_a_missing_folder_of_videos_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIMBTRACK_SHARED", str(tmp_path / "nowhere"))
    with pytest.raises(SystemExit):
        main([])
    assert "set CLIMBTRACK_SHARED" in capsys.readouterr().err
