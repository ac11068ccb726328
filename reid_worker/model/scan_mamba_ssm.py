"""The selective scan by mamba-ssm's compiled CUDA kernel, where somebody has installed and compiled it.

mamba-ssm installs without that kernel too, so what counts is whether `selective_scan_cuda` can be imported. Written
against mamba-ssm 2.3's `selective_scan_fn`, whose tensors have channels before positions. Letters as in `scan`.
"""

from torch import Tensor


def scan_mamba_ssm(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, *, reverse: bool = False
) -> Tensor:
    """Run the scan of CUDA tensors; shapes as in `scan.selective_scan`.

    Raises:
        ImportError: mamba-ssm or its kernel is not there.
    """
    import selective_scan_cuda  # noqa: F401  without it mamba-ssm would quietly take a slow path of its own
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    x, delta, B, C = ((t.flip(1) if reverse else t).transpose(1, 2) for t in (x, delta.to(x.dtype), B, C))
    y: Tensor = selective_scan_fn(
        x.contiguous(), delta.contiguous(), A.float(), B.to(x.dtype).contiguous(), C.to(x.dtype).contiguous(), D.float()
    )
    y = y.transpose(1, 2)
    return y.flip(1) if reverse else y
