"""Crops of people: cut out of frames, and stored as JPEG from the moment they are chosen, to save memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wire.privacy import Privacy

MAX_HEIGHT_PX = 256  # twice the network's input; enough to recognise a face by eye
JPEG_QUALITY = 90
BLOCKS = (2, 4)  # of a blurred crop, across and down
DARK, LIGHT = 64, 192
BLURRED_SIZE = (48, 96)  # whole blocks of JPEG's own in each of ours, so that ours stay even
JPEG_ERROR = 8  # grey levels by which an even block may differ after it was stored
GREY_SIZE = (32, 64)  # sharpness is compared at a fixed size, otherwise large crops would always win


@dataclass(frozen=True, slots=True)
class Crop:
    """One crop of a tracklet: its capture time in ns since the Unix epoch, and its JPEG data."""

    time_ns: int
    jpeg: bytes


def cut(image: NDArray[np.uint8], box: Sequence[float]) -> NDArray[np.uint8]:
    """Return a view of a BGR image `(h, w, 3)`: the box, xyxy px, rounded outwards; at least one pixel."""
    height, width = image.shape[:2]
    left, top = min(max(int(box[0]), 0), width - 1), min(max(int(box[1]), 0), height - 1)
    right = min(max(int(np.ceil(box[2])), left + 1), width)
    bottom = min(max(int(np.ceil(box[3])), top + 1), height)
    return image[top:bottom, left:right]


def sharpness(crop: NDArray[np.uint8]) -> float:
    """Return the variance of the Laplacian of a BGR crop at a fixed size (Pech-Pacheco et al., ICPR 2000)."""
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)  # first: resizing one plane takes a third of the time
    return float(cv2.Laplacian(cv2.resize(grey, GREY_SIZE, interpolation=cv2.INTER_AREA), cv2.CV_32F).var())


def to_jpeg(crop: NDArray[np.uint8]) -> bytes:
    """Encode a BGR crop as JPEG, shrunk to a height of at most 256 px."""
    scale = MAX_HEIGHT_PX / crop.shape[0]
    if scale < 1:
        size = (max(round(crop.shape[1] * scale), 1), MAX_HEIGHT_PX)
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(".jpg", crop, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return data.tobytes()


def as_blocks(grey: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return eight dark or light blocks for a grey picture `(h, w)`, as a BGR picture `(height, width, 3)`.

    The shipped network finds the person of such blocks as often as by chance; in colour, in more shades or with half
    more blocks each way it finds some (training/LOG.md).
    """
    means = cv2.resize(grey, BLOCKS, interpolation=cv2.INTER_AREA)
    blocks = np.where(means < 128, DARK, LIGHT).astype(np.uint8)
    shown = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR), np.uint8)


def leaving(jpeg: bytes, privacy: Privacy) -> bytes:
    """Return what of one of our JPEGs may leave the worker: itself, eight dark or light blocks, or nothing."""
    if privacy == "full":
        return jpeg
    if privacy == "embeddings":
        return b""
    grey = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    return to_jpeg(as_blocks(np.asarray(grey, np.uint8), *BLURRED_SIZE))


def is_blurred(crop: NDArray[np.uint8]) -> bool:
    """Tell whether an RGB crop is what `leaving` makes of one, in which nobody can be recognised."""
    height, width = crop.shape[:2]
    if (width, height) != BLURRED_SIZE:
        return False
    levels = np.where(crop < (DARK + LIGHT) / 2, DARK, LIGHT)
    return bool(np.abs(crop - levels).max() <= JPEG_ERROR)


def from_jpeg(data: bytes) -> NDArray[np.uint8]:
    """Decode one of our JPEGs to RGB `(h, w, 3)` uint8, the embedder's input."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return np.asarray(image, np.uint8)
