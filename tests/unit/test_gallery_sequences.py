"""Files of cameras in common folder layouts."""

from pathlib import Path

import pytest

from gallery.errors import ScoreError
from gallery.score.sequences import find_sequences, paired

ROW = "1,1,0,0,10,20,1\n"


def write(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(ROW)
    return root


@pytest.mark.parametrize(
    ("given", "paths", "names"),
    [
        pytest.param(".", ["a.txt", "b.txt", "people.html"], ["a", "b"], id="flat"),
        pytest.param(".", ["a.TXT", "b.csv"], ["a", "b"], id="other endings"),
        pytest.param(".", ["a.txt", "._a.txt", ".b.txt"], ["a"], id="hidden files"),
        pytest.param(
            ".",
            ["MOT17-02/gt/gt.txt", "MOT17-02/seqinfo.ini", "MOT17-02/det/det.txt", "MOT17-04/gt/gt.txt"],
            ["MOT17-02", "MOT17-04"],
            id="MOTChallenge",
        ),
        pytest.param("MOT17-02", ["MOT17-02/gt/gt.txt", "MOT17-02/seqinfo.ini"], ["MOT17-02"], id="one sequence"),
        pytest.param("MOT17-02/gt", ["MOT17-02/gt/gt.txt"], ["MOT17-02"], id="its gt"),
        pytest.param("MOT17-02/gt/gt.txt", ["MOT17-02/gt/gt.txt"], ["gt"], id="its file"),
        pytest.param(".", ["a/tracks.txt", "b/tracks.txt"], ["a", "b"], id="a folder a camera"),
        pytest.param(".", ["data/a.txt", "data/b.txt"], ["a", "b"], id="TrackEval's results"),
        pytest.param(".", ["data/a.txt"], ["a"], id="one of them"),
        pytest.param(".", ["a.txt", "b/gt/gt.txt", "data/c.txt"], ["a", "b"], id="mixed"),
    ],
)
def test_cameras_are_found(given: str, paths: list[str], names: list[str], tmp_path: Path) -> None:
    write(tmp_path, *paths)
    assert sorted(find_sequences(tmp_path / given).files) == names


@pytest.mark.parametrize(
    ("paths", "given", "said"),
    [
        pytest.param([], "nowhere", "nowhere does not exist", id="nothing"),
        pytest.param(
            ["a/picture.jpg"], ".", r"holds no tracks: CAMERA.txt or CAMERA/gt/gt.txt .* it holds a", id="jpg"
        ),
        pytest.param(["train/x/gt/gt.txt", "train/y/gt/gt.txt"], ".", "in the subfolder .*train", id="a parent"),
        pytest.param(["a.txt", "a.csv"], ".", "a.csv and a.txt are both for a", id="a camera twice"),
        pytest.param(["a.txt", "a/gt/gt.txt"], ".", "a.txt and gt.txt are both for a", id="in two layouts"),
    ],
)
def test_what_is_not_a_folder_of_tracks_is_refused_with_the_expected_layout(
    paths: list[str], given: str, said: str, tmp_path: Path
) -> None:
    write(tmp_path, *paths)
    with pytest.raises(ScoreError, match=said):
        find_sequences(tmp_path / given)


@pytest.mark.parametrize(
    ("truth", "results"),
    [
        pytest.param("Cam1.txt", "cam1.txt", id="case"),
        pytest.param("cam1.txt", "cam1.mp4.txt", id="a video's ending"),
        pytest.param("cam1.AVI.txt", "CAM1.csv", id="both"),
        pytest.param("cam1/gt/gt.txt", "cam1.txt", id="a MOTChallenge sequence"),
        pytest.param("T\u00fcr.txt", "Tu\u0308r.txt", id="an umlaut as macOS writes it"),
    ],
)
def test_names_that_differ_in_case_or_ending_are_the_same(truth: str, results: str, tmp_path: Path) -> None:
    write(tmp_path, f"gt/{truth}", f"out/{results}", "gt/other.txt", "out/other.txt")
    pairs = paired(find_sequences(tmp_path / "gt"), find_sequences(tmp_path / "out"), lambda _: None)
    assert tmp_path / "out" / results in [found for _, found in pairs.values()]
    assert len(pairs) == 2


def test_two_single_files_belong_together_whatever_they_are_called(tmp_path: Path) -> None:
    write(tmp_path, "gt.txt", "test.txt")
    pairs = paired(find_sequences(tmp_path / "gt.txt"), find_sequences(tmp_path / "test.txt"), lambda _: None)
    assert pairs == {"gt": (tmp_path / "gt.txt", tmp_path / "test.txt")}


@pytest.mark.parametrize(("truth", "results"), [("gt/b.txt", "out"), ("gt", "out/b.txt"), ("seq/b", "out")])
def test_a_single_file_is_scored_for_its_camera_only(truth: str, results: str, tmp_path: Path) -> None:
    write(tmp_path, "gt/a.txt", "gt/b.txt", "out/a.txt", "out/b.txt", "seq/b/gt/gt.txt")
    said: list[str] = []
    pairs = paired(find_sequences(tmp_path / truth), find_sequences(tmp_path / results), said.append)
    assert [found for _, found in pairs.values()] == [tmp_path / "out" / "b.txt"]
    assert said[0].startswith("only b is scored")


def test_a_single_file_of_a_missing_camera_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "gt/a.txt", "gt/b.txt", "c.txt")
    with pytest.raises(ScoreError, match=r"no truth for c\.txt, only for a, b"):
        paired(find_sequences(tmp_path / "gt"), find_sequences(tmp_path / "c.txt"), lambda _: None)


def test_a_camera_without_results_is_named_and_kept(tmp_path: Path) -> None:
    write(tmp_path, "gt/a.txt", "gt/b.txt", "out/a.txt")
    said: list[str] = []
    pairs = paired(find_sequences(tmp_path / "gt"), find_sequences(tmp_path / "out"), said.append)
    assert pairs["b"] == (tmp_path / "gt" / "b.txt", None)
    assert said == [f"{tmp_path / 'out'}: no results for b; everyone there counts as missed"]


@pytest.mark.parametrize(
    ("truth", "results", "said"),
    [
        pytest.param(["a"], ["b"], r"no truth for b\.txt, only for a", id="another camera"),
        pytest.param(["a"], ["a", "b"], r"no truth for b\.txt", id="one camera more"),
        pytest.param(["a", "A"], ["a", "b"], r"no truth for b\.txt", id="names that differ in case only"),
        pytest.param(["Cam"], ["cam", "CAM"], "are both results for Cam", id="two results of one"),
    ],
)
def test_results_without_truth_are_named(truth: list[str], results: list[str], said: str, tmp_path: Path) -> None:
    write(tmp_path, *(f"gt/{name}.txt" for name in truth), *(f"out/{name}.txt" for name in results))
    with pytest.raises(ScoreError, match=said):
        paired(find_sequences(tmp_path / "gt"), find_sequences(tmp_path / "out"), lambda _: None)
