"""Where a benchmark runs."""

import torch

from deploy.errors import UsageError


def device_of(name: str, threads: int) -> torch.device:
    """Return the device called so, `auto` being a GPU where there is one, with `threads` CPU threads for torch.

    Raises:
        UsageError: It cannot be used; says why.
    """
    torch.set_num_threads(threads)
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    try:
        device = torch.device(chosen)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts that it has it
        raise UsageError(f"--device {name}: {str(error).splitlines()[0]}") from error
    return device
