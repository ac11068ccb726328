"""Choose the device a benchmark runs on."""

import torch

from deploy.errors import UsageError


def device_of(name: str, threads: int) -> torch.device:
    """Return the named device, and set the number of torch's CPU threads; `auto` is a GPU if available.

    Raises:
        UsageError: The device cannot be used; the message says why.
    """
    torch.set_num_threads(threads)
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    try:
        device = torch.device(chosen)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA raises AssertionError
        raise UsageError(f"--device {name}: {str(error).splitlines()[0]}") from error
    return device
