"""What an appearance model expects of its crops: size, order of colours and axes, range, normalisation."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reid_worker.model.preprocess import Filter, Preprocessing

Colour = Literal["rgb", "bgr"]
Values = Literal["0-1", "0-255"]
Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)  # RGB, of 0-1
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
NO_MEAN: Triple = (0.0, 0.0, 0.0)
NO_STD: Triple = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class CropFormat:
    """How crops become the input of a model.

    Attributes:
        height, width: Crops are stretched to this size, px.
        colour: Order of the channels.
        values: Range of the channels before `mean` and `std`.
        mean: Subtracted from each channel, in the order of `colour`; in units of `values`.
        std: Then divided by.
        filter: How crops are resized, see `Preprocessing`.
        channels_last: `(n, H, W, 3)` instead of `(n, 3, H, W)`.
        dtype: Number type of the input: float32, float16 or uint8.
    """

    height: int
    width: int
    colour: Colour = "rgb"
    values: Values = "0-1"
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    filter: Filter = "area"
    channels_last: bool = False
    dtype: str = "float32"

    def batch(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.generic]:
        """Return RGB crops `(h, w, 3)` uint8 of any sizes as one input of the model.

        Raises:
            ValueError: No crop, or one that is not a non-empty `(h, w, 3)` uint8 image.
        """
        images = Preprocessing(self.height, self.width, filter=self.filter).resize(crops)
        if self.colour == "bgr":
            images = images[..., ::-1]
        scaled = images.astype(np.float32) / np.float32(255 if self.values == "0-1" else 1)
        normalised = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        ordered = normalised if self.channels_last else normalised.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(ordered, np.dtype(self.dtype))

    def __str__(self) -> str:
        normalised = "" if (self.mean, self.std) == (NO_MEAN, NO_STD) else f", mean {self.mean}, std {self.std}"
        axes = ", channels last" if self.channels_last else ""
        return f"{self.height}x{self.width} px, {self.colour.upper()} {self.values}{normalised}{axes}"

    def stated(self) -> dict[str, object]:
        """Return everything that decides what the model sees."""
        return asdict(self)
