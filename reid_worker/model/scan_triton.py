"""The selective scan as Triton kernels for NVIDIA GPUs, compiled at first use without a compiler on the machine.

A program walks along positions for `_BLOCK` channels; their states stay in registers in float32, and inputs are read
in the dtype they come in. A batch of few sequences has too few programs for a GPU, so longer sequences are cut into
chunks then: a first kernel walks all chunks at once, each from a state of zero, and writes the states at their ends.
What earlier chunks leave behind decays by exp(A Σ Δ), so that a second kernel knows from these ends the true state at
the start of its chunk, and walks it again. That costs two walks, and none waits for more than a chunk.

The forward pass keeps the state before every `_SPAN`-th position; the backward pass, which goes through the chunks in
the same way from the last position to the first, recomputes the positions between in registers. Sums over channels
(gradients of B and C) are written once a block and added up afterwards: no atomics, the same result every time.
Letters as in `scan`.
"""

from typing import Any

import torch
import triton
from torch import Tensor

from reid_worker.model.scan_triton_kernels import backward_kernel, chunk_kernel, forward_kernel

_SPAN = 4  # positions between two kept states: as many as fit the registers of a thread in the backward pass
_BLOCK = 16  # channels of a program: one warp
_CHUNK = 128  # positions, a multiple of _SPAN
_ENOUGH = 2048  # programs, of one warp each, that keep a GPU busy: an H200 can hold 4 224
_REGISTERS = 128  # of a thread in the backward pass, which would take 178: twice as many programs run at once
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
        chunk, grid = _cut(x)
        ends, elapsed = _ends(x, delta, A2, B, grid, reverse=reverse, back=False)
        forward_kernel[grid](
            x, delta, A2, B, C, D, y, ends, elapsed, kept, L, E, n, chunk,
            _power_of_two(n), _BLOCK, _SPAN, reverse, keep, num_warps=1,
        )  # fmt: skip
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
        chunk, grid = _cut(x)
        ends, elapsed = _ends(dy, delta, A2, C, grid, reverse=ctx.reverse, back=True)
        dx, ddelta = torch.empty_like(x), torch.empty_like(delta)
        dAD = A2.new_empty(b * grid[2], n + 1, E)
        dBC = A2.new_empty(2, grid[0], b, L, n)
        backward_kernel[grid](
            x, delta, A2, B, C, D, kept, dy, ends, elapsed, dx, ddelta, dAD, *dBC, L, E, n, chunk,
            _power_of_two(n), _BLOCK, _SPAN, ctx.reverse, num_warps=1, maxnreg=_REGISTERS,
        )  # fmt: skip
        rows, (dB, dC) = dAD.sum(0), dBC.sum(1)
        found = (dx, ddelta, rows[:n].T, dB, dC, rows[n])
        return None, *(gradient.to(dtype) for gradient, dtype in zip(found, ctx.dtypes, strict=True))


def scan_triton(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, *, reverse: bool = False
) -> Tensor:
    """Run the scan of tensors on an NVIDIA GPU, state in float32; shapes as in `scan.selective_scan`."""
    y: Tensor = _TritonScan.apply(reverse, x, delta, A, B, C, D)
    return y


def _cut(x: Tensor) -> tuple[int, tuple[int, int, int]]:
    """Return the positions of a chunk, and how many programs there are: blocks of channels, sequences, chunks."""
    b, L, E = x.shape
    blocks, chunks = triton.cdiv(E, _BLOCK), triton.cdiv(L, _CHUNK)
    if b * blocks >= _ENOUGH:  # the batch is enough, and a second walk would only cost
        return chunks * _CHUNK, (blocks, b, 1)
    return _CHUNK, (blocks, b, chunks)


def _ends(
    x: Tensor, delta: Tensor, A2: Tensor, B: Tensor, grid: tuple[int, int, int], *, reverse: bool, back: bool
) -> tuple[Tensor, Tensor]:
    """Return what each chunk adds to the state (or flow), and how long it lasts; empty where there is only one."""
    blocks, b, chunks = grid
    L, (n, E) = x.shape[1], A2.shape
    if chunks == 1:
        return A2.new_empty(0), A2.new_empty(0)
    ends, elapsed = A2.new_empty(b, chunks, n, E), A2.new_empty(b, chunks, E)
    chunk_kernel[blocks, b, chunks - 1](
        x, delta, A2, B, ends, elapsed, L, E, n, _CHUNK, _power_of_two(n), _BLOCK, reverse, back, num_warps=1
    )
    return ends, elapsed


def _power_of_two(n: int) -> int:
    return int(triton.next_power_of_2(n))
