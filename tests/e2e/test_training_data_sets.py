"""Training on data sets in their usual layouts on disk, with the recipes shipped for them."""

import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_worker.model.weights import load_weights
from tests.dataset_tools import touch, write_ilids, write_lsvid, write_market, write_mars, write_msmt17
from training.config import ConfigError, TrainConfig, load_config
from training.data.dataset import DataSetError
from training.errors import TrainingError
from training.train import run_training

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
SMALL = (
    "network.model=climb-tiny-64",
    "network.clip=",
    "run.device=cpu",
    "run.threads=1",
    "run.workers=0",
    "data.checked=false",
    "batch.identities=2",
    "schedule.steps=2",
    "schedule.epoch_steps=1",
    "run.validate_every=2",
)


def painted(folder: Path) -> Path:
    """Replace every image of a folder with a small picture of one colour."""
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".jpg", ".png")):
        colour = np.random.default_rng(zlib.crc32(path.name[:4].encode())).integers(0, 256, 3)
        assert cv2.imwrite(str(path), np.full((48, 24, 3), colour, np.uint8))
    return folder


def config_of(name: str, folder: Path, output: Path, *overrides: str) -> TrainConfig:
    return load_config(CONFIGS / f"{name}.yaml", [*SMALL, f"data.folder={folder}", f"run.output={output}", *overrides])


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("market1501", write_market),
        ("msmt17", lambda folder: write_msmt17(folder, "MSMT17_V2")),
        ("mars", write_mars),
        ("lsvid", write_lsvid),
        ("ilids", write_ilids),
    ],
)
def test_the_recipe_of_a_data_set_runs_on_its_layout(
    name: str, write: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(name, painted(write(tmp_path / "data")), tmp_path / "run")
    result = run_training(config)
    assert result.steps == 2
    assert load_weights(result.weights).network.architecture.frames == (1 if name in ("market1501", "msmt17") else 8)
    assert "2 people to train on" in capsys.readouterr().err


def test_an_identity_with_one_image_is_reported_once_and_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_training(config_of("market1501", painted(write_market(tmp_path / "data")), tmp_path / "run"))
    assert capsys.readouterr().err.count("identities have one image") == 1


def test_a_broken_image_is_named_by_a_worker_too(tmp_path: Path) -> None:
    folder = painted(write_market(tmp_path / "data"))
    for path in (folder / "bounding_box_train").glob("*.jpg"):
        path.write_bytes(path.read_bytes()[:40])
    for workers in (0, 1):
        with pytest.raises(DataSetError, match=r"^\S+\.jpg is broken"):
            run_training(
                config_of("market1501", folder, tmp_path / "run", f"run.workers={workers}", "losses.memory_init=visit")
            )


def test_one_broken_image_is_named_and_left_out_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = painted(write_mars(tmp_path / "data"))
    cut = folder / "bbox_train" / "0001" / "0001C1T0001F002.jpg"
    cut.write_bytes(cut.read_bytes()[:-40])
    assert run_training(config_of("mars", folder, tmp_path / "run")).steps == 2
    assert f"train: skipped images that cannot be read (1): {cut} (" in capsys.readouterr().err


def test_one_folder_per_person_can_be_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(*(tmp_path / "data" / name / f"{n}.jpg" for name in ("anna", "bert", "carl", "dora") for n in range(3)))
    config = config_of("market1501", painted(tmp_path / "data"), tmp_path / "run", "data.layout=people")
    assert run_training(config).steps == 2
    assert "data: 6 tracklets of 2 people to train on, 6 queries in a gallery of 6" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["..", "query"])
def test_an_error_about_a_wrong_folder_names_the_right_one(given: str, tmp_path: Path) -> None:
    folder = write_market(tmp_path / "data" / "shop") / given
    config = config_of("market1501", folder.resolve(), tmp_path / "run")
    with pytest.raises(DataSetError, match=f"data.folder={tmp_path}/data/shop"):
        run_training(config)


def test_more_identities_per_batch_than_exist_is_an_error(tmp_path: Path) -> None:
    config = config_of("market1501", painted(write_market(tmp_path / "data")), tmp_path / "run", "batch.identities=3")
    with pytest.raises(TrainingError, match=r"a batch of 3 identities cannot come from 2: lower batch\.identities"):
        run_training(config)


def test_a_recipe_without_its_data_set_names_the_missing_setting() -> None:
    with pytest.raises(ConfigError, match=r"data\.folder is missing"):
        load_config(CONFIGS / "mars.yaml")
