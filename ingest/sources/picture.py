"""Reads picture files of any kind as JPEG: those that any decoder can read pass unchanged, others are converted."""

import struct
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from ingest.errors import Broken
from ingest.sources import jpeg

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM", "GIF", "JPEG2000", "AVIF")
_BAD = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)  # what Pillow raises on broken data


def as_jpeg(data: bytes, quality: int) -> tuple[bytes, jpeg.Header]:
    """Return the first picture in a file as JPEG, and its header.

    Raises:
        Broken: The file is empty, truncated or in an unsupported format; the message says which.
    """
    if not data:
        raise Broken("it is empty")
    header = jpeg.header_of(data)
    if header is None or not header.common:
        data = jpeg.encode(_decode(data), quality)
        header = jpeg.header_of(data)
    elif not jpeg.is_whole(data, header) and not _decodes(data):
        raise Broken("it is cut off")
    if header is None:
        raise Broken("it cannot be encoded as JPEG")
    return data, header


def is_picture(path: Path) -> bool:
    """Tell whether a file begins like a picture, whatever its name."""
    try:
        with _open(path):
            return True
    except _BAD:
        return False


def _decodes(data: bytes) -> bool:
    """Tell whether a JPEG without an end marker is complete: some cameras omit the marker."""
    context = av.CodecContext.create("mjpeg", "r")
    context.options = {"err_detect": "explode"}
    try:
        return bool([*context.decode(av.Packet(data)), *context.decode(None)])
    except av.FFmpegError:
        return False


def _decode(data: bytes) -> "Image.Image":
    """Decode a picture to upright RGB."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with _open(BytesIO(data)) as opened:
            upright = ImageOps.exif_transpose(opened)
            return _eight_bit(upright).convert("RGB")
    except UnidentifiedImageError:
        raise Broken(f"it is not a picture in a format that can be read: {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise Broken(f"it has more than {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels") from None
    except _BAD as error:
        raise Broken(f"it is cut off or damaged: {error}") from None


def _open(file: Path | BytesIO) -> "Image.Image":
    from PIL import Image

    Image.init()
    return Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])


def _eight_bit(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    grey = np.asarray(image).astype(np.int64) >> 8  # 16 bits to 8; Pillow would clip everything above 255
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
