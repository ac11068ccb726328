"""Folders of pictures: read by content, in natural order; what cannot be read is named and keeps its number."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ingest.errors import Broken, NotFound, NoVideo, SourceError
from ingest.sources.folder import MAX_NAMED, pictures_in
from tests.ingest_tools import jpeg_of
from tests.video_tools import see
from tests.worker_tools import numbered_image


def save(path: Path, number: int, kind: str = "JPEG") -> Path:
    """Write a picture that shows a number, whatever the file is called."""
    Image.fromarray(numbered_image(number)[..., ::-1].copy()).save(path, kind)
    return path


def test_pictures_are_read_in_natural_order_at_the_rate_of_the_tag(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        save(tmp_path / f"frame{number}.jpg", number)

    seen = see(tmp_path, tags={"fps": "5"})

    assert seen.shown == [1, 9, 10]
    assert seen.times_s == [0, 0.2, 0.4]


def test_any_mixture_is_read_by_its_content(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kinds = ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM", "GIF"]
    for number, kind in enumerate(kinds, 1):
        save(tmp_path / f"{number}.jpg", number, kind)
    save(tmp_path / "8", 8, "PNG")
    save(tmp_path / "9.dat", 9)
    save(tmp_path / "10.TIF", 10, "TIFF")

    seen = see(tmp_path)

    assert seen.shown == seen.numbers == list(range(1, 11))
    assert caplog.messages == []


@pytest.mark.parametrize(
    "mode",
    [pytest.param("L", id="grey"), pytest.param("CMYK", id="printer's colours"), pytest.param("P", id="palette")],
)
def test_pictures_of_other_colours_are_read(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(numbered_image(5)[..., ::-1].copy()).convert(mode)
    image.save(tmp_path / "1.tif")

    assert see(tmp_path).shown == [5]


def test_printers_colours_in_a_jpeg_are_read(tmp_path: Path) -> None:
    Image.fromarray(numbered_image(5)[..., ::-1].copy()).convert("CMYK").save(tmp_path / "1.jpg")

    assert see(tmp_path).shown == [5]


@pytest.mark.parametrize("shape", [(64, 320), (64, 320, 3)])
def test_sixteen_bits_keep_their_brightness(shape: tuple[int, ...], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), np.full(shape, 100 * 256, np.uint16))

    (frame,) = see(tmp_path).frames

    assert np.abs(frame.image.astype(int) - 100).max() <= 3


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "missing":
        path.unlink()
        path.symlink_to(path.with_suffix(".gone"))
    else:
        path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "text": b"no picture"}[how])


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        pytest.param("empty", "it is empty", id="empty"),
        pytest.param("cut", "it is cut off", id="cut off"),
        pytest.param("text", "it is not a picture in a format that can be read", id="text"),
        pytest.param("missing", "No such file", id="a link to nowhere"),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_an_unreadable_picture_is_named_and_the_others_keep_their_numbers(
    how: str, cause: str, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1, 8):
        path = save(tmp_path / f"{number}.jpg", number, kind)
        if number == 5:
            damage(path, how)

    seen = see(tmp_path)

    assert seen.error is None
    assert seen.shown == seen.numbers == [1, 2, 3, 4, 6, 7]
    assert seen.times_s == [0, 0.04, 0.08, 0.12, 0.2, 0.24]
    assert [chunk.dropped_before for chunk in seen.chunks] == [0, 1]
    (message,) = caplog.messages
    assert message.startswith("camera door: 5.jpg cannot be read: ")
    assert cause in message


def test_the_first_picture_may_be_unreadable(tmp_path: Path) -> None:
    save(tmp_path / "2.jpg", 2)
    (tmp_path / "1.jpg").touch()

    assert see(tmp_path).numbers == [2]


def test_numbers_go_on_where_unreadable_pictures_and_another_size_meet(tmp_path: Path) -> None:
    for number in (1, 2, 4):
        Image.fromarray(numbered_image(number, 320 if number < 3 else 256)).save(tmp_path / f"{number}.jpg")
    (tmp_path / "3.jpg").touch()

    seen = see(tmp_path)

    assert seen.shown == seen.numbers == [1, 2, 4]
    assert seen.sizes == [(320, 64), (256, 64)]


def test_a_jpeg_without_its_end_marker_is_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = save(tmp_path / "1.jpg", 1)
    path.write_bytes(path.read_bytes()[:-2])

    assert see(tmp_path).shown == [1]
    assert caplog.messages == []


def test_a_picture_of_far_too_many_pixels_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "1.png", 1, "PNG")
    save(tmp_path / "2.jpg", 2)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)

    assert see(tmp_path).numbers == [2]
    assert "1.png cannot be read: it has more than 2000 pixels" in caplog.text


def test_many_unreadable_pictures_are_summed_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(2, MAX_NAMED + 5):
        (tmp_path / f"{number}.jpg").touch()
    save(tmp_path / "1.jpg", 1)

    see(tmp_path)

    assert len(caplog.messages) == MAX_NAMED + 1
    assert caplog.messages[-1] == "camera door: 3 more pictures cannot be read"


def test_a_folder_in_which_nothing_can_be_read_fails_with_the_first_cause(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"{number}.jpg").touch()

    error = see(tmp_path).error

    assert isinstance(error, Broken)
    assert str(error) == "none of the 3 pictures can be read: 1.jpg cannot be read: it is empty; copy them again"


def test_what_is_not_a_picture_is_mentioned_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path / "1.jpg", 1)
    for name in ("notes.txt", "times.csv", ".DS_Store", "Thumbs.db", "._1.jpg"):
        (tmp_path / name).write_text("other things")

    assert see(tmp_path).shown == [1]
    assert caplog.messages == ["camera door: notes.txt and 1 more in the folder are not pictures and are not read"]


@pytest.mark.parametrize("name", ["3.jpg", "3"])
def test_a_pipe_among_pictures_is_not_waited_for(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in (1, 2):
        save(tmp_path / f"{number}.jpg", number)
    os.mkfifo(tmp_path / name)

    assert see(tmp_path).shown == [1, 2]
    assert caplog.messages == [f"camera door: {name} in the folder is not a picture and is not read"]


def test_an_empty_folder_has_no_pictures(tmp_path: Path) -> None:
    assert isinstance(see(tmp_path).error, NoVideo)


def test_a_folder_of_folders_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "cam1").mkdir()
    (tmp_path / "cam2").mkdir()

    assert "add each of its 2 subfolders as a separate camera" in str(see(tmp_path).error)


def test_a_folder_that_is_gone_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        pictures_in(tmp_path / "gone")


def test_a_wrong_rate_names_the_tag(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg_of(1))
    error = see(tmp_path, tags={"fps": "fast"}).error

    assert isinstance(error, SourceError)
    assert not isinstance(error, NotFound)
    assert "tag fps" in str(error)
