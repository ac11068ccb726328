"""Tells from a graph how its input is normalised: by what it computes before its first layer with weights.

FastReID's exports subtract 255 times ImageNet's mean themselves, so that they take RGB 0-255; models converted for
OpenVINO often do the same in BGR; torchreid's exports begin with a convolution, and the caller has to normalise.
"""

from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from reid_worker.appearance.crop_format import IMAGENET_MEAN, IMAGENET_STD, NO_MEAN, NO_STD, Colour, Triple, Values

_PASSED = {"Identity", "Cast", "Transpose", "Dropout"}
_MOST = 10.0  # normalised pictures hardly exceed 3; this leaves room for unusual constants
_NEARLY = 1e-3

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess at what a model wants.

    Attributes:
        sure: Whether the graph says so; otherwise it is a convention.
        why: What the guess is based on.
    """

    colour: Colour
    values: Values
    mean: Triple
    std: Triple
    sure: bool
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class _Affine:
    """What a graph has computed of its input so far, by channel: `factor * x + offset`, perhaps in reversed order."""

    factor: Array
    offset: Array
    swapped: bool = False


def guess(graph: onnx.GraphProto, name: str, dtype: str) -> Guess:
    """Guess what the input called `name` expects."""
    done = _before_first_layer(graph, name)
    if not np.allclose(done.factor, 1, atol=_NEARLY) or not np.allclose(done.offset, 0, atol=_NEARLY):
        inside = _normalised_inside(done)
        if inside is not None:
            return inside
    if dtype == "uint8":
        return Guess("rgb", "0-255", NO_MEAN, NO_STD, sure=False, why="its input is uint8; RGB is assumed")
    if name == "data":
        return Guess("bgr", "0-255", NO_MEAN, NO_STD, sure=False, why="its input is called data, as in Intel's models")
    return Guess(
        "rgb", "0-1", IMAGENET_MEAN, IMAGENET_STD, sure=False, why="it does not normalise, as torchreid's exports"
    )


def _normalised_inside(done: _Affine) -> Guess | None:
    """Return what a normalisation says; None if the arithmetic is something else, such as undoing the caller's."""
    largest = float(np.abs(done.factor).max())
    values: Values = "0-255" if largest * 255 <= _MOST else "0-1"
    means = -done.offset / np.where(done.factor == 0, 1, done.factor)
    if means.min() < 0 or means.max() > (255 if values == "0-255" else 1):
        return None
    order = float(means[0] - means[-1])
    if abs(order) <= _NEARLY * max(abs(float(means[0])), 1e-6):
        said = "the order of colours does not show, RGB is assumed"
        return Guess("rgb", values, NO_MEAN, NO_STD, sure=False, why=f"it scales {values} itself, but {said}")
    colour: Colour = "rgb" if (order > 0) != done.swapped else "bgr"
    shown = ", ".join(f"{mean:.4g}" for mean in means)
    return Guess(colour, values, NO_MEAN, NO_STD, sure=True, why=f"it subtracts the means {shown} itself")


def _before_first_layer(graph: onnx.GraphProto, name: str) -> _Affine:
    constants = _constants(graph)
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for read in node.input:
            readers.setdefault(read, []).append(node)
    done = _Affine(np.ones(3), np.zeros(3))
    while len(readers.get(name, [])) == 1:
        (node,) = readers[name]
        following = _after(done, node, name, constants)
        if following is None:
            break
        done, name = following, node.output[0]
    return done


def _after(done: _Affine, node: onnx.NodeProto, name: str, constants: dict[str, Array]) -> _Affine | None:
    """Return what is computed after this node; None if it is not part of the normalisation."""
    if node.op_type in _PASSED:
        return done
    if node.op_type == "Gather" and np.array_equal(constants.get(node.input[1], np.empty(0)).ravel(), (2, 1, 0)):
        return replace(done, factor=done.factor[::-1], offset=done.offset[::-1], swapped=not done.swapped)
    if node.op_type not in ("Sub", "Add", "Mul", "Div"):
        return None
    first = node.input[0] == name
    other = _by_channel(constants.get(node.input[1] if first else node.input[0]))
    if other is None or (not first and node.op_type in ("Sub", "Div")):
        return None
    if node.op_type in ("Mul", "Div"):
        by = other if node.op_type == "Mul" else 1 / np.where(other == 0, 1, other)
        return replace(done, factor=done.factor * by, offset=done.offset * by)
    return replace(done, offset=done.offset + (other if node.op_type == "Add" else -other))


def _by_channel(constant: Array | None) -> Array | None:
    if constant is None or constant.size not in (1, 3):
        return None
    return np.broadcast_to(constant.ravel(), 3).astype(np.float64)


def _constants(graph: onnx.GraphProto) -> dict[str, Array]:
    """Return the small constants of a graph: initializers, and the values of Constant nodes."""
    held = {one.name: one for one in graph.initializer}
    stated = [(node, one) for node in graph.node if node.op_type == "Constant" for one in node.attribute]
    held |= {node.output[0]: one.t for node, one in stated if one.name == "value"}
    return {name: numpy_helper.to_array(one) for name, one in held.items() if np.prod(one.dims, dtype=int) <= 3}
