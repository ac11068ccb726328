"""Inputs of a selective scan, and what its implementations make of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from reid_worker.model.scan import Implementation, selective_scan

NAMES = ("y", "x", "delta", "A", "B", "C", "D")
HALF = torch.bfloat16


def scan_inputs(b: int, L: int, *, E: int = 6, n: int = 5, seed: int = 0) -> list[Tensor]:
    """Return x, delta, A, B, C, D in float64, like those of a Mamba: decays from 1 to n, steps below and over 1."""
    g = torch.Generator().manual_seed(seed)
    x, delta, B, C = (
        torch.randn(shape, generator=g, dtype=torch.float64) for shape in ((b, L, E), (b, L, E), (b, L, n), (b, L, n))
    )
    A = -torch.arange(1, n + 1, dtype=torch.float64).repeat(E, 1) * (1 + torch.rand(E, 1, generator=g))
    D = torch.randn(E, generator=g, dtype=torch.float64)
    return [x, torch.nn.functional.softplus(delta), A, B, C, D]


def value_and_gradients(
    tensors: Sequence[Tensor], implementation: Implementation, *, reverse: bool = False
) -> list[Tensor]:
    """Return y, and the gradients of a weighted sum of it, in the order of `NAMES`."""
    leaves = [t.clone().requires_grad_() for t in tensors]
    y = selective_scan(*leaves, reverse=reverse, implementation=implementation)
    weight = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
    return [y.detach(), *torch.autograd.grad((y * weight).sum(), leaves)]


def relative_errors(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> dict[str, float]:
    """Return |found - wanted| / |wanted| of each tensor, by its name; 0 where both are zero."""
    return {
        name: float((f.double() - w.double()).norm() / w.double().norm().clamp_min(1e-30))
        for name, f, w in zip(NAMES, found, wanted, strict=True)
    }
