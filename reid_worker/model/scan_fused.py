"""The selective scan as compiled CPU loops over blocks of neighbouring channels; equals `scan_sequential`.

Letters as in `scan`. The innermost loops walk along channels, which lie side by side in memory: they become vector
instructions, no horizontal sum is needed and no tensor is transposed. Nothing of size L·E·n is kept between forward and
backward: the forward pass keeps the state before every `_SPAN`-th position, and the backward pass recomputes one span
of one block at a time, which stays in the second cache. Work is shared out by (batch, block) over torch's threads.
"""

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from reid_worker.model.cpu_loops import F32, FAST, LOG2_E, exp2, share_out
from reid_worker.model.scan_vectors import LANES, advance

_WIDEST = 2048  # channels the forward pass walks along at once: rows are read as they lie, states fit the second cache
_BLOCK = 256  # channels of the backward pass, whose work fits the second cache, and a loop's set-up is paid back
_SPAN = 64  # positions between two kept states: what the backward pass recomputes at a time stays in the second cache


@njit(fastmath=FAST, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _forward(inputs: tuple[F32, ...], y: F32, kept: F32, items: tuple[int, int], block: int, reverse: bool) -> None:
    """Write y, and the state before every `_SPAN`-th position to `kept` (b, spans, n, E); none if that is empty."""
    x, delta, A2, B, C, D = inputs
    L, E, n = x.shape[1], x.shape[2], len(A2)
    blocks = (E + block - 1) // block
    h, a = np.empty((block // LANES, n, LANES), np.float32), np.zeros((block // LANES, n, LANES), np.float32)
    rows, BC = np.zeros((3, block), np.float32), np.empty((2, n), np.float32)
    for item in range(items[0], items[1]):
        i, first = item // blocks, item % blocks * block
        last = min(E, first + block)
        step, push, out = rows[0, : last - first], rows[1, : last - first], rows[2, : last - first]
        h[:] = 0
        _copy_states(A2[:, first:last], a, into=True)
        for t in range(L):
            if t % _SPAN == 0 and len(kept):
                _copy_states(kept[i, t // _SPAN, :, first:last], h, into=False)
            p = L - 1 - t if reverse else t
            value, skip = x[i, p, first:last], D[first:last]
            _start(delta[i, p, first:last], value, step, push)
            _multiply(skip, value, out)
            for s in range(n):
                BC[0, s], BC[1, s] = B[i, p, s], C[i, p, s]
            for w in range(0, last - first, LANES):
                advance(rows[0], rows[1], a, h, rows[2], BC, w)
            _copy(out, y[i, p, first:last])


@njit(fastmath=FAST, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _start(delta: F32, x: F32, step: F32, push: F32) -> None:
    for w in range(len(step)):
        step[w] = delta[w]
        push[w] = delta[w] * x[w]


@njit(fastmath=FAST, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _multiply(a: F32, b: F32, out: F32) -> None:
    for w in range(len(out)):
        out[w] = a[w] * b[w]


@njit(fastmath=FAST, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _copy(source: F32, out: F32) -> None:
    for w in range(len(out)):
        out[w] = source[w]


@njit(fastmath=FAST, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _copy_states(plain: F32, lanes: F32, into: bool) -> None:
    """Copy `(n, E)` into `(E / LANES, n, LANES)`, or back."""
    for s in range(plain.shape[0]):
        for w in range(plain.shape[1]):
            if into:
                lanes[w // LANES, s, w % LANES] = plain[s, w]
            else:
                plain[s, w] = lanes[w // LANES, s, w % LANES]


@njit(inline="always")  # type: ignore[untyped-decorator]
def _rows(count: int) -> F32:
    return np.empty((count, _BLOCK), np.float32)


# The steps of the backward pass are small loops of their own: with more than five or so arrays in one loop the compiler
# no longer proves that they do not overlap, and gives up on vector instructions.


@njit(fastmath=FAST, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _recompute(step: F32, push: F32, a: F32, B: np.float32, before: F32, after: F32, decay: F32) -> None:
    """Write the decay of one position and the state after it, from the state before."""
    for w in range(len(push)):
        decay[w] = exp2(step[w] * a[w])
        after[w] = decay[w] * before[w] + push[w] * B


@njit(fastmath=FAST | {"reassoc"}, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _gather(grad: F32, after: F32, C: np.float32, flow: F32) -> np.float32:
    """Add what y says of the state to `flow`, the gradient that comes from later positions; return that of C."""
    dC = np.float32(0)
    for w in range(len(flow)):
        dC += grad[w] * after[w]
        flow[w] += grad[w] * C
    return dC


@njit(fastmath=FAST | {"reassoc"}, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _push_back(flow: F32, push: F32, B: np.float32, d_push: F32) -> np.float32:
    """Pass the gradient of the state on to what was pushed into it; return that of B."""
    dB = np.float32(0)
    for w in range(len(flow)):
        dB += flow[w] * push[w]
        d_push[w] += flow[w] * B
    return dB


@njit(fastmath=FAST, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _decay_back(flow: F32, decay: F32, before: F32, d_exponent: F32) -> None:
    """Move the gradient of the state back by one position, and write that of the exponent Δ A."""
    for w in range(len(flow)):
        flow[w] *= decay[w]
        d_exponent[w] = flow[w] * before[w]


@njit(fastmath=FAST, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _exponent_back(d_exponent: F32, factor: F32, total: F32) -> None:
    for w in range(len(total)):
        total[w] += d_exponent[w] * factor[w]


@njit(fastmath=FAST, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _backward(
    inputs: tuple[F32, ...], dy: F32, kept: F32, gradients: tuple[F32, ...], items: tuple[int, int], reverse: bool
) -> None:
    x, delta, A, A2, B, C, D = inputs
    dx, ddelta, dA, dB, dC = gradients
    L, E, n = x.shape[1], x.shape[2], len(A)
    blocks = (E + _BLOCK - 1) // _BLOCK
    states, decays, steps, pushes, grads = _rows(_SPAN + 1), _rows(_SPAN), _rows(_SPAN), _rows(_SPAN), _rows(_SPAN)
    d_pushes, d_steps, flows, exponents = _rows(_SPAN), _rows(_SPAN), np.empty((n, _BLOCK), np.float32), _rows(1)
    for item in range(items[0], items[1]):
        i, first = item // blocks, item % blocks * _BLOCK
        last = min(E, first + _BLOCK)
        flows[:] = 0
        for span in range((L - 1) // _SPAN, -1, -1):
            start = span * _SPAN
            count = min(_SPAN, L - start)
            for t in range(count):
                p = L - 1 - start - t if reverse else start + t
                for w in range(last - first):
                    steps[t, w] = delta[i, p, first + w]
                    grads[t, w] = dy[i, p, first + w]
                    pushes[t, w] = steps[t, w] * x[i, p, first + w]
            d_pushes[:], d_steps[:] = 0, 0
            for s in range(n):
                a, a2, da = A[s, first:last], A2[s, first:last], dA[s, first:last]
                flow, d_exponent = flows[s, : last - first], exponents[0, : last - first]
                states[0, : last - first] = kept[i, span, s, first:last]
                for t in range(count):
                    p = L - 1 - start - t if reverse else start + t
                    _recompute(steps[t], pushes[t, : last - first], a2, B[i, p, s], states[t], states[t + 1], decays[t])
                for t in range(count - 1, -1, -1):
                    p = L - 1 - start - t if reverse else start + t
                    dC[i, p, s] += _gather(grads[t], states[t + 1], C[i, p, s], flow)
                    dB[i, p, s] += _push_back(flow, pushes[t], B[i, p, s], d_pushes[t])
                    _decay_back(flow, decays[t], states[t], d_exponent)
                    _exponent_back(d_exponent, a, d_steps[t, : last - first])
                    _exponent_back(d_exponent, steps[t], da)
            for t in range(count):
                p = L - 1 - start - t if reverse else start + t
                for w in range(last - first):
                    ddelta[i, p, first + w] = d_steps[t, w] + d_pushes[t, w] * x[i, p, first + w]
                    dx[i, p, first + w] = d_pushes[t, w] * steps[t, w] + grads[t, w] * D[first + w]


class _FusedScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, reverse: bool, *tensors: Tensor) -> Tensor:
        x, delta, A, B, C, D = (t.detach().contiguous() for t in tensors)
        decay = A.T.contiguous()
        spans = math.ceil(x.shape[1] / _SPAN)
        kept = x.new_empty((x.shape[0], spans, *decay.shape) if any(ctx.needs_input_grad) else (0, 0, 0, 0))
        y = torch.empty_like(x)
        inputs = _arrays(x, delta, decay * LOG2_E, B, C, D)
        block = _forward_block(*x.shape[::2])
        share_out(
            x.shape[0] * math.ceil(x.shape[2] / block),
            lambda items, _: _forward(inputs, y.numpy(), kept.numpy(), items, block, reverse),
        )
        ctx.reverse = reverse
        ctx.save_for_backward(x, delta, decay, B, C, D, kept)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, delta, decay, B, C, D, kept = ctx.saved_tensors
        dy = grads[0].contiguous()
        dx, ddelta = torch.empty_like(x), torch.empty_like(delta)
        inputs = _arrays(x, delta, decay, decay * LOG2_E, B, C, D)
        # Blocks of one sequence share dB and dC, sequences share dA: every thread sums up its own.
        dA, dB, dC = (t.new_zeros(torch.get_num_threads(), *t.shape) for t in (decay, B, C))

        def work(items: tuple[int, int], thread: int) -> None:
            out = _arrays(dx, ddelta, dA[thread], dB[thread], dC[thread])
            _backward(inputs, dy.numpy(), kept.numpy(), out, items, ctx.reverse)

        share_out(_items(x), work)
        return None, dx, ddelta, dA.sum(0).T, dB.sum(0), dC.sum(0), (dy * x).sum((0, 1))


def scan_fused(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, *, reverse: bool = False
) -> Tensor:
    """Run the scan of CPU tensors in compiled loops, in float32; shapes as in `scan.selective_scan`."""
    y: Tensor = _FusedScan.apply(reverse, *(t.float() for t in (x, delta, A, B, C, D)))
    return y.to(x.dtype)


def _arrays(*tensors: Tensor) -> tuple[F32, ...]:
    return tuple(t.numpy() for t in tensors)


def _items(x: Tensor) -> int:
    """Return the number of (sequence, block of channels) of the backward pass."""
    return x.shape[0] * math.ceil(x.shape[2] / _BLOCK)


def _forward_block(b: int, E: int) -> int:
    """Return how many channels to walk along at once: all, or fewer so that every thread has something to do."""
    parts = math.ceil(torch.get_num_threads() / b)
    return min(_WIDEST, math.ceil(E / parts / LANES) * LANES)
