"""Run an exported network in onnxruntime, as a user of the file would."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from reid_worker.detectors.yolox import ORT_ERRORS
from training.export.graph import INPUT, OUTPUT

_ERRORS_ONLY = 3  # onnxruntime's log severity


class OnnxError(Exception):
    """Raised when a file is not an exported network, or cannot be loaded; the message names it and the reason."""


class OnnxNetwork:
    """An exported network on the CPU. Safe to share between threads.

    Attributes:
        path: Path of the file.
        metadata: Metadata of the file.
        shape: Shape of one tracklet, (T, H, W, 3).
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except ORT_ERRORS as error:
            raise OnnxError(f"{path}: onnxruntime cannot load it: {error}") from error
        inputs = {one.name: one for one in self._session.get_inputs()}
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        if set(inputs) != {INPUT} or "model_id" not in self.metadata:
            raise OnnxError(f"{path}: not a network written by `climbtrack export`; its inputs are {sorted(inputs)}")
        self.path = path
        self.shape: tuple[int, ...] = tuple(inputs[INPUT].shape[1:])

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed full tracklets `(n, T, H, W, 3)`, uint8 RGB at the network's size, as unit rows `(n, dim)`.

        Raises:
            ValueError: The crops have the wrong shape or dtype.
        """
        if crops.dtype != np.uint8 or crops.ndim != 5 or not len(crops) or crops.shape[1:] != self.shape:
            wanted = ", ".join(map(str, self.shape))
            raise ValueError(f"crops must be (n, {wanted}) uint8 with n >= 1, got {crops.shape} {crops.dtype}")
        (embeddings,) = self._session.run([OUTPUT], {INPUT: crops})
        return np.asarray(embeddings, np.float32)
