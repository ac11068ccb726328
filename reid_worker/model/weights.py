"""Weight files: safetensors with the architecture, the preprocessing and what similarities mean in the metadata."""

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
import safetensors
import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as encode_tensors
from torch import Tensor
from torch.overrides import TorchFunctionMode

from reid_worker.endless import ENDLESS, is_endless
from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.tensors import WeightsError, put_tensors
from wire.similarity import SimilarityPrior

SHIPPED = Path(__file__).parent.parent / "weights" / "climb-tiny.safetensors"
_KEY = "climbtrack"
_PRIOR_KEY = "climbtrack.similarity"
_FORMAT = 1
_MOST_MISSING = 100  # times what a file holds: a network of other sizes is told by its tensors, up to here
# With defaults that mean what files without them meant
_LATER = {"project", "detached", "cameras", "side_coefficient", "ranking"}


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """A network in evaluation mode with what its file says about it.

    Attributes:
        model_id: Architecture's name and a digest of weights and preprocessing: the name of the embedding space.
        prior: How similar tracklets of the same and of different people are; None where the file does not say.
    """

    network: Climb
    preprocessing: Preprocessing
    model_id: str
    prior: SimilarityPrior | None = None


def save_weights(
    path: Path,
    network: Climb,
    preprocessing: Preprocessing,
    prior: SimilarityPrior | None = None,
    *,
    half: bool = False,
) -> None:
    """Write a network and what belongs to it to `path`, atomically: a reader sees the old file or the new one.

    `half` stores matrices as float16, in half the space; `load_weights` makes float32 of them again.
    """
    description = {
        "format": _FORMAT,
        "architecture": asdict(network.architecture),
        "preprocessing": _stated(preprocessing),
    }
    tensors = {name: _stored(tensor, half=half) for name, tensor in network.state_dict().items()}
    _write(path, encode_tensors(tensors, metadata={_KEY: json.dumps(description, sort_keys=True)}), prior)


def _stated(preprocessing: Preprocessing) -> dict[str, Any]:
    """Return what describes a preprocessing; programs from before `filter` still read weights with the usual one."""
    stated = asdict(preprocessing)
    if preprocessing.filter == "area":
        del stated["filter"]
    return stated


def _stored(tensor: Tensor, *, half: bool) -> Tensor:
    whole = tensor.detach().cpu().contiguous()
    matrix = whole.is_floating_point() and whole.ndim > 1
    return whole.half() if half and matrix else whole


def save_prior(path: Path, prior: SimilarityPrior) -> None:
    """Give the weights in `path` another similarity prior, atomically; their `model_id` stays the same.

    Raises:
        WeightsError: As `load_weights`.
    """
    load_weights(path)
    _write(path, path.read_bytes(), prior)


def _write(path: Path, content: bytes, prior: SimilarityPrior | None) -> None:
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content if prior is None else _with_prior(content, msgspec.json.encode(prior).decode()))
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


def load_weights(path: Path) -> LoadedWeights:
    """Read a weight file of `save_weights`; every tensor must be there, in its shape, and none too many.

    Raises:
        WeightsError: The file is missing, truncated, not ours, or does not fit the architecture it states.
    """
    if is_endless(path):
        raise WeightsError(path, ENDLESS)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(path, error.strerror or str(error)) from error
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        tensors = parse_tensors(content)
    except SafetensorError as error:
        raise WeightsError(path, _not_ours(content, error)) from error
    except OSError as error:  # safetensors maps the file into memory, which not every network drive allows
        raise WeightsError(path, f"{error}; copy it to a disk of this machine") from error
    architecture, preprocessing = _parse_description(path, metadata.get(_KEY))
    prior = _parse_prior(path, metadata.get(_PRIOR_KEY))
    made, wanted = (preprocessing.height, preprocessing.width), (architecture.height, architecture.width)
    if made != wanted:
        raise WeightsError(path, f"its preprocessing makes crops of {made} px, its network wants {wanted}")
    _require_plausible(path, architecture, sum(tensor.numel() for tensor in tensors.values()))
    with _Unfilled():  # random numbers for 99 million parameters take longer than reading them
        network = Climb(architecture)
    put_tensors(network, tensors, path, architecture.name)
    digest = hashlib.sha256(content if prior is None else _with_prior(content, None)).hexdigest()[:12]
    return LoadedWeights(network.eval(), preprocessing, f"{architecture.name}-{digest}", prior)


def _require_plausible(path: Path, stated: Architecture, held: int) -> None:
    """Refuse sizes far beyond what the file holds, which would fill the memory before any tensor is compared."""
    width = stated.tower_width
    patches = stated.height * stated.width // stated.patch**2
    inside = width * (stated.layers * width + stated.joint_width + stated.cameras + patches)
    at_least = inside + width * stated.expand * (width + stated.state)
    if at_least > _MOST_MISSING * held:
        raise WeightsError(
            path, f"states a network of more than {at_least} numbers, but holds {held}: copy or download it again"
        )


class _Unfilled(TorchFunctionMode):
    """Leaves out random numbers.

    The meta device would, too, but calculating there imports torch's compiler, a second of processor time.
    """

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, or do what it does except for the numbers."""
        if func in {torch.rand, torch.randn}:
            return torch.empty(*args, **(kwargs or {}))
        return args[0] if func in {Tensor.normal_, Tensor.uniform_} else func(*args, **(kwargs or {}))


def _not_ours(content: bytes, error: SafetensorError) -> str:
    if content.startswith((b"PK", b"\x80")):  # how torch.save begins, as a zip archive or a pickle
        return "a checkpoint of torch.save: `climbtrack convert` makes weights from published CLIMB-ReID checkpoints"
    if content.startswith(b"\x08"):  # how ONNX files begin: with the version of their format
        return (
            "an ONNX model, which can be used with `climbtrack run`, `worker` and `evaluate`; this needs weights of "
            "climbtrack, a safetensors file"
        )
    return f"not a complete safetensors file ({error}): copy or download it again"


def _with_prior(content: bytes, prior: str | None) -> bytes:
    """Return a safetensors file with this prior in its header, or with none; its tensors stay as they are.

    The digest leaves the prior out: measuring it again must not make known people strangers.
    """
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"].pop(_PRIOR_KEY, None)
    if prior is not None:
        header["__metadata__"][_PRIOR_KEY] = prior
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8, as safetensors writes them
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def _parse_prior(path: Path, text: str | None) -> SimilarityPrior | None:
    try:
        return None if text is None else msgspec.json.decode(text, type=SimilarityPrior)
    except msgspec.MsgspecError as error:
        raise WeightsError(path, f"its similarity prior cannot be read ({error})") from error


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
