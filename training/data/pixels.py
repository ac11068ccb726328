"""Read an image file as upright 8-bit RGB, detecting the format by content rather than by name."""

import stat
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training.data.dataset import BrokenImageError

# What Pillow raises for truncated or damaged files, depending on the format; UnidentifiedImageError is an OSError
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    RuntimeError,
    struct.error,
    zlib.error,
    MemoryError,
    Image.DecompressionBombError,
)


def read_pixels(path: Path | str) -> NDArray[np.uint8]:
    """Return the pixels of an image `(H, W, 3)`, RGB, rotated according to EXIF; multi-page files give the first page.

    16-bit grey values keep their upper 8 bits. Transparency is dropped.

    Raises:
        BrokenImageError: The file is missing, broken, truncated or not an image.
    """
    # Pillow rejects a truncated JPEG, whereas OpenCV fills the missing part with grey
    try:
        with _opened(path) as image:
            return np.array(_as_rgb(ImageOps.exif_transpose(image)))
    except FileNotFoundError as error:
        raise BrokenImageError(f"{path} no longer exists: copy the data set again") from error
    except _BROKEN as error:
        raise BrokenImageError(f"{path} is broken ({error}): copy it again, or remove it from the data set") from error


def why_broken(path: Path | str) -> str | None:
    """Return why an image cannot be read, or None if it can; JPEG is decoded at an eighth of its size."""
    try:
        with _opened(path) as image:
            image.draft(None, (max(image.width // 8, 1), max(image.height // 8, 1)))
            _as_rgb(image)
    except _BROKEN as error:
        return str(error)
    return None


def _opened(path: Path | str) -> Image.Image:
    """Open an image file; a pipe would be waited for for ever, and a device may never end.

    Raises:
        OSError: It is missing, no image, or no file.
    """
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise OSError("it is no file, but a folder, a pipe or a device")
    return Image.open(path)


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        values = np.asarray(image)
        return Image.fromarray((values.clip(0, 65535) / 257).round().astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, expected 8 or 16 bits")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # avoids Pillow's warning about transparency given as bytes
    return image.convert("RGB")
