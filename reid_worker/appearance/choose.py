"""Loads the network that a setting names: weights of CLIMB, or an appearance model in an ONNX file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from reid_worker.appearance import description
from reid_worker.appearance.embedder import load_appearance
from reid_worker.config import WorkerSettings
from reid_worker.endless import is_endless
from reid_worker.model import load_embedder
from reid_worker.model import weights as climb_weights
from reid_worker.model.embedder import Precision
from wire.errors import SettingsError
from wire.similarity import SimilarityPrior

_SAFETENSORS = slice(8, 9)  # eight bytes of length, then JSON
_IR_VERSION = b"\x08"  # how ONNX files begin: with the field that exporters write first


class Network(Protocol):
    """What `Embedder` and `AppearanceEmbedder` have in common; see there."""

    model_id: str
    prior: SimilarityPrior | None
    cameras: int
    dim: int
    frames: int
    dtype_name: str
    scan: str

    @property
    def device(self) -> torch.device | str:
        """Where it runs."""

    def glance(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return one unit row per crop, for comparisons among such rows."""

    def encode(self, crops: Sequence[NDArray[np.uint8]]) -> Sequence[Any]:
        """Return what it says of each RGB crop by itself, for `combine`."""

    def combine(self, tracklets: Sequence[Sequence[Any]]) -> NDArray[np.float32]:
        """Return what `embed` would for tracklets of crops that were encoded before."""

    def embed(
        self, tracklets: Sequence[Sequence[NDArray[np.uint8]]], cameras: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Return one L2-normalised row for each tracklet of RGB crops."""


def is_appearance_model(path: Path) -> bool:
    """Return whether a file is to be read as ONNX: by its content, and if that says nothing, by its name."""
    if is_endless(path):
        return False
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError:
        start = b""
    if start[_SAFETENSORS] == b"{":
        return False
    return path.suffix.lower() == ".onnx" or (start.startswith(_IR_VERSION) and path.suffix != ".safetensors")


def load_network(
    weights: Path | None = None,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    compiled: bool = False,
    threads: int | None = None,
) -> Network:
    """Load weights, the shipped ones by default, ready to serve; see `load_embedder` for the arguments.

    `precision` and `compiled` are for CLIMB; an ONNX file has the precision that it was exported with.

    Raises:
        WeightsError: The file cannot be used.
        SettingsError: There is no such device.
    """
    if weights is not None and is_appearance_model(weights):
        return load_appearance(weights, device=device)
    return load_embedder(weights, device=device, precision=precision, compiled=compiled, threads=threads)


def load_networks(settings: WorkerSettings, threads: int) -> list[Network]:
    """Load the weights that serve, and then those beside them if there are any.

    Raises:
        WeightsError: One of the files cannot be used.
        SettingsError: There is no such device, or both files are the same weights.
    """
    files = [settings.weights, *([] if settings.shadow_weights is None else [settings.shadow_weights])]
    networks = [
        load_network(
            file, device=settings.device, precision=settings.precision, compiled=settings.compiled, threads=threads
        )
        for file in files
    ]
    if len({network.model_id for network in networks}) < len(networks):
        raise SettingsError(
            f"worker.shadow_weights: {settings.shadow_weights} are the same weights as those that serve"
            f" ({networks[0].model_id}); give the ones that are to be introduced, or remove the setting"
        )
    return networks


def save_prior(weights: Path, prior: SimilarityPrior) -> Path:
    """Store a similarity prior with weights, in the file or, for an ONNX file, beside it; return where.

    Raises:
        WeightsError: The file cannot be used, or written.
    """
    if not is_appearance_model(weights):
        climb_weights.save_prior(weights, prior)
        return weights
    description.write(weights, msgspec.structs.replace(description.written(weights), prior=prior))
    return description.beside(weights)
