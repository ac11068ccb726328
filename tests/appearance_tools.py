"""Small appearance models for tests: networks that tell people apart by colour, in the forms of real exports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.detector_tools import save, value

HEIGHT, WIDTH = 64, 32
GRID = (8, 4)  # cells whose mean colour is a feature
DIM = 3 * GRID[0] * GRID[1]
MEAN = np.array((0.485, 0.456, 0.406), np.float32)
STD = np.array((0.229, 0.224, 0.225), np.float32)


def colour_network(
    path: Path,
    *,
    batch: int | str = "n",
    sides: tuple[int | str, int | str] = (HEIGHT, WIDTH),
    inside: bool = False,
    bgr: bool = False,
    channels_last: bool = False,
    name: str = "images",
    kind: int = TensorProto.FLOAT,
    ending: Sequence[Any] = (),
    outputs: Sequence[Any] | None = None,
) -> Path:
    """Write a network `crops -> features (n, 96)`: the mean colour, less the average person's, of 8 x 4 cells.

    Args:
        path: The file.
        batch, sides, channels_last, name, kind: Of its input.
        inside: Whether it normalises RGB 0-255 itself, as FastReID's exports do; else it wants it as torchreid's.
        bgr: Whether it expects blue first.
        ending: Nodes that follow, from `features`.
        outputs: Its outputs, if not `features`.
    """
    shape = (batch, *sides, 3) if channels_last else (batch, 3, *sides)
    nodes, held, here = [], [], name
    if kind != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [here], ["floats"], to=TensorProto.FLOAT))
        here = "floats"
    if channels_last:
        nodes.append(helper.make_node("Transpose", [here], ["first"], perm=[0, 3, 1, 2]))
        here = "first"
    if inside:
        order = slice(None, None, -1) if bgr else slice(None)
        held += [_constant("mean", 255 * MEAN[order]), _constant("std", 255 * STD[order])]
        nodes += [
            helper.make_node("Sub", [here, "mean"], ["centred"]),
            helper.make_node("Div", ["centred", "std"], ["normal"]),
        ]
        here = "normal"
    cell = [HEIGHT // GRID[0], WIDTH // GRID[1]]
    mixing = np.eye(3, dtype=np.float32) * 2 + np.float32(0.1)
    if bgr:
        mixing = mixing[:, ::-1]
    held += [numpy_helper.from_array(np.ascontiguousarray(mixing).reshape(3, 3, 1, 1), "mixing")]
    held += [numpy_helper.from_array(np.array([0, DIM], np.int64), "flat")]
    nodes += [
        helper.make_node("Conv", [here, "mixing"], ["mixed"]),
        helper.make_node("AveragePool", ["mixed"], ["cells"], kernel_shape=cell, strides=cell),
        helper.make_node("Reshape", ["cells", "flat"], ["features"]),
        *ending,
    ]
    found = outputs or [value("features", (batch, DIM))]
    return save(path, nodes, [value(name, shape, kind)], found, held)


def person(top: Sequence[int], legs: Sequence[int], *, height: int = 90, width: int = 40) -> NDArray[np.uint8]:
    """Return an RGB crop of somebody in these colours."""
    crop = np.zeros((height, width, 3), np.uint8)
    crop[: height // 2], crop[height // 2 :] = top, legs
    return crop


def add_metadata(path: Path, key: str, text: str) -> None:
    """Add an entry to the metadata of a model."""
    model = onnx.load(str(path))
    model.metadata_props.append(onnx.StringStringEntryProto(key=key, value=text))
    onnx.save(model, str(path))


def _constant(name: str, values: NDArray[np.float32]) -> Any:
    return numpy_helper.from_array(np.asarray(values, np.float32).reshape(1, 3, 1, 1), name)
