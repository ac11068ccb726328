"""A small person detector: anchor-free, one class, its raw output in YOLOX's layout so that one decoder reads both.

After Ge et al., "YOLOX: Exceeding YOLO Series in 2021", section 2 (anchor-free head, box as centre offset and log
size); the body is a plain convolution pyramid of 0.3 million weights, made for one slow core.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)
INPUT_SIZE = (256, 416)  # height, width: 16:9 pictures fill it almost completely


class ConvUnit(nn.Sequential):
    """Convolution, batch norm, SiLU; keeps the size but for the stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.SiLU()
        )


class Residual(nn.Module):
    """A narrow 1x1 and a 3x3 convolution around which the input is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.path = nn.Sequential(ConvUnit(width, width // 2, 1), ConvUnit(width // 2, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        return x + self.path(x)  # type: ignore[no-any-return]  # modules return Any


class PersonDetector(nn.Module):
    """Maps `(b, 3, h, w)` BGR 0-255 to `(b, n, 6)`: centre offset, log size in strides, objectness and person logit."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvUnit(3, 16, 3, 2), ConvUnit(16, 32, 3, 2))
        self.stages = nn.ModuleList(
            nn.Sequential(ConvUnit(a, b, 3, 2), Residual(b)) for a, b in ((32, 64), (64, 96), (96, 96))
        )
        self.lateral = nn.ModuleList(ConvUnit(width, 48, 1) for width in (64, 96, 96))
        # One convolution reads all grids, but each has statistics of its own: shared ones fit none of them.
        self.head = nn.Conv2d(48, 48, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(48) for _ in STRIDES)
        self.out = nn.Conv2d(48, 6, 1)
        # Start at "nobody anywhere", else the many empty cells swamp the first steps.
        self.out.bias = nn.Parameter(torch.tensor([0.0, 0.0, 0.0, 0.0, -4.0, 0.0]))

    def forward(self, image: Tensor) -> Tensor:
        """Return raw predictions for all cells of the three grids, stride 8 first, row by row."""
        x = self.stem((image - 114.0) / 64.0)
        levels = []
        for stage, lateral in zip(self.stages, self.lateral, strict=True):
            x = stage(x)
            levels.append(lateral(x))
        for k in (1, 0):  # what the coarse levels know flows down
            levels[k] = levels[k] + F.interpolate(levels[k + 1], scale_factor=2.0, mode="nearest")
        read = [F.silu(norm(self.head(level))) for norm, level in zip(self.norms, levels, strict=True)]
        return torch.cat([self.out(level).flatten(2) for level in read], 2).transpose(1, 2)


class Exported(nn.Module):
    """The detector as it is shipped: the same output with the last two columns as probabilities."""

    def __init__(self, network: PersonDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return `(b, n, 6)`."""
        raw = self.network(image)
        return torch.cat([raw[..., :4], raw[..., 4:].sigmoid()], 2)


def detection_loss(raw: Tensor, target: Tensor, grid: Tensor) -> Tensor:
    """Return focal loss on objectness, GIoU loss and quality loss on the cells that hold a person.

    GIoU: Rezatofighi et al. 2019, equation 3. Focal loss: Lin et al. 2017, equation 5.

    Args:
        raw: `(b, n, 6)`.
        target: `(b, n, 5)`: 1 person, 0 nobody, -1 not counted; then left, top, right, bottom in pixels of the input.
        grid: `(n, 3)`: cell x, cell y and stride.
    """
    label = target[..., 0]
    positive = label > 0.5
    truth = positive.float()
    entropy = F.binary_cross_entropy_with_logits(raw[..., 4], truth, reduction="none")
    chance = raw[..., 4].sigmoid()
    focal = torch.where(positive, 0.5 * (1 - chance) ** 2, 0.5 * chance**2) * 4 * entropy
    count = positive.sum().clamp(min=1)
    presence = (focal * (label >= 0)).sum() / count
    if not positive.any():
        return presence
    cells = grid.expand(len(raw), -1, -1)[positive]
    chosen = raw[positive]
    giou, overlap = _overlaps(_boxes(chosen, cells), target[..., 1:][positive])
    quality = F.binary_cross_entropy_with_logits(chosen[:, 5], overlap.detach(), reduction="sum") / count
    return presence + 2.0 * (1.0 - giou).mean() + 0.5 * quality


def _boxes(raw: Tensor, cells: Tensor) -> Tensor:
    """Return `(m, 4)` corners in pixels."""
    centre = (raw[:, :2] + cells[:, :2]) * cells[:, 2:]
    half = raw[:, 2:4].clamp(max=5.0).exp() * cells[:, 2:] / 2
    return torch.cat([centre - half, centre + half], 1)


def _overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return generalised and plain intersection over union of corresponding boxes, both `(m,)`."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    common = (high - low).clamp(min=0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - common
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    overlap = common / union.clamp(min=1e-6)
    return overlap - (hull - union) / hull.clamp(min=1e-6), overlap
