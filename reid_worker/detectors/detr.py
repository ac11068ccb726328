"""Detectors of the DETR family, run by onnxruntime, in two export layouts.

- **D-FINE**, RT-DETR and DEIM, exported with their post-processor: inputs `images` `(1, 3, H, W)` float32 RGB 0-1 and
  `orig_target_sizes` `(1, 2)` int64, width and height; outputs `labels` `(1, N)`, `boxes` `(1, N, 4)` xyxy px of that
  size, and `scores` `(1, N)`. A person is class 0 of COCO's 80, of Objects365, and of single-class models.
- **RF-DETR**: one input `(1, 3, H, W)` float32 RGB with ImageNet normalisation; outputs `dets` `(1, N, 4)`, centre and
  size in 0-1, and `labels` `(1, N, classes)` logits. A person is index 1 of COCO's 91 numbers; a model trained on one
  class has two columns, the second of which is background.

Both take the whole frame stretched to their input and report each object once, so no NMS is needed. A model trained on
other classes is refused if its outputs reveal it; otherwise it detects its class 0. The backbones of DEIMv2 that need
ImageNet normalisation have D-FINE's layout and cannot be distinguished from it.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_worker.detectors.detection import Detections
from reid_worker.detectors.onnx_file import OnnxModel, open_model
from reid_worker.errors import DetectorError
from reid_worker.onnx_graph import ORT_ERRORS

MEAN = np.array((0.485, 0.456, 0.406), np.float32)  # of ImageNet, RGB in 0-1
DEVIATION = np.array((0.229, 0.224, 0.225), np.float32)
D_FINE_PERSON = 0
D_FINE_SIZE = (640, 640)  # px, for models that take any size: the size all of them are trained at
RF_DETR_PERSONS = {91: 1, 2: 0}  # number of columns -> person column: COCO's numbering; one class and background


class DetrDetector:
    """A model of the DETR family; frames of a batch run in parallel on `threads` threads."""

    def __init__(self, model: Path | OnnxModel, *, min_score: float = 0.2, threads: int = 2) -> None:
        opened = model if isinstance(model, OnnxModel) else open_model(model)
        if opened.layout == "yolox":
            raise DetectorError(f"detector {opened.path}: in the YOLOX layout, not in a DETR layout")
        self.name = opened.path.stem
        self._layout = opened.layout
        self._session = opened.session
        self._min_score = min_score
        self._size = _size(opened)
        self._image = "images" if opened.layout == "d-fine" else opened.inputs[0].name
        self._pool = ThreadPoolExecutor(threads, "detect")
        self._try(opened.path)

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Return the people in each frame."""
        return list(self._pool.map(self._detect_one, frames))

    def _detect_one(self, frame: NDArray[np.uint8]) -> Detections:
        image = stretch(frame, *self._size, smooth=self._layout == "d-fine")
        height, width = frame.shape[:2]
        if self._layout == "d-fine":
            inputs = {self._image: image, "orig_target_sizes": np.array([[width, height]], np.int64)}
            labels, boxes, scores = self._session.run(["labels", "boxes", "scores"], inputs)
            return decode_d_fine(labels[0], boxes[0], scores[0], (height, width), self._min_score)
        dets, logits = self._session.run(["dets", "labels"], {self._image: normalise(image)})
        return decode_rf_detr(dets[0], logits[0], (height, width), self._min_score)

    def _try(self, path: Path) -> None:
        try:
            self._detect_one(np.full((*self._size, 3), 114, np.uint8))
        except ORT_ERRORS as error:
            raise DetectorError(f"detector {path}: onnxruntime cannot run it: {error}; export it again") from error
        except ValueError as error:
            raise DetectorError(f"detector {path}: {error}") from error


def stretch(frame: NDArray[np.uint8], height: int, width: int, *, smooth: bool) -> NDArray[np.float32]:
    """Resize a BGR frame to `(1, 3, height, width)` float32 RGB 0-1, ignoring its aspect ratio.

    Networks work best with the resizing used in training: area averaging for D-FINE, bilinear for RF-DETR.
    """
    shrinks = smooth and frame.shape[0] > height and frame.shape[1] > width
    resized = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized[:, :, ::-1].transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def normalise(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalise `(1, 3, H, W)` RGB 0-1 by ImageNet's mean and standard deviation."""
    return np.asarray((image - MEAN[:, None, None]) / DEVIATION[:, None, None], np.float32)


def decode_d_fine(
    labels: NDArray[np.int64],
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    size: tuple[int, int],
    min_score: float,
) -> Detections:
    """Return the people among `(N,)` labels, `(N, 4)` boxes in px of the frame and `(N,)` scores; size: height, width.

    Raises:
        ValueError: The shapes do not match.
    """
    if labels.shape != scores.shape or boxes.shape != (*scores.shape, 4):
        raise ValueError(f"labels {labels.shape}, boxes {boxes.shape} and scores {scores.shape} do not match")
    keep = (labels == D_FINE_PERSON) & (scores >= min_score)
    return _ordered(boxes[keep], scores[keep], size)


def decode_rf_detr(
    dets: NDArray[np.float32], logits: NDArray[np.float32], size: tuple[int, int], min_score: float
) -> Detections:
    """Return the people among `(N, 4)` centres and sizes in 0-1 and `(N, classes)` logits; size: height, width of the
    frame, px.

    Raises:
        ValueError: The shapes do not match, or the person class is unknown.
    """
    if len(dets) != len(logits):
        raise ValueError(f"dets {dets.shape} and labels {logits.shape} do not match")
    person = RF_DETR_PERSONS.get(logits.shape[1])
    if person is None:
        raise ValueError(
            f"it is unknown which of its {logits.shape[1]} classes is a person; use a model with COCO's classes (91 "
            "columns), or one trained on people only (2 columns)"
        )
    scores = np.asarray(1 / (1 + np.exp(-np.clip(logits[:, person], -80, 80))), np.float32)
    keep = scores >= min_score
    centres, halves = dets[keep, :2], dets[keep, 2:] / 2
    scale = np.array((size[1], size[0]) * 2, np.float32)
    boxes = np.asarray(np.concatenate((centres - halves, centres + halves), axis=1) * scale, np.float32)
    return _ordered(boxes, scores[keep], size)


def _ordered(boxes: NDArray[np.float32], scores: NDArray[np.float32], size: tuple[int, int]) -> Detections:
    order = np.argsort(-scores, kind="stable")
    limits = np.array((size[1], size[0]) * 2, np.float32)
    return Detections(np.clip(boxes[order], 0, limits), scores[order])


def _size(model: OnnxModel) -> tuple[int, int]:
    """Return height and width of the input, px."""
    image = next((one for one in model.inputs if one.name == "images"), model.inputs[0])
    height, width = image.shape[2:]
    if isinstance(height, int) and isinstance(width, int):
        return height, width
    if model.layout == "d-fine":
        return D_FINE_SIZE
    raise DetectorError(f"detector {model.path}: its input {image} has no fixed size; export it with one")
