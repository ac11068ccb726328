"""Crops on their way to a CUDA device while it computes. Written for GPUs; not run on one yet."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class PinnedCopies:
    """Two page-locked buffers, filled and sent in turn on a stream of their own.

    While the network works on what one buffer brought, the next crops are packed into the other. For one thread at a
    time.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._buffers = [torch.empty(0, dtype=torch.uint8) for _ in range(2)]
        self._sent = [torch.cuda.Event() for _ in range(2)]  # type: ignore[no-untyped-call]
        self._turn = 0

    def send(self, shape: tuple[int, ...], fill: Callable[[NDArray[np.uint8]], None]) -> Tensor:
        """Return a uint8 tensor of `shape` on the device, with what `fill` writes into the array it is given."""
        self._turn ^= 1
        sent = self._sent[self._turn]
        sent.synchronize()  # the buffer's last content has left; true at once for one that was never used
        size = int(np.prod(shape))
        if self._buffers[self._turn].numel() < size:
            self._buffers[self._turn] = torch.empty(size, dtype=torch.uint8, pin_memory=True)
        staged = self._buffers[self._turn][:size].view(shape)
        fill(staged.numpy())
        compute = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._stream):
            moved = staged.to(self._device, non_blocking=True)
            sent.record(self._stream)
        compute.wait_event(sent)
        moved.record_stream(compute)  # or its memory would be given away while it is still read
        return moved
