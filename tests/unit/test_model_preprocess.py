"""Resizing as the released weights want it: Pillow's bicubic, on a CPU and as matrix products of a device."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open

from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.device_resize import bucket_of, pack, resize_packed
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import load_weights, save_weights

HEIGHT, WIDTH = 64, 32
BICUBIC = Preprocessing(HEIGHT, WIDTH, filter="bicubic")
SIZES = [(200, 80), (64, 32), (31, 9), (300, 20), (20, 70), (1, 1), (129, 64), (64, 100)]
SMALL = Architecture(name="small", height=32, width=16, tower_width=16, layers=1, heads=2, joint_width=8, state=4)


def noise(size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(size[0]).integers(0, 256, (*size, 3), dtype=np.uint8)


def by_pillow(crop: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Columns before rows: Pillow of the released code always did so, a later one chooses."""
    narrow = Image.fromarray(crop).resize((WIDTH, crop.shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(narrow.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(np.int64)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_bicubic_is_that_of_pillow_within_a_grey_level(size: tuple[int, int]) -> None:
    crop = noise(size)
    (resized,) = BICUBIC.resize([crop])
    difference = np.abs(resized.astype(np.int64) - by_pillow(crop))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.02


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_device_resizes_bicubically_as_the_cpu_does(size: tuple[int, int]) -> None:
    crop = noise(size)
    buffer = np.full((1, *bucket_of(crop.shape), 3), 255, np.uint8)  # what lies beside a crop does not matter
    pack([crop], buffer)
    (resized,) = resize_packed(torch.from_numpy(buffer), torch.tensor([size]), HEIGHT, WIDTH, "bicubic").numpy()
    assert np.abs(resized - by_pillow(crop)).max() <= 1


def test_the_filter_travels_with_weights_and_is_part_of_their_name(tmp_path: Path) -> None:
    network, ids = Climb(SMALL), set()
    for preprocessing in (Preprocessing(32, 16), Preprocessing(32, 16, filter="bicubic")):
        path = tmp_path / f"{preprocessing.filter}.safetensors"
        save_weights(path, network, preprocessing)
        loaded = load_weights(path)
        assert loaded.preprocessing == preprocessing
        ids.add(loaded.model_id)
    assert len(ids) == 2


def test_weights_with_the_usual_filter_say_nothing_that_earlier_programs_cannot_read(tmp_path: Path) -> None:
    save_weights(tmp_path / "area.safetensors", Climb(SMALL), Preprocessing(32, 16))
    with safe_open(tmp_path / "area.safetensors", framework="pt") as file:
        stated = json.loads(file.metadata()["climbtrack"])["preprocessing"]
    assert "filter" not in stated


def test_a_filter_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="filter must be area or bicubic, got 'lanczos'"):
        Preprocessing(32, 16, filter="lanczos")  # type: ignore[arg-type]
