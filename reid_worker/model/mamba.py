"""A bidirectional Mamba layer (Zhu et al. 2024, Vision Mamba, section 3.3; scan after Gu and Dao 2023, section 3).

Letters: b batch, L sequence length, D width, E = expand · D inner width, n state size, r rank of Δ.
One input and one output projection; convolution, x_proj, dt_proj, A and D are separate for the reversed order.
Parameters carry the names of the published CLIMB-ReID weights (suffix `_b` = backward in order).
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid_worker.model.scan import selective_scan

_DT_LOWEST, _DT_HIGHEST = 1e-3, 1e-1  # Δ at initialisation: log-uniform here, as Mamba trains best with


class BidirectionalMamba(nn.Module):
    """Scan a sequence in both directions and project the sum: `(b, L, D)` to `(b, L, D)`."""

    def __init__(self, width: int, *, state: int = 16, kernel: int = 4, expand: int = 2) -> None:
        super().__init__()
        inner = expand * width
        self.state = state
        self.rank = math.ceil(width / 16)
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        self.conv1d = _causal_convolution(inner, kernel)
        self.conv1d_b = _causal_convolution(inner, kernel)
        self.x_proj = nn.Linear(inner, self.rank + 2 * state, bias=False)
        self.x_proj_b = nn.Linear(inner, self.rank + 2 * state, bias=False)
        self.dt_proj = _step_projection(self.rank, inner)
        self.dt_proj_b = _step_projection(self.rank, inner)
        self.A_log = nn.Parameter(torch.arange(1, state + 1).float().log().repeat(inner, 1))
        self.A_b_log = nn.Parameter(self.A_log.detach().clone())
        self.D = nn.Parameter(torch.ones(inner))
        self.D_b = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the scanned sequence `(b, L, D)`, in the order of `tokens`."""
        x, gate = self.in_proj(tokens).chunk(2, dim=-1)  # (b, L, E) each
        ahead = self._scan(x, self.conv1d, self.x_proj, self.dt_proj, _Direction(self.A_log, self.D, reverse=False))
        back = self._scan(
            x, self.conv1d_b, self.x_proj_b, self.dt_proj_b, _Direction(self.A_b_log, self.D_b, reverse=True)
        )
        return torch.as_tensor(self.out_proj((ahead + back) * F.silu(gate)))

    def _scan(
        self, x: Tensor, conv: nn.Conv1d, x_proj: nn.Linear, dt_proj: nn.Linear, direction: "_Direction"
    ) -> Tensor:
        x = F.silu(_convolve(x, conv, reverse=direction.reverse))
        steps, B, C = x_proj(x).split([self.rank, self.state, self.state], dim=-1)
        delta = F.softplus(dt_proj(steps))
        return selective_scan(x, delta, -torch.exp(direction.A_log), B, C, direction.D, reverse=direction.reverse)


@dataclass(frozen=True, slots=True)
class _Direction:
    """What the scan itself has for each of the two directions."""

    A_log: Tensor
    D: Tensor
    reverse: bool


def _convolve(x: Tensor, conv: nn.Conv1d, *, reverse: bool) -> Tensor:
    """Mix every position of x `(b, L, E)` with those before it, or with those behind it; nothing is flipped."""
    reach = conv.kernel_size[0] - 1
    padded = F.pad(x, (0, 0, 0, reach) if reverse else (0, 0, reach, 0))
    weight = conv.weight.flip(-1) if reverse else conv.weight
    return F.conv1d(padded.transpose(1, 2), weight, conv.bias, groups=conv.groups).transpose(1, 2)


def _causal_convolution(channels: int, kernel: int) -> nn.Conv1d:
    return nn.Conv1d(channels, channels, kernel, groups=channels)  # padded where it is used: the side depends


def _step_projection(rank: int, inner: int) -> nn.Linear:
    """Return the projection to Δ, with a bias such that softplus(bias) is spread log-uniformly at the start."""
    layer = nn.Linear(rank, inner)
    nn.init.uniform_(layer.weight, -(rank**-0.5), rank**-0.5)
    low, high = math.log(_DT_LOWEST), math.log(_DT_HIGHEST)
    step = torch.exp(torch.rand(inner) * (high - low) + low)
    with torch.no_grad():
        layer.bias.copy_(step + torch.log(-torch.expm1(-step)))  # the inverse of softplus
    return layer
