"""The float16 form of an exported network: matrix products and convolutions in float16, all else in float32.

What autocasting does while training: the products are nearly all of the work and all of the weights, and bear float16
(11 bits) well, since every sum is followed by a normalisation. Normalisations, softmax, softplus, exponentials, the
sort and the scan's state stay float32: there a rounding is not averaged out, or float16's range is too small.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.export.clean import remove_unused

_HALVED = ("MatMul", "Gemm", "Conv")  # of the main graph; the scan's body is a graph of its own and keeps float32
_LARGEST = float(np.finfo(np.float16).max)


class HalfPrecisionError(Exception):
    """Raised when a weight does not fit into float16; names it."""


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the float16 form of a float32 model; input and output keep their types.

    Raises:
        HalfPrecisionError: A weight is beyond float16's range.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    halver = _Halver({one.name: one for one in made.graph.initializer})
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


class _Halver:
    """Wraps nodes in casts, and collects the weights that need none."""

    def __init__(self, initializers: dict[str, onnx.TensorProto]) -> None:
        self.weights: dict[str, onnx.TensorProto] = {}
        self._initializers = initializers
        self._cast: set[str] = set()

    def converted(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Return what takes the place of a node: itself, or casts around its float16 form."""
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
        """Return the cast that makes the float16 form of a value, none where there is one already."""
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
        raise HalfPrecisionError(f"weight {weight.name} reaches {largest:g}, float16 only {_LARGEST:g}")
    return numpy_helper.from_array(values.astype(np.float16), _half_name(weight.name))
