"""Weights ready to serve: tracklets of crops in, L2-normalised embeddings out. Knows nothing of cameras or topics."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reid_worker.model.weights import SHIPPED, LoadedWeights, load_weights
from wire.errors import SettingsError

_GROUP = 64  # tracklets run together: fills a processor, and bounds the memory of a long list


class Embedder:
    """One loaded network. Safe to share between threads: nothing in it changes after construction.

    Attributes:
        model_id: Name and digest of weights with preprocessing; embeddings compare only where it is equal.
        dim: Length of an embedding.
        frames: Most crops of a tracklet that one embedding takes, T.
        input_size: Height and width that crops are stretched to, px.
        device: Where the network runs.
    """

    def __init__(self, loaded: LoadedWeights, device: torch.device) -> None:
        self.model_id = loaded.model_id
        self.dim = loaded.network.architecture.dim
        self.frames = loaded.network.architecture.frames
        self.input_size = (loaded.preprocessing.height, loaded.preprocessing.width)
        self.device = device
        self._network = loaded.network.to(device)
        self._preprocessing = loaded.preprocessing

    def embed(self, tracklets: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.float32]:
        """Embed n tracklets of 1 to T RGB crops `(h, w, 3)` uint8 of any size: `(n, dim)` float32, rows of length 1.

        A tracklet shorter than T is filled by repeating its crops in order; no tracklets give `(0, dim)`.

        Raises:
            ValueError: A tracklet is empty or too long, or a crop is no RGB uint8 image.
        """
        if not tracklets:
            return np.empty((0, self.dim), np.float32)
        lengths = [len(tracklet) for tracklet in tracklets]
        if min(lengths) < 1 or max(lengths) > self.frames:
            raise ValueError(f"a tracklet must have 1 to {self.frames} crops, got {lengths}")
        groups = [tracklets[i : i + _GROUP] for i in range(0, len(tracklets), _GROUP)]
        return np.concatenate([self._embed_group(group) for group in groups])

    def _embed_group(self, tracklets: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.float32]:
        crops = self._preprocessing.resize([crop for tracklet in tracklets for crop in tracklet])
        with torch.inference_mode():
            images = self._preprocessing.scale(torch.from_numpy(crops).to(self.device))
            features = self._network.ragged(images, [len(tracklet) for tracklet in tracklets]).ranking()
        return np.asarray(features.cpu().numpy(), np.float32)


def load_embedder(weights: Path | None = None, *, device: str = "auto", threads: int | None = None) -> Embedder:
    """Load weights, the shipped `climb-tiny` by default, and return them ready to serve.

    Args:
        weights: A safetensors file of ours.
        device: `auto` (a CUDA GPU where there is one, else the CPU), or what torch calls a device.
        threads: CPU threads of torch, for the whole process; None leaves them as they are.

    Raises:
        WeightsError: The file cannot be used.
        SettingsError: There is no such device.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    loaded = load_weights(SHIPPED if weights is None else weights)
    try:
        return Embedder(loaded, torch.device(chosen))
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts that it has it
        raise SettingsError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
