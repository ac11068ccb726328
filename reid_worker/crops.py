"""Crops of people: cut out of frames, kept as pixels while they are fresh, and as JPEG from the next saved state on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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


class Cutout:
    """One crop: pixels, which the network takes as they are, until a state is saved; from then on its JPEG.

    A worker that restarts has only the JPEG, whose pixels differ a little. So the one that saved the state forgets its
    pixels as well, and both go on alike. Most crops are replaced by better ones before that, and never encoded.

    Attributes:
        encodings: What networks say of the pixels that it has now, by model_id; see `reid_worker.encodings`.
    """

    # No dataclass: those are written to a state as they are.
    __slots__ = ("__weakref__", "_jpeg", "_pixels", "encodings")

    def __init__(self, pixels: NDArray[np.uint8] | None, jpeg: bytes = b"") -> None:
        """Take the BGR pixels, or else the JPEG; see `of` and `restored`."""
        self._pixels, self._jpeg = pixels, jpeg
        self.encodings: dict[str, Any] = {}

    @classmethod
    def of(cls, crop: NDArray[np.uint8]) -> "Cutout":
        """Return what is kept of a BGR crop `(h, w, 3)`: a copy, at most 256 px high."""
        return cls(_shrunk(crop))

    @classmethod
    def restored(cls, jpeg: bytes) -> "Cutout":
        """Return what was saved as this JPEG."""
        return cls(None, jpeg)

    def jpeg(self) -> bytes:
        """Return the crop as JPEG, encoded at the first call."""
        if self._pixels is not None and not self._jpeg:
            self._jpeg = _encoded(self._pixels)
        return self._jpeg

    def settled(self) -> bytes:
        """Return the JPEG, and be from now on what is restored from it."""
        jpeg = self.jpeg()
        if self._pixels is not None:
            self._pixels = None
            self.encodings.clear()
        return jpeg

    def rgb(self) -> NDArray[np.uint8]:
        """Return the pixels as RGB `(h, w, 3)`, the embedder's input."""
        return from_jpeg(self._jpeg) if self._pixels is None else np.ascontiguousarray(self._pixels[..., ::-1])


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """One crop of a tracklet, and its capture time in ns since the Unix epoch."""

    time_ns: int
    cutout: Cutout


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


def as_blocks(grey: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return eight dark or light blocks for a grey picture `(h, w)`, as a BGR picture `(height, width, 3)`.

    The shipped network finds the person of such blocks as often as by chance; in colour, in more shades or with half
    more blocks each way it finds some (training/LOG.md).
    """
    means = cv2.resize(grey, BLOCKS, interpolation=cv2.INTER_AREA)
    blocks = np.where(means < 128, DARK, LIGHT).astype(np.uint8)
    shown = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR), np.uint8)


def leaving(cutout: Cutout, privacy: Privacy) -> bytes:
    """Return the JPEG of a crop that may leave the worker: its own, one of eight dark or light blocks, or none."""
    if privacy == "full":
        return cutout.jpeg()
    if privacy == "embeddings":
        return b""
    grey = cv2.cvtColor(cutout.rgb(), cv2.COLOR_RGB2GRAY)
    return _encoded(as_blocks(np.asarray(grey, np.uint8), *BLURRED_SIZE))


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


def _shrunk(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy of a crop with a height of at most 256 px: a view would keep its whole frame in memory."""
    scale = MAX_HEIGHT_PX / crop.shape[0]
    if scale >= 1:
        return crop.copy()
    size = (max(round(crop.shape[1] * scale), 1), MAX_HEIGHT_PX)
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)


def _encoded(pixels: NDArray[np.uint8]) -> bytes:
    _, data = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return data.tobytes()
