"""The network rewritten for serving: fewer and larger operations, the same numbers up to rounding.

Built from a loaded network and never saved, so parameter names, training and the paper's notation stay in `climb` and
`clip`.

- A batch normalisation that is only evaluated is a scale and a shift; after a convolution it becomes part of it.
- QuickGELU is SiLU in other units: x · sigmoid(1.702 x) = silu(1.702 x) / 1.702. The first factor goes into the layer
  before, the second into the layer after; of three passes over the widest tensor one is left, in place.
- On a CPU the Mamba layers run in compiled loops (`serving_mamba`).
- All convolutions of the stem stay in the channels-last layout, which the instance normalisation used to break.

Letters: b images, L tokens of one, D width, c channels, P pixels.
"""

from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid_worker.model.climb import Climb
from reid_worker.model.clip import ConvolutionStem, InstanceBatchNorm, ResidualAttentionBlock, ResidualConvolution
from reid_worker.model.irm import ImportanceReorderMamba
from reid_worker.model.mamba import BidirectionalMamba
from reid_worker.model.serving_mamba import ServedMamba

QUICK_GELU = 1.702


def serving_form(network: Climb, dtype: torch.dtype = torch.float32) -> Climb:
    """Return a copy of a network that computes the same features faster, and can no longer be trained.

    In float32 features agree to about 1e-6 of their size, unless two tokens are so equally important that rounding
    changes their order.

    Args:
        network: Left as it is.
        dtype: Of the encoder's matrix products; a lower one than float32 must run under autocast to it, which keeps
            the normalisations in float32.
    """
    served = deepcopy(network).eval().requires_grad_(requires_grad=False)
    tower = served.encoder
    if isinstance(tower.conv1, ConvolutionStem):
        tower.conv1 = _FoldedStem(tower.conv1)
    layers = next(tower.transformer.children())
    tower.transformer = nn.Sequential(*(_FoldedBlock(layer) for layer in layers.children()))
    norms = ["bottleneck", "bottleneck_joint"]
    if network.architecture.ranking == "both":
        norms.append("bottleneck_temporal")
        for branch in served.temporal.branches.values():
            assert isinstance(branch, ImportanceReorderMamba)
            assert isinstance(branch.mamba, BidirectionalMamba)
            branch.mamba = ServedMamba(branch.mamba)
    else:
        del served.temporal, served.bottleneck_temporal
    for name in norms:
        setattr(served, name, _Affine(*_scale_and_shift(getattr(served, name))))
    for module in tower.modules():
        if isinstance(module, _Product | nn.Conv2d):
            module.to(dtype)  # once here instead of in every call
    return served


def _scale_and_shift(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return what an evaluated batch normalisation multiplies by and then adds, `(c,)` float32 each."""
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d), f"{type(norm).__name__} is no batch normalisation"
    assert norm.running_mean is not None, "it must keep running statistics"
    assert norm.running_var is not None, "it must keep running statistics"
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    shift = norm.bias.double() - norm.running_mean.double() * scale
    return scale.float(), shift.float()


class _Affine(nn.Module):
    """x · scale + shift, both along the last dimension."""

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.shift, x, self.scale)


class _HalfInstanceNorm(nn.Module):
    """Instance normalisation of the first channels, then ReLU of all; the others were normalised in the convolution."""

    gain: Tensor
    shift: Tensor
    chosen: Tensor

    def __init__(self, norm: InstanceBatchNorm) -> None:
        super().__init__()
        rest = norm.batch.num_features
        self.cut = norm.cut
        self.eps = norm.instance.eps
        gain, bias = norm.instance.weight.detach(), norm.instance.bias.detach()
        self.register_buffer("gain", gain)
        self.register_buffer("shift", torch.cat([bias, bias.new_zeros(rest)]))
        self.register_buffer("chosen", torch.cat([bias.new_ones(norm.cut), bias.new_zeros(rest)]))

    def forward(self, x: Tensor) -> Tensor:
        """Return the activations `(b, c, H, W)` float32; centred before squaring, or flat crops would lose digits."""
        with torch.autocast(x.device.type, enabled=False):
            pixels = x.float().permute(0, 2, 3, 1).flatten(1, 2)  # (b, P, c), a view in channels last
            b, P, c = pixels.shape
            share = pixels.new_full((b, 1, P), 1 / P)
            centred = pixels - torch.bmm(share, pixels) * self.chosen
            half = centred[..., : self.cut]
            variance = torch.bmm(half.transpose(1, 2), half).diagonal(dim1=1, dim2=2) / P  # one pass, no squares kept
            gain = self.gain * torch.rsqrt(variance + self.eps)
            scale = torch.cat([gain, gain.new_ones(b, c - self.cut)], dim=1).unsqueeze(1)
            out = centred.mul_(scale).add_(self.shift).relu_()
        return out.view(b, *x.shape[2:], c).permute(0, 3, 1, 2)


class _FoldedStem(nn.Module):
    """`clip.ConvolutionStem` without its batch normalisations."""

    def __init__(self, stem: ConvolutionStem) -> None:
        super().__init__()
        first, *middle, self.last = stem.stages.children()
        convolution, norm, _ = first.children()
        assert isinstance(norm, InstanceBatchNorm)
        scale, shift = _scale_and_shift(norm.batch)
        self.first = _folded(
            convolution, torch.cat([scale.new_ones(norm.cut), scale]), torch.cat([shift.new_zeros(norm.cut), shift])
        )
        self.norm = _HalfInstanceNorm(norm)
        self.middle = nn.ModuleList(_fold_stage(getattr(stage, "branch", stage)) for stage in middle)
        self.residual = [isinstance(stage, ResidualConvolution) for stage in middle]
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        x: Tensor = self.norm(self.first(images.contiguous(memory_format=torch.channels_last)))
        for convolution, residual in zip(self.middle, self.residual, strict=True):
            y: Tensor = convolution(x).relu_()
            x = y.add_(x) if residual else y
        return torch.as_tensor(self.last(x))


def _fold_stage(stage: nn.Module) -> nn.Conv2d:
    convolution, norm, _ = stage.children()
    return _folded(convolution, *_scale_and_shift(norm))


def _folded(convolution: nn.Module, scale: Tensor, shift: Tensor) -> nn.Conv2d:
    """Return a convolution without bias with what is done to its output channels inside it."""
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.bias is None, "its bias would have to be scaled"
    convolution.weight.mul_(scale.view(-1, 1, 1, 1))
    convolution.bias = nn.Parameter(shift, requires_grad=False)
    return convolution


class _Product(nn.Module):
    """A linear layer on rows `(rows, inputs)`.

    The weight lies the other way round than in `nn.Linear`: on a CPU the product is then up to twice as fast for the
    few rows of a small batch, and as fast for many.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().T.contiguous())
        self.register_buffer("bias", bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x, self.weight)


class _FoldedBlock(nn.Module):
    """`clip.ResidualAttentionBlock` in plain operations."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        assert isinstance(block, ResidualAttentionBlock)
        attention = block.attn
        rise, _, fall = block.mlp.children()
        assert isinstance(rise, nn.Linear)
        assert isinstance(fall, nn.Linear)
        self.heads = attention.num_heads
        self.ln_1, self.ln_2 = block.ln_1, block.ln_2
        self.qkv = _Product(attention.in_proj_weight, attention.in_proj_bias)
        self.out = _Product(attention.out_proj.weight, attention.out_proj.bias)
        self.rise = _Product(rise.weight * QUICK_GELU, rise.bias * QUICK_GELU)
        self.fall = _Product(fall.weight / QUICK_GELU, fall.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        b, L, D = tokens.shape
        x = tokens.reshape(b * L, D)
        qkv: Tensor = self.qkv(self.ln_1(x))
        q, k, v = qkv.view(b, L, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (b, heads, L, D / heads) each
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b * L, D)
        x = x + torch.as_tensor(self.out(mixed))
        x = x + torch.as_tensor(self.fall(F.silu(self.rise(self.ln_2(x)), inplace=True)))
        return x.view(b, L, D)
