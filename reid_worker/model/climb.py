"""The CLIMB network: CLIP visual tower, sequence feature and temporal feature (CLIMB-ReID, section 3).

Letters: n tracklets, t frames given, T frames the network wants, D tower width, d joint width, N patch tokens.
The feature for ranking has 2 D + d numbers, as in the paper, or D + d where the temporal feature is left out.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid_worker.model.agreement import agreed
from reid_worker.model.clip import ConvolutionStem, TowerOutput, VisualTower
from reid_worker.model.irm import MultiTemporalMamba


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes of a CLIMB network; the defaults are those of the shipped `climb-tiny`.

    Attributes:
        height: Crop height, a multiple of `patch`, px.
        width: Crop width, a multiple of `patch`, px.
        patch: Side of the square that one patch token stands for, px.
        stem: `patch`, CLIP's strided projection, or `convolution`, a small pyramid (needs `patch` 16).
        tower_width: D.
        layers: Transformer layers.
        heads: Attention heads.
        joint_width: d.
        frames: T.
        strides: Fragment lengths S of the temporal head; each divides T.
        state: State size of the scan.
        expand: Inner width of the scan over D; the paper's 2 would cost the small network as much as its encoder.
        project: Whether a linear layer follows the sum over strides, as in the paper; the released image weights,
            which have one stride, have none.
        detached: Whether the temporal head sees tokens through which no gradient flows back, as in the paper.
        cameras: Cameras with side information (SIE), a learned vector each; 0 is none.
        side_coefficient: Factor on that vector.
        ranking: What tracklets are compared by: `both` features, as in the paper, or the `sequence` feature alone, the
            mean over frames weighted by `agreement`, without the temporal head and the time that it takes.
    """

    name: str = "climb-tiny"
    height: int = 128
    width: int = 64
    patch: int = 16
    stem: Literal["patch", "convolution"] = "convolution"
    tower_width: int = 256
    layers: int = 6
    heads: int = 4
    joint_width: int = 256
    frames: int = 8
    strides: tuple[int, ...] = (1, 4, 8)
    state: int = 16
    expand: int = 1
    project: bool = True
    detached: bool = True
    cameras: int = 0
    side_coefficient: float = 1.0
    ranking: Literal["both", "sequence"] = "both"

    def __post_init__(self) -> None:
        """Raise ValueError where sizes do not go together."""
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.cameras < 0:
            raise ValueError(f"cameras must be at least 0, got {self.cameras}")
        if self.height % self.patch or self.width % self.patch:
            raise ValueError(f"crop {self.height}x{self.width} is not a multiple of patch {self.patch}")
        if self.stem not in ("patch", "convolution"):
            raise ValueError(f"stem must be patch or convolution, got {self.stem!r}")
        if self.stem == "convolution" and self.patch != 16:
            raise ValueError(f"the convolution stem makes patches of 16 px, got {self.patch}")
        if self.ranking not in ("both", "sequence"):
            raise ValueError(f"ranking must be both or sequence, got {self.ranking!r}")
        if self.tower_width % self.heads:
            raise ValueError(f"width {self.tower_width} is not a multiple of {self.heads} heads")
        if not self.strides or any(s < 1 or self.frames % s for s in self.strides):
            raise ValueError(f"strides {self.strides} must each divide {self.frames} frames")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patch tokens."""
        return self.height // self.patch, self.width // self.patch

    @property
    def sequence_dim(self) -> int:
        """Length of the sequence feature, D + d."""
        return self.tower_width + self.joint_width

    @property
    def dim(self) -> int:
        """Length of the feature for ranking."""
        return self.sequence_dim + (self.tower_width if self.ranking == "both" else 0)


_COUNTS = ("height", "width", "patch", "tower_width", "layers", "heads", "joint_width", "frames", "state", "expand")

CLIMB_TINY = Architecture(ranking="sequence")
CLIMB_BASE = Architecture(
    name="climb-base",
    height=256,
    width=128,
    stem="patch",
    tower_width=768,
    layers=12,
    heads=12,
    joint_width=512,
    expand=2,
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Encoded frames of n tracklets.

    Attributes:
        encoded: What the tower says of every frame once.
        frames: `(n, T)` int64, the frames of each tracklet in it.
    """

    encoded: TowerOutput
    frames: Tensor


@dataclass(frozen=True, slots=True)
class Features:
    """The two features of n tracklets, before normalisation.

    Attributes:
        sequence: `(n, D + d)`, its gradient reaches the encoder.
        temporal: `(n, D)`, its gradient stops at the temporal head.
    """

    sequence: Tensor
    temporal: Tensor

    def ranking(self) -> Tensor:
        """Return the feature for ranking `(n, 2 D + d)`, rows of length 1."""
        return F.normalize(torch.cat([self.sequence, self.temporal], dim=1), dim=1)


@dataclass(frozen=True, slots=True)
class Pooled:
    """What n tracklets are, each for itself: the features in front of the norms over a batch.

    Attributes:
        cls_token: Mean over time of the class token `(n, D)`.
        joint: Mean over time of v `(n, d)`.
        temporal: What the Mamba head says `(n, D)`, or None where it was not asked.
    """

    cls_token: Tensor
    joint: Tensor
    temporal: Tensor | None


class Climb(nn.Module):
    """Turn tracklets into features."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.architecture = a
        stem = ConvolutionStem(a.tower_width) if a.stem == "convolution" else _patch_projection(a)
        self.encoder = VisualTower(
            stem, a.grid, width=a.tower_width, layers=a.layers, heads=a.heads, joint=a.joint_width
        )
        self.side = nn.Parameter(0.02 * torch.randn(a.cameras, a.tower_width)) if a.cameras else None
        self.temporal = MultiTemporalMamba(a.tower_width, a.state, a.expand, a.strides, project=a.project)
        self.bottleneck = _bottleneck(a.tower_width)
        self.bottleneck_joint = _bottleneck(a.joint_width)
        self.bottleneck_temporal = _bottleneck(a.tower_width)

    def forward(self, crops: Tensor, cameras: list[int] | None = None) -> Features:
        """Return the features of tracklets `(n, t, 3, H, W)` that all have t frames, 1 <= t <= T."""
        n, t = crops.shape[:2]
        return self.ragged(crops.flatten(0, 1), [t] * n, cameras)

    def ragged(self, crops: Tensor, lengths: list[int], cameras: list[int] | None = None) -> Features:
        """Return the features of tracklets of different lengths, every crop encoded once.

        A tracklet shorter than T is filled by repeating its frames in order, one of a single frame too: weights that
        learned from tracklets expect the sum over all strides. `images` leaves the longer strides out instead; with
        weights climb-tiny-48ca2be5b48a single crops then find the tracklets of their person worse (mAP 0.34 against
        0.44 on held-out generated people, 0.72 against 0.76 on lab-4cam).

        Args:
            crops: All frames of all tracklets one after the other, `(sum(lengths), 3, H, W)`, preprocessed.
            lengths: Frames of each tracklet, 1 to T.
            cameras: Index of each tracklet's camera among those of the training set, for a network with side
                information. A deployed camera was not among them: leave it out when serving, and the mean of all
                vectors is added, since the network never saw a class token without one.

        Raises:
            ValueError: Crops, lengths and cameras do not belong together, or a camera is not known.
        """
        return self.features(self.encode(crops, lengths, cameras))

    def images(self, crops: Tensor, cameras: list[int] | None = None) -> Features:
        """Return the features of images `(n, 3, H, W)`: tracklets of T = 1, which have no fragments but single frames.

        For a network with `frames` 1 this is what `ragged` does; `cameras` as there.
        """
        _check_crops(crops, self.architecture)
        side = self._side(cameras, [1] * len(crops))
        return self.features(Tokens(self.encoder(crops, side), torch.arange(len(crops), device=crops.device)[:, None]))

    def encode(
        self, crops: Tensor, lengths: list[int], cameras: list[int] | None = None, kept: Tensor | None = None
    ) -> Tokens:
        """Run the encoder over all frames; arguments as in `ragged`, `kept` as in `VisualTower.forward`."""
        _check_crops(crops, self.architecture)
        if len(crops) != sum(lengths):
            raise ValueError(f"{len(crops)} crops do not make tracklets of {lengths} frames")
        frames = fill_frames(lengths, self.architecture.frames).to(crops.device)
        return Tokens(self.encoder(crops, self._side(cameras, lengths), kept), frames)

    def encoded_before(self, tokens: Tensor, lengths: list[int]) -> Tokens:
        """Return tracklets whose frames were encoded in other batches, `(sum(lengths), 1 + N, D)`; else as `encode`."""
        frames = fill_frames(lengths, self.architecture.frames).to(tokens.device)
        return Tokens(self.encoder.read(tokens), frames)

    def sequence_feature(self, tokens: Tokens) -> Tensor:
        """Return the mean over time of class token and joint vector, each normalised, `(n, D + d)`."""
        return self._sequence(self.pooled(tokens, temporal=False))

    def temporal_feature(self, tokens: Tokens) -> Tensor:
        """Return what the Mamba head makes of all tokens `(n, D)`; if `detached`, it does not move them."""
        return torch.as_tensor(self.bottleneck_temporal(self._scanned(tokens)))

    def features(self, tokens: Tokens) -> Features:
        """Return both features of encoded tracklets."""
        return Features(sequence=self.sequence_feature(tokens), temporal=self.temporal_feature(tokens))

    def ranking(self, tokens: Tokens) -> Tensor:
        """Return the feature by which encoded tracklets are compared: `(n, dim)` float32, rows of length 1."""
        if self.architecture.ranking == "both":
            both = self.features(tokens)
            return Features(both.sequence.float(), both.temporal.float()).ranking()
        encoded = tokens.encoded
        single = self._sequence(Pooled(encoded.cls_token, encoded.joint, None))
        return F.normalize(agreed(single[tokens.frames]), dim=1)

    def pooled(self, tokens: Tokens, *, temporal: bool) -> Pooled:
        """Return what each tracklet is for itself: equal however tracklets are put together into batches."""
        cls_token = tokens.encoded.cls_token[tokens.frames].mean(1)
        joint = tokens.encoded.joint[tokens.frames].mean(1)
        return Pooled(cls_token, joint, self._scanned(tokens) if temporal else None)

    def normed(self, pooled: Pooled) -> Features:
        """Return the features of a batch; a temporal feature that was not asked for is `(n, 1)` zeros."""
        sequence = self._sequence(pooled)
        if pooled.temporal is None:
            return Features(sequence, sequence.new_zeros(len(sequence), 1))
        return Features(sequence, self.bottleneck_temporal(pooled.temporal))

    def _sequence(self, pooled: Pooled) -> Tensor:
        return torch.cat([self.bottleneck(pooled.cls_token), self.bottleneck_joint(pooled.joint)], dim=1)

    def _scanned(self, tokens: Tokens) -> Tensor:
        cls_tokens, patches = tokens.encoded.cls_token, tokens.encoded.patches
        if self.architecture.detached:
            cls_tokens, patches = cls_tokens.detach(), patches.detach()
        return torch.as_tensor(self.temporal(cls_tokens[tokens.frames], patches[tokens.frames]))

    def _side(self, cameras: list[int] | None, lengths: list[int]) -> Tensor | None:
        """Return the side information of every crop `(sum(lengths), D)`, or of any camera `(D,)`, or None."""
        known = self.architecture.cameras
        if cameras is None:
            if known and self.training:
                raise ValueError(f"training a network with side information of {known} cameras needs their indices")
            return self.any_camera()
        if len(cameras) != len(lengths) or not all(0 <= camera < known for camera in cameras):
            raise ValueError(f"{len(lengths)} tracklets need as many cameras below {known}, got {cameras}")
        index = torch.tensor(cameras).repeat_interleave(torch.tensor(lengths))
        assert self.side is not None
        return self.architecture.side_coefficient * self.side[index.to(self.side.device)]

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return what makes the tokens: the parameters of the encoder and the side information."""
        return [*self.encoder.parameters(), *([] if self.side is None else [self.side])]

    def any_camera(self) -> Tensor | None:
        """Return what is added to the class token where the camera is unknown `(D,)`: the mean over those known."""
        return None if self.side is None else self.architecture.side_coefficient * self.side.mean(0)


def without_cameras(network: Climb) -> Climb:
    """Return a network without side information that does the same where cameras are unknown; the same one if it can.

    The mean of the cameras' vectors becomes part of the class token that they are added to.
    """
    mean = network.any_camera()
    if mean is None:
        return network
    state = {name: tensor for name, tensor in network.state_dict().items() if name != "side"}
    state["encoder.class_embedding"] = (state["encoder.class_embedding"] + mean).detach()
    plain = Climb(replace(network.architecture, cameras=0, side_coefficient=1.0))
    plain.load_state_dict(state)
    return plain.train(network.training)


def fill_frames(lengths: list[int], T: int) -> Tensor:
    """Return for every tracklet the T indices of its frames in the concatenation, repeated in order, `(n, T)` int64.

    >>> fill_frames([3, 1], 4).tolist()
    [[0, 1, 2, 0], [3, 3, 3, 3]]

    Raises:
        ValueError: A tracklet has no frame, or more than T.
    """
    if not lengths or min(lengths) < 1 or max(lengths) > T:
        raise ValueError(f"tracklets must have 1 to {T} frames, got {lengths}")
    length = torch.tensor(lengths)
    start = length.cumsum(0) - length
    return start.unsqueeze(1) + torch.arange(T) % length.unsqueeze(1)


def _check_crops(crops: Tensor, a: Architecture) -> None:
    """Raise ValueError for what is no batch of preprocessed crops: bytes and channels at the end are usual slips."""
    shape = tuple(crops.shape)
    if len(shape) != 4 or shape[1] != 3 or 0 in shape or not crops.is_floating_point():
        raise ValueError(f"crops must be (b, 3, H, W) floats, preprocessed, got {shape} {crops.dtype}")
    if a.stem == "patch" and (shape[2] % a.patch or shape[3] % a.patch):  # the other stem pads
        raise ValueError(f"crops of {shape[2]}x{shape[3]} px cannot be cut into patches of {a.patch} px")


def _patch_projection(a: Architecture) -> nn.Conv2d:
    return nn.Conv2d(3, a.tower_width, a.patch, stride=a.patch, bias=False)


def _bottleneck(width: int) -> nn.BatchNorm1d:
    """Return a BatchNorm whose bias stays zero, so that the feature space stays centred for the cosine."""
    norm = nn.BatchNorm1d(width)
    norm.bias.requires_grad_(False)  # noqa: FBT003
    return norm
