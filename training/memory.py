"""The memories of Multi-Memory Collaboration (CLIMB-ReID, section 3.2, eq. 2-7): no learned parameter, no text.

Letters: P memories per identity (mean, hard), Y identities, C width of the sequence feature, b features of a batch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

MOMENTUM = 0.2  # μ
TEMPERATURE = 0.05  # τ


def memory_loss(features: Tensor, memory: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over P of the cross-entropy of b · M_p / τ against the identity (eq. 6-7).

    Args:
        features: `(b, C)`, normalised here.
        memory: `(P, Y, C)`, rows of length 1.
        labels: `(b,)` int64.
    """
    logits = torch.einsum("bc,pyc->pby", F.normalize(features, dim=1), memory) / TEMPERATURE
    return F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(memory)))


def initial_memory(features: Tensor, labels: Tensor, identities: int) -> Tensor:
    """Return `(2, Y, C)`: both memories start as the mean normalised feature of each identity (eq. 2).

    Raises:
        ValueError: An identity has no feature.
    """
    counts = torch.bincount(labels, minlength=identities)
    if bool((counts == 0).any()):
        raise ValueError(f"{int((counts == 0).sum())} identities have no feature to start their memory from")
    sums = features.new_zeros(identities, features.shape[1]).index_add_(0, labels, F.normalize(features, dim=1))
    return F.normalize(sums, dim=1).repeat(2, 1, 1)


@torch.no_grad()
def updated_memory(memory: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    """Return the memories after a batch: M <- μ M + (1 - μ) b*, renormalised, for the identities in it (eq. 3-5).

    b* is the mean of the identity's features for the mean memory; for the hard memory it is the feature least similar
    to that memory.
    """
    b = F.normalize(features.detach(), dim=1)
    present, group = torch.unique(labels, return_inverse=True)
    mean = b.new_zeros(len(present), b.shape[1]).index_add_(0, group, b)
    mean /= torch.bincount(group).unsqueeze(1)
    similarity = (b * memory[1, labels]).sum(1)
    members = group.unsqueeze(0) == torch.arange(len(present), device=group.device).unsqueeze(1)  # (present, b)
    hardest = b[similarity.expand_as(members).masked_fill(~members, torch.inf).argmin(1)]
    result = memory.clone()
    old = memory[:, present]
    result[:, present] = F.normalize(MOMENTUM * old + (1 - MOMENTUM) * torch.stack([mean, hardest]), dim=2)
    return result
