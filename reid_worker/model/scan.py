"""The selective scan of Mamba (Gu and Dao 2023, section 3): one function, one reference, implementations that equal it.

Letters: b batch, L sequence length, E inner width, n state size.

    h_l = exp(Δ_l A) h_{l-1} + Δ_l B_l x_l        y_l = C_l · h_l + D x_l        h_0 = 0

| implementation | where | what it is |
|---|---|---|
| `sequential` | every device and dtype | the reference, one position at a time in plain tensors |
| `fused` | CPU | compiled loops (numba), float32 inside |
| `parallel` | every device and dtype | spans of positions by doubling, in plain tensors |
| `triton` | NVIDIA GPUs | kernels of ours, compiled at first use without a compiler on the machine |
| `mamba_ssm` | NVIDIA GPUs | mamba-ssm's kernel, where it is installed and compiled |

This module knows nothing about convolutions, gates or directions; see `mamba`.
"""

import functools
import logging
import os
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

import torch
from torch import Tensor

from reid_worker.model.scan_parity import Scan, relative_errors, scan_inputs, value_and_gradients

Implementation = Literal["auto", "sequential", "fused", "parallel", "triton", "mamba_ssm"]

log = logging.getLogger(__name__)

_HALVES = (torch.float16, torch.bfloat16)
_PROBED = 130  # positions on a GPU: Triton's scan has a kernel more for sequences of several chunks
_PROBE_TOLERANCE = 0.05  # coarse: it tells a broken kernel from a working one in any dtype


def selective_scan(  # noqa: PLR0913  six tensors are what the scan is made of
    x: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    *,
    reverse: bool = False,
    implementation: Implementation = "auto",
) -> Tensor:
    """Run the selective scan and return y `(b, L, E)` in the dtype of x, differentiable in every tensor.

    Args:
        x: Input `(b, L, E)`, float32, bfloat16 or float16 (float64 too for `sequential` and `parallel`).
        delta: Step sizes Δ > 0 `(b, L, E)`, after softplus.
        A: State decay `(E, n)`, negative.
        B: Input map `(b, L, n)`.
        C: Output map `(b, L, n)`.
        D: Skip connection `(E,)`.
        reverse: Walk from the last position to the first; as flipping x, delta, B, C and y along L.
        implementation: See the table above; `auto` chooses by device and dtype. The state is float32 or wider in all.

    Raises:
        ValueError: The shapes disagree, or the implementation does not work for these tensors here; says why.
    """
    _check_shapes(x, delta, A, B, C, D)
    if implementation == "auto":
        implementation = chosen_implementation(x.device, x.dtype)
    elif reason := unavailable(implementation, x.device, x.dtype):
        raise ValueError(f"the {implementation} scan cannot be used: {reason}")
    return _function(implementation)(x, delta, A, B, C, D, reverse=reverse)


@functools.cache
def chosen_implementation(device: torch.device, dtype: torch.dtype) -> Implementation:
    """Return what `auto` takes for tensors of `dtype` on `device`, and log it once."""
    for name in _preferred(device):
        reason = unavailable(name, device, dtype)
        if not reason:
            log.info("selective scan of %s on %s: %s", dtype, device, name)
            return name
        log.debug("selective scan of %s on %s: not %s, %s", dtype, device, name, reason)
    raise AssertionError("the sequential scan works everywhere")


@functools.cache
def unavailable(name: Implementation, device: torch.device, dtype: torch.dtype) -> str:
    """Return why an implementation cannot take tensors of `dtype` on `device`; empty where it can.

    What depends on a library or a driver is tried once on a small scan: an optional kernel that is absent, broken or
    wrong is a reason, never an error.
    """
    if name not in _IMPLEMENTATIONS:
        return f"there is none of that name, only {', '.join(_IMPLEMENTATIONS)}"
    known = _IMPLEMENTATIONS[name]
    if dtype not in known.dtypes:
        return f"it takes {', '.join(str(one).removeprefix('torch.') for one in known.dtypes)}, got {dtype}"
    if known.device and device.type != known.device and not (name == "triton" and _interpreted()):
        return f"it needs a {known.device} device, got {device}"
    return why_broken(name, device, dtype) if known.optional else ""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of an implementation before it is loaded: `optional` ones are tried before they are used."""

    device: str
    dtypes: tuple[torch.dtype, ...]
    optional: bool = False


_IMPLEMENTATIONS: dict[Implementation, _Known] = {
    "mamba_ssm": _Known("cuda", (torch.float32, *_HALVES), optional=True),
    "triton": _Known("cuda", (torch.float32, *_HALVES), optional=True),
    "fused": _Known("cpu", (torch.float32, *_HALVES)),
    "parallel": _Known("", (torch.float64, torch.float32, *_HALVES)),
    "sequential": _Known("", (torch.float64, torch.float32, *_HALVES)),
}
IMPLEMENTATIONS = tuple(_IMPLEMENTATIONS)


def _preferred(device: torch.device) -> tuple[Implementation, ...]:
    """Return what to try in which order. On a CPU doubling is no faster than walking; float64 is for checking only."""
    return ("fused", "sequential") if device.type == "cpu" else ("mamba_ssm", "triton", "parallel")


def _interpreted() -> bool:
    """Say whether Triton runs its kernels in Python, on any device (how they are tested without a GPU)."""
    return os.environ.get("TRITON_INTERPRET") == "1"


@functools.cache
def _function(name: str) -> Scan:
    """Load an implementation; most processes need one, and some take long to import."""
    function: Scan = getattr(import_module(f"reid_worker.model.scan_{name}"), f"scan_{name}")
    return function


def why_broken(scan: Scan | str, device: torch.device, dtype: torch.dtype) -> str:
    """Return why a small scan, by a function or what has that name here, does not come out right; empty if it does."""
    length = _PROBED if device.type == "cuda" else 3
    tensors = [t.to(device, dtype) for t in scan_inputs(1, length, E=4, n=16)]
    try:
        found = value_and_gradients(_function(scan) if isinstance(scan, str) else scan, tensors)
    except Exception as error:  # noqa: BLE001  whatever an optional kernel dies of, another one takes over
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    wanted = value_and_gradients(_function("sequential"), tensors)
    worst = max(relative_errors(found, wanted).values())
    return "" if worst < _PROBE_TOLERANCE else f"its numbers are wrong by {worst:.1%}"


def _check_shapes(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> None:
    b, L, E = x.shape
    n = A.shape[-1]
    if L == 0:
        raise ValueError("a scan needs at least one position")
    wanted = {"delta": (b, L, E), "A": (E, n), "B": (b, L, n), "C": (b, L, n), "D": (E,)}
    for (name, shape), tensor in zip(wanted.items(), (delta, A, B, C, D), strict=True):
        if tensor.shape != shape:
            raise ValueError(f"{name} must be {shape} for x {tuple(x.shape)}, got {tuple(tensor.shape)}")
