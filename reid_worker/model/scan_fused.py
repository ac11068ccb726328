"""The selective scan as one compiled CPU loop per direction of differentiation; equals `scan.scan_sequential`.

Nothing of size L·E·n is kept between forward and backward: the backward pass recomputes the states of one channel at
a time, 2·L·n numbers that stay in the nearest cache. Letters as in `scan`; arrays are channel-major `(b, E, L)`, so
that the walk along L is contiguous.
"""

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

F32 = NDArray[np.float32]

_LOG2_E = np.float32(math.log2(math.e))
_LOWEST = np.float32(-126.0)  # below this exponent float32 has no normal numbers: the decay is zero for our purpose
_BIAS = np.int32(127)
# Minimax polynomial of 2^f on [0, 1): relative error under 1e-6. A library exp is not vectorised by LLVM, this is.
_P0, _P1, _P2 = np.float32(9.9999994e-1), np.float32(6.9315308e-1), np.float32(2.4015361e-1)
_P3, _P4, _P5 = np.float32(5.5826318e-2), np.float32(8.9893397e-3), np.float32(1.8775767e-3)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _exp(value: np.float32) -> np.float32:
    """Return e^value for value <= 0: the integer part becomes the exponent bits, the rest a polynomial."""
    power = max(value * _LOG2_E, _LOWEST)
    whole = math.floor(power)
    f = np.float32(power - whole)
    fraction = ((((_P5 * f + _P4) * f + _P3) * f + _P2) * f + _P1) * f + _P0
    bits = np.int32((np.int32(whole) + _BIAS) << 23)
    return np.float32(fraction * bits.view(np.float32))


@njit(fastmath=True, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _forward(x: F32, delta: F32, A: F32, B: F32, C: F32, y: F32) -> None:
    b, E, L = x.shape
    n = A.shape[1]
    h = np.empty(n, np.float32)
    for i in range(b):
        for e in range(E):
            h[:] = 0
            for t in range(L):
                step = delta[i, e, t]
                push = step * x[i, e, t]
                out = np.float32(0)
                for s in range(n):
                    h[s] = _exp(step * A[e, s]) * h[s] + push * B[i, t, s]
                    out += C[i, t, s] * h[s]
                y[i, e, t] = out


@njit(fastmath=True, nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _backward(inputs: tuple[F32, ...], dy: F32, gradients: tuple[F32, ...]) -> None:
    x, delta, A, B, C = inputs
    dx, ddelta, dA, dB, dC = gradients
    b, E, L = x.shape
    n = A.shape[1]
    states = np.empty((L + 1, n), np.float32)
    decays = np.empty((L, n), np.float32)
    dh = np.empty(n, np.float32)
    for i in range(b):
        for e in range(E):
            states[0, :] = 0
            for t in range(L):
                step = delta[i, e, t]
                push = step * x[i, e, t]
                for s in range(n):
                    decays[t, s] = _exp(step * A[e, s])
                    states[t + 1, s] = decays[t, s] * states[t, s] + push * B[i, t, s]
            dh[:] = 0
            for t in range(L - 1, -1, -1):
                step = delta[i, e, t]
                push = step * x[i, e, t]
                grad = dy[i, e, t]
                d_push = np.float32(0)
                d_step = np.float32(0)
                for s in range(n):
                    dC[i, t, s] += grad * states[t + 1, s]
                    flow = dh[s] + grad * C[i, t, s]
                    dB[i, t, s] += flow * push
                    d_push += flow * B[i, t, s]
                    d_exponent = flow * states[t, s] * decays[t, s]
                    d_step += d_exponent * A[e, s]
                    dA[e, s] += d_exponent * step
                    dh[s] = flow * decays[t, s]
                dx[i, e, t] = d_push * step
                ddelta[i, e, t] = d_step + d_push * x[i, e, t]


class _FusedScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
        saved = tuple(t.detach().contiguous() for t in (x, delta, A, B, C))
        y = torch.empty_like(saved[0])
        _forward(*(t.numpy() for t in saved), y.numpy())
        ctx.save_for_backward(*saved)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        saved = ctx.saved_tensors
        out = tuple(torch.zeros_like(t) for t in saved)
        inputs = tuple(t.numpy() for t in saved)
        _backward(inputs, grads[0].contiguous().numpy(), tuple(t.numpy() for t in out))
        return out


def scan_fused(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """Run the scan of float32 CPU tensors in one compiled loop; shapes as in `scan.selective_scan`."""
    y: Tensor = _FusedScan.apply(x.transpose(1, 2), delta.transpose(1, 2), A, B, C)
    return y.transpose(1, 2) + D * x
