"""What a file of weights is, told by the names of its tensors, where it is not what was asked for."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

_Names = Collection[str]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A family of networks.

    Attributes:
        what: Its name, and what to do with it.
        has: Tells it by the names of its tensors.
    """

    what: str
    has: Callable[[_Names], bool]


def _begins(*prefixes: str) -> Callable[[_Names], bool]:
    return lambda names: any(name.startswith(prefixes) for name in names)


def _inside(*parts: str) -> Callable[[_Names], bool]:
    return lambda names: any(part in name for name in names for part in parts)


_KINDS = (
    _Kind(
        "weights of climbtrack, which need no conversion: use them with --weights, or network.initial",
        _begins("bottleneck_joint.", "temporal.branches."),
    ),
    _Kind(
        "a CLIP in Hugging Face's layout, which has no re-identification head; training can start from the same CLIP "
        "with network.clip=openai",
        _begins("vision_model.", "text_model.", "clip.vision_model."),
    ),
    _Kind(
        "a CLIP, which has no re-identification head; training can start from it with network.clip=FILE",
        lambda names: _begins("visual.")(names) or {"class_embedding", "proj"} <= set(names),
    ),
    _Kind("CLIP-ReID with a ResNet, another network", _begins("image_encoder.layer1.")),
    _Kind(
        "an image encoder without a Mamba head, such as CLIP-ReID's",
        lambda names: _begins("image_encoder.")(names) and not _begins("sp_mamba_bi.")(names),
    ),
    _Kind("a vision transformer in timm's layout, such as TransReID's", _inside("blocks.0.attn.qkv.")),
    _Kind("a ResNet", _inside("layer1.0.conv1.", "res2.0.conv1.")),
    _Kind("an OSNet", _inside("conv2.0.conv2a.", "conv2.0.conv2.0.")),
)


def described(names: _Names) -> str | None:
    """Return what a network with tensors of these names is and what to do with it; None where that is not known.

    >>> described(["vision_model.embeddings.class_embedding"])[:32]
    "a CLIP in Hugging Face's layout,"
    """
    return next((kind.what for kind in _KINDS if kind.has(names)), None)
