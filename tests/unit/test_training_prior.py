"""What similarities mean is measured where people are held out, and travels with the weights from then on."""

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from deploy.cli.main import main
from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.prior import log_prior
from reid_worker.model.weights import load_weights, save_weights
from tests.published_tools import published_checkpoint
from tests.training_tools import coloured_noise
from training.config.groups import MODELS
from training.evaluation.evaluate import Report
from training.evaluation.metrics import CosineGap, Labelled, rank
from training.evaluation.prior import gap_between, prior_of
from training.keep import keep
from training.recipes.grow import grow_file
from wire.similarity import SimilarityPrior

SMALL = Architecture(name="small", height=32, width=16, tower_width=16, layers=1, heads=2, joint_width=8, state=4)
PRIOR = SimilarityPrior(same_mean=0.6, same_std=0.2, different_mean=0.1, different_std=0.25)
FEATURES = Labelled(
    np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 1]], np.float32), np.array([1, 2, 1, 2]), np.array([1, 1, 2, 2])
)


def test_means_are_as_measured_and_little_scatter_is_not_believed() -> None:
    found = prior_of(CosineGap(same=0.7, different=0.05, same_std=0.13, different_std=0.25))
    assert found == SimilarityPrior(same_mean=0.7, same_std=0.2, different_mean=0.05, different_std=0.25)


@pytest.mark.parametrize(
    "gap",
    [
        pytest.param(CosineGap(float("nan"), 0.0, float("nan"), 0.2), id="nobody seen twice"),
        pytest.param(CosineGap(0.3, 0.3, 0.2, 0.2), id="alike"),
        pytest.param(CosineGap(0.2, 0.4, 0.2, 0.2), id="the other way round"),
    ],
)
def test_weights_that_do_not_tell_people_apart_have_no_prior(gap: CosineGap) -> None:
    assert prior_of(gap) is None


def test_the_gap_is_between_queries_and_whom_they_are_to_find() -> None:
    query = Labelled(FEATURES.features[:2], FEATURES.identities[:2], FEATURES.cameras[:2])
    gallery = Labelled(FEATURES.features[2:], FEATURES.identities[2:], FEATURES.cameras[2:])
    gap = gap_between(query, gallery)
    assert (gap.same, gap.same_std) == pytest.approx((0.8, 0.2))
    assert (gap.different, gap.different_std) == pytest.approx((0.4, 0.4))


def test_a_run_keeps_weights_with_what_it_measured(tmp_path: Path) -> None:
    report = Report(rank(FEATURES, FEATURES), CosineGap(0.7, 0.0, 0.2, 0.3))
    keep(tmp_path / "best.safetensors", Climb(SMALL), Preprocessing(32, 16), report=report, step=1, elapsed_s=1.0)
    keep(tmp_path / "stopped.safetensors", Climb(SMALL), Preprocessing(32, 16), report=None, step=1, elapsed_s=1.0)
    expected = SimilarityPrior(same_mean=0.7, same_std=0.2, different_mean=0.0, different_std=0.3)
    assert load_weights(tmp_path / "best.safetensors").prior == expected
    assert load_weights(tmp_path / "stopped.safetensors").prior is None


def test_grown_weights_have_the_prior_of_the_small_ones(tmp_path: Path) -> None:
    save_weights(tmp_path / "small.safetensors", Climb(MODELS["climb-tiny-64"]), Preprocessing(64, 32), PRIOR)
    grow_file(tmp_path / "small.safetensors", tmp_path / "grown.safetensors")
    assert load_weights(tmp_path / "grown.safetensors").prior == PRIOR


def test_evaluating_can_write_what_it_measured_into_the_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(1)
    weights = tmp_path / "mine.safetensors"
    save_weights(weights, Climb(SMALL), Preprocessing(32, 16))
    before = load_weights(weights).model_id
    for who in (1, 2, 3):
        for camera, part in ((1, "query"), (2, "bounding_box_test")):
            (tmp_path / "set" / part).mkdir(parents=True, exist_ok=True)
            crop = coloured_noise(who, 1, camera, 1, (32, 16))[0]
            assert cv2.imwrite(str(tmp_path / "set" / part / f"000{who}_c{camera}s1_000001_00.png"), crop)
    words = ["evaluate", "--layout", "market", "--data", str(tmp_path / "set"), "--write-prior", "--json"]
    assert main([*words, "--weights", str(weights)]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    written = load_weights(weights)
    assert written.prior is not None
    assert written.model_id == before
    assert said["same_mean"] == written.prior.same_mean > written.prior.different_mean
    assert main(words) == 2
    assert "--write-prior needs --weights" in capsys.readouterr().err


@pytest.fixture
def published(tmp_path: Path) -> Path:
    torch.save(published_checkpoint(), tmp_path / "published.pth")
    return tmp_path / "published.pth"


def test_converting_says_once_what_follows_from_having_no_prior(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = published.with_name("ours.safetensors")
    assert main(["convert", str(published), "--out", str(out)]) == 0
    err = capsys.readouterr().err
    assert "no similarity prior" in err
    assert f"evaluate --weights {out} --write-prior" in err
    assert load_weights(out).prior is None


def test_a_prior_given_to_convert_is_written(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = published.with_name("ours.safetensors")
    assert main(["convert", str(published), "--out", str(out), "--prior", "0.6,0.2,0.1,0.25"]) == 0
    assert load_weights(out).prior == PRIOR
    assert "no similarity prior" not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0.6,0.2,0.1", "much", "0.1,0.2,0.6,0.2", "0.6,0,0.1,0.2", "nan,0.2,0.1,0.2"])
def test_a_prior_that_cannot_be_is_refused(text: str, published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = published.with_name("ours.safetensors")
    assert main(["convert", str(published), "--out", str(out), "--prior", text]) == 2
    assert f"--prior {text}: expected mean and deviation" in capsys.readouterr().err
    assert not out.exists()


def test_a_worker_says_what_its_weights_mean_by_alike_or_that_they_do_not_say(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    log_prior("mine-1", PRIOR)
    log_prior("other-2", None)
    told, warned = caplog.records
    assert (told.levelname, warned.levelname) == ("INFO", "WARNING")
    assert "mine-1: cosine 0.60 +- 0.20 of the same person, 0.10 +- 0.25 of different people" in told.getMessage()
    assert "`climbtrack evaluate --weights FILE --write-prior` measures it" in warned.getMessage()
