"""Distributed runs: the processes that `torchrun` started share every batch and agree on everything else.

Each rank encodes its share of a batch and then computes the losses of the whole batch from the gathered features. So
losses, memories and the heads above the features are equal on all ranks without communication, and only the gradients
of the encoder and the temporal head are summed.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

_TIMEOUT = timedelta(hours=2)  # the others wait while the first rank validates


@dataclass(frozen=True, slots=True)
class Distributed:
    """Rank and world size of this process; a single process by default."""

    rank: int = 0
    world_size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the rank that validates, logs and writes."""
        return self.rank == 0

    def share(self, n: int) -> slice:
        """Return the part of n that belongs to this rank; n is a multiple of the world size."""
        return slice(self.rank * n // self.world_size, (self.rank + 1) * n // self.world_size)

    def gather(self, tensor: Tensor) -> Tensor:
        """Return the rows of all ranks in rank order, without gradients; every rank has equally many."""
        if self.world_size == 1:
            return tensor.detach()
        parts = [torch.empty_like(tensor) for _ in range(self.world_size)]
        dist.all_gather(parts, tensor.detach().contiguous())
        return torch.cat(parts)

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients with their sum over all ranks, in one all-reduce."""
        if self.world_size == 1:
            return
        learned = [p for p in parameters if p.requires_grad]
        for p in learned:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        grads = [p.grad for p in learned if p.grad is not None]
        if not grads:
            return
        flat = torch.cat([g.flatten() for g in grads])
        dist.all_reduce(flat)
        for g, part in zip(grads, torch.split(flat, [g.numel() for g in grads]), strict=True):
            g.copy_(part.view_as(g))

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Let the first rank run alone, then the others: they find what it wrote to disk."""
        if self.world_size > 1 and not self.first:
            dist.barrier()
        yield
        if self.world_size > 1 and self.first:
            dist.barrier()

    def agreed(self, value: float) -> float:
        """Return the first rank's value."""
        if self.world_size == 1:
            return value
        sent = torch.tensor([value], dtype=torch.float64, device=_message_device())
        dist.broadcast(sent, src=0)
        return float(sent)


SINGLE = Distributed()


def join_group(*, on_gpu: bool) -> Distributed:
    """Join the process group that `torchrun` started and return this process; a single one without torchrun.

    If there are GPUs and `on_gpu` is set, every process of a machine takes a different one.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return SINGLE
    if not dist.is_initialized():
        on_gpu = on_gpu and torch.cuda.is_available()
        if on_gpu:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl" if on_gpu else "gloo", timeout=_TIMEOUT)
    return Distributed(dist.get_rank(), count)


def leave_group() -> None:
    """Leave the process group, if there is one."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def _message_device() -> torch.device:
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")


class _Summed(torch.autograd.Function):
    """Sum over all ranks; the gradient is summed as well."""

    @staticmethod
    def forward(ctx: object, tensor: Tensor) -> Tensor:  # noqa: ARG004 (autograd's protocol)
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, *grads: Tensor) -> Tensor:  # noqa: ARG004
        total = grads[0].clone()
        dist.all_reduce(total)
        return total


class SharedBatchNorm2d(nn.BatchNorm2d):
    """A BatchNorm2d whose training statistics cover all ranks; torch's SyncBatchNorm needs a GPU."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised images `(b, C, H, W)`."""
        if not self.training:
            return super().forward(x)
        whole = x.float()  # half-precision sums would be too coarse for the variance
        count = whole.new_tensor([x.numel() / x.shape[1]])
        sums = _Summed.apply(torch.cat([whole.sum((0, 2, 3)), whole.square().sum((0, 2, 3)), count]))
        n = sums[-1]
        mean, square = sums[:-1].div(n).chunk(2)
        variance = (square - mean.square()).clamp_min(0)
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_((variance * n / (n - 1)).to(self.running_var.dtype), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return torch.as_tensor(whole * scale[:, None, None] + shift[:, None, None]).to(x.dtype)


def share_norms(module: nn.Module) -> None:
    """Make every BatchNorm2d in a module use the statistics of all ranks; names and values stay the same."""
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            shared = SharedBatchNorm2d(child.num_features, child.eps, child.momentum)
            shared.weight, shared.bias = child.weight, child.bias  # the same objects: an optimiser refers to them
            for buffer, tensor in child.named_buffers():
                setattr(shared, buffer, tensor)
            setattr(module, name, shared)
        else:
            share_norms(child)
