"""The visual tower of CLIP (Radford et al. 2021, section 2.4) in any size, with the parameter names of open_clip.

At D = 768, 12 layers, patch 16 its weights are those of open_clip's `ViT-B-16-quickgelu`; a parity test holds it equal
to open_clip's class, which itself is not imported here because that takes longer than loading our whole network.

Letters: b images, N patch tokens, D width, d width of the joint space.
"""

from collections import OrderedDict
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

STEM_CHANNELS = (24, 48, 96)  # of the convolution stem's three stages


@dataclass(frozen=True, slots=True)
class TowerOutput:
    """What the tower says of b images.

    Attributes:
        cls_token: Class token after the last LayerNorm, z_cls `(b, D)`.
        patches: Patch tokens after the last LayerNorm, z_p `(b, N, D)`.
        joint: Class token in the joint space, v `(b, d)`.
    """

    cls_token: Tensor
    patches: Tensor
    joint: Tensor


class QuickGELU(nn.Module):
    """CLIP's approximation of GELU, x · sigmoid(1.702 x)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation, shape kept."""
        return x * torch.sigmoid(1.702 * x)


class ResidualAttentionBlock(nn.Module):
    """One pre-norm transformer layer: `(b, N + 1, D)` to the same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(c_fc=nn.Linear(width, 4 * width), gelu=QuickGELU(), c_proj=nn.Linear(4 * width, width))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens after attention and MLP."""
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + torch.as_tensor(self.mlp(self.ln_2(x)))


class VisualTower(nn.Module):
    """Turn images into a class token, patch tokens and a joint-space vector.

    `patches` is the patch embedding: any module from `(b, 3, H, W)` to `(b, D, rows, columns)`. Images of another size
    than `grid` was made for are taken too, with the positions resized.
    """

    def __init__(
        self, patches: nn.Module, grid: tuple[int, int], *, width: int, layers: int, heads: int, joint: int
    ) -> None:
        super().__init__()
        scale = width**-0.5
        self.grid = grid
        self.conv1 = patches
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(grid[0] * grid[1] + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        blocks = nn.Sequential(*(ResidualAttentionBlock(width, heads) for _ in range(layers)))
        self.transformer = nn.Sequential(OrderedDict(resblocks=blocks))
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, joint))
        self.recomputed = (
            False  # whether training keeps a layer's input only, and computes the rest again for the gradient
        )

    def freeze_patches(self) -> None:
        """Let no training move the patch projection: one that CLIP learned is only made worse (section 4.1)."""
        self.conv1.requires_grad_(False)  # noqa: FBT003

    def forward(self, images: Tensor, side: Tensor | None = None, kept: Tensor | None = None) -> TowerOutput:
        """Encode images, already scaled by the preprocessing that belongs to the weights.

        Args:
            images: `(b, 3, H, W)`.
            side: `(b, D)`, or `(D,)` for all, added to the class token before the transformer: what is known beside
                the pixels.
            kept: `(b, k)` int64 places of the patch tokens that go through the transformer, all by default; training
                is cheaper where it sees a random part of them (Li et al. 2023, FLIP, section 3.1).
        """
        x = self.conv1(images)  # (b, D, rows, columns)
        grid = (x.shape[2], x.shape[3])
        positions: Tensor = self.positional_embedding
        if grid != self.grid:
            positions = resize_positions(positions, self.grid, grid)
        x = x.flatten(2).transpose(1, 2)  # (b, N, D)
        first = self.class_embedding.expand(x.shape[0], -1)
        first = first if side is None else first + side
        x = torch.cat([first.unsqueeze(1), x], dim=1) + positions
        if kept is not None:
            x = torch.cat([x[:, :1], x.gather(1, (kept + 1).unsqueeze(2).expand(-1, -1, x.shape[2]))], dim=1)
        return self.read(self.ln_post(self._transformed(self.ln_pre(x))))

    def read(self, tokens: Tensor) -> TowerOutput:
        """Return what all tokens after the last LayerNorm, `(b, 1 + N, D)`, say."""
        return TowerOutput(cls_token=tokens[:, 0], patches=tokens[:, 1:], joint=tokens[:, 0] @ self.proj)

    def _transformed(self, x: Tensor) -> Tensor:
        if not (self.recomputed and torch.is_grad_enabled()):
            return torch.as_tensor(self.transformer(x))
        for block in self.transformer.get_submodule("resblocks").children():
            x = torch.as_tensor(checkpoint(block, x, use_reentrant=False))
        return x


class ConvolutionStem(nn.Module):
    """Patch embedding by overlapping 3x3 convolutions, a sixteenth of the size: `(b, 3, H, W)` to `(b, D, H/16, W/16)`.

    From scratch it trains far better than one strided projection (Xiao et al. 2021, Early convolutions help
    transformers see better). The first stage normalises half of its channels by instance, which takes a camera's
    colour and contrast out of them (Pan et al. 2018, IBN-Net).
    """

    def __init__(self, width: int, channels: tuple[int, int, int] = STEM_CHANNELS) -> None:
        super().__init__()
        a, b, c = channels
        self.stages = nn.Sequential(
            _convolution(3, a, stride=2, norm=InstanceBatchNorm(a)),
            _convolution(a, b, stride=2, norm=nn.BatchNorm2d(b)),
            ResidualConvolution(b),
            _convolution(b, c, stride=2, norm=nn.BatchNorm2d(c)),
            ResidualConvolution(c),
            nn.Conv2d(c, width, 3, stride=2, padding=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the patch embedding."""
        return torch.as_tensor(self.stages(images.contiguous(memory_format=torch.channels_last)))


class InstanceBatchNorm(nn.Module):
    """Instance normalisation on the first half of the channels, batch normalisation on the rest."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cut = channels // 2
        self.instance = nn.InstanceNorm2d(self.cut, affine=True)
        self.batch = nn.BatchNorm2d(channels - self.cut)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised channels, shape kept."""
        return torch.cat([self.instance(x[:, : self.cut]), self.batch(x[:, self.cut :])], dim=1)


class ResidualConvolution(nn.Module):
    """x + relu(norm(conv(x))), shape kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = _convolution(channels, channels, stride=1, norm=nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        return x + torch.as_tensor(self.branch(x))


def _convolution(inputs: int, outputs: int, *, stride: int, norm: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), norm, nn.ReLU())


def resize_positions(embedding: Tensor, source: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """Resize a positional embedding `(1 + rows·columns, D)` from one patch grid to another, class position kept."""
    patches = embedding[1:].T.reshape(1, -1, *source)
    resized = F.interpolate(patches, size=target, mode="bicubic", align_corners=False, antialias=False)
    return torch.cat([embedding[:1], resized.flatten(2)[0].T])
