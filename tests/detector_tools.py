"""Small detectors for tests: ONNX graphs in the layouts of real exports that say the same whatever they see."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = 64  # px, input of the models made here
CELLS = (SIZE // 8) ** 2 + (SIZE // 16) ** 2 + (SIZE // 32) ** 2


def save(path: Path, nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], held: Sequence[Any]) -> Path:
    """Write a graph as an ONNX file that onnxruntime loads."""
    graph = helper.make_graph(nodes, "made for a test", inputs, outputs, held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def value(name: str, shape: Sequence[int | str], kind: int = TensorProto.FLOAT) -> Any:
    """Return an input or output."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def constant_model(
    path: Path,
    says: Mapping[str, NDArray[Any]],
    inputs: Sequence[Any],
    shapes: Mapping[str, Sequence[int | str]] | None = None,
) -> Path:
    """Write a model that says the same whatever it sees, but looks at its first input and multiplies it by nothing.

    `shapes` are what the graph declares of its outputs, where that is not what they are.
    """
    nodes = [
        helper.make_node("ReduceMax", [inputs[0].name], ["brightest"], keepdims=0),
        helper.make_node("Mul", ["brightest", "zero"], ["nothing"]),
    ]
    held = [helper.make_tensor("zero", inputs[0].type.tensor_type.elem_type, [], [0.0])]
    outputs = []
    for name, array in says.items():
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        held.append(numpy_helper.from_array(array, f"{name} said"))
        nodes.append(helper.make_node("Cast", ["nothing"], [f"{name} nothing"], to=kind))
        nodes.append(helper.make_node("Add", [f"{name} nothing", f"{name} said"], [name]))
        outputs.append(value(name, (shapes or {}).get(name, array.shape), kind))
    return save(path, nodes, inputs, outputs, held)


def yolox_model(path: Path, *, columns: int = 6, output: NDArray[np.float32] | None = None) -> Path:
    """Write a model of the YOLOX layout."""
    says = np.zeros((1, CELLS, columns), np.float32) if output is None else output.reshape(1, CELLS, columns)
    return constant_model(path, {"output": says}, [value("images", (1, 3, SIZE, SIZE))])


def cell(index: int, columns: int, *, objectness: float, person: float, log_size: float = 1.0) -> NDArray[np.float32]:
    """Return a YOLOX output with one detection in the middle of one cell."""
    output = np.zeros((CELLS, columns), np.float32)
    output[index, :6] = (0.5, 0.5, log_size, log_size, objectness, person)
    return output


def rf_detr_model(
    path: Path,
    dets: Sequence[Sequence[float]],
    logits: NDArray[np.float32],
    *,
    sides: Sequence[int | str] = (SIZE, SIZE),
) -> Path:
    """Write a model of RF-DETR's layout: boxes as centre and size in 0-1, `(n, classes)` logits."""
    says = {"dets": np.array([dets], np.float32), "labels": logits[None]}
    return constant_model(path, says, [value("input", (1, 3, SIZE, SIZE))])


def d_fine_model(path: Path, labels: Sequence[int], boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> Path:
    """Write a model of D-FINE's layout: boxes xyxy in 0-1 that the graph multiplies by `orig_target_sizes`, as its
    post-processor does.
    """
    held = [
        numpy_helper.from_array(np.zeros((), np.float32), "zero"),
        numpy_helper.from_array(np.array([labels], np.int64), "classes"),
        numpy_helper.from_array(np.array([boxes], np.float32), "parts"),
        numpy_helper.from_array(np.array([scores], np.float32), "certain"),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
    ]
    nodes = [
        helper.make_node("ReduceMax", ["images"], ["brightest"], keepdims=0),
        helper.make_node("Mul", ["brightest", "zero"], ["nothing"]),
        helper.make_node("Cast", ["orig_target_sizes"], ["size"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["size", "size"], ["sizes"], axis=1),
        helper.make_node("Unsqueeze", ["sizes", "one"], ["scale"]),
        helper.make_node("Mul", ["parts", "scale"], ["boxes"]),
        helper.make_node("Add", ["nothing", "certain"], ["scores"]),
        helper.make_node("Identity", ["classes"], ["labels"]),
    ]
    count = len(labels)
    inputs = [value("images", ("N", 3, SIZE, SIZE)), value("orig_target_sizes", ("N", 2), TensorProto.INT64)]
    outputs = [
        value("labels", (1, count), TensorProto.INT64),
        value("boxes", ("N", count, 4)),
        value("scores", (1, count)),
    ]
    return save(path, nodes, inputs, outputs, held)
