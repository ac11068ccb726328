"""From crops of any size to the tensor the weights want. Stored with them: a wrong mean costs accuracy silently."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from reid_worker.model.device_resize import bucket_of, pack, resize_packed

Filter = Literal["area", "bicubic"]
Send = Callable[[tuple[int, ...], Callable[[NDArray[np.uint8]], None]], Tensor]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What happens to an RGB crop before the network.

    Attributes:
        height: px.
        width: px.
        mean: Subtracted from every channel after scaling to [0, 1].
        std: Then divided by.
        standardise: Share of each crop's own per-channel mean and contrast that is taken out first, 0 (none) to 1
            (all): a camera's colour cast and exposure go, and with 1 also whether a person is dark or bright.
        filter: How crops are resized: `area`, the mean of the area that a pixel covers, or linear where a crop is
            enlarged; or `bicubic`, as Pillow and so torchvision's `Resize` do it, with a wider kernel when shrinking.
            The released CLIMB-ReID weights were trained with the latter.
    """

    height: int
    width: int
    mean: float = 0.5
    std: float = 0.5
    standardise: float = 0.0
    filter: Filter = "area"

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        if self.height < 1 or self.width < 1 or self.std <= 0 or not 0 <= self.standardise <= 1:
            raise ValueError(f"preprocessing is out of range: {self}")
        if self.filter not in get_args(Filter):
            raise ValueError(f"filter must be {' or '.join(get_args(Filter))}, got {self.filter!r}")

    def resize(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return the crops `(h, w, 3)` stretched to one `(n, H, W, 3)` uint8 array with `filter`.

        Raises:
            ValueError: No crop, or one that is not a non-empty `(h, w, 3)` uint8 image.
        """
        if not crops:
            raise ValueError("there is no crop")
        return np.stack([self._resize_one(crop) for crop in crops])

    def resize_on(self, device: torch.device, crops: Sequence[NDArray[np.uint8]], send: Send) -> Tensor:
        """Return what `resize` does, computed on a device: `(n, H, W, 3)` float32, within one grey level.

        Args:
            device: Where `send` puts its tensors.
            crops: As in `resize`.
            send: Makes a uint8 tensor of a shape on the device from what is written into an array.

        Raises:
            ValueError: As in `resize`.
        """
        if not crops:
            raise ValueError("there is no crop")
        buckets: dict[tuple[int, int], list[int]] = {}
        for number, crop in enumerate(crops):
            check_crop(crop)
            buckets.setdefault(bucket_of(crop.shape), []).append(number)
        out = torch.empty(len(crops), self.height, self.width, 3, device=device)
        for (h, w), numbers in buckets.items():
            chosen = [crops[number] for number in numbers]
            packed = send((len(chosen), h, w, 3), partial(pack, chosen))
            sizes = torch.tensor([crop.shape[:2] for crop in chosen]).to(device)
            out[torch.tensor(numbers).to(device)] = resize_packed(packed, sizes, self.height, self.width, self.filter)
        return out

    def scale(self, batch: Tensor) -> Tensor:
        """Return images `(n, H, W, 3)` of 0 to 255, of any type, as float32 `(n, 3, H, W)`, ready for the network."""
        x = batch.permute(0, 3, 1, 2).float() / 255
        if self.standardise:
            mean = x.mean((2, 3), keepdim=True)
            contrast = x.std((2, 3), keepdim=True).clamp_min(0.02)  # flat crops are not noise to be blown up
            x = torch.lerp(x, (x - mean) / contrast * 0.22 + 0.5, self.standardise)  # 0.22: contrast of a usual crop
        return (x - self.mean) / self.std

    def _resize_one(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        check_crop(crop)
        if self.filter == "bicubic":
            return _bicubic(crop, self.height, self.width)
        shrinks = crop.shape[0] >= self.height and crop.shape[1] >= self.width
        size = (self.width, self.height)
        resized = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return np.asarray(resized, np.uint8)


def _bicubic(crop: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize as Pillow does, columns before rows, within one grey level; Pillow itself is not needed to serve."""
    planes = torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1).unsqueeze(0)
    resized = F.interpolate(planes, (height, width), mode="bicubic", antialias=True)
    return np.asarray(resized[0].permute(1, 2, 0).numpy(), np.uint8)


def check_crop(crop: object) -> None:
    """Raise ValueError unless this is a non-empty `(h, w, 3)` uint8 array; BGR in place of RGB cannot be told."""
    if not isinstance(crop, np.ndarray) or crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3:
        raise ValueError(f"a crop must be (h, w, 3) uint8, got {_describe(crop)}")
    if 0 in crop.shape:
        raise ValueError(f"a crop must not be empty, got {crop.shape}")


def _describe(crop: object) -> str:
    return f"{crop.shape} {crop.dtype}" if isinstance(crop, np.ndarray) else type(crop).__name__
