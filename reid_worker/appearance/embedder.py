"""Serves an appearance model: one embedding per tracklet, the mean over its crops, with the interface of `Embedder`."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_worker.appearance.crop_format import CropFormat
from reid_worker.appearance.description import beside
from reid_worker.appearance.opening import OpenedModel, open_appearance
from reid_worker.errors import EmbeddingError
from reid_worker.model.tensors import WeightsError
from reid_worker.onnx_graph import ORT_ERRORS, first_line
from reid_worker.onnx_session import OnnxRuntime
from wire.similarity import SimilarityPrior

log = logging.getLogger(__name__)

DEFAULT_FRAMES = 8  # as many as the shipped CLIMB weights take
GROUP = 16  # crops in one call
# Cosines of networks trained by others range from 0.1 to 0.6 between different people. This prior suits the upper end:
# until the gallery has learnt the site's own similarities it rather gives one person two numbers than two people one.
CAUTIOUS_PRIOR = SimilarityPrior(same_mean=0.85, same_std=0.1, different_mean=0.55, different_std=0.1)
_RUN_ERRORS: tuple[type[Exception], ...] = (ValueError, *ORT_ERRORS)


class AppearanceEmbedder:
    """An appearance model with the interface of `reid_worker.model.Embedder`. May be shared between threads.

    Attributes:
        model_id: Name of the file and a digest of model and crop format; embeddings compare only where it is equal.
        prior: What similarities of its embeddings mean; `CAUTIOUS_PRIOR` where nobody has measured it.
        cameras: 0: such models have no side information that can be given.
        dim: Length of an embedding.
        frames: Most crops of a tracklet that one embedding takes.
        device, dtype_name: Where it runs, and the number type of its input.
        scan: A dash, as it has none.
    """

    cameras = 0
    scan = "-"

    def __init__(self, model: OpenedModel, *, on_gpu: bool = False) -> None:
        self._model = model
        self.model_id = _model_id(model)
        self.prior: SimilarityPrior | None = model.said.prior or CAUTIOUS_PRIOR
        self.frames = model.said.frames or DEFAULT_FRAMES
        self.device = "cuda" if on_gpu else "cpu"
        self.dtype_name = model.crop_format.dtype
        self.dim = self._tried()

    def embed(
        self, tracklets: Sequence[Sequence[NDArray[np.uint8]]], cameras: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Embed n tracklets of 1 to `frames` RGB crops `(h, w, 3)` uint8 of any size: `(n, dim)` float32, unit rows.

        The embedding of a tracklet is the mean of its crops' features, each scaled to length 1, scaled to length 1.

        Raises:
            ValueError: A tracklet is empty or too long, a crop is not an RGB uint8 image, or `cameras` are given.
            EmbeddingError: The model gave NaN or infinite numbers, or only zeros.
        """
        if cameras is not None:
            raise ValueError("an appearance model has no side information of cameras")
        if not tracklets:
            return np.empty((0, self.dim), np.float32)
        lengths = self._lengths(tracklets)
        return _means(self._rows([crop for tracklet in tracklets for crop in tracklet]), lengths)

    def encode(self, crops: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Return the feature of each RGB crop, `(dim,)` of length 1, for `combine`.

        Raises:
            ValueError: A crop is not an RGB uint8 image.
            EmbeddingError: As `embed`.
        """
        return [row.copy() for row in self._rows(crops)]  # a view would keep the rows of its whole batch

    def combine(self, tracklets: Sequence[Sequence[NDArray[np.float32]]]) -> NDArray[np.float32]:
        """Embed n tracklets of 1 to `frames` crops that `encode` was given: what `embed` returns for these crops.

        Raises:
            ValueError: A tracklet is empty or too long.
        """
        lengths = self._lengths(tracklets)
        return _means(np.stack([row for tracklet in tracklets for row in tracklet]), lengths)

    def glance(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed single crops, `(n, dim)`; raises what `embed` raises."""
        return self.embed([[crop] for crop in crops])

    def _lengths(self, tracklets: Sequence[Sequence[object]]) -> list[int]:
        lengths = [len(tracklet) for tracklet in tracklets]
        if min(lengths) < 1 or max(lengths) > self.frames:
            raise ValueError(f"a tracklet must have 1 to {self.frames} crops, got {lengths}")
        return lengths

    def _rows(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return _unit(self._features(crops))

    def _features(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the raw features of crops, `(n, dim)`."""
        step = self._model.ports.batch or GROUP
        features = np.concatenate([self._call(crops[i : i + step]) for i in range(0, len(crops), step)])
        broken = int((~np.isfinite(features).all(axis=1) | ~features.any(axis=1)).sum())
        if broken:
            raise EmbeddingError(
                f"{self.model_id} gave NaN, infinite numbers or only zeros for {broken} of {len(crops)} crops"
            )
        return features

    def _call(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        ports = self._model.ports
        images = self._model.crop_format.batch(crops)
        lacking = (ports.batch or len(images)) - len(images)
        if lacking:  # a model for a fixed number of crops
            images = np.concatenate([images, np.repeat(images[-1:], lacking, axis=0)])
        (found,) = self._model.session.run([ports.features], {ports.crops: images})
        return np.asarray(found, np.float32).reshape(len(images), -1)[: len(crops)]

    def _tried(self) -> int:
        """Run the model on a few pictures that have nothing in common; return the length of its features.

        Raises:
            WeightsError: It does not run, or its features do not depend on the picture.
        """
        path = self._model.path
        try:
            features = self._features(_pictures())
        except EmbeddingError as error:
            raise WeightsError(path, f"{error}; its weights are damaged, or it expects another input") from error
        except _RUN_ERRORS as error:
            raise WeightsError(path, f"onnxruntime cannot run it: {first_line(error)}; export it again") from error
        alike = _unit(features) @ _unit(features).T
        if alike.min() > 1 - 1e-5:
            raise WeightsError(
                path,
                "gives the same feature for every picture: its weights are damaged, or its crops are not "
                f"{self._model.crop_format}; {beside(path).name} can say what they are (docs/models.md)",
            )
        return int(features.shape[1])


def load_appearance(path: Path, *, device: str = "auto") -> AppearanceEmbedder:
    """Load a model ready to serve, and log what had to be assumed.

    Raises:
        WeightsError: It cannot be used; with the cause and the remedy.
    """
    runtime = OnnxRuntime(device)
    model = open_appearance(path, runtime)
    embedder = AppearanceEmbedder(model, on_gpu=runtime.on_gpu)
    log.info("weights %s: appearance model, crops of %s, mean over %d", path, model.crop_format, embedder.frames)
    if model.unsure:
        log.warning(
            "weights %s: %s: crops are given as %s. `climbtrack models check %s` tries this on generated people, and "
            "%s sets it",
            *(path, model.unsure, model.crop_format, path, beside(path).name),
        )
    if model.said.prior is None:
        log.warning(
            "weights %s have no similarity prior: a cautious one is used, which splits people rather than merge them, "
            "until a site has taught the gallery. `climbtrack models check %s --write` measures one on generated "
            "people, `climbtrack evaluate --weights %s --write-prior` on a data set of yours",
            *(path, path, path),
        )
    return embedder


def reformatted(model: OpenedModel, crop_format: CropFormat) -> AppearanceEmbedder:
    """Return a loaded model that is given its crops in another format."""
    return AppearanceEmbedder(replace(model, crop_format=crop_format))


def _model_id(model: OpenedModel) -> str:
    stated = json.dumps([model.crop_format.stated(), model.ports.features], sort_keys=True)
    digest = hashlib.sha256(f"{model.digest} {stated}".encode()).hexdigest()[:12]
    return f"{model.path.stem}-{digest}"


def _pictures() -> list[NDArray[np.uint8]]:
    """Return pictures that any network tells apart: flat colours, a gradient and noise, always the same."""
    flat = [np.full((64, 32, 3), colour, np.uint8) for colour in ((200, 40, 40), (40, 40, 200), (120, 120, 120))]
    gradient = np.repeat(np.linspace(0, 255, 64, dtype=np.uint8)[:, None, None], 32, axis=1).repeat(3, axis=2)
    noise = np.random.default_rng(0).integers(0, 256, (64, 32, 3), dtype=np.uint8)
    return [*flat, gradient, noise]


def _means(rows: NDArray[np.float32], lengths: list[int]) -> NDArray[np.float32]:
    """Return the mean of the rows of each tracklet, scaled to length 1."""
    return _unit(np.add.reduceat(rows, np.cumsum([0, *lengths[:-1]]), axis=0))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)
