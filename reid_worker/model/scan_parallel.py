"""The selective scan in plain tensors, a span of positions at once: for accelerators without a kernel of their own.

A recurrence h_l = a_l h_{l-1} + u_l is associative in the pairs (a, u), so that a span of K positions takes log2 K
doublings (Hillis and Steele 1986) instead of K steps; spans follow each other. It does log2 K times the arithmetic of
the loop in K / log2 K times fewer launches: worth it where a launch costs more than the arithmetic, so not on a CPU.
Letters as in `scan`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

_SPAN = 32  # positions; the memory of a span is K·E·n numbers a sequence, several times over


def scan_parallel(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, *, reverse: bool = False
) -> Tensor:
    """Run the scan span by span, state in float32 or wider; shapes as in `scan.selective_scan`."""
    dtype = x.dtype
    wide = torch.promote_types(dtype, torch.float32)
    x, delta, A, B, C, D = (t.to(wide) for t in (x, delta, A, B, C, D))
    if reverse:
        x, delta, B, C = (t.flip(1) for t in (x, delta, B, C))
    h = x.new_zeros(x.shape[0], x.shape[2], A.shape[1])
    outputs = []
    for first in range(0, x.shape[1], _SPAN):
        span = slice(first, first + _SPAN)
        inputs = (x[:, span], delta[:, span], B[:, span], C[:, span], A, h)
        if torch.is_grad_enabled():  # otherwise every doubling of every span would be kept for the backward pass
            y, h = checkpoint(_scan_span, *inputs, use_reentrant=False)
        else:
            y, h = _scan_span(*inputs)
        outputs.append(y)
    y = torch.cat(outputs, dim=1) + D * x
    return (y.flip(1) if reverse else y).to(dtype)


def _scan_span(x: Tensor, delta: Tensor, B: Tensor, C: Tensor, A: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Return y `(b, K, E)` without the skip connection and the state `(b, E, n)` after the span."""
    decay = torch.exp(delta.unsqueeze(-1) * A)  # (b, K, E, n)
    state = (delta * x).unsqueeze(-1) * B.unsqueeze(2)
    shift = 1
    while shift < x.shape[1]:
        state = state + decay * _later(state, shift, 0.0)
        decay = decay * _later(decay, shift, 1.0)
        shift *= 2
    state = state + decay * h.unsqueeze(1)
    return torch.einsum("bken,bkn->bke", state, C), state[:, -1]


def _later(tensor: Tensor, shift: int, fill: float) -> Tensor:
    """Return the tensor moved to later positions, `fill` in front."""
    return F.pad(tensor[:, :-shift], (0, 0, 0, 0, shift, 0), value=fill)
