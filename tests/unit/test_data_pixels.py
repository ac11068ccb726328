"""Every kind of image that lies in people's folders is read as upright RGB of 8 bits, or named with the reason."""

import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from training.data.dataset import BrokenImageError, DataSetError
from training.data.pixels import read_pixels, why_broken

QUADRANTS = np.zeros((32, 16, 3), np.uint8)  # a colour in each corner says how an image is turned
QUADRANTS[:16, :8], QUADRANTS[:16, 8:], QUADRANTS[16:, :8] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
_TURNS: dict[
    int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
] = {  # EXIF orientation: how the picture must have been stored for it to be upright
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: np.rot90,
    7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
    8: lambda a: np.rot90(a, -1),
}
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM", "AVIF")


def close_to(pixels: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> bool:
    return pixels.shape == wanted.shape and float(np.abs(pixels.astype(int) - wanted).mean()) < 8


def encoded(kind: str) -> bytes:
    data = io.BytesIO()
    Image.fromarray(QUADRANTS).save(data, kind)
    return data.getvalue()


@pytest.mark.parametrize("name", ["a.jpg", "a.JPG", "a.jpeg", "a.png", "a.tif", "a.webp", "a.bmp", "a"])
@pytest.mark.parametrize("kind", _FORMATS)
def test_an_image_is_read_by_its_content_whatever_it_is_called(kind: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(encoded(kind))
    assert close_to(read_pixels(tmp_path / name), QUADRANTS)
    assert why_broken(tmp_path / name) is None


@pytest.mark.parametrize("turn", _TURNS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_an_image_with_exif_rotation_is_read_upright(kind: str, turn: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(np.ascontiguousarray(_TURNS[turn](QUADRANTS))).save(tmp_path / "a", kind, exif=exif)
    assert close_to(read_pixels(tmp_path / "a"), QUADRANTS)


GREY = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)
RGB = np.dstack([GREY] * 3)


@pytest.mark.parametrize(
    ("image", "kind", "wanted"),
    [
        pytest.param(Image.fromarray(GREY), "PNG", RGB, id="grey"),
        pytest.param(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG", RGB, id="grey of 16 bits"),
        pytest.param(Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF", RGB, id="grey of 16 bits, TIFF"),
        pytest.param(Image.fromarray(GREY.astype(np.int32) * 257), "TIFF", RGB, id="grey of 32 bits"),
        pytest.param(Image.fromarray(RGB).convert("CMYK"), "JPEG", RGB, id="CMYK"),
        pytest.param(Image.fromarray(RGB).convert("CMYK"), "TIFF", RGB, id="CMYK, TIFF"),
        pytest.param(Image.fromarray(RGB).convert("RGBA"), "PNG", RGB, id="RGBA"),
        pytest.param(Image.fromarray(GREY).convert("LA"), "PNG", RGB, id="grey and alpha"),
        pytest.param(Image.fromarray(RGB).convert("P", palette=Image.Palette.ADAPTIVE), "PNG", RGB, id="a palette"),
        pytest.param(Image.fromarray(RGB).convert("YCbCr"), "TIFF", RGB, id="YCbCr"),
        pytest.param(Image.fromarray(GREY > 127), "PNG", np.where(RGB > 127, 255, 0), id="black and white"),
    ],
)
def test_every_colour_mode_becomes_rgb(
    image: Image.Image, kind: str, wanted: NDArray[np.uint8], tmp_path: Path
) -> None:
    image.save(tmp_path / "a", kind)
    pixels = read_pixels(tmp_path / "a")
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    assert close_to(pixels, wanted)
    assert why_broken(tmp_path / "a") is None


def test_a_palette_with_transparency_is_read_without_a_warning(tmp_path: Path) -> None:
    image = Image.fromarray(RGB).convert("P", palette=Image.Palette.ADAPTIVE)
    image.save(tmp_path / "a.png", transparency=bytes(range(256)))
    assert close_to(read_pixels(tmp_path / "a.png"), RGB)


def test_of_several_pages_the_first_is_read(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (10, 200)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert close_to(read_pixels(tmp_path / "a.tif"), np.full((8, 8, 3), 10, np.uint8))


def test_pixels_that_are_fractions_are_refused_with_the_reason(tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(DataSetError, match=r"a\.tif is broken \(its pixels are floating-point numbers"):
        read_pixels(tmp_path / "a.tif")


@pytest.mark.parametrize("kept", [0.0, 0.05, 0.5, 0.9], ids=["empty", "a header", "a half", "nearly all"])
@pytest.mark.parametrize("kind", _FORMATS)
def test_a_truncated_image_is_named(kind: str, kept: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 32, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole", kind)
    data = (tmp_path / "whole").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: int(kept * len(data))])
    with pytest.raises(DataSetError, match=r"cut\.jpg is broken"):
        read_pixels(tmp_path / "cut.jpg")
    assert why_broken(tmp_path / "cut.jpg")


def test_an_image_of_a_single_pixel_is_not_broken(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "a.jpg")
    assert why_broken(tmp_path / "a.jpg") is None


def test_what_is_not_an_image_or_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<html>404</html>")
    with pytest.raises(DataSetError, match=r"a\.jpg is broken \(cannot identify image file"):
        read_pixels(tmp_path / "a.jpg")
    with pytest.raises(DataSetError, match=r"b\.jpg no longer exists"):
        read_pixels(tmp_path / "b.jpg")
    assert why_broken(tmp_path / "b.jpg")


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(_FORMATS), data=st.data())
def test_damage_anywhere_is_a_data_set_error_or_another_picture(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    whole = bytearray(encoded(kind))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "a").write_bytes(bytes(whole[: data.draw(st.integers(1, len(whole)))]))
    with suppress(DataSetError):
        assert read_pixels(tmp_path / "a").dtype == np.uint8
    why_broken(tmp_path / "a")


def test_a_pipe_named_like_a_picture_is_broken_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "0001.jpg"
    os.mkfifo(pipe)
    assert why_broken(pipe) == "it is no file, but a folder, a pipe or a device"
    with pytest.raises(BrokenImageError, match="a pipe or a device"):
        read_pixels(pipe)
