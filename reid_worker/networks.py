"""The network that embeds tracklets, and another one whose embeddings travel beside: new weights before they decide."""

import logging
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reid_worker.crops import Cutout
from reid_worker.encodings import Encodings
from reid_worker.errors import EmbeddingError
from wire.similarity import SimilarityPrior

log = logging.getLogger(__name__)

Rows = dict[str, NDArray[np.float16]]  # of one tracklet, by model_id


class TrackletEmbedder(Protocol):
    """The part of `reid_worker.model.Embedder` that a worker uses."""

    model_id: str
    prior: SimilarityPrior | None
    frames: int

    def embed(self, tracklets: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.float32]:
        """Return one L2-normalised row for each tracklet of RGB crops."""

    def encode(self, crops: Sequence[NDArray[np.uint8]]) -> Sequence[Any]:
        """Return what it says of each RGB crop by itself, for `combine`."""

    def combine(self, tracklets: Sequence[Sequence[Any]]) -> NDArray[np.float32]:
        """Return what `embed` would for tracklets of crops that were encoded before."""

    def glance(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return one L2-normalised row for each RGB crop, for comparisons among such rows within one camera."""


class Networks:
    """Embeds tracklets by one network, or by two.

    Attributes:
        serving: What the site decides by, unless it was told otherwise.
        shadow: The other one; None without one.
        models: Their `model_id`s.
    """

    def __init__(self, serving: TrackletEmbedder, shadow: TrackletEmbedder | None = None) -> None:
        self.serving = serving
        self.shadow = shadow
        self.models = [serving.model_id] if shadow is None else [serving.model_id, shadow.model_id]
        self._encodings = Encodings()
        self._failing = False

    def embed(self, tracklets: Sequence[Sequence[Cutout]]) -> list[Rows]:
        """Return one L2-normalised row of each network for each tracklet of 1 to `serving.frames` crops.

        A second network that fails is named in the log, once in a row, and its rows are missing: it stops nobody.

        Raises:
            EmbeddingError: The serving network gave NaN or infinite numbers.
        """
        found: list[Rows] = [{self.serving.model_id: row} for row in self._rows(self.serving, tracklets)]
        if self.shadow is not None:
            for rows, row in zip(found, self._shadow_rows(self.shadow, tracklets), strict=False):
                rows[self.shadow.model_id] = row
        return found

    def _shadow_rows(
        self, shadow: TrackletEmbedder, tracklets: Sequence[Sequence[Cutout]]
    ) -> Sequence[NDArray[np.float16]]:
        try:
            rows = self._rows(shadow, [_spread(crops, shadow.frames) for crops in tracklets])
        except EmbeddingError as error:
            if not self._failing:
                log.error(  # noqa: TRY400 - the reason says it all
                    "worker.shadow_weights: %s. Tracklets are sent without these embeddings", error
                )
            self._failing = True
            return ()
        self._failing = False
        return rows

    def _rows(self, network: TrackletEmbedder, tracklets: Sequence[Sequence[Cutout]]) -> Sequence[NDArray[np.float16]]:
        return list(network.combine(self._encodings.of(network, tracklets)).astype(np.float16))


def _spread(crops: Sequence[Cutout], most: int) -> Sequence[Cutout]:
    """Return at most this many crops, spread over all of them."""
    if len(crops) <= most:
        return crops
    return [crops[i] for i in np.linspace(0, len(crops) - 1, most).round().astype(int)]
