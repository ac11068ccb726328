"""What a network costs: floating-point operations a crop, and parameters, computed from its sizes alone.

Counted, with 2 operations a multiply-add: every matrix product (projections, attention, MLPs) and the convolutions
that make patches. Not counted: the scan and its depthwise convolution, norms, activations, softmax, sorting and
resizing; none of them is a matrix product, and at `climb-base` all together are a few per cent.

Letters: N patch tokens of a frame, D tower width, d joint width, E inner width of the scan, n its state, r rank of Δ.
"""

import math
from dataclasses import dataclass

import torch

from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.clip import STEM_CHANNELS
from reid_worker.model.irm import ATTENTION_WIDTH

_GIGA = 1e9


@dataclass(frozen=True, slots=True)
class Cost:
    """Multiply-adds of one tracklet.

    Attributes:
        encoder: Of all its crops in the visual tower.
        head: Of the temporal head, which always sees T frames; 0 where it does not rank.
    """

    encoder: int
    head: int


def gflop_per_crop(architecture: Architecture, frames: int | None = None) -> float:
    """Return GFLOP (1e9 operations) a crop for tracklets of `frames` crops, 1 to T; T by default.

    A short tracklet costs more a crop: the head works on T frames, whichever of them are repeated.
    """
    count = architecture.frames if frames is None else frames
    cost = tracklet_cost(architecture, count)
    return 2 * (cost.encoder + cost.head) / count / _GIGA


def tracklet_cost(architecture: Architecture, frames: int) -> Cost:
    """Return the multiply-adds of a tracklet of `frames` crops, 1 to T."""
    head = _head(architecture) if architecture.ranking == "both" else 0
    return Cost(encoder=frames * _encoder(architecture), head=head)


def parameters(architecture: Architecture) -> int:
    """Return the number of parameters, frozen ones included; no memory is taken for them."""
    with torch.device("meta"):
        network = Climb(architecture)
    return sum(p.numel() for p in network.parameters())


def _encoder(a: Architecture) -> int:
    """Return the multiply-adds of one crop in the visual tower."""
    tokens = math.prod(a.grid) + 1
    layer = 12 * tokens * a.tower_width**2 + 2 * tokens**2 * a.tower_width  # projections and MLP; QK and its use
    return _stem(a) + a.layers * layer + a.tower_width * a.joint_width


def _stem(a: Architecture) -> int:
    rows, columns = a.grid
    if a.stem == "patch":
        return rows * columns * a.tower_width * 3 * a.patch**2
    total, inputs, pixels = 0, 3, a.height * a.width
    for stage, outputs in enumerate(STEM_CHANNELS):
        pixels //= 4  # every stage halves both sides
        total += pixels * 9 * inputs * outputs
        total += pixels * 9 * outputs * outputs if stage else 0  # its residual convolution; the first has none
        inputs = outputs
    return total + rows * columns * 9 * inputs * a.tower_width


def _head(a: Architecture) -> int:
    """Return the multiply-adds of the temporal head on T frames."""
    D, E, T, N = a.tower_width, a.expand * a.tower_width, a.frames, math.prod(a.grid)
    r = math.ceil(D / 16)
    mamba = 2 * D * E + 2 * E * (r + 2 * a.state) + 2 * r * E + E * D  # a token: in_proj, both x_proj and dt_proj, out
    pooling = D * ATTENTION_WIDTH + ATTENTION_WIDTH + D  # a token: both layers and the weighted sum
    total = sum(T * N * mamba + (T * N + T // S) * pooling for S in a.strides)
    return total + D * D
