"""The memories of Multi-Memory Collaboration (CLIMB-ReID, section 3.2, eq. 2-7): no learned parameter, no text.

Letters: P memories per identity, Y identities, C width of the sequence feature, b features of a batch. A row of zeros
is an identity not seen yet, which is ignored everywhere.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

MOMENTUM = 0.2  # μ
TEMPERATURE = 0.05  # τ
Strategy = Literal["mean", "hard", "random"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


def memory_loss(features: Tensor, memory: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over P of the cross-entropy of b · M_p / τ against the identity (eq. 6-7).

    Args:
        features: `(b, C)`, normalised here.
        memory: `(P, Y, C)`, rows of length 1, or zeros for identities not seen yet, which are not classes.
        labels: `(b,)` int64, of identities already seen.
    """
    logits = torch.einsum("bc,pyc->pby", F.normalize(features, dim=1), memory) / TEMPERATURE
    unseen = (memory == 0).all(dim=2).unsqueeze(1)
    return F.cross_entropy(logits.masked_fill(unseen, -torch.inf).flatten(0, 1), labels.repeat(len(memory)))


def initial_memory(features: Tensor, labels: Tensor, identities: int, count: int = 2) -> Tensor:
    """Return `(count, Y, C)`: all memories start as the mean normalised feature of each identity (eq. 2).

    Raises:
        ValueError: An identity has no feature.
    """
    counts = torch.bincount(labels, minlength=identities)
    if bool((counts == 0).any()):
        raise ValueError(f"{int((counts == 0).sum())} identities have no feature to start their memory from")
    sums = features.new_zeros(identities, features.shape[1]).index_add_(0, labels, F.normalize(features, dim=1))
    return F.normalize(sums, dim=1).repeat(count, 1, 1)


@torch.no_grad()
def start_rows(memory: Tensor, features: Tensor, labels: Tensor) -> None:
    """Write the mean normalised feature of the batch into the rows of identities that are seen for the first time.

    Eq. 2 restricted to a batch, for training sets too large to encode completely before the first step.
    """
    groups = _Groups(features, labels)
    new = (memory[0, groups.present] == 0).all(dim=1)
    memory[:, groups.present[new]] = F.normalize(groups.mean()[new], dim=1)


@torch.no_grad()
def move_rows(
    memory: Tensor, features: Tensor, labels: Tensor, strategies: Sequence[Strategy], generator: torch.Generator
) -> None:
    """Update the rows of the identities in a batch, in place: M <- μ M + (1 - μ) b*, renormalised (eq. 3-5).

    Args:
        memory: `(P, Y, C)`; in place, because copying 20 000 people costs more than the update.
        features: `(b, C)`, normalised here.
        labels: `(b,)` int64.
        strategies: What b* is for each of the P memories: the `mean` of the identity's features in the batch, the
            `hard` one, least similar to that memory, or a `random` one.
        generator: Draws the random ones; on the CPU, so that a step draws the same on any device.
    """
    groups = _Groups(features, labels)
    for p, strategy in enumerate(strategies):
        old = memory[p, groups.present]
        new = F.normalize(MOMENTUM * old + (1 - MOMENTUM) * groups.chosen(strategy, old, generator), dim=1)
        memory[p, groups.present] = new


class _Groups:
    """The normalised features of a batch, grouped by identity; `present` `(g,)` lists the identities."""

    def __init__(self, features: Tensor, labels: Tensor) -> None:
        self._features = F.normalize(features.detach().float(), dim=1)
        self.present, self._group = torch.unique(labels, return_inverse=True)

    def mean(self) -> Tensor:
        """Return `(g, C)`."""
        sums = self._features.new_zeros(len(self.present), self._features.shape[1])
        sums.index_add_(0, self._group, self._features)
        return sums / torch.bincount(self._group).unsqueeze(1)

    def chosen(self, strategy: Strategy, old: Tensor, generator: torch.Generator) -> Tensor:
        """Return b* `(g, C)` for rows `old` `(g, C)`."""
        if strategy == "mean":
            return self.mean()
        if strategy == "hard":
            order = (self._features * old[self._group]).sum(1)
        else:
            order = torch.rand(len(self._group), generator=generator).to(self._features.device)
        members = self._group.unsqueeze(0) == torch.arange(len(self.present), device=order.device).unsqueeze(1)
        return self._features[order.expand_as(members).masked_fill(~members, torch.inf).argmin(1)]
