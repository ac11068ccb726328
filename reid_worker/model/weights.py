"""Weight files: safetensors with the architecture and the preprocessing in the metadata. No pickle, nothing left out.

Errors:
    WeightsError    a file cannot be used; it names the file and the reason. Commands end as with any wrong setting
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as encode_tensors

from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.preprocess import Preprocessing
from wire.errors import SettingsError

SHIPPED = Path(__file__).parent.parent / "weights" / "climb-tiny.safetensors"
_KEY = "climbtrack"
_FORMAT = 1


class WeightsError(SettingsError):
    """A weight file cannot be used."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"weights {path}: {reason}")
        self.path = path
        self.reason = reason


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
    network = Climb(architecture)
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise WeightsError(path, f"the tensors do not fit {architecture.name}: {reason}") from error
    digest = hashlib.sha256(content).hexdigest()[:12]
    return LoadedWeights(network.eval(), preprocessing, f"{architecture.name}-{digest}")


def _parse_description(path: Path, text: str | None) -> tuple[Architecture, Preprocessing]:
    if text is None:
        raise WeightsError(path, f"its metadata has no {_KEY!r} entry: not weights of this program")
    try:
        description = json.loads(text)
        if description["format"] != _FORMAT:
            raise WeightsError(path, f"format {description['format']!r}, this program reads {_FORMAT}")
        sizes = description["architecture"]
        architecture = Architecture(**{**sizes, "strides": tuple(sizes["strides"])})
        return architecture, Preprocessing(**description["preprocessing"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(path, f"its description cannot be read ({error!r})") from error
