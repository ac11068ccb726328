"""Weight files: safetensors with the architecture and the preprocessing in the metadata. Nothing is left out."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as encode_tensors

from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.tensors import WeightsError, put_tensors

SHIPPED = Path(__file__).parent.parent / "weights" / "climb-tiny.safetensors"
_KEY = "climbtrack"
_FORMAT = 1
_LATER = {"project", "detached", "cameras", "side_coefficient"}  # with defaults that mean what files without them meant


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """A network in evaluation mode with its preprocessing, and the digest that names both."""

    network: Climb
    preprocessing: Preprocessing
    model_id: str


def save_weights(path: Path, network: Climb, preprocessing: Preprocessing) -> None:
    """Write network and preprocessing to `path`, atomically: a reader sees the old file or the new one."""
    description = {
        "format": _FORMAT,
        "architecture": asdict(network.architecture),
        "preprocessing": asdict(preprocessing),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    part = path.with_name(path.name + ".part")
    part.write_bytes(encode_tensors(tensors, metadata={_KEY: json.dumps(description, sort_keys=True)}))
    part.replace(path)


def load_weights(path: Path) -> LoadedWeights:
    """Read a weight file of `save_weights`; every tensor must be there, in its shape, and none too many.

    Raises:
        WeightsError: The file is missing, truncated, not ours, or does not fit the architecture it states.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(path, error.strerror or str(error)) from error
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        tensors = parse_tensors(content)
    except SafetensorError as error:
        raise WeightsError(path, f"not a complete safetensors file ({error})") from error
    architecture, preprocessing = _parse_description(path, metadata.get(_KEY))
    made, wanted = (preprocessing.height, preprocessing.width), (architecture.height, architecture.width)
    if made != wanted:
        raise WeightsError(path, f"its preprocessing makes crops of {made} px, its network wants {wanted}")
    with torch.device("meta"):  # random numbers for 99 million parameters take longer than reading them
        network = Climb(architecture)
    put_tensors(network, tensors, path, architecture.name)
    digest = hashlib.sha256(content).hexdigest()[:12]
    return LoadedWeights(network.eval(), preprocessing, f"{architecture.name}-{digest}")


def _parse_description(path: Path, text: str | None) -> tuple[Architecture, Preprocessing]:
    if text is None:
        raise WeightsError(path, f"its metadata has no {_KEY!r} entry: not weights of this program "
                                 "(`climbtrack convert` makes them from published CLIMB-ReID weights)")  # fmt: skip
    try:
        description = json.loads(text)
        if description["format"] != _FORMAT:
            raise WeightsError(path, f"format {description['format']!r}, this program reads {_FORMAT}")
        return _architecture(description["architecture"]), Preprocessing(**description["preprocessing"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(path, f"its description cannot be read ({error!r})") from error


def _architecture(sizes: dict[str, Any]) -> Architecture:
    """Return what a file states; only what format 1 did not have at first may be left to its default."""
    lacking = {field.name for field in fields(Architecture)} - sizes.keys() - _LATER
    if lacking:
        raise ValueError(f"the architecture lacks {', '.join(sorted(lacking))}")
    return Architecture(**{**sizes, "strides": tuple(sizes["strides"])})
