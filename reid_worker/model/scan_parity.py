"""How far an implementation of the selective scan is from the reference. Letters as in `scan`."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Scan = Callable[..., Tensor]
"""`scan(x, delta, A, B, C, D, *, reverse=False)`, as `scan.selective_scan` without the choice."""

NAMES = ("y", "x", "delta", "A", "B", "C", "D")
"""What is compared: the output, and the gradients of the inputs."""


def scan_inputs(b: int, L: int, *, E: int = 6, n: int = 5, seed: int = 0) -> list[Tensor]:
    """Return x, delta, A, B, C, D in float64, like those of a Mamba: decays from 1 to n, steps below and above 1."""
    g = torch.Generator().manual_seed(seed)
    shapes = ((b, L, E), (b, L, E), (b, L, n), (b, L, n))
    x, delta, B, C = (torch.randn(shape, generator=g, dtype=torch.float64) for shape in shapes)
    A = -torch.arange(1, n + 1, dtype=torch.float64).repeat(E, 1) * (1 + torch.rand(E, 1, generator=g))
    D = torch.randn(E, generator=g, dtype=torch.float64)
    return [x, torch.nn.functional.softplus(delta), A, B, C, D]


def upstream_for(x: Tensor) -> Tensor:
    """Return the gradient given to y, of the shape, dtype and device of x: from -1 to 1 over all its numbers.

    It is counted in float64 on the CPU and rounded once: a GPU counts in the dtype, and float16 ends at 65 504.
    """
    return torch.linspace(-1, 1, x.numel(), dtype=torch.float64).reshape(x.shape).to(x)


def value_and_gradients(
    scan: Scan, tensors: Sequence[Tensor], *, reverse: bool = False, upstream: Tensor | None = None
) -> list[Tensor]:
    """Return y, and the gradients of the inputs, in the order of `NAMES`.

    Args:
        scan: Run once forward and once backward.
        tensors: x, delta, A, B, C, D.
        reverse: Walk from the last position to the first.
        upstream: Gradient of y, that of `upstream_for` where None. A reference in a wider dtype is given the very one
            of the implementation, or its rounding would count as an error.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        leaves = [t.detach().clone().requires_grad_() for t in tensors]
        y = scan(*leaves, reverse=reverse)
        return [y.detach(), *torch.autograd.grad(y, leaves, upstream_for(y) if upstream is None else upstream)]


def relative_errors(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Mapping[str, float]:
    """Return the length of `found - wanted` over that of `wanted` by name; 0 where both are zero."""
    return {
        name: _length(f.double() - w.double()) / max(_length(w.double()), 1e-30)
        for name, f, w in zip(NAMES, found, wanted, strict=True)
    }


def _length(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor))
