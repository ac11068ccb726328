"""Weights that know the cameras of a data set (SIE): evaluated with the right vectors, trained, served, adapted."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deploy.cli.main import main
from reid_worker.model import load_embedder
from reid_worker.model.climb import without_cameras
from reid_worker.model.weights import load_weights, save_weights
from tests.published_tools import published_checkpoint
from tests.training_tools import coloured_noise, small_config
from training.adapt.round import Budget, learn, rate_of
from training.config import ConfigError
from training.convert import convert
from training.data.dataset import DataSet, DataSetError, LabelledTracklet
from training.data.pixels import read_pixels
from training.data.side import Side
from training.evaluation.embedding import EmbedPlan
from training.evaluation.evaluate import embed_splits
from training.people import people_of, training_people
from training.state import start
from training.train import run_training

PEOPLE = range(1, 7)


def market(folder: Path, cameras: Sequence[int]) -> Path:
    """People by every camera, in Market1501's naming; half of them to learn from."""
    for who in PEOPLE:
        for camera in cameras:
            (crop,) = coloured_noise(who, camera, 0, 1, (32, 16))
            parts = ("bounding_box_train",) if who % 2 else ("query", "bounding_box_test")
            for part in parts:
                (folder / part).mkdir(parents=True, exist_ok=True)
                assert cv2.imwrite(str(folder / part / f"{who:04d}_c{camera}s1_000001_00.png"), crop)
    return folder


def released(folder: Path, cameras: int) -> Path:
    torch.save(published_checkpoint(cameras=cameras), folder / "published.pth")
    convert(folder / "published.pth", folder / f"{cameras}.safetensors", side_coefficient=1.5)
    return folder / f"{cameras}.safetensors"


def seen(camera: int) -> LabelledTracklet:
    return LabelledTracklet((Path("a.jpg"),), 1, camera)


def side(cameras: Sequence[int], known: int) -> Side:
    return Side.of([DataSet("set", tuple(map(seen, cameras)), (), ())], known)


def test_cameras_count_from_1_unless_there_is_a_0() -> None:
    assert side([1, 2, 3], 3).rows([seen(3), seen(1)]).tolist() == [2, 0]
    assert side([0, 1, 2], 3).rows([seen(2), seen(0)]).tolist() == [2, 0]
    assert side([3, 7], 15).rows([seen(7)]).tolist() == [6]


@pytest.mark.parametrize(
    ("cameras", "known", "fits"),
    [([1, 2, 3], 3, True), ([0, 1, 2], 3, True), ([1, 2], 3, False), ([1, 2, 4], 3, False), ([1, 2], 0, False)],
)
def test_cameras_match_weights_with_the_same_number(cameras: list[int], known: int, fits: bool) -> None:
    assert side(cameras, known).fits == fits


def test_a_camera_beyond_those_known_is_named() -> None:
    with pytest.raises(DataSetError, match="camera 5 has no side information: the network knows 3 cameras, 1 to 3"):
        side([1, 5], 3).rows([seen(1), seen(5)])


def test_a_crop_is_embedded_with_the_vector_of_its_own_camera(tmp_path: Path) -> None:
    embedder = load_embedder(released(tmp_path, 3), device="cpu")
    files = [tmp_path / f"{camera}.png" for camera in (1, 2, 3)]
    for camera, file in enumerate(files, 1):
        cv2.imwrite(str(file), coloured_noise(1, camera, 0, 1, (32, 16))[0])
    items = tuple(LabelledTracklet((file,), 1, camera) for camera, file in enumerate(files, 1))
    data = DataSet("set", (), items[:1], items[1:])
    found = embed_splits([data], embedder.embed, EmbedPlan(1), side=Side.of([data], 3)).splits[0]
    crops = [[read_pixels(file)] for file in files]
    expected = embedder.embed(crops, [0, 1, 2])
    np.testing.assert_allclose(np.concatenate([found.query.features, found.items.features]), expected, atol=1e-5)
    assert np.abs(expected - embedder.embed(crops)).max() > 1e-3


@pytest.mark.parametrize(
    ("known", "option", "told"),
    [(2, "auto", "own"), (3, "auto", "unknown"), (3, "own", "own"), (2, "unknown", "unknown")],
)
def test_evaluation_reports_which_cameras_the_weights_were_given(
    known: int, option: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, data = released(tmp_path, known), market(tmp_path / "set", (1, 2))
    words = ["--layout", "market", "--data", str(data), "--weights", str(weights), "--cameras", option, "--json"]
    assert main(["evaluate", *words]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out.splitlines()[-1])["cameras"] == told
    assert ("side information for 3 cameras, set has 2: they are treated as unknown" in err) == (
        option == "auto" and known == 3
    )


def test_cameras_cannot_be_given_to_weights_without_side_information(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--layout", "market", "--data", str(market(tmp_path / "set", (1, 2))), "--cameras", "own"]
    assert main(["evaluate", *words]) == 2
    assert "has no camera side information" in capsys.readouterr().err


def test_training_learns_a_vector_per_camera_and_stores_it(tmp_path: Path) -> None:
    data = market(tmp_path / "set", (1, 2))
    changes = ("network.cameras=2", f"data.folder={data}", "data.layout=market", "batch.identities=2")
    short = ("schedule.steps=2", "schedule.temporal_from=0", "schedule.early_scale=1", "run.validate_every=2")
    config = small_config(tmp_path / "run", *changes, *short, "network.resize=bicubic")
    learnt, held_out = people_of(config, None, print)
    assert learnt.side_rows is not None
    assert held_out.query.side_rows is not None
    np.testing.assert_array_equal(learnt.side_rows, learnt.cameras - 1)
    begun = start(config, 3).network.get_parameter("side")
    loaded = load_weights(run_training(config).weights)
    assert loaded.preprocessing.filter == "bicubic"
    assert loaded.network.architecture == config.network.architecture
    assert (loaded.network.get_parameter("side") != begun).any(1).tolist() == [True, True]


def test_generated_people_have_no_cameras_to_learn(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"network\.cameras is 2, but generated people are seen by ever new cameras"):
        small_config(tmp_path / "run", "network.cameras=2")


def test_released_weights_learn_a_site_as_ours_do(tmp_path: Path) -> None:
    old = load_weights(released(tmp_path, 3))
    network = without_cameras(old.network)
    people = training_people(small_config(tmp_path / "run"), coloured_noise, print)
    budget = Budget(minutes=0, epochs=0, lr=rate_of(network.architecture), threads=1, workers=0, steps=2)
    learnt, steps = learn(network, old.preprocessing, people, budget, seed=0)
    assert (steps, learnt.architecture) == (2, network.architecture)
    before, after = network.state_dict(), learnt.state_dict()
    assert torch.equal(after["encoder.conv1.weight"], before["encoder.conv1.weight"]), "CLIP's projection is at rest"
    assert not torch.equal(after["encoder.proj"], before["encoder.proj"])
    save_weights(tmp_path / "site.safetensors", learnt, old.preprocessing)
    crop: NDArray[np.uint8] = coloured_noise(1, 1, 0, 1, (32, 16))[0]
    assert load_embedder(tmp_path / "site.safetensors", device="cpu").embed([[crop]]).shape == (
        1,
        learnt.architecture.dim,
    )


def test_what_clip_taught_moves_slowly(tmp_path: Path) -> None:
    assert rate_of(load_weights(released(tmp_path, 0)).network.architecture) == 5e-6
