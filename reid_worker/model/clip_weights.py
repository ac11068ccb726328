"""CLIP's published weights as the beginning of a training run (CLIMB-ReID, section 4.1).

Letters: N patch tokens of a frame, D tower width.
"""

import math
import warnings
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from reid_worker.model.clip import VisualTower, resize_positions
from reid_worker.model.foreign import described
from reid_worker.model.state_dict import listed
from reid_worker.model.tensors import WeightsError, put_tensors, read_tensors

OPENAI = "openai"
_MODEL = "ViT-B-16-quickgelu"
# The other half of a CLIP, with which there is nothing to do here.
_TEXT = ("text.", "transformer.", "token_embedding.", "ln_final.", "text_projection", "positional_embedding",
         "logit_scale", "logit_bias", "attn_mask", "input_resolution", "context_length", "vocab_size")  # fmt: skip


def load_clip_tower(tower: VisualTower, source: str | Path) -> None:
    """Fill a tower with CLIP's weights, resize their positions to its grid, and freeze its patch projection.

    Args:
        tower: Of the sizes of the weights, but for the grid; with CLIP's strided patch projection.
        source: `openai`, what open_clip loads or downloads for `ViT-B-16-quickgelu`, or a file: a whole CLIP or its
            visual tower alone as open_clip names its parts, safetensors or a state dict of torch.

    Raises:
        WeightsError: The weights cannot be had, or do not fit; the tower is as it was.
    """
    path = Path(source)
    tensors = _downloaded() if source == OPENAI else _visual_part(read_tensors(path), path)
    positions = tensors.get("positional_embedding")
    if positions is not None and positions.ndim == 2:
        grid = _grid_of(len(positions) - 1, tower.grid, path)
        tensors["positional_embedding"] = resize_positions(positions.float(), grid, tower.grid)
    put_tensors(tower, tensors, path, f"a CLIP tower of width {tower.positional_embedding.shape[1]}")
    tower.freeze_patches()


def _downloaded() -> dict[str, Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what open_clip's own dependencies say at import is not ours to fix
        import open_clip

        try:
            model = open_clip.create_model(_MODEL, pretrained=OPENAI, require_pretrained=True)
        except (OSError, RuntimeError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise WeightsError(
                Path(OPENAI), f"open_clip cannot load {_MODEL} ({reason}); give a file of these weights instead"
            ) from error
    return dict(model.visual.state_dict())


def _visual_part(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return the visual tower of a whole CLIP under its own names, or all of what is no whole CLIP."""
    if not any(name.startswith("visual.") for name in tensors):
        if "conv1.weight" not in tensors or "proj" not in tensors:
            kind = described(tensors)
            raise WeightsError(path, f"not a CLIP in open_clip's layout{f', but {kind}' if kind else ''}")
        return dict(tensors)
    foreign = [name for name in tensors if not name.startswith(("visual.", *_TEXT))]
    if foreign:
        raise WeightsError(path, f"not part of a CLIP: {listed(foreign)}")
    return {name.removeprefix("visual."): tensor for name, tensor in tensors.items() if name.startswith("visual.")}


def _grid_of(count: int, wanted: tuple[int, int], path: Path) -> tuple[int, int]:
    """Return rows and columns of N positions: those wanted, where they are as many, else a square as CLIP's own."""
    if count == math.prod(wanted):
        return wanted
    side = math.isqrt(max(count, 0))
    if side < 1 or side**2 != count:
        raise WeightsError(path, f"{count} positions are neither a {wanted[0]}x{wanted[1]} grid nor a square one")
    return side, side
