"""The bidirectional Mamba layer served on a CPU: what stands around its scans in compiled loops.

On a CPU a pass over a wide tensor costs about as much as the matrix products beside it, and plain PyTorch makes a dozen
of them: padding, transposing, convolving, SiLU, softplus, adding, gating. Here each result is written once.
Letters as in `mamba`; k is the length of the convolution, M = b · L.
"""

import numpy as np
import torch
from numba import njit
from torch import Tensor, nn

from reid_worker.model.cpu_loops import F32, FAST, LOG2_E, exp2, share_out
from reid_worker.model.mamba import BidirectionalMamba
from reid_worker.model.scan import selective_scan

_TO_BASE_2 = np.float32(-LOG2_E)
# Least-squares polynomial of log(1 + z) / z on [0, 1]: relative error 2.3e-7.
_L0, _L1, _L2, _L3 = np.float32(0.99999978), np.float32(-0.49997124), np.float32(0.33271168), np.float32(-0.24470374)
_L4, _L5, _L6, _L7 = np.float32(0.17675249), np.float32(-0.10667455), np.float32(0.0433685), np.float32(-0.00833584)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _silu(a: np.float32) -> np.float32:
    z = exp2(abs(a) * _TO_BASE_2)  # in (0, 1]: nothing overflows
    share = np.float32(1) / (np.float32(1) + z)
    return np.float32(a * (share if a >= 0 else z * share))


@njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _add_product(out: F32, x: F32, weight: F32) -> None:
    for w in range(len(out)):
        out[w] += x[w] * weight[w]


@njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _silu_row(row: F32) -> None:
    for w in range(len(row)):
        row[w] = _silu(row[w])


@njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _convolve(xz: F32, weight: F32, bias: F32, out: F32, items: tuple[int, int], back: bool) -> None:
    """Write SiLU of the convolution of the first half of xz `(b, L, 2 E)`, weight `(k, E)`, to out `(b, L, E)`."""
    L, E = out.shape[1], out.shape[2]
    k = len(weight)
    for i in range(items[0], items[1]):
        for p in range(L):
            row = out[i, p]
            row[:] = bias
            for j in range(k):
                q = p + (k - 1 - j) if back else p - (k - 1 - j)
                if 0 <= q < L:
                    _add_product(row, xz[i, q, :E], weight[j])
            _silu_row(row)


@njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _softplus(values: F32, items: tuple[int, int]) -> None:
    """Replace the numbers of these rows of `(M, E)` by log(1 + e^x)."""
    for i in range(items[0], items[1]):
        row = values[i]
        for w in range(len(row)):
            z = exp2(abs(row[w]) * _TO_BASE_2)
            p = (((_L7 * z + _L6) * z + _L5) * z + _L4) * z + _L3
            row[w] = max(row[w], np.float32(0)) + (((p * z + _L2) * z + _L1) * z + _L0) * z


@njit(fastmath=FAST, nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _gate(ahead: F32, back: F32, xz: F32, items: tuple[int, int]) -> None:
    """Replace these rows of ahead `(M, E)` by (ahead + back) · silu of the second half of xz `(M, 2 E)`."""
    E = ahead.shape[1]
    for i in range(items[0], items[1]):
        out, other, gate = ahead[i], back[i], xz[i, E:]
        for w in range(E):
            out[w] = (out[w] + other[w]) * _silu(gate[w])


class ServedMamba(nn.Module):
    """`mamba.BidirectionalMamba` without gradients, for float32 on a CPU; anything else goes to the layer itself."""

    def __init__(self, layer: BidirectionalMamba) -> None:
        super().__init__()
        self.layer = layer
        self._ahead = (*_kernel(layer.conv1d), layer.x_proj, layer.dt_proj, layer.A_log, layer.D)
        self._back = (*_kernel(layer.conv1d_b), layer.x_proj_b, layer.dt_proj_b, layer.A_b_log, layer.D_b)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the scanned sequence `(b, L, D)`, in the order of `tokens`."""
        if tokens.device.type != "cpu" or tokens.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
            return torch.as_tensor(self.layer(tokens))
        xz = self.layer.in_proj(tokens)  # (b, L, 2 E)
        ahead, back = self._scan(xz, back=False), self._scan(xz, back=True)
        rows = ahead.shape[0] * ahead.shape[1]
        flat = [t.numpy().reshape(rows, -1) for t in (ahead, back, xz)]
        share_out(rows, lambda items, _: _gate(*flat, items))
        return torch.as_tensor(self.layer.out_proj(ahead))

    def _scan(self, xz: Tensor, *, back: bool) -> Tensor:
        weight, bias, x_proj, dt_proj, A_log, D = self._back if back else self._ahead
        b, L, width = xz.shape
        x = xz.new_empty(b, L, width // 2)
        arrays = [t.detach().numpy() for t in (xz, weight, bias, x)]
        share_out(b, lambda items, _: _convolve(*arrays, items, back))
        steps, B, C = x_proj(x).split([self.layer.rank, self.layer.state, self.layer.state], dim=-1)
        delta = dt_proj(steps)
        flat = delta.numpy().reshape(b * L, -1)
        share_out(b * L, lambda items, _: _softplus(flat, items))
        return selective_scan(x, delta, -torch.exp(A_log), B, C, D, reverse=back)


def _kernel(conv: nn.Conv1d) -> tuple[Tensor, Tensor]:
    """Return what a convolution multiplies by `(k, E)` and then adds `(E,)`."""
    assert conv.bias is not None, "a Mamba layer's convolution has a bias"
    return conv.weight.detach()[:, 0].T.contiguous(), conv.bias.detach()
