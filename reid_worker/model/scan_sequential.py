"""The selective scan one position at a time: the reference that the others equal. Letters as in `scan`."""

import torch
from torch import Tensor


def scan_sequential(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, *, reverse: bool = False
) -> Tensor:
    """Run the recurrence on any device and dtype, state in float32 or wider; shapes as in `scan.selective_scan`."""
    dtype = x.dtype
    wide = torch.promote_types(dtype, torch.float32)
    x, delta, A, B, C, D = (t.to(wide) for t in (x, delta, A, B, C, D))
    b, L, E = x.shape
    h = x.new_zeros(b, E, A.shape[1])
    outputs = []
    for i in reversed(range(L)) if reverse else range(L):
        step = delta[:, i].unsqueeze(-1)  # (b, E, 1)
        h = torch.exp(step * A) * h + step * B[:, i].unsqueeze(1) * x[:, i].unsqueeze(-1)
        outputs.append((h * C[:, i].unsqueeze(1)).sum(-1) + D * x[:, i])
    return torch.stack(outputs[::-1] if reverse else outputs, dim=1).to(dtype)
