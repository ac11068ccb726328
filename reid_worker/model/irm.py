"""Importance-aware Reorder Mamba and its multi-temporal form (CLIMB-ReID, sections 3.3-3.4, eq. 8-10).

Letters: n tracklets, T frames, N patch tokens of a frame, D width, S frames in a fragment.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid_worker.model.mamba import BidirectionalMamba

ATTENTION_WIDTH = 192  # inner width of the attention pooling, whatever D is


def reorder_by_importance(cls_token: Tensor, patches: Tensor) -> Tensor:
    """Sort patch tokens by cosine similarity to the class token, most similar first (eq. 8).

    Args:
        cls_token: `(b, D)`.
        patches: `(b, L, D)`.

    Returns:
        `(b, L, D)`: each sequence reordered; the order they came in does not matter, ties aside.
    """
    similarity = F.cosine_similarity(patches, cls_token.unsqueeze(1), dim=-1)  # (b, L)
    order = similarity.argsort(dim=1, descending=True, stable=True)
    b, L, D = patches.shape
    rows = order + torch.arange(b, device=order.device).unsqueeze(1) * L  # whole rows are copied faster than gathered
    return patches.reshape(b * L, D).index_select(0, rows.flatten()).view(b, L, D)


class ImportanceReorderMamba(nn.Module):
    """Make one feature of a fragment: reorder, scan in both directions, pool by attention (eq. 8-9)."""

    def __init__(self, width: int, state: int, expand: int) -> None:
        super().__init__()
        self.norm_in = nn.LayerNorm(width)
        self.mamba: nn.Module = BidirectionalMamba(width, state=state, expand=expand)
        self.norm_out = nn.LayerNorm(width)
        self.attention = nn.Sequential(nn.Linear(width, ATTENTION_WIDTH), nn.Tanh(), nn.Linear(ATTENTION_WIDTH, 1))

    def forward(self, cls_tokens: Tensor, patches: Tensor) -> Tensor:
        """Return u `(b, D)` of fragments given as class tokens `(b, S, D)` and patch tokens `(b, S, N, D)`."""
        centre = cls_tokens.mean(1)  # c, (b, D)
        sequence = reorder_by_importance(centre, patches.flatten(1, 2))  # (b, S·N, D)
        scanned = self.mamba(self.norm_in(sequence))
        # The class token joins after the scan, as in the authors' released weights (the paper puts it before).
        tokens = self.norm_out(torch.cat([centre.unsqueeze(1), scanned], dim=1))  # (b, S·N + 1, D)
        weight: Tensor = self.attention(tokens).softmax(dim=1)
        return torch.sum(weight * tokens, dim=1)


class MultiTemporalMamba(nn.Module):
    """Add the features of all fragment lengths S, each averaged over its fragments (eq. 10).

    Without `project` the sum is the feature, as in the authors' released image weights, which have one stride only.
    """

    def __init__(self, width: int, state: int, expand: int, strides: tuple[int, ...], *, project: bool = True) -> None:
        super().__init__()
        self.branches = nn.ModuleDict({str(s): ImportanceReorderMamba(width, state, expand) for s in strides})
        self.project = nn.Linear(width, width) if project else nn.Identity()

    def forward(self, cls_tokens: Tensor, patches: Tensor) -> Tensor:
        """Return one feature `(n, D)` per tracklet from class tokens `(n, T, D)` and patch tokens `(n, T, N, D)`.

        Fragments longer than T do not exist: one frame, an image, has those of S = 1 only.

        Raises:
            ValueError: No S is at most T, or T is not a multiple of one that is.
        """
        n, T, _, D = patches.shape
        strides = [int(name) for name in self.branches if int(name) <= T]
        if not strides:
            raise ValueError(f"a tracklet of {T} frames is shorter than every fragment, {list(self.branches)}")
        total = patches.new_zeros(n, D)
        for S in strides:
            if T % S:
                raise ValueError(f"a tracklet of {T} frames cannot be cut into fragments of {S}")
            branch = self.branches[str(S)]
            features = branch(cls_tokens.reshape(-1, S, D), patches.reshape(n * T // S, S, -1, D))  # (n·T/S, D)
            total = total + features.reshape(n, T // S, D).mean(1)
        return torch.as_tensor(self.project(total))
