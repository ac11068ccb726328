"""What a network is said to cost is what torch counts when it runs."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from reid_worker.model.climb import CLIMB_BASE, CLIMB_TINY, Architecture, Climb
from reid_worker.model.cost import Cost, gflop_per_crop, parameters, tracklet_cost

SIZES = {
    "convolution": Architecture(
        name="a", height=48, width=32, tower_width=16, layers=2, heads=2, joint_width=24, frames=4, strides=(1, 4)
    ),
    "patch": Architecture(
        name="b", height=32, width=16, patch=8, stem="patch", tower_width=32, layers=1, heads=4, joint_width=8,
        frames=2, strides=(1, 2), state=4, expand=2,
    ),
}  # fmt: skip


def counted(run: Callable[[], object]) -> dict[str, int]:
    """Return operations by kind. With gradients and plain attention: fused paths hide what they do from the counter."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return {str(op): int(count) for op, count in counter.get_flop_counts()["Global"].items()}


def images(a: Architecture, count: int) -> Tensor:
    return torch.randn(count, 3, a.height, a.width)


@pytest.mark.parametrize("stem", sorted(SIZES))
def test_the_encoder_costs_what_torch_counts(stem: str) -> None:
    a = SIZES[stem]
    encoder = Climb(a).encoder
    assert 2 * tracklet_cost(a, 3).encoder == sum(counted(lambda: encoder(images(a, 3))).values())


@pytest.mark.parametrize("stem", sorted(SIZES))
def test_the_head_costs_the_matrix_products_that_torch_counts(stem: str) -> None:
    a = SIZES[stem]
    N = a.grid[0] * a.grid[1]
    head = Climb(a).temporal
    tokens = torch.randn(1, a.frames, a.tower_width), torch.randn(1, a.frames, N, a.tower_width)
    products = sum(count for op, count in counted(lambda: head(*tokens)).items() if "convolution" not in op)
    weighted = 2 * a.tower_width * sum(a.frames * N + a.frames // S for S in a.strides)  # a matmul, or a sum: as run
    assert 2 * tracklet_cost(a, a.frames).head in {products, products + weighted}


def test_a_crop_of_the_paper_costs_about_23_gflop_in_the_encoder() -> None:
    assert 2 * tracklet_cost(CLIMB_BASE, 1).encoder / 1e9 == pytest.approx(23, abs=0.5)


def test_with_the_temporal_head_a_crop_of_a_full_tracklet_is_cheapest() -> None:
    costs = [gflop_per_crop(CLIMB_BASE, frames) for frames in range(1, CLIMB_BASE.frames + 1)]
    assert costs == sorted(set(costs), reverse=True)
    assert gflop_per_crop(CLIMB_BASE) == costs[-1]


def test_a_head_that_does_not_rank_costs_nothing() -> None:
    assert tracklet_cost(CLIMB_TINY, 3) == Cost(encoder=3 * tracklet_cost(CLIMB_TINY, 1).encoder, head=0)
    assert tracklet_cost(replace(CLIMB_TINY, ranking="both"), 3).head > 0


@pytest.mark.parametrize("stem", sorted(SIZES))
def test_parameters_are_counted_without_making_them(stem: str) -> None:
    assert parameters(SIZES[stem]) == sum(p.numel() for p in Climb(SIZES[stem]).parameters())
