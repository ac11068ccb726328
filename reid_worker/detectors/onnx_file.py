"""Reads ONNX detector files and opens them in onnxruntime. Every problem is raised as a `DetectorError` that names the
file, the cause and the remedy.
"""

from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime

from reid_worker.detectors.catalogue import Layout
from reid_worker.errors import DetectorError
from reid_worker.onnx_graph import ORT_ERRORS, GraphError, Tensor, first_line, read_graph, tensors_of
from reid_worker.onnx_session import OnnxRuntime

GET_AGAIN = "get it again (`climbtrack models ls` lists the models that climbtrack downloads)"
LAYOUTS = (
    "known layouts: YOLOX: 1 input, output (1, N, 85) or (1, N, 6), not decoded; RF-DETR: outputs dets (1, N, 4) and "
    "labels (1, N, classes); D-FINE and RT-DETR: inputs images and orig_target_sizes, outputs labels, boxes and scores"
)
YOLOX_COLUMNS = (6, 85)  # box, objectness and 1 or 80 classes
YOLO_COLUMNS = (84, 5)  # of YOLOv8 and later, which put them before the cells


@dataclass(frozen=True, slots=True, eq=False)
class OnnxModel:
    """A model loaded by onnxruntime, with a known layout.

    Attributes:
        graph: The parsed file, including weights.
        inputs, outputs: In the order of the graph.
        runtime: What opened it.
    """

    path: Path
    graph: onnx.ModelProto
    session: onnxruntime.InferenceSession
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    layout: Layout
    runtime: OnnxRuntime


def open_model(path: Path, runtime: OnnxRuntime | None = None) -> OnnxModel:
    """Read a file, load it, and recognise its layout by its inputs and outputs; `runtime` is the CPU by default.

    Raises:
        DetectorError: It cannot be read, is damaged, is not an ONNX model, or has an unknown layout.
    """
    try:
        graph = read_graph(path, again=GET_AGAIN).graph
        opener = runtime or OnnxRuntime("cpu")
        session = opener.open(graph)
        inputs, outputs = tensors_of(session)
        return OnnxModel(path, graph, session, inputs, outputs, recognise(inputs, outputs), opener)
    except ORT_ERRORS as error:
        said = f"onnxruntime cannot load it: {first_line(error)}"
        raise DetectorError(f"detector {path}: {said}; export it again") from error
    except (GraphError, ValueError) as error:
        raise DetectorError(f"detector {path}: {error}") from error


def recognise(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Layout:
    """Return the layout of a model with these inputs and outputs.

    Raises:
        ValueError: It is unknown, or the model needs another batch size or number type than one frame in float32.
    """
    layout = _layout(inputs, outputs)
    if layout is None:
        found = f"{' and '.join(map(str, inputs))} -> {' and '.join(map(str, outputs))}"
        raise ValueError(f"unknown layout: {found}{_hint(outputs)}; {LAYOUTS}")
    image = inputs[0] if layout != "d-fine" else next(one for one in inputs if one.name == "images")
    if image.kind != "tensor(float)":
        raise ValueError(f"its input is a {image.kind}; export it in float32")
    if isinstance(image.shape[0], int) and image.shape[0] != 1:
        raise ValueError(f"it takes {image.shape[0]} frames at a time; export it for 1, or for any number")
    return layout


def _layout(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Layout | None:
    ins, outs = {one.name: one.shape for one in inputs}, {one.name: one.shape for one in outputs}
    if set(ins) == {"images", "orig_target_sizes"} and {"labels", "boxes", "scores"} <= set(outs):
        return "d-fine" if _is_image(ins["images"]) and len(ins["orig_target_sizes"]) == 2 else None
    if len(ins) != 1 or not _is_image(inputs[0].shape):
        return None
    if {"dets", "labels"} <= set(outs):  # by name: with three classes their shapes are the same
        dets, labels = outs["dets"], outs["labels"]
        return "rf-detr" if len(dets) == len(labels) == 3 and (dets[2] == 4 or not isinstance(dets[2], int)) else None
    if len(outs) == 1 and len(outputs[0].shape) == 3 and outputs[0].shape[2] in YOLOX_COLUMNS:
        return "yolox"
    return None


def _is_image(shape: tuple[int | str | None, ...]) -> bool:
    return len(shape) == 4 and shape[1] == 3


def _hint(outputs: tuple[Tensor, ...]) -> str:
    first = outputs[0]
    if all(len(one.shape) == 2 for one in outputs):
        return ", like an appearance model, which is given with --weights"
    sides = [side if isinstance(side, int) else 8400 for side in first.shape]
    if len(sides) == 3 and sides[1] in YOLO_COLUMNS and sides[2] > sides[1]:
        return ", like YOLOv8 and its successors"
    if first.name == "dets":
        return ", like an export by MMDeploy"
    if {one.name for one in outputs} == {"logits", "pred_boxes"}:
        return ", like an export by transformers or optimum"
    return ""
