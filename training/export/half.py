"""Convert an exported network to float16: matrix products and convolutions in float16, all else in float32.

This is what autocasting does in training: the products are nearly all of the work and hold all of the weights, and
tolerate float16 (11 bits) well, since every sum is followed by a normalisation. Normalisations, softmax, softplus,
exponentials, the sort and the scan's state stay in float32: there, rounding errors do not average out, or float16's
range is too small.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.export.clean import remove_unused

_HALVED = ("MatMul", "Gemm", "Conv")  # in the main graph; the scan's body is a subgraph and stays in float32
_LARGEST = float(np.finfo(np.float16).max)


class HalfPrecisionError(Exception):
    """Raised when a weight exceeds the range of float16; the message names it."""


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the float16 form of a float32 model; inputs and outputs keep their types.

    Raises:
        HalfPrecisionError: A weight is outside float16's range.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    halver = _Float16Converter({one.name: one for one in made.graph.initializer})
    nodes = [new for node in made.graph.node for new in halver.converted(node)]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    made.graph.initializer.extend(halver.weights.values())
    remove_unused(made.graph)
    for entry in made.metadata_props:
        if entry.key == "precision":
            entry.value = "fp16"
    onnx.checker.check_model(made, full_check=True)
    return made


class _Float16Converter:
    """Wrap nodes in casts, and collect the weights converted directly."""

    def __init__(self, initializers: dict[str, onnx.TensorProto]) -> None:
        self.weights: dict[str, onnx.TensorProto] = {}
        self._initializers = initializers
        self._cast: set[str] = set()

    def converted(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Return the replacement of a node: itself, or its float16 form between casts."""
        if node.op_type not in _HALVED:
            return [node]
        casts = [cast for name in node.input for cast in self._halve(name)]
        half = onnx.NodeProto()
        half.CopyFrom(node)
        del half.input[:], half.output[:]
        half.input.extend(_half_name(name) for name in node.input)
        half.output.append(_half_name(node.output[0]))
        back = helper.make_node("Cast", [half.output[0]], [node.output[0]], to=TensorProto.FLOAT)
        self._cast.add(node.output[0])
        return [*casts, half, back]

    def _halve(self, name: str) -> list[onnx.NodeProto]:
        """Return the cast that converts a value to float16, or nothing if it is already converted."""
        if name in self._initializers:
            self.weights[_half_name(name)] = _half_weight(self._initializers[name])
            return []
        if name in self._cast:
            return []
        self._cast.add(name)
        return [helper.make_node("Cast", [name], [_half_name(name)], to=TensorProto.FLOAT16)]


def _half_name(name: str) -> str:
    return f"{name}.half"


def _half_weight(weight: onnx.TensorProto) -> onnx.TensorProto:
    values = numpy_helper.to_array(weight)
    largest = float(np.abs(values).max(initial=0.0))
    if largest > _LARGEST:
        raise HalfPrecisionError(f"weight {weight.name} reaches {largest:g}, but float16 only {_LARGEST:g}")
    return numpy_helper.from_array(values.astype(np.float16), _half_name(weight.name))
