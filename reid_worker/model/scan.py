"""The selective scan of Mamba (Gu and Dao 2023, section 3): one function, a readable reference, and a fast CPU loop.

Letters: b batch, L sequence length, E inner width, n state size.

    h_l = exp(Δ_l A) h_{l-1} + Δ_l B_l x_l        y_l = C_l · h_l + D x_l        h_0 = 0

This module knows nothing about convolutions, gates or directions; see `mamba`.
"""

from typing import Literal

import torch
from torch import Tensor

Implementation = Literal["auto", "sequential", "fused"]


def selective_scan(
    x: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    *,
    implementation: Implementation = "auto",
) -> Tensor:
    """Run the selective scan and return y `(b, L, E)`, differentiable in every tensor.

    Args:
        x: Input `(b, L, E)`.
        delta: Step sizes Δ > 0 `(b, L, E)`, after softplus.
        A: State decay `(E, n)`, negative.
        B: Input map `(b, L, n)`.
        C: Output map `(b, L, n)`.
        D: Skip connection `(E,)`.
        implementation: `sequential` is the reference on every device and dtype; `fused` is a compiled loop for
            float32 on the CPU; `auto` takes `fused` where it applies.

    Raises:
        ValueError: The shapes disagree, or `fused` was asked for where it does not apply.
    """
    _check_shapes(x, delta, A, B, C, D)
    fits = all(t.device.type == "cpu" and t.dtype == torch.float32 for t in (x, delta, A, B, C, D))
    if implementation == "fused" and not fits:
        raise ValueError(f"the fused scan needs float32 on the CPU, got {x.dtype} on {x.device}")
    if implementation == "sequential" or not fits:
        return scan_sequential(x, delta, A, B, C, D)
    from reid_worker.model.scan_fused import scan_fused  # numba is compiled only where it is used

    return scan_fused(x, delta, A, B, C, D)


def scan_sequential(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """Run the recurrence one position at a time; shapes as in `selective_scan`, state in float32 or wider."""
    b, L, E = x.shape
    wide = torch.promote_types(x.dtype, torch.float32)
    h = torch.zeros(b, E, A.shape[1], dtype=wide, device=x.device)
    outputs = []
    for i in range(L):
        step = delta[:, i].to(wide).unsqueeze(-1)  # (b, E, 1)
        decay = torch.exp(step * A.to(wide))  # (b, E, n)
        h = decay * h + step * B[:, i].to(wide).unsqueeze(1) * x[:, i].to(wide).unsqueeze(-1)
        outputs.append((h * C[:, i].to(wide).unsqueeze(1)).sum(-1))
    return torch.stack(outputs, dim=1).to(x.dtype) + D * x


def _check_shapes(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> None:
    b, L, E = x.shape
    n = A.shape[-1]
    if L == 0:
        raise ValueError("a scan needs at least one position")
    wanted = {"delta": (b, L, E), "A": (E, n), "B": (b, L, n), "C": (b, L, n), "D": (E,)}
    for (name, shape), tensor in zip(wanted.items(), (delta, A, B, C, D), strict=True):
        if tensor.shape != shape:
            raise ValueError(f"{name} must be {shape} for x {tuple(x.shape)}, got {tuple(tensor.shape)}")
