"""Pictures that people send in searches: decoded upright, with bounds on what they may cost."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from reid_worker.errors import PictureError

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 40_000_000  # 120 MB decoded
TOO_LARGE = f"the picture has more than {MAX_PIXELS // 1_000_000} million pixels: shrink it, or cut the person out"
MAX_SIDE_PX = 1920  # larger ones are shrunk: the detector's input is smaller still


def decoded(data: bytes) -> NDArray[np.uint8]:
    """Return a picture as BGR `(h, w, 3)` uint8, upright, at most 1920 px long; on white where it is transparent.

    Raises:
        PictureError: The data is no picture of a format that is read, is damaged or is too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have a bound of our own
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise PictureError(TOO_LARGE)
        picture.draft("RGB", (MAX_SIDE_PX, MAX_SIDE_PX))  # a JPEG is decoded at the size that is needed
        upright = ImageOps.exif_transpose(_in_eight_bits(picture))
        upright.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
        rgb = _on_white(upright)
    except UnidentifiedImageError as error:
        raise PictureError("the file is not a JPEG, PNG or WebP picture: save it as one of these") from error
    except Image.DecompressionBombError as error:
        raise PictureError(TOO_LARGE) from error
    except (OSError, SyntaxError, ValueError, ArithmeticError) as error:
        raise PictureError(f"the picture is damaged: {error}") from error
    return np.ascontiguousarray(np.asarray(rgb, np.uint8)[..., ::-1])


def _in_eight_bits(picture: Image.Image) -> Image.Image:
    """Return a picture of which Pillow would clip 16-bit greys to white, with their high bytes."""
    if not picture.mode.startswith("I"):
        return picture
    grey = Image.fromarray((np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    grey.getexif().update(picture.getexif())
    return grey


def _on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")
