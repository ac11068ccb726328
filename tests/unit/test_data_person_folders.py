"""Pictures of one's own, one folder a person."""

from pathlib import Path

import pytest

from tests.dataset_tools import touch
from training.data.dataset import JUNK, DataSet, DataSetError, LabelledTracklet
from training.data.load import load_dataset


def write(root: Path, *paths: str) -> Path:
    touch(*(root / path for path in paths))
    return root


def read(root: Path, *, learning: bool = False) -> DataSet:
    return load_dataset("people", root, learning=learning)


def said(part: tuple[LabelledTracklet, ...]) -> list[tuple[int, int, int]]:
    """Return identity, camera and number of images of each tracklet."""
    return [(one.identity, one.camera, len(one.paths)) for one in part]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        pytest.param(
            ["anna/1.jpg", "anna/2.png", "bert/1.jpg"],
            [(0, 0, 1), (0, 1, 1), (1, 0, 1)],
            id="cameras unknown: each picture its own",
        ),
        pytest.param(
            ["7/a_c2.jpg", "7/b_C5_1.jpg", "12/cam2-x.jpg", "12/camera_05.jpg"],
            [(12, 2, 1), (12, 5, 1), (7, 2, 1), (7, 5, 1)],
            id="cameras and people numbered",
        ),
        pytest.param(
            ["0001/0001_c1s1_000451_03.jpg", "0001/0001C2T0001F001.jpg"],
            [(1, 2, 1), (1, 1, 1)],
            id="the names of market and mars",
        ),
        pytest.param(
            ["anna/9c41-c4e0.jpg", "anna/pic1.jpg", "anna/doc3.jpg"],
            [(0, 0, 1), (0, 1, 1), (0, 2, 1)],
            id="letters that are no camera",
        ),
        pytest.param(
            ["anna/door/1.jpg", "anna/door/2.jpg", "anna/yard/1.jpg", "bert/yard/1.jpg"],
            [(0, 0, 2), (0, 1, 1), (1, 1, 1)],
            id="a folder a camera",
        ),
        pytest.param(["anna/cam3/1.jpg", "anna/cam7/1.jpg"], [(0, 3, 1), (0, 7, 1)], id="a folder a camera, numbered"),
        pytest.param(
            ["anna/c1/t1/1.jpg", "anna/c1/t2/1.jpg", "anna/c2/t1/1.jpg"],
            [(0, 1, 1), (0, 1, 1), (0, 2, 1)],
            id="several tracklets of a camera",
        ),
        pytest.param(
            ["anna/c1/1.jpg", "anna/loose.jpg", "anna/loose2.jpg"],
            [(0, 2, 1), (0, 3, 1), (0, 1, 1)],
            id="loose pictures beside a camera's",
        ),
    ],
)
def test_people_and_cameras_are_those_of_folders_and_names(
    paths: list[str], expected: list[tuple[int, int, int]], tmp_path: Path
) -> None:
    data = read(write(tmp_path, *paths))
    assert said(data.query) == said(data.gallery) == expected
    assert data.train == ()


def test_a_name_is_one_person_and_one_camera_whichever_system_wrote_its_umlaut(tmp_path: Path) -> None:
    composed, apart = "J\u00f6rg", "Jo\u0308rg"
    data = read(write(tmp_path, f"{composed}/T\u00fcr/1.jpg", f"{apart}/Tu\u0308r/2.jpg", f"{apart}/hof/1.jpg"))
    assert sorted(said(data.query)) == [(0, 0, 1), (0, 0, 1), (0, 1, 1)]


def test_training_holds_every_fourth_person_out(tmp_path: Path) -> None:
    write(tmp_path, *(f"{person}/c{camera}.jpg" for person in range(1, 9) for camera in (1, 2)), "99/c1.jpg")
    data = read(tmp_path, learning=True)
    assert {one.identity for one in data.query} == {1, 5}
    assert data.gallery == data.query
    assert {one.identity for one in data.train} == {2, 3, 4, 6, 7, 8, 99}


@pytest.mark.parametrize(
    "judged", [pytest.param(("query", "gallery"), id="query and gallery"), pytest.param(("test",), id="test")]
)
def test_parts_that_are_given_are_kept_and_share_their_numbers(judged: tuple[str, ...], tmp_path: Path) -> None:
    write(tmp_path, "train/anna/c1.jpg", "train/anna/c2.jpg")
    write(tmp_path, *(f"{part}/bert/c{n}_{m}.jpg" for m, part in enumerate(judged) for n in (1, 2)))
    for learning in (True, False):
        data = read(tmp_path, learning=learning)
        assert {one.identity for one in data.train} == {0}
        assert {one.identity for one in data.query} == {one.identity for one in data.gallery} == {1}


def test_a_person_called_minus_one_is_junk(tmp_path: Path) -> None:
    data = read(write(tmp_path, "-1/c1.jpg", "4/c1.jpg", "4/c2.jpg", "5/c1.jpg"))
    assert [one.identity for one in data.gallery] == [JUNK, 4, 4, 5]
    assert [one.identity for one in data.query] == [4, 4, 5]


def test_skipped_files_are_counted_and_named(tmp_path: Path) -> None:
    write(tmp_path, "group.jpg", "readme.txt", "anna/1.jpg", "anna/2.jpg", "anna/a.heic", "empty/x.txt")
    assert read(tmp_path).skipped == (
        "people: skipped files that are not images (3): readme.txt, a.heic, x.txt",
        "people: skipped images outside a person's folder (1): group.jpg",
        "people: skipped people without images (1): empty",
    )


@pytest.mark.parametrize(
    ("paths", "learning", "why"),
    [
        pytest.param([], False, "holds nothing, expected one folder of images per person", id="nothing"),
        pytest.param(["a.jpg", "b.jpg"], False, "a.jpg, b.jpg, expected one folder", id="pictures only"),
        pytest.param(["anna/1.jpg", "bert/1.jpg"], False, "no query has a match from another", id="one picture each"),
        pytest.param(["anna/c1_1.jpg", "anna/c1_2.jpg"], False, "no query has a match from", id="one camera only"),
        pytest.param(["anna/1.jpg", "anna/2.jpg"], True, "train has no images of people", id="one person to learn"),
    ],
)
def test_an_unusable_folder_is_rejected_with_the_reason(
    paths: list[str], learning: bool, why: str, tmp_path: Path
) -> None:
    with pytest.raises(DataSetError, match=why):
        read(write(tmp_path, *paths), learning=learning)
