"""A small person detector: anchor-free, one class, its raw output in YOLOX's layout so that one decoder reads both.

Box as centre offset and log size of a cell: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", section 2. The body is a
plain residual pyramid with dense convolutions, which one CPU core runs at twice the rate of depthwise ones.

Letters: b pictures, n cells of the three grids, c channels, h and w pixels of the input.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reid_worker.detectors.yolox import STRIDES

INPUT_SIZE = (288, 512)  # height, width of 16:9; other pictures get as many pixels, 15 % fewer than YOLOX-nano takes
MEAN, DEVIATION = 114.0, 64.0  # of a pixel, 0..255
RARE = -5.0  # first logit of every cell: nobody anywhere, else the many empty cells swamp the first steps


class ConvUnit(nn.Sequential):
    """Convolution, batch norm, SiLU; keeps the size but for the stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, momentum=0.03),
            nn.SiLU(),
        )


class Residual(nn.Module):
    """A narrow 1x1 and a 3x3 convolution around which the input is added; it begins by passing its input on.

    So a network may become deeper between two parts of its training (zero scale: Goyal et al., arXiv 1706.02677).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        last = ConvUnit(width // 2, width)
        nn.init.zeros_(last.get_parameter("1.weight"))
        self.path = nn.Sequential(ConvUnit(width, width // 2, 1), last)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        return x + self.path(x)  # type: ignore[no-any-return]  # modules return Any


class Surroundings(nn.Module):
    """Adds what is around each cell, over 5 and 13 cells and the whole picture, to the coarsest level."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow = ConvUnit(width, width // 2, 1)
        self.mix = ConvUnit(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        x = self.narrow(x)
        near = F.max_pool2d(x, 5, 1, 2)
        far = F.max_pool2d(F.max_pool2d(near, 5, 1, 2), 5, 1, 2)
        everywhere = x.mean((2, 3), keepdim=True) + 0.0 * x  # no `expand`: it would write one input size into the file
        return self.mix(torch.cat([x, near, far, everywhere], 1))  # type: ignore[no-any-return]


class PersonDetector(nn.Module):
    """Maps `(b, 3, h, w)` BGR 0-255 to `(b, n, 5)`: centre offset, log size in strides, logit of a person."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvUnit(3, 16, 3, 2), ConvUnit(16, 32, 3, 2), Residual(32))
        widths, depths = (32, 64, 128, 160), (3, 6, 6)
        self.stages = nn.ModuleList(
            nn.Sequential(ConvUnit(a, b, 3, 2), *(Residual(b) for _ in range(depth)))
            for (a, b), depth in zip(pairwise(widths), depths, strict=True)
        )
        self.surroundings = Surroundings(widths[-1])
        self.lateral = nn.ModuleList(ConvUnit(width, 64, 1) for width in widths[1:])
        self.fuse = nn.ModuleList(ConvUnit(64, 64) for _ in STRIDES)
        # One convolution reads all grids, but each has statistics of its own: shared ones fit none of them.
        self.head = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(64, momentum=0.03) for _ in STRIDES)
        self.out = nn.Conv2d(64, 5, 1)
        self.out.bias = nn.Parameter(torch.tensor([0.5, 0.5, 0.9, 1.7, RARE]))  # 2.5 by 5.5 cells: a standing person

    def forward(self, image: Tensor) -> Tensor:
        """Return raw predictions for all cells of the three grids, stride 8 first, row by row."""
        return self.predictions(self.levels(image))

    def levels(self, image: Tensor) -> list[Tensor]:
        """Return what the head reads of each grid, `(b, 64, h / stride, w / stride)`."""
        x = self.stem((image - MEAN) / DEVIATION)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        levels[-1] = self.surroundings(levels[-1])
        levels = [lateral(level) for lateral, level in zip(self.lateral, levels, strict=True)]
        for k in (1, 0):  # what the coarse levels know flows down
            levels[k] = levels[k] + F.interpolate(levels[k + 1], scale_factor=2.0, mode="nearest")
        return [
            F.silu(norm(self.head(fuse(level))))
            for fuse, norm, level in zip(self.fuse, self.norms, levels, strict=True)
        ]

    def predictions(self, levels: Sequence[Tensor]) -> Tensor:
        """Return `(b, n, 5)` of what the head read; in float32, since bfloat16 has too few digits for offsets."""
        return torch.cat([self.out(level.float()).flatten(2) for level in levels], 2).transpose(1, 2)


class Exported(nn.Module):
    """The detector as it is shipped: YOLOX's six columns, the fifth a calibrated probability and the sixth 1.

    The probability is the logistic function of `slope * logit + offset` (Platt scaling), see `calibrate`.
    """

    def __init__(self, network: PersonDetector, slope: float = 1.0, offset: float = 0.0) -> None:
        super().__init__()
        self.network, self.slope, self.offset = network, slope, offset

    def forward(self, image: Tensor) -> Tensor:
        """Return `(b, n, 6)`."""
        raw = self.network(image)
        chance = (self.slope * raw[..., 4:5] + self.offset).sigmoid()
        return torch.cat(
            [raw[..., :4], chance, 0.0 * chance + 1.0], 2
        )  # `ones_like` would be one size of input for ever
