"""Convert the authors' published image weights to a climbtrack network with fragments of a single frame.

Their checkpoints contain more than features need (classifiers, an unused second Mamba and norm), which is dropped and
reported. Anything else unexpected is an error, because it would be a different network.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.foreign import described
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.state_dict import listed
from reid_worker.model.tensors import WeightsError, put_tensors, read_tensors
from reid_worker.model.weights import load_weights, save_weights
from wire.similarity import SimilarityPrior

# Prefixes of their tensor names, and ours.
_RENAMED = {
    "image_encoder.": "encoder.",
    "bottleneck.": "bottleneck.",
    "bottleneck_proj.": "bottleneck_joint.",
    "bottleneck_proj_sp.": "bottleneck_temporal.",
    "sp_mamba_bi.0.": "temporal.branches.1.norm_in.",
    "sp_mamba_bi.1.": "temporal.branches.1.mamba.",
    "norm2_mamba.": "temporal.branches.1.norm_out.",
    "sp_attention.": "temporal.branches.1.attention.",
    "cv_embed": "side",
}
_DROPPED = ("classifier", "sp_mamba_raw.", "norm3_mamba.")
_SIDE = "cv_embed"
# What multi-GPU training, torch.compile and training frameworks insert into names, or prepend to them.
_WRAPPED = {"module", "_orig_mod"}
_IN_FRONT = ("model.", "net.", "network.")
_HEAD_WIDTH = 64  # of every CLIP transformer; its tensors do not show the number of heads


@dataclass(frozen=True, slots=True)
class Conversion:
    """The result of a conversion.

    Attributes:
        architecture: Sizes of the network written.
        model_id: Name of the weights written.
        dropped: Names of source tensors that features do not need.
    """

    architecture: Architecture
    model_id: str
    dropped: tuple[str, ...]


def convert(
    source: Path,
    out: Path,
    *,
    size: tuple[int, int] | None = None,
    frames: int = 1,
    side_coefficient: float = 1.0,
    views: int = 1,
    prior: SimilarityPrior | None = None,
) -> Conversion:
    """Read a published checkpoint, `torch.save`d or safetensors, and write it as climbtrack weights to `out`.

    The released preprocessing is stored with the weights: bicubic resizing, mean and std 0.5.

    Args:
        source: Checkpoint, with or without `cv_embed`, nested dicts, or prefixes of wrappers in names.
        out: Safetensors file to write.
        size: Height and width of a crop, px; None assumes a grid of patches twice as high as wide, as for 256x128.
        frames: Crops of a tracklet, T. With 1, features are those of the published network; with more, they are means
            over the crops, before the last BatchNorm.
        side_coefficient: Factor on the vectors of `cv_embed`, which checkpoints do not contain.
        views: Rows of `cv_embed` that belong to one camera. Their mean becomes the camera's vector: no person data
            set has labels of the viewing side.
        prior: Similarity prior of the weights, if it has been measured: checkpoints do not contain one.

    Raises:
        WeightsError: The source cannot be read or is not this network, or `out` cannot be written.
    """
    if out.exists() and out.samefile(source):
        raise WeightsError(out, "is the file to convert; give another one to write")
    given = _unwrapped(read_tensors(source), source)
    dropped = tuple(name for name in given if name.startswith(_DROPPED))
    kept = {name: tensor for name, tensor in given.items() if name not in dropped}
    tensors = _renamed(_with_one_view(kept, views, source), source)
    architecture = replace(_architecture_of(tensors, source, size), frames=frames, side_coefficient=side_coefficient)
    with torch.device("meta"):
        network = Climb(architecture).eval()
    put_tensors(network, tensors, source, "the released CLIMB-ReID image network", called=_their_name)
    preprocessing = Preprocessing(architecture.height, architecture.width, filter="bicubic")
    try:
        save_weights(out, network, preprocessing, prior)
    except OSError as error:
        raise WeightsError(out, error.strerror or str(error)) from error
    return Conversion(architecture, load_weights(out).model_id, dropped)


def _unwrapped(tensors: Mapping[str, Tensor], source: Path) -> dict[str, Tensor]:
    """Return tensors by their names without wrapper prefixes."""
    bare = {_bare(name): tensor for name, tensor in tensors.items()}
    if len(bare) < len(tensors):
        raise WeightsError(source, f"holds two tensors of one name: {len(tensors)} names stand for {len(bare)}")
    return bare


def _bare(name: str) -> str:
    """Return a name without the parts added by wrappers.

    >>> _bare("model.module.image_encoder._orig_mod.proj")
    'image_encoder.proj'
    """
    plain = ".".join(part for part in name.split(".") if part not in _WRAPPED)
    front = next((prefix for prefix in _IN_FRONT if plain.startswith(prefix)), "")
    return _bare(plain.removeprefix(front)) if front else plain


def _with_one_view(tensors: dict[str, Tensor], views: int, source: Path) -> dict[str, Tensor]:
    """Return the tensors with one vector per camera instead of one per camera and view."""
    if views == 1:
        return tensors
    rows = tensors.get(_SIDE)
    if rows is None or rows.ndim != 2 or len(rows) % views:
        found = "no " + _SIDE if rows is None else f"{_SIDE} of {tuple(rows.shape)}"
        raise WeightsError(source, f"has {found}, which does not make {views} views a camera: leave --views out")
    return tensors | {_SIDE: rows.float().reshape(-1, views, rows.shape[1]).mean(1)}


def _renamed(tensors: Mapping[str, Tensor], source: Path) -> dict[str, Tensor]:
    ours, unknown = {}, []
    for name, tensor in tensors.items():
        prefix = next((p for p in _RENAMED if name.startswith(p)), None)
        if prefix is None:
            unknown.append(name)
        else:
            ours[_RENAMED[prefix] + name.removeprefix(prefix)] = tensor
    whole = any(name.startswith("temporal.") for name in ours)
    if (unknown or not whole) and (kind := described(tensors)) is not None:
        raise WeightsError(source, f"not a released CLIMB-ReID checkpoint, but {kind}")
    if unknown:
        raise WeightsError(source, f"not in a released CLIMB-ReID checkpoint: {listed(unknown)}")
    return ours


def _architecture_of(tensors: Mapping[str, Tensor], source: Path, size: tuple[int, int] | None) -> Architecture:
    """Read the sizes of the network from its tensors."""
    width, _, patch, _ = _shape(tensors, "encoder.conv1.weight", 4, source)
    _, joint = _shape(tensors, "encoder.proj", 2, source)
    positions, _ = _shape(tensors, "encoder.positional_embedding", 2, source)
    inner, state = _shape(tensors, "temporal.branches.1.mamba.A_log", 2, source)
    cameras = _shape(tensors, "side", 2, source)[0] if "side" in tensors else 0
    height, crop_width = size or _size_of(positions - 1, patch, source)
    layers = {name.split(".")[3] for name in tensors if name.startswith("encoder.transformer.resblocks.")}
    try:
        found = Architecture(
            name="climb-image",
            height=height,
            width=crop_width,
            patch=patch,
            stem="patch",
            tower_width=width,
            layers=len(layers),
            heads=width // _HEAD_WIDTH,
            joint_width=joint,
            frames=1,
            strides=(1,),
            state=state,
            expand=inner // width,
            project=False,
            cameras=cameras,
        )
    except (ValueError, ZeroDivisionError) as error:
        raise WeightsError(source, f"its tensors do not make a network ({error})") from error
    if math.prod(found.grid) != positions - 1:
        raise WeightsError(source, f"{positions - 1} positions do not make a grid of {height}x{crop_width} px crops")
    return found


def _their_name(ours: str) -> str:
    """Return the name of one of our tensors in their checkpoints."""
    return next(their + ours.removeprefix(our) for their, our in _RENAMED.items() if ours.startswith(our))


def _shape(tensors: Mapping[str, Tensor], name: str, dimensions: int, source: Path) -> tuple[int, ...]:
    if name not in tensors:
        raise WeightsError(source, f"not a released CLIMB-ReID checkpoint: {_their_name(name)} is missing")
    if tensors[name].ndim != dimensions or 0 in tensors[name].shape:
        raise WeightsError(source, f"{_their_name(name)} is {tuple(tensors[name].shape)}, not {dimensions} sizes")
    return tuple(tensors[name].shape)


def _size_of(positions: int, patch: int, source: Path) -> tuple[int, int]:
    """Return the crop height and width whose grid is twice as high as wide and has this many positions."""
    columns = math.isqrt(max(positions, 0) // 2)
    if columns < 1 or 2 * columns**2 != positions:
        raise WeightsError(
            source,
            f"{positions} positions do not make a grid twice as high as wide: give the crop size with --size "
            "(overlapping patches are not supported)",
        )
    return 2 * columns * patch, columns * patch
