"""Tracklets that nobody labelled, in the four forms they come in."""

import json
from pathlib import Path

import pytest

from tests.dataset_tools import touch, write_lines, write_market, write_mars
from training.data.dataset import DataSetError
from training.data.site import INDEX, read_site


def test_an_index_gives_camera_times_and_an_optional_label(tmp_path: Path) -> None:
    touch(tmp_path / "door" / "17" / "b.jpg", tmp_path / "door" / "17" / "a.jpg", tmp_path / "x" / "1" / "a.jpg")
    lines = [
        {"folder": "door/17", "camera": "door", "first_ns": 5, "last_ns": 9, "identity": 3},
        {"folder": "x/1", "camera": "attic"},
    ]
    write_lines(tmp_path / INDEX, [json.dumps(line) for line in lines])
    site = read_site(tmp_path)
    assert site.cameras == ("attic", "door")
    said, plain = site.tracklets
    assert [path.name for path in said.paths] == ["a.jpg", "b.jpg"]
    assert (said.camera, said.span_ns, said.identity) == (1, (5, 9), 3)
    assert (plain.camera, plain.span_ns, plain.identity) == (0, None, None)


def test_names_that_are_numbers_are_capture_times(tmp_path: Path) -> None:
    touch(*(tmp_path / "door" / "17" / name for name in ("1000.jpg", "200.jpg", "notes.txt")))
    touch(*(tmp_path / "yard" / "4" / name for name in ("1000.jpg", "first.jpg")))
    (tmp_path / "yard" / "empty").mkdir()
    door, yard = read_site(tmp_path).tracklets
    assert [path.name for path in door.paths] == ["200.jpg", "1000.jpg"]
    assert door.span_ns == (200, 1000)
    assert yard.span_ns is None


def test_mars_naming_gives_tracklets_without_identities(tmp_path: Path) -> None:
    site = read_site(write_mars(tmp_path))
    assert [(one.camera, len(one.paths), one.identity) for one in site.tracklets] == [
        (0, 3, None),
        (1, 2, None),
        (2, 1, None),
    ]
    assert site.cameras == ("001", "002", "006")


def test_market_naming_gives_tracklets_of_one_image(tmp_path: Path) -> None:
    site = read_site(write_market(tmp_path))
    assert [(one.camera, len(one.paths), one.identity) for one in site.tracklets] == [
        (0, 1, None),
        (2, 1, None),
        (1, 1, None),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param('{"folder": "a"}', "camera", id="no camera"),
        pytest.param('{"folder": "a", "camera": "c", "kamera": 1}', "kamera", id="an unknown key"),
        pytest.param('{"folder": "gone", "camera": "c"}', "gone cannot be read", id="no such folder"),
        pytest.param('{"folder": "empty", "camera": "c"}', "has no images", id="an empty folder"),
        pytest.param('{"folder": "a", "camera": "c", "first_ns": 1}', "must be given together", id="half a span"),
        pytest.param('{"folder": "a", "camera": "c", "first_ns": 2, "last_ns": 1}', "before first_ns", id="backwards"),
        pytest.param('{"folder": "a", "cam', "line 2", id="a torn line"),
    ],
)
def test_a_wrong_line_is_named(line: str, why: str, tmp_path: Path) -> None:
    touch(tmp_path / "a" / "1.jpg")
    (tmp_path / "empty").mkdir()
    write_lines(tmp_path / INDEX, ['{"folder": "a", "camera": "c"}', line])
    with pytest.raises(DataSetError, match=why):
        read_site(tmp_path)


def test_the_message_about_an_empty_folder_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"CAMERA/TRACKLET/\*\.jpg, tracklets\.jsonl, bbox_train"):
        read_site(tmp_path)
