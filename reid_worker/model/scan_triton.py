"""The selective scan as Triton kernels for NVIDIA GPUs, compiled at first use without a compiler on the machine.

A program walks along the positions of one sequence for `_BLOCK` channels; their states stay in registers in float32,
so a position costs one exponential a state, and inputs are read once in the dtype they come in. The batch gives the
parallelism: at climb-base one tracklet already has 528 programs a direction. The forward pass keeps the state before
every `_SPAN`-th position; the backward pass recomputes the positions between in registers. Sums over channels
(gradients of B and C) are written once a block and added up afterwards: no atomics, the same result every time.
Letters as in `scan`.
"""

from typing import Any

import torch
import triton
from torch import Tensor

from reid_worker.model.scan_triton_kernels import backward_kernel, forward_kernel

_BLOCK = 32  # channels of a program: one warp, a thread a channel
_SPAN = 4  # positions between two kept states: as many as fit the registers of a thread in the backward pass
_LOG2_E = 1.4426950408889634


class _TritonScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, reverse: bool, *tensors: Tensor) -> Tensor:
        x, delta, A, B, C, D = (t.detach().contiguous() for t in tensors)
        b, L, E = x.shape
        n = A.shape[1]
        A2, D = A.float().T.contiguous() * _LOG2_E, D.float()
        keep = any(ctx.needs_input_grad)
        kept = x.new_empty((b, triton.cdiv(L, _SPAN), n, E) if keep else (0,), dtype=torch.float32)
        y = torch.empty_like(x)
        forward_kernel[triton.cdiv(E, _BLOCK), b](
            x, delta, A2, B, C, D, y, kept, L, E, n, 1, _power_of_two(n), _BLOCK, _SPAN, reverse, keep, num_warps=1
        )
        ctx.reverse = reverse
        ctx.dtypes = [t.dtype for t in tensors]
        ctx.save_for_backward(x, delta, A2, B, C, D, kept)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, delta, A2, B, C, D, kept = ctx.saved_tensors
        b, L, E = x.shape
        n = len(A2)
        dy = grads[0].contiguous()
        blocks = triton.cdiv(E, _BLOCK)
        dx, ddelta = torch.empty_like(x), torch.empty_like(delta)
        dA = A2.new_empty(b, n, E)
        dB, dC = A2.new_empty(blocks, b, L, n), A2.new_empty(blocks, b, L, n)
        backward_kernel[blocks, b](
            x, delta, A2, B, C, D, kept, dy, dx, ddelta, dA, dB, dC, L, E, n, 1,
            _power_of_two(n), _BLOCK, _SPAN, ctx.reverse, num_warps=1,
        )  # fmt: skip
        dD = (dy.float() * x.float()).sum((0, 1))
        found = (dx, ddelta, dA.sum(0).T, dB.sum(0), dC.sum(0), dD)
        return None, *(gradient.to(dtype) for gradient, dtype in zip(found, ctx.dtypes, strict=True))


def scan_triton(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, *, reverse: bool = False
) -> Tensor:
    """Run the scan of tensors on an NVIDIA GPU, state in float32; shapes as in `scan.selective_scan`."""
    y: Tensor = _TritonScan.apply(reverse, x, delta, A, B, C, D)
    return y


def _power_of_two(n: int) -> int:
    return int(triton.next_power_of_2(n))
