"""One feature of a tracklet from those of its frames, where some of them may show somebody else, or only a part.

Letters: n tracklets, T frames, c numbers of a feature.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SHARPNESS = 8.0  # a frame whose cosine with the others is lower by 0.1 counts for 0.45 of what they do
SAME = 0.9999  # cosine from which two frames are one, repeated to fill a tracklet: it does not agree with itself


def agreed(features: Tensor) -> Tensor:
    """Return the mean of each tracklet's frames, weighted by how far each agrees with the others.

    The weight of a frame is exp(`SHARPNESS` a) over the sum of those of its tracklet, a its mean cosine with the other
    frames: a single step of what clustering calls mean shift (Cheng 1995), with cosines in place of distances. Where
    all frames show one person well it is the plain mean, within a few thousandths of mAP; where a quarter or half of
    them show a stranger, a covered, blurred or cut person, it is far better than that and than the temporal head
    (training/LOG.md, 2026-11-28). It has nothing to learn, and costs nothing beside the encoder.

    Args:
        features: `(n, T, c)`, of each frame by itself, not normalised.

    Returns:
        `(n, c)` float32, not normalised.
    """
    # Products as sums, so that autocast leaves them in float32
    whole = features.float()
    unit = F.normalize(whole, dim=2)
    cosines = (unit.unsqueeze(2) * unit.unsqueeze(1)).sum(3)
    others = (cosines < SAME).to(unit.dtype)
    agreement = (cosines * others).sum(2) / others.sum(2).clamp(min=1)  # 0 where a tracklet is a single frame
    weights = torch.softmax(SHARPNESS * agreement, dim=1)
    return (weights.unsqueeze(2) * whole).sum(1)
