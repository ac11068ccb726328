"""What the detector is trained for: cells are matched with people by how well they answer already.

Task-aligned assignment: Feng et al., "TOOD: Task-aligned One-stage Object Detection", ICCV 2021, section 3.2.
Complete IoU loss: Zheng et al., "Distance-IoU Loss", AAAI 2020, equations 10 and 11.

Letters: b pictures, n cells, m people of the picture with most of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SCORE_POWER, OVERLAP_POWER = 0.5, 6.0  # of the alignment, TOOD equation 4
CELLS_A_PERSON = 10
BOX_WEIGHT = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The people in each picture.

    Attributes:
        boxes: `(b, m, 4)` float32 xyxy, pixels of the input; rows of zeros where a picture has fewer people.
        counted: `(b, m)` bool; who is there and is not counted, being mostly hidden, is neither found nor missed.
    """

    boxes: Tensor
    counted: Tensor

    def to(self, device: torch.device) -> "Truth":
        """Return the same on a device."""
        return Truth(self.boxes.to(device), self.counted.to(device))


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """What each cell should answer.

    Attributes:
        score: `(b, n)` float32, 0..1; 0 is nobody.
        boxes: `(b, n, 4)` float32, of the person a cell answers for; meaningless where the score is 0.
        weight: `(b, n)` float32, 0 for empty cells on somebody who does not count.
    """

    score: Tensor
    boxes: Tensor
    weight: Tensor


def detection_loss(raw: Tensor, truth: Truth, grid: Tensor) -> Tensor:
    """Return the cross-entropy of all scores plus the complete IoU loss of the cells that hold somebody.

    Args:
        raw: `(b, n, 5)` of `PersonDetector`.
        truth: The people.
        grid: `(n, 3)`: cell x, cell y and stride.
    """
    boxes = boxes_from(raw, grid)
    wanted = assign(raw[..., 4].detach(), boxes.detach(), truth, grid)
    people = wanted.score.sum().clamp(min=1.0)
    entropy = F.binary_cross_entropy_with_logits(raw[..., 4], wanted.score, weight=wanted.weight, reduction="sum")
    found = wanted.score > 0
    if not found.any():
        return entropy / people + 0.0 * raw.sum()
    misfit = 1.0 - complete_iou(boxes[found], wanted.boxes[found])
    return (entropy + BOX_WEIGHT * (misfit * wanted.score[found]).sum()) / people


def assign(logits: Tensor, boxes: Tensor, truth: Truth, grid: Tensor) -> Assignment:
    """Match every counted person with the cells inside their box that answer best, and say what those should answer."""
    centres = (grid[:, :2] + 0.5) * grid[:, 2:]
    low, high = truth.boxes[..., None, :2], truth.boxes[..., None, 2:]
    inside = ((centres > low) & (centres < high)).all(-1)  # (b, m, n)
    overlap = pairwise_iou(truth.boxes, boxes)  # (b, m, n)
    may = inside & truth.counted[..., None]
    aligned = logits.sigmoid()[:, None] ** SCORE_POWER * overlap**OVERLAP_POWER * may
    best = aligned.topk(min(CELLS_A_PERSON, aligned.shape[-1]), -1)
    chosen = torch.zeros_like(aligned).scatter_(-1, best.indices, (best.values > 1e-12).float()) * may
    # A cell wanted by several answers for the one whom it fits best.
    fits = torch.where(chosen > 0, overlap, torch.full_like(overlap, -1.0))
    fit, owner = fits.max(1)  # (b, n)
    chosen = chosen * F.one_hot(owner, truth.boxes.shape[1]).transpose(1, 2) * (fit > -1.0)[:, None]
    aligned = aligned * chosen
    scale = (overlap * chosen).amax(-1, keepdim=True) / aligned.amax(-1, keepdim=True).clamp(min=1e-12)
    score = (aligned * scale).amax(1)
    ignored = (inside & ~truth.counted[..., None]).any(1)
    weight = torch.where(ignored & (score == 0), 0.0, 1.0)
    return Assignment(score, truth.boxes.gather(1, owner[..., None].expand(-1, -1, 4)), weight)


def boxes_from(raw: Tensor, grid: Tensor) -> Tensor:
    """Return `(b, n, 4)` corners in pixels."""
    centre = (raw[..., :2] + grid[:, :2]) * grid[:, 2:]
    half = raw[..., 2:4].clamp(max=5.0).exp() * grid[:, 2:] / 2
    return torch.cat([centre - half, centre + half], -1)


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """Return `(b, m, n)` intersections over unions of boxes `(b, m, 4)` and `(b, n, 4)`."""
    common = (
        torch.minimum(a[:, :, None, 2:], b[:, None, :, 2:]) - torch.maximum(a[:, :, None, :2], b[:, None, :, :2])
    ).clamp(min=0)
    both = common[..., 0] * common[..., 1]
    area_a, area_b = ((x[..., 2:] - x[..., :2]).prod(-1) for x in (a, b))
    return both / (area_a[:, :, None] + area_b[:, None] - both).clamp(min=1e-6)


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """Return the complete IoU of corresponding boxes, `(m,)`, at most 1."""
    common = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    size_a, size_b = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]
    overlap = common / (size_a.prod(1) + size_b.prod(1) - common).clamp(min=1e-6)
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    apart = ((a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2).square().sum(1) / hull.square().sum(1).clamp(min=1e-6)
    angle_a, angle_b = (torch.atan(s[:, 0] / s[:, 1].clamp(min=1e-6)) for s in (size_a, size_b))
    shape = 4 / torch.pi**2 * (angle_b - angle_a).square()
    with torch.no_grad():
        share = shape / (1 - overlap + shape).clamp(min=1e-6)
    return overlap - apart - share * shape
