"""Detectors in the YOLOX output layout (Ge et al., "YOLOX: Exceeding YOLO Series in 2021"), by onnxruntime.

Input `(1, 3, H, W)` float32 BGR 0-255, letterboxed to the top left on grey 114. Output `(1, N, 5 + classes)`: per cell
of the grids with strides 8, 16 and 32 the centre offset, log size, objectness and class scores, not decoded yet.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from reid_worker.detect import Detections, suppress
from reid_worker.errors import DetectorError

STRIDES = (8, 16, 32)
PADDING = 114
PERSON = 0  # of COCO's 80 classes, and the only one of a model with one
KNOWN_COLUMNS = (6, 85)  # box, objectness and 1 or 80 classes
DYNAMIC_SIZE = (416, 416)  # for models that take any size


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Where the cells of the three grids are, for one input size: `(n, 2)` cell positions and `(n, 1)` strides, px."""

    cells: NDArray[np.float32]
    strides: NDArray[np.float32]

    @classmethod
    def of(cls, height: int, width: int) -> "Grid":
        """Return the grid of an input of this size, which must be a multiple of 32."""
        cells, strides = [], []
        for stride in STRIDES:
            y, x = np.mgrid[: height // stride, : width // stride]
            cells.append(np.stack((x.ravel(), y.ravel()), axis=1))
            strides.append(np.full((x.size, 1), stride))
        return cls(np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32))


def letterbox(frame: NDArray[np.uint8], height: int, width: int) -> tuple[NDArray[np.float32], float]:
    """Return the frame shrunk or grown into `(1, 3, height, width)` float32, and by how much it was scaled."""
    scale = min(height / frame.shape[0], width / frame.shape[1])
    size = (max(round(frame.shape[1] * scale), 1), max(round(frame.shape[0] * scale), 1))
    canvas = np.full((height, width, 3), PADDING, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
    return canvas.transpose(2, 0, 1)[None].astype(np.float32), scale


def decode_people(output: NDArray[np.float32], grid: Grid, min_score: float) -> Detections:
    """Return the people in a raw output `(N, 5 + classes)`, px of the network's input, unordered and overlapping."""
    scores = output[:, 4] * output[:, 5 + PERSON]
    keep = scores >= min_score
    raw, strides = output[keep], grid.strides[keep]
    centres = (raw[:, :2] + grid.cells[keep]) * strides
    halves = np.exp(raw[:, 2:4]) * strides / 2
    return Detections(np.concatenate((centres - halves, centres + halves), axis=1), scores[keep])


class YoloxDetector:
    """One YOLOX model on one machine; frames of a batch run side by side on `threads` threads.

    Every frame is one call of the model, so that a frame's boxes never depend on what it was batched with.
    """

    def __init__(
        self,
        path: Path,
        *,
        min_score: float = 0.1,
        nms_iou: float = 0.65,
        threads: int = 2,
        providers: Sequence[str] = (),
    ) -> None:
        self.name = path.stem
        self._min_score = min_score
        self._nms_iou = nms_iou
        self._session = _open(path, providers)
        self._input, self._size = _input_of(self._session, path)
        self._grid = Grid.of(*self._size)
        self._pool = ThreadPoolExecutor(threads, "detect")

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Return the people in each frame."""
        return list(self._pool.map(self._detect_one, frames))

    def _detect_one(self, frame: NDArray[np.uint8]) -> Detections:
        image, scale = letterbox(frame, *self._size)
        (output,) = self._session.run(None, {self._input: image})
        found = suppress(decode_people(output[0], self._grid, self._min_score), self._nms_iou)
        limits = np.array((frame.shape[1], frame.shape[0]) * 2, np.float32)
        return Detections(np.clip(found.boxes / scale, 0, limits), found.scores)


def _open(path: Path, providers: Sequence[str]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # whole frames side by side use the cores better than parts of one frame
    options.log_severity_level = 3
    known = onnxruntime.get_available_providers()
    chosen = [name for name in (*providers, "CPUExecutionProvider") if name in known]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=chosen)
    except (RuntimeError, ValueError) as error:  # onnxruntime's own errors derive from RuntimeError
        raise DetectorError(f"detector {path}: onnxruntime cannot load it: {error}") from error


def _input_of(session: onnxruntime.InferenceSession, path: Path) -> tuple[str, tuple[int, int]]:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = inputs[0].shape
    columns = outputs[0].shape[-1]
    if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or columns not in KNOWN_COLUMNS:
        raise DetectorError(
            f"detector {path}: not in the YOLOX layout: input {shape} must be (1, 3, H, W), "
            f"output {outputs[0].shape} must be (1, N, 6) or (1, N, 85)"
        )
    height, width = (
        side if isinstance(side, int) else default for side, default in zip(shape[2:], DYNAMIC_SIZE, strict=True)
    )
    return inputs[0].name, (height, width)
