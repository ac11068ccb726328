"""Write a detector in whole numbers, which a CPU computes in half the time; ranges come from generated frames.

Post-training static quantisation (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018, section 2; weights per channel). It suits the dense convolutions of
`network`; the depthwise ones of YOLOX-nano lose most of their people by it (training/LOG.md).
"""

import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from reid_worker.detectors.yolox import letterbox
from training.detector.export import forget_the_exporter
from training.detector.network import INPUT_SIZE

FRAMES = 100  # that the ranges are taken from; more change no range by much
OPERATORS = ("Conv", "Concat", "Add", "Resize", "MaxPool", "Sigmoid", "Mul")


def quantize_detector(model: Path, out: Path, frames: Iterable[NDArray[np.uint8]]) -> None:
    """Write the float32 detector `model` as `out`, with 8-bit weights and activations up to its last convolutions.

    Those and what follows, offsets, sizes and the probability, stay in float32: 8 bits would move boxes by pixels.

    Args:
        frames: BGR pictures `(h, w, 3)` like those that the detector will see; the first `FRAMES` are used.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared))  # puts batch norms into convolutions
        graph = onnx.load(str(prepared)).graph
        quantize_static(
            str(prepared),
            str(out),
            _Frames(graph.input[0].name, islice(frames, FRAMES)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            # 7 bits of weights: two products of 8 bits overflow the 16 that processors without VNNI add them in, and
            # the same file should find the same people everywhere.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=list(OPERATORS),
            nodes_to_exclude=[node.name for node in _last_nodes(graph)],
        )
    written = onnx.load(str(out))
    forget_the_exporter(written)
    onnx.save(written, str(out))


class _Frames(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime publishes no types
    """Frames as the detector is given them."""

    def __init__(self, name: str, frames: Iterable[NDArray[np.uint8]]) -> None:
        self._name, self._frames = name, iter(frames)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        frame = next(self._frames, None)
        return None if frame is None else {self._name: letterbox(frame, *INPUT_SIZE)[0]}


def _last_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes between the output and the last convolutions, with these."""
    maker = {output: node for node in graph.node for output in node.output}
    waiting, seen = [graph.output[0].name], set[str]()
    while waiting:
        node = maker.get(waiting.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        yield node
        if node.op_type != "Conv":
            waiting += node.input
