"""What somebody wrote down about an appearance model: in `MODEL.onnx.yaml` beside it, or in its metadata."""

import math
from pathlib import Path

import msgspec
import onnx

from reid_worker.appearance.crop_format import Colour, Triple, Values
from reid_worker.model.preprocess import Filter
from reid_worker.model.tensors import WeightsError
from wire.similarity import SimilarityPrior
from wire.yaml_text import YamlError, parse_yaml

METADATA_KEY = "climbtrack"


class Description(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A description; what it leaves out is taken from the file or guessed.

    Attributes:
        size: Height and width of the crops, px, for models that take any size.
        colour, values, mean, std, filter: See `CropFormat`.
        output: Name of the output with the features, for models with several.
        frames: Number of crops averaged over, at most.
        prior: What similarities of its embeddings mean.
    """

    size: tuple[int, int] | None = None
    colour: Colour | None = None
    values: Values | None = None
    mean: Triple | None = None
    std: Triple | None = None
    filter: Filter | None = None
    output: str | None = None
    frames: int | None = None
    prior: SimilarityPrior | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        if self.size is not None and not all(8 <= side <= 4096 for side in self.size):
            raise ValueError(f"size must be height and width from 8 to 4096 px, got {self.size}")
        if not all(math.isfinite(one) for one in (*(self.mean or ()), *(self.std or ()))):
            raise ValueError(f"mean and std must be finite numbers, got {self.mean} and {self.std}")
        if self.std is not None and not min(self.std) > 0:
            raise ValueError(f"std must be above 0, got {self.std}")
        if self.frames is not None and not 1 <= self.frames <= 64:
            raise ValueError(f"frames must be from 1 to 64, got {self.frames}")


def beside(path: Path) -> Path:
    """Return where the description of a model is looked for."""
    return path.with_name(path.name + ".yaml")


def described(path: Path, model: onnx.ModelProto) -> Description:
    """Return what is written down about a model; the file beside it takes precedence over the metadata, key by key.

    Raises:
        WeightsError: One of them cannot be read.
    """
    stated = next((one.value for one in model.metadata_props if one.key == METADATA_KEY), None)
    inside = Description() if stated is None else _parsed(path, stated.encode(), f"its metadata {METADATA_KEY!r}")
    outside = written(path)
    own = {name: getattr(outside, name) for name in Description.__struct_fields__}
    return msgspec.structs.replace(inside, **{name: value for name, value in own.items() if value is not None})


def written(path: Path) -> Description:
    """Return the description beside a model; an empty one if there is none.

    Raises:
        WeightsError: It cannot be read.
    """
    try:
        return _parsed(path, beside(path).read_bytes(), f"its description {beside(path)}")
    except FileNotFoundError:
        return Description()
    except OSError as error:
        raise WeightsError(path, f"its description {beside(path)}: {error.strerror}") from error


def write(path: Path, description: Description) -> None:
    """Write the description beside a model, atomically.

    Raises:
        WeightsError: The folder cannot be written.
    """
    target = beside(path)
    part = target.with_name(target.name + ".part")
    try:
        part.write_bytes(msgspec.yaml.encode(description))
        part.replace(target)
    except OSError as error:
        raise WeightsError(path, f"{target} cannot be written: {error.strerror}") from error


def _parsed(path: Path, data: bytes, where: str) -> Description:
    try:
        values = parse_yaml(data.decode("utf-8-sig"))
        if isinstance(values, dict) and type(values.get("output")) is int:
            values["output"] = str(values["output"])  # torch names tensors by numbers
        return Description() if values is None else msgspec.convert(values, Description)
    except (msgspec.MsgspecError, UnicodeDecodeError, YamlError) as error:
        known = ", ".join(Description.__struct_fields__)
        raise WeightsError(path, f"{where} cannot be read: {error}; known keys: {known}") from error
