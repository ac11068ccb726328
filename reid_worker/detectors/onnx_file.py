"""Reads ONNX detector files and opens them in onnxruntime. Every problem is raised as a `DetectorError` that names the
file, the cause and the remedy.
"""

from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # publishes no types
from onnx.external_data_helper import load_external_data_for_model
from onnxruntime.capi import onnxruntime_pybind11_state as ort

from reid_worker.detectors.catalogue import Layout
from reid_worker.detectors.files import web_page
from reid_worker.errors import DetectorError

GET_AGAIN = "get it again (`climbtrack models ls` lists the models that climbtrack downloads)"
LAYOUTS = (
    "known layouts: YOLOX: 1 input, output (1, N, 85) or (1, N, 6), not decoded; RF-DETR: outputs dets (1, N, 4) and "
    "labels (1, N, classes); D-FINE and RT-DETR: inputs images and orig_target_sizes, outputs labels, boxes and scores"
)
YOLOX_COLUMNS = (6, 85)  # box, objectness and 1 or 80 classes
YOLO_COLUMNS = (84, 5)  # of YOLOv8 and later, which put them before the cells

# Raised by onnxruntime for a model that it cannot load or run; the classes share no base below Exception.
ORT_ERRORS: tuple[type[Exception], ...] = (
    ort.EPFail,
    ort.EngineError,
    ort.Fail,
    ort.InvalidArgument,
    ort.InvalidGraph,
    ort.InvalidProtobuf,
    ort.NoModel,
    ort.NoSuchFile,
    ort.NotImplemented,
    ort.RuntimeException,
    RuntimeError,
    UnicodeDecodeError,  # names in the graph that are not text
)


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a model; a variable dimension is a name or None."""

    name: str
    kind: str
    shape: tuple[int | str | None, ...]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join('?' if side is None else str(side) for side in self.shape)})"


@dataclass(frozen=True, slots=True, eq=False)
class OnnxModel:
    """A model loaded by onnxruntime, with a known layout.

    Attributes:
        graph: The parsed file, including weights.
        inputs, outputs: In the order of the graph.
    """

    path: Path
    graph: onnx.ModelProto
    session: onnxruntime.InferenceSession
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    layout: Layout


def open_model(path: Path) -> OnnxModel:
    """Read a file, load it, and recognise its layout by its inputs and outputs.

    Raises:
        DetectorError: It cannot be read, is damaged, is not an ONNX model, or has an unknown layout.
    """
    graph = read_graph(path)
    try:
        session = new_session(graph)
    except ORT_ERRORS as error:
        raise DetectorError(f"detector {path}: onnxruntime cannot load it: {error}; export it again") from error
    inputs = tuple(Tensor(one.name, one.type, tuple(one.shape)) for one in session.get_inputs())
    outputs = tuple(Tensor(one.name, one.type, tuple(one.shape)) for one in session.get_outputs())
    try:
        layout = recognise(inputs, outputs)
    except ValueError as error:
        raise DetectorError(f"detector {path}: {error}") from error
    return OnnxModel(path, graph, session, inputs, outputs, layout)


def read_graph(path: Path) -> onnx.ModelProto:
    """Read a model file, including external weights beside it.

    Raises:
        DetectorError: It cannot be read, is empty, truncated, a web page or something else, or its weights are missing.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DetectorError(f"detector {path}: no such file") from error
    except IsADirectoryError as error:
        raise DetectorError(f"detector {path}: is a folder; name the .onnx file in it") from error
    except OSError as error:
        raise DetectorError(f"detector {path}: {error.strerror}; make it readable for this user") from error
    if not data:
        raise DetectorError(f"detector {path}: is empty; {GET_AGAIN}")
    page = web_page(data)
    if page is not None:
        raise DetectorError(f"detector {path}: is {page}, not a model; {GET_AGAIN}")
    if data.startswith(b"version https://git-lfs"):
        raise DetectorError(f"detector {path}: is a Git LFS pointer, not the model; run `git lfs pull`")
    graph = onnx.ModelProto()
    try:
        graph.ParseFromString(data)
    except DecodeError as error:
        cause = f"truncated or damaged, or not an ONNX file at all ({len(data)} bytes)"
        raise DetectorError(f"detector {path}: {cause}; {GET_AGAIN}") from error
    if not graph.graph.node:
        raise DetectorError(f"detector {path}: not an ONNX model ({len(data)} bytes without a network); {GET_AGAIN}")
    _load_weights_beside(graph, path)
    return graph


def new_session(graph: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Return a session with one thread per call, on the GPU if onnxruntime supports one.

    Raises:
        one of ORT_ERRORS: onnxruntime cannot load it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # whole frames in parallel use the cores better than parts of one frame
    options.log_severity_level = 4  # a rejected input size should not print to stderr
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    return onnxruntime.InferenceSession(
        graph.SerializeToString(),
        options,
        providers=providers,
        enable_fallback=len(providers) > 1,  # a fallback from CPU to CPU would only print a banner
    )


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


def _load_weights_beside(graph: onnx.ModelProto, path: Path) -> None:
    names = {
        entry.value
        for tensor in graph.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    missing = sorted(name for name in names if not (path.parent / name).is_file())
    if missing:
        raise DetectorError(
            f"detector {path}: its weights, {', '.join(missing)}, are missing; copy them into the same folder, or "
            "export the model into one file"
        )
    if not names:
        return
    try:
        load_external_data_for_model(graph, str(path.parent))
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        raise DetectorError(
            f"detector {path}: its weights in {', '.join(sorted(names))}: {error}; copy it again"
        ) from error


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
    sides = [side if isinstance(side, int) else 8400 for side in first.shape]
    if len(sides) == 3 and sides[1] in YOLO_COLUMNS and sides[2] > sides[1]:
        return ", like YOLOv8 and its successors"
    if first.name == "dets":
        return ", like an export by MMDeploy"
    if {one.name for one in outputs} == {"logits", "pred_boxes"}:
        return ", like an export by transformers or optimum"
    return ""
