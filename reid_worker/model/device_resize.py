"""Resizing on the device that the network runs on: what `preprocess` does on a CPU, as two matrix products.

Resizing is separable, so it is one matrix for the rows and one for the columns of every crop. Crops of one size
bucket lie in one padded buffer; columns of the matrices that meet padding are zero.

Letters: n crops, h and w sides of the buffer, H and W sides wanted, px.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SMALLEST_BUCKET = 32  # px; below it, kernel launches cost more than padding


def bucket_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the buffer sides that a crop of `shape` goes to: powers of two, so that there are few of them.

    >>> bucket_of((130, 31, 3))
    (256, 32)
    """
    h, w = (max(SMALLEST_BUCKET, 1 << (side - 1).bit_length()) for side in shape[:2])
    return h, w


def pack(crops: Sequence[NDArray[np.uint8]], buffer: NDArray[np.uint8]) -> None:
    """Copy crops into the upper left corners of a buffer `(n, h, w, 3)`; the rest of it stays as it is."""
    for place, crop in zip(buffer, crops, strict=True):
        place[: crop.shape[0], : crop.shape[1]] = crop


def resize_packed(packed: Tensor, sizes: Tensor, height: int, width: int, kernel: str = "area") -> Tensor:
    """Resize packed crops to one size, as `Preprocessing.resize` does; within one grey level of it.

    Args:
        packed: `(n, h, w, 3)` uint8, each crop in the upper left corner.
        sizes: `(n, 2)` int64, height and width of each crop.
        height: H.
        width: W.
        kernel: `Preprocessing.filter`.

    Returns:
        `(n, H, W, 3)` float32, whole numbers from 0 to 255.
    """
    n, h, w, _ = packed.shape
    if kernel == "bicubic":  # columns first and whole numbers in between, as Pillow 11 does
        columns, rows = _cubic(sizes[:, 1], w, width), _cubic(sizes[:, 0], h, height)
        narrow = _bytes(torch.matmul(columns.unsqueeze(1), packed.float()))  # (n, h, W, 3)
        return _bytes(torch.bmm(rows, narrow.reshape(n, h, width * 3))).view(n, height, width, 3)
    shrinks = (sizes[:, 0] >= height) & (sizes[:, 1] >= width)
    rows = _interpolation(sizes[:, 0], h, height, shrinks)  # (n, H, h)
    columns = _interpolation(sizes[:, 1], w, width, shrinks)  # (n, W, w)
    narrow = torch.bmm(rows, packed.reshape(n, h, w * 3).float()).view(n, height, w, 3)
    return torch.matmul(columns.unsqueeze(1), narrow).round()  # OpenCV's result is whole numbers too


def _bytes(x: Tensor) -> Tensor:
    return x.round().clamp(0, 255)  # a cubic kernel overshoots at edges


def _cubic(sizes: Tensor, source: int, target: int) -> Tensor:
    """Return the matrices `(n, target, source)` of a cubic kernel (a = -0.5), as wide as a target pixel if reducing.

    Weights of pixels outside a crop go to those inside.
    """
    size = sizes.view(-1, 1, 1).float()
    scale = size / target
    wide = scale.clamp_min(1)
    i = torch.arange(target, device=sizes.device).view(1, -1, 1)
    j = torch.arange(source, device=sizes.device).view(1, 1, -1)
    x = ((j + 0.5 - (i + 0.5) * scale) / wide).abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    weight = torch.where(x < 1, near, torch.where(x < 2, far, 0.0)) * (j < size)
    return weight / weight.sum(2, keepdim=True)


def _interpolation(sizes: Tensor, source: int, target: int, shrinks: Tensor) -> Tensor:
    """Return the matrices `(n, target, source)` that stretch sides of `sizes` px to `target` px.

    Where `shrinks`, a pixel is the mean of the area it covers, else it is interpolated linearly between the two nearest
    pixel centres, repeating the edge.
    """
    size = sizes.view(-1, 1, 1).float()
    scale = size / target
    i = torch.arange(target, device=sizes.device).view(1, -1, 1)
    j = torch.arange(source, device=sizes.device).view(1, 1, -1)
    covered = torch.minimum((j + 1).float(), (i + 1) * scale) - torch.maximum(j.float(), i * scale)
    area = covered.clamp_min(0) / scale
    centre = torch.minimum(((i + 0.5) * scale - 0.5).clamp_min(0), size - 1)
    linear = (1 - (centre - j).abs()).clamp_min(0)
    return torch.where(shrinks.view(-1, 1, 1), area, linear)
