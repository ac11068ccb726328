"""Detectors in the YOLOX output layout (Ge et al., "YOLOX: Exceeding YOLO Series in 2021"), run by onnxruntime.

Input `(1, 3, H, W)` float32 BGR 0-255, letterboxed to the top left on grey 114. Output `(1, N, 5 + classes)`: per cell
of the grids with strides 8, 16 and 32 the centre offset, log size, objectness and class scores, not decoded yet.
"""

import logging
import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from reid_worker.detectors.detection import Detections, suppress
from reid_worker.detectors.onnx_file import OnnxModel, open_model
from reid_worker.errors import DetectorError
from reid_worker.onnx_graph import ORT_ERRORS
from reid_worker.onnx_session import OnnxRuntime

__all__ = [
    "ORT_ERRORS",
    "PADDING",
    "STRIDES",
    "Grid",
    "YoloxDetector",
    "best_shape",
    "decode_people",
    "letterbox",
]

log = logging.getLogger(__name__)

STRIDES = (8, 16, 32)
PADDING = 114
PERSON = 0  # of COCO's 80 classes, and the only one of a model with one
DYNAMIC_SIZE = (416, 416)  # for models that take any size


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The cells of the three grids for one input size: `(n, 2)` cell positions and `(n, 1)` strides, px."""

    cells: NDArray[np.float32]
    strides: NDArray[np.float32]

    @classmethod
    def of(cls, height: int, width: int) -> "Grid":
        """Return the grid for an input of this size, which must be a multiple of 32."""
        cells, strides = [], []
        for stride in STRIDES:
            y, x = np.mgrid[: height // stride, : width // stride]
            cells.append(np.stack((x.ravel(), y.ravel()), axis=1))
            strides.append(np.full((x.size, 1), stride))
        return cls(np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32))


def letterbox(frame: NDArray[np.uint8], height: int, width: int) -> tuple[NDArray[np.float32], float]:
    """Resize a frame into `(1, 3, height, width)` float32 keeping its aspect ratio; return it and the scale."""
    scale = min(height / frame.shape[0], width / frame.shape[1])
    size = (max(round(frame.shape[1] * scale), 1), max(round(frame.shape[0] * scale), 1))
    canvas = np.full((height, width, 3), PADDING, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
    image = np.empty((1, 3, height, width), np.float32)
    for channel, plane in enumerate(cv2.split(canvas)):  # contiguous: onnxruntime would copy anything else once more
        image[0, channel] = plane
    return image, scale


def decode_people(output: NDArray[np.float32], grid: Grid, min_score: float) -> Detections:
    """Return the people in a raw output `(N, 5 + classes)`, in px of the network's input, unordered and before NMS."""
    scores = output[:, 4] * output[:, 5 + PERSON]
    keep = scores >= min_score
    raw, strides = output[keep], grid.strides[keep]
    centres = (raw[:, :2] + grid.cells[keep]) * strides
    halves = np.exp(raw[:, 2:4]) * strides / 2
    return Detections(np.concatenate((centres - halves, centres + halves), axis=1), scores[keep])


@dataclass(frozen=True, slots=True, eq=False)
class _Shaped:
    """The model prepared for one input size."""

    session: onnxruntime.InferenceSession
    input_name: str
    height: int
    width: int
    grid: Grid

    @classmethod
    def of(cls, session: onnxruntime.InferenceSession, height: int, width: int) -> "_Shaped":
        return cls(session, session.get_inputs()[0].name, height, width, Grid.of(height, width))


class YoloxDetector:
    """A YOLOX model; frames of a batch run in parallel on `threads` threads.

    The network is convolutional, so its input takes the aspect ratio of the frames, with as many pixels as the network
    was designed for: a 16:9 picture in 416x416 would leave 44 % grey. Every frame is a separate call of the model, so
    that its boxes never depend on the rest of the batch.
    """

    def __init__(
        self, model: Path | OnnxModel, *, min_score: float = 0.2, nms_iou: float = 0.65, threads: int = 2
    ) -> None:
        opened = model if isinstance(model, OnnxModel) else open_model(model)
        self.name = opened.path.stem
        self._min_score = min_score
        self._nms_iou = nms_iou
        self._graph = opened.graph
        self._runtime = opened.runtime
        self._native = _native(opened)
        self._shaped: dict[tuple[int, int], _Shaped] = {}
        self._building = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, "detect")

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Return the people in each frame."""
        return list(self._pool.map(self._detect_one, frames))

    def _detect_one(self, frame: NDArray[np.uint8]) -> Detections:
        model = self._model_for(*best_shape(*frame.shape[:2], pixels=self._native.height * self._native.width))
        image, scale = letterbox(frame, model.height, model.width)
        (output,) = model.session.run(None, {model.input_name: image})
        found = suppress(decode_people(output[0], model.grid, self._min_score), self._nms_iou)
        limits = np.array((frame.shape[1], frame.shape[0]) * 2, np.float32)
        return Detections(np.clip(found.boxes / scale, 0, limits), found.scores)

    def _model_for(self, height: int, width: int) -> _Shaped:
        with self._building:
            if (height, width) not in self._shaped:
                reshaped = _reshaped(self._graph, self._runtime, height, width)
                self._shaped[height, width] = self._native if reshaped is None else reshaped
            return self._shaped[height, width]


def best_shape(height: int, width: int, *, pixels: int) -> tuple[int, int]:
    """Return the input height and width, multiples of 32, closest to a frame's aspect ratio and a number of pixels.

    >>> best_shape(1080, 1920, pixels=416 * 416)
    (320, 544)
    """
    unit = math.sqrt(pixels / (height * width)) / STRIDES[-1]
    return max(round(height * unit), 1) * STRIDES[-1], max(round(width * unit), 1) * STRIDES[-1]


def _native(model: OnnxModel) -> _Shaped:
    """Return the model at its native size, after a test run.

    Raises:
        DetectorError: It is not in the YOLOX layout, even if it looks like it, or it does not run.
    """
    refused = f"detector {model.path}: not in the YOLOX layout"
    if model.layout != "yolox":
        raise DetectorError(f"{refused}, but in that of {model.layout}")
    sides = model.inputs[0].shape[2:]
    height, width = (side if isinstance(side, int) else size for side, size in zip(sides, DYNAMIC_SIZE, strict=True))
    if height % STRIDES[-1] or width % STRIDES[-1]:
        raise DetectorError(f"{refused}: its input of {height}x{width} px is not a multiple of {STRIDES[-1]}")
    shaped = _Shaped.of(model.session, height, width)
    grey = np.full((1, 3, height, width), PADDING, np.float32)
    try:
        (output,) = model.session.run(None, {shaped.input_name: grey})
    except ORT_ERRORS as error:
        raise DetectorError(f"detector {model.path}: onnxruntime cannot run it: {error}; export it again") from error
    if not np.isfinite(output).all():
        raise DetectorError(
            f"detector {model.path}: outputs NaN or infinite numbers; its weights are damaged, get it again"
        )
    if output.shape[1] != len(shaped.grid.cells):
        cells = f"{output.shape[1]} boxes, but {height}x{width} px have {len(shaped.grid.cells)} cells"
        raise DetectorError(f"{refused}: {cells}; YOLOv5, for example, has three boxes per cell")
    if np.median(np.abs(output[0, :, :2])) > STRIDES[-1]:  # raw offsets are a few cells at most
        raise DetectorError(f"{refused}: its boxes are already decoded; export it without --decode_in_inference")
    return shaped


def _reshaped(model: onnx.ModelProto, runtime: OnnxRuntime, height: int, width: int) -> _Shaped | None:
    """Return the model for another input size; None if it only works at its native size."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    del changed.graph.value_info[:]
    sides = changed.graph.input[0].type.tensor_type.shape.dim
    sides[2].dim_value, sides[3].dim_value = height, width
    changed.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "cells"
    try:
        shaped = _Shaped.of(runtime.open(changed), height, width)
        (output,) = shaped.session.run(None, {shaped.input_name: np.zeros((1, 3, height, width), np.float32)})
    except ORT_ERRORS as error:
        log.info("the detector keeps its native input size: %s", error)
        return None
    return shaped if output.shape[1] == len(shaped.grid.cells) else None
