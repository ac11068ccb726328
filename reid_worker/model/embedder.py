"""Weights ready to serve: tracklets of crops in, L2-normalised embeddings out. Knows nothing of cameras or topics."""

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_worker.errors import EmbeddingError
from reid_worker.model.climb import Tokens
from reid_worker.model.scan import chosen_implementation
from reid_worker.model.serving import serving_form
from reid_worker.model.transfer import PinnedCopies
from reid_worker.model.weights import SHIPPED, LoadedWeights, load_weights
from wire.errors import SettingsError

Precision = Literal["auto", "fp32", "bf16", "fp16"]

# Tracklets run together. On a CPU, measured at two sizes, 16 are as fast as 32 and up to twice as fast as one; on a
# GPU it is a guess at what fills it.
_GROUP = {"cpu": 16, "cuda": 64}
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_AMPERE = (8, 0)  # the first CUDA devices that multiply bfloat16 matrices


class Embedder:
    """One loaded network in its serving form. May be shared between threads; on a GPU they take turns.

    Attributes:
        model_id: Name and digest of weights with preprocessing; embeddings compare only where it is equal.
        prior: What similarities of its embeddings mean; None when its weights do not say.
        cameras: Cameras with side information, which `embed` may be told; 0 where the weights have none.
        dim: Length of an embedding.
        frames: Most crops of a tracklet that one embedding takes, T.
        input_size: Height and width that crops are stretched to, px.
        device: Where the network runs.
        dtype: Of its matrix products; what is normalised, and the embedding, is float32.
        dtype_name: The same, as a word.
        scan: Implementation of the selective scan that runs there; `none` where the temporal head does not rank.
    """

    def __init__(
        self, loaded: LoadedWeights, device: torch.device, *, precision: Precision = "auto", compiled: bool = False
    ) -> None:
        self.model_id = loaded.model_id
        self.prior = loaded.prior
        self.cameras = loaded.network.architecture.cameras
        self.dim = loaded.network.architecture.dim
        self.frames = loaded.network.architecture.frames
        self.input_size = (loaded.preprocessing.height, loaded.preprocessing.width)
        self.device = device
        self.dtype = dtype_of(precision, device)
        self.dtype_name = str(self.dtype).removeprefix("torch.")
        self._whole = loaded.network.architecture.ranking == "both"
        self.scan: str = chosen_implementation(device, self.dtype) if self._whole else "none"
        self._network = serving_form(loaded.network, self.dtype).to(device)
        if compiled:
            self._network.encoder.compile(dynamic=True)
        self._preprocessing = loaded.preprocessing
        self._group = _GROUP.get(device.type, _GROUP["cuda"])
        self._copies = PinnedCopies(device) if device.type == "cuda" else None
        self._one_at_a_time = threading.Lock() if self._copies else nullcontext()

    def embed(
        self, tracklets: Sequence[Sequence[NDArray[np.uint8]]], cameras: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Embed n tracklets of 1 to T RGB crops `(h, w, 3)` uint8 of any size: `(n, dim)` float32, rows of length 1.

        A tracklet shorter than T is filled by repeating its crops in order; no tracklets give `(0, dim)`.

        Args:
            tracklets: The crops.
            cameras: For weights with side information, the index of each tracklet's camera among those they learned
                from, 0 to `cameras` - 1. None is right for any other camera: see `Climb.ragged`.

        Raises:
            ValueError: A tracklet is empty or too long, a crop is not an RGB uint8 image, or a camera is not known.
            EmbeddingError: The network gave NaN or infinite numbers.
        """
        if not tracklets:
            return np.empty((0, self.dim), np.float32)
        self._lengths(tracklets)
        groups = [slice(i, i + self._group) for i in range(0, len(tracklets), self._group)]
        known = None if cameras is None else list(cameras)
        with self._one_at_a_time, torch.inference_mode():
            found = [self._embed_group(tracklets[group], None if known is None else known[group]) for group in groups]
            rows = torch.cat(found).cpu().numpy()  # a GPU is waited for here
        self._check(rows)
        return np.asarray(rows, np.float32)

    def encode(self, crops: Sequence[NDArray[np.uint8]]) -> list[Tensor]:
        """Return what the encoder says of n single RGB crops, n >= 1, for `combine`.

        `(1 + N, D)` each: the class token and, where the temporal head ranks, those of the N patches. That is most of
        the work of `embed`, and does not depend on the other crops of a tracklet.

        Raises:
            ValueError: A crop is not an RGB uint8 image.
        """
        step = self._group * self.frames
        groups = [crops[i : i + step] for i in range(0, len(crops), step)]
        with self._one_at_a_time, torch.inference_mode():
            encoded = (self._encoded(group, [1] * len(group)) for group in groups)
            return [tokens for group in encoded for tokens in _apart(group, patches=self._whole)]

    def combine(self, tracklets: Sequence[Sequence[Tensor]]) -> NDArray[np.float32]:
        """Embed n tracklets of 1 to T crops that `encode` was given: what `embed` returns for these, up to rounding.

        Raises:
            ValueError: A tracklet is empty or too long.
            EmbeddingError: The network gave NaN or infinite numbers.
        """
        self._lengths(tracklets)
        groups = [tracklets[i : i + self._group] for i in range(0, len(tracklets), self._group)]
        with self._one_at_a_time, torch.inference_mode():
            found = [self._ranking(self._encoded_before(group)) for group in groups]
            rows = torch.cat(found).cpu().numpy()
        self._check(rows)
        return np.asarray(rows, np.float32)

    def glance(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Describe n single RGB crops, n >= 1, by the sequence feature alone: `(n, D + d)` float32, rows of length 1.

        It says as well as `embed` whether two crops of one camera show one person; where the temporal head ranks, in a
        third of the time, and the two must not be compared with each other.

        Raises:
            ValueError: A crop is not an RGB uint8 image.
            EmbeddingError: The network gave NaN or infinite numbers.
        """
        groups = [crops[i : i + self._group] for i in range(0, len(crops), self._group)]
        with self._one_at_a_time, torch.inference_mode():
            rows = torch.cat([self._glance_group(group) for group in groups]).cpu().numpy()
        self._check(rows)
        return np.asarray(rows, np.float32)

    def _lengths(self, tracklets: Sequence[Sequence[object]]) -> list[int]:
        """Return the number of crops of each tracklet, of which there is at least one; ValueError for a wrong one."""
        lengths = [len(tracklet) for tracklet in tracklets]
        if min(lengths) < 1 or max(lengths) > self.frames:
            raise ValueError(f"a tracklet must have 1 to {self.frames} crops, got {lengths}")
        return lengths

    def _glance_group(self, crops: Sequence[NDArray[np.uint8]]) -> Tensor:
        tokens = self._encoded(crops, [1] * len(crops))
        with self._lowered():
            feature = self._network.sequence_feature(tokens)
        return torch.nn.functional.normalize(feature.float(), dim=1)

    def _embed_group(self, tracklets: Sequence[Sequence[NDArray[np.uint8]]], cameras: list[int] | None) -> Tensor:
        crops = [crop for tracklet in tracklets for crop in tracklet]
        return self._ranking(self._encoded(crops, self._lengths(tracklets), cameras))

    def _encoded(
        self, crops: Sequence[NDArray[np.uint8]], lengths: list[int], cameras: list[int] | None = None
    ) -> Tokens:
        images = self._preprocessing.scale(self._images(crops))
        with self._lowered():
            return self._network.encode(images, lengths, cameras)

    def _encoded_before(self, tracklets: Sequence[Sequence[Tensor]]) -> Tokens:
        tokens = torch.stack([crop for tracklet in tracklets for crop in tracklet])
        with self._lowered():
            return self._network.encoded_before(tokens, self._lengths(tracklets))

    def _ranking(self, tokens: Tokens) -> Tensor:
        with self._lowered():
            return self._network.ranking(tokens)

    def _lowered(self) -> AbstractContextManager[object]:
        """Return the context in which the network runs: its matrix products take the dtype of this embedder."""
        lower = self.dtype != torch.float32
        return torch.autocast(self.device.type, self.dtype) if lower else nullcontext()

    def _images(self, crops: Sequence[NDArray[np.uint8]]) -> Tensor:
        if self._copies is None:
            return torch.from_numpy(self._preprocessing.resize(crops)).to(self.device)
        return self._preprocessing.resize_on(self.device, crops, self._copies.send)

    def _check(self, rows: NDArray[np.float32]) -> None:
        broken = int((~np.isfinite(rows).all(axis=1)).sum())
        if broken:
            raise EmbeddingError(
                f"{self.model_id} gave NaN or infinite numbers for {broken} of {len(rows)} tracklets in "
                f"{self.dtype_name} on {self.device}"
                + ("" if self.dtype == torch.float32 else ". Set `precision: fp32`")
            )


def _apart(tokens: Tokens, *, patches: bool) -> list[Tensor]:
    """Return the tokens of each frame in memory of its own: a view would keep those of its whole batch."""
    encoded = tokens.encoded
    if not patches:
        return [cls_token.unsqueeze(0).clone() for cls_token in encoded.cls_token]
    pairs = zip(encoded.cls_token, encoded.patches, strict=True)
    return [torch.cat([cls_token.unsqueeze(0), patches]) for cls_token, patches in pairs]


def dtype_of(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the dtype that a precision means on a device: `auto` is bf16 where that is faster, else fp32."""
    if precision != "auto":
        return _DTYPES[precision]
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= _AMPERE
    else:
        fast = device.type == "cpu" and _has_tiles()
    return torch.bfloat16 if fast else torch.float32


def _has_tiles() -> bool:
    """Tell whether this processor multiplies tiles of bfloat16 (Intel's AMX), in half the time of float32."""
    asked = getattr(torch.cpu, "get_capabilities", dict[str, object])  # the oldest torch that is accepted has none
    return bool(asked().get("amx_bf16", False))


def load_embedder(
    weights: Path | None = None,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    compiled: bool = False,
    threads: int | None = None,
    both: bool = False,
) -> Embedder:
    """Load weights, the shipped `climb-tiny` by default, and return them ready to serve.

    Args:
        weights: A safetensors file of ours.
        device: `auto` (a CUDA GPU where there is one, else the CPU), or what torch calls a device; `tensorrt`, which
            only ONNX models can use, is `cuda` here.
        precision: Of the matrix products; `auto` is bf16 on a GPU that multiplies it and on a CPU with AMX, else fp32.
        compiled: Whether `torch.compile` translates the encoder at its first call. It needs a compiler on this
            machine, and was not measured yet.
        threads: CPU threads of torch, for the whole process; None leaves them as they are.
        both: Whether an embedding is both features side by side, to look at each, whatever the weights rank by.

    Raises:
        WeightsError: The file cannot be used.
        SettingsError: There is no such device.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = automatic if device == "auto" else device.replace("tensorrt", "cuda", 1)
    loaded = load_weights(SHIPPED if weights is None else weights)
    if both:
        loaded.network.architecture = replace(loaded.network.architecture, ranking="both")
    try:
        return Embedder(loaded, torch.device(chosen), precision=precision, compiled=compiled)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts that it has it
        raise SettingsError(
            f"device {device!r} cannot be used: {str(error).splitlines()[0]}; "
            "`auto` takes a GPU where there is one, and the CPU elsewhere"
        ) from error
