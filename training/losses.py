"""The total loss (CLIMB-ReID, eq. 11), and its terms except the memory loss of `memory`."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid_worker.model.climb import Features
from training.memory import memory_loss

LABEL_SMOOTHING = 0.1
CONTRAST_TEMPERATURE = 0.1


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the loss terms; a term with weight 0 is not computed."""

    mmc: float
    sequence_ce: float
    sequence_contrast: float
    sequence_triplet: float
    temporal_ce: float
    temporal_triplet: float


@dataclass(frozen=True, slots=True)
class Losses:
    """The unweighted loss terms, scalars; 0 if not computed. `total` is their weighted sum."""

    mmc: Tensor
    sequence_ce: Tensor
    sequence_contrast: Tensor
    sequence_triplet: Tensor
    temporal_ce: Tensor
    temporal_triplet: Tensor
    total: Tensor


class Classifiers(nn.Module):
    """The bias-free classifiers over Y training identities; training only, never served."""

    def __init__(self, sequence_width: int, temporal_width: int, identities: int) -> None:
        super().__init__()
        self.sequence = nn.Linear(sequence_width, identities, bias=False)
        self.temporal = nn.Linear(temporal_width, identities, bias=False)
        for layer in (self.sequence, self.temporal):
            nn.init.normal_(layer.weight, std=0.001)


def climb_losses(
    features: Features, labels: Tensor, classifiers: Classifiers, memory: Tensor, weights: LossWeights
) -> Losses:
    """Return the losses of a batch of n tracklets with `labels` `(n,)` int64."""
    zero = features.sequence.new_zeros(())
    mmc = memory_loss(features.sequence, memory, labels) if weights.mmc else zero
    sequence_ce = _ce(classifiers.sequence, features.sequence, labels) if weights.sequence_ce else zero
    sequence_contrast = batch_contrast(features.sequence, labels) if weights.sequence_contrast else zero
    sequence_triplet = batch_hard_triplet(features.sequence, labels) if weights.sequence_triplet else zero
    temporal_ce = _ce(classifiers.temporal, features.temporal, labels) if weights.temporal_ce else zero
    temporal_triplet = batch_hard_triplet(features.temporal, labels) if weights.temporal_triplet else zero
    total = (
        weights.mmc * mmc
        + weights.sequence_ce * sequence_ce
        + weights.sequence_contrast * sequence_contrast
        + weights.sequence_triplet * sequence_triplet
        + weights.temporal_ce * temporal_ce
        + weights.temporal_triplet * temporal_triplet
    )
    return Losses(mmc, sequence_ce, sequence_contrast, sequence_triplet, temporal_ce, temporal_triplet, total)


def batch_hard_triplet(features: Tensor, labels: Tensor) -> Tensor:
    """Return the mean of softplus(farthest positive - nearest negative), Euclidean (Hermans et al. 2017, section 2).

    Raises:
        ValueError: All labels are equal, so there are no negatives.
    """
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    if bool(same.all()):
        raise ValueError("a triplet loss needs at least two identities in a batch")
    square = features.square().sum(1)
    # The floor keeps the gradient of the square root finite at distance zero.
    distance = (square.unsqueeze(0) + square.unsqueeze(1) - 2 * features @ features.T).clamp_min(1e-12).sqrt()
    positive = distance.masked_fill(~same, -torch.inf).amax(1)
    negative = distance.masked_fill(same, torch.inf).amin(1)
    return F.softplus(positive - negative).mean()


def batch_contrast(features: Tensor, labels: Tensor) -> Tensor:
    """Return the supervised contrastive loss within the batch (Khosla et al. 2020, eq. 2), temperature 0.1.

    It learns from every pair, whereas the hardest pairs of an untrained network are noise.

    Raises:
        ValueError: An identity has only one tracklet.
    """
    n = len(labels)
    unit = F.normalize(features, dim=1)
    itself = torch.eye(n, dtype=torch.bool, device=features.device)
    log_share = (unit @ unit.T / CONTRAST_TEMPERATURE).masked_fill(itself, -torch.inf).log_softmax(dim=1)
    positive = (labels.unsqueeze(0) == labels.unsqueeze(1)) & ~itself
    if not bool(positive.any(dim=1).all()):
        raise ValueError("a contrastive loss needs two tracklets of every identity")
    return -(log_share.masked_fill(~positive, 0).sum(1) / positive.sum(1)).mean()


def _ce(classifier: nn.Linear, features: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(classifier(features), labels, label_smoothing=LABEL_SMOOTHING)
