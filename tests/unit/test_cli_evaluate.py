"""`climbtrack evaluate` on a small set in Market1501 naming: figures, odd images, and what is said of bad ones."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from deploy.cli.main import main
from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import save_weights
from training.evaluation.evaluate import EmbeddedSplit, Rerank, results_of
from training.evaluation.metrics import Labelled, QueryResult, rank

COLOURS = {1: (200, 30, 30), 2: (30, 200, 30), 3: (30, 30, 200)}


def paint(path: Path, colour: tuple[int, int, int], height: int = 64, width: int = 24) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((height, width, 3), colour, np.uint8)
    picture[: height // 2] //= 2
    assert cv2.imwrite(str(path), picture)


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """Three people by two cameras, of all sizes and formats; somebody without a match, a distractor, junk."""
    folder = tmp_path / "two-cameras"
    for who, colour in COLOURS.items():
        paint(folder / "query" / f"000{who}_c1s1_000001_01.png", colour, 40 + 30 * who, 9 * who)
        paint(folder / "bounding_box_test" / f"000{who}_c2s1_000001_01.bmp", colour, 200, 5)
        paint(folder / "bounding_box_test" / f"000{who}_c1s1_000002_01.jpg", colour)
    paint(folder / "query" / "0009_c1s1_000001_01.jpg", (90, 90, 90))
    paint(folder / "bounding_box_test" / "0000_c2s1_000003_01.jpg", (120, 30, 160))
    paint(folder / "bounding_box_test" / "-1_c2s1_000004_01.jpg", COLOURS[1])
    return folder


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, float], str]:
    code = main(["evaluate", *words])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else {}, err


def test_colour_histograms_find_people_who_differ_only_in_colour(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--layout", "market", "--data", str(market), "--baseline", "colour-histogram", "--json"]
    code, figures, err = told(words, capsys)
    assert code == 0
    assert {name: figures[name] for name in ("rank1", "rank5", "mAP", "mINP")} == dict.fromkeys(
        ("rank1", "rank5", "mAP", "mINP"), 100.0
    )
    assert (figures["queries"], figures["queries_without_match"], figures["gallery"]) == (3, 1, 7)
    assert "1 of 4 queries have no match" in err


def test_the_shipped_weights_are_evaluated_by_default(market: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, figures, _ = told(["--layout", "market", "--data", str(market), "--json", "--limit", "2", "--flip"], capsys)
    assert code == 0
    assert str(figures["model_id"]).startswith("climb-tiny-")
    assert figures["queries"] == 2
    assert 0 <= figures["mAP"] <= 100


def test_each_feature_can_be_evaluated_whichever_of_them_rank(
    market: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    torch.manual_seed(3)
    sizes = Architecture(name="a", height=32, width=16, tower_width=16, layers=1, heads=2, joint_width=8, state=4)
    network, found = Climb(sizes).eval(), {}
    for ranking in ("both", "sequence"):
        network.architecture = replace(sizes, ranking=ranking)
        save_weights(tmp_path / f"{ranking}.safetensors", network, Preprocessing(32, 16))
        words = [
            "--layout",
            "market",
            "--data",
            str(market),
            "--json",
            "--weights",
            str(tmp_path / f"{ranking}.safetensors"),
        ]
        for feature in ("sequence", "temporal"):
            code, figures, _ = told([*words, "--feature", feature], capsys)
            assert code == 0
            found[ranking, feature] = figures["mAP"]
    assert found["sequence", "sequence"] == found["both", "sequence"]
    assert found["sequence", "temporal"] == found["both", "temporal"]


def test_a_broken_image_is_named_or_skipped(market: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = market / "bounding_box_test" / "0003_c1s1_000002_01.jpg"
    broken.write_bytes(broken.read_bytes()[:40])
    words = ["--layout", "market", "--data", str(market), "--baseline", "colour-histogram", "--json"]
    code, _, err = told(words, capsys)
    assert code == 2
    assert broken.name in err
    assert "Use --skip-broken to skip unreadable images" in err
    code, figures, err = told([*words, "--skip-broken"], capsys)
    assert (code, figures["broken"], figures["gallery"]) == (0, 1, 6)
    assert f"left out: {broken}" in err


def test_person_folders_are_evaluated_on_everyone_in_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for who, colour in COLOURS.items():
        for ending in ("png", "tif", "webp"):
            paint(tmp_path / f"person-{who}" / f"shot.{ending}", colour)
    (tmp_path / "person-1" / "notes.txt").touch()
    words = ["--layout", "people", "--data", str(tmp_path), "--baseline", "colour-histogram", "--json"]
    code, figures, err = told(words, capsys)
    assert (code, figures["mAP"], figures["queries"], figures["gallery"]) == (0, 100.0, 9, 9)
    assert "people: skipped files that are not images (1): notes.txt" in err


def test_queries_that_nobody_can_find_end_with_2_before_anything_is_embedded(
    market: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (market / "bounding_box_test").iterdir():
        path.rename(path.with_name(path.name.replace("000", "007", 1)))
    code, _, err = told(["--layout", "market", "--data", str(market), "--baseline", "colour-histogram"], capsys)
    assert code == 2
    assert "query and gallery have no identity in common (1, 2, 3 and 1 more against" in err
    assert "embedded" not in err


def test_another_layout_is_recognised(market: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline = ["--baseline", "colour-histogram"]
    assert main(["evaluate", "--layout", "mars", "--data", str(market), *baseline]) == 2
    assert "looks like --layout market" in " ".join(capsys.readouterr().err.split())
    assert main(["evaluate", "--layout", "market", "--data", str(market.parent), *baseline]) == 2
    assert f"one folder deeper: --data {market}" in capsys.readouterr().err
    assert main(["evaluate", "--layout", "market", "--data", str(market / "nowhere"), *baseline]) == 2
    assert "nowhere does not exist" in capsys.readouterr().err


def test_non_finite_features_are_rejected() -> None:
    good = Labelled(np.eye(2, dtype=np.float32), np.array([0, 1]), np.array([0, 0]))
    bad = Labelled(np.full((2, 2), np.nan, np.float32), np.array([0, 1]), np.array([1, 1]))
    with pytest.raises(ValueError, match="2 of 2 gallery features are not finite"):
        rank(good, bad)


def test_pictures_show_whom_queries_found_and_how_alike_people_are(
    market: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--layout", "market", "--data", str(market), "--baseline", "colour-histogram", "--json"]
    code, _, err = told([*words, "--pictures", str(tmp_path / "report")], capsys)
    assert code == 0
    drawn = sorted(path.name for path in (tmp_path / "report").iterdir())
    assert drawn == ["similarities.png", "some.png", "worst.png"]  # seven items are too few for a map
    assert all(f"drew {tmp_path / 'report' / name}" in err for name in drawn)
    assert all((tmp_path / "report" / name).read_bytes().startswith(b"\x89PNG") for name in drawn)


def test_a_split_that_a_data_set_does_not_have_says_nothing_about_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for camera in ("c1", "c2"):
        paint(tmp_path / "anna" / camera / "1.png", COLOURS[1])
    code, _, err = told(["--layout", "people", "--data", str(tmp_path), "--split", "3"], capsys)
    assert code == 2
    assert err == "climbtrack: people has a single split, 0, not 3\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--k1", "30"], "--k1 without --rerank would change nothing"),
        (["--k2", "6", "--lambda", "0.5"], "--k2 and --lambda without --rerank would change nothing"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    market: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    basis = ["--layout", "market", "--data", str(market), "--baseline", "colour-histogram"]
    code, _, err = told([*basis, *words], capsys)
    assert code == 2
    assert said in err


def test_re_ranking_takes_what_is_given_and_else_the_values_of_its_paper(
    market: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Rerank | None] = []

    def noted(found: EmbeddedSplit, rerank: Rerank | None = None) -> list[QueryResult]:
        taken.append(rerank)
        return results_of(found, rerank)

    monkeypatch.setattr("training.evaluation.evaluate.results_of", noted)
    basis = ["--layout", "market", "--data", str(market), "--baseline", "colour-histogram", "--json"]
    for words in ([], ["--rerank"], ["--rerank", "--k1", "2", "--lambda", "0"]):
        assert told([*basis, *words], capsys)[0] == 0
    assert taken == [None, Rerank(20, 6, 0.3), Rerank(2, 6, 0.0)]
