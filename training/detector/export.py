"""Write a trained detector as ONNX that takes any input size and names no machine that made it."""

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

from training.detector.network import INPUT_SIZE, Exported, PersonDetector


def export_detector(network: PersonDetector, path: Path, slope: float = 1.0, offset: float = 0.0) -> None:
    """Write the network as ONNX, see `finished`; `slope` and `offset` calibrate its scores, see `Exported`."""
    program = torch.onnx.export(
        Exported(network.to(memory_format=torch.contiguous_format), slope, offset).eval(),
        (torch.zeros((1, 3, *INPUT_SIZE)),),
        input_names=["images"],
        output_names=["output"],
        dynamo=True,
        verbose=False,
    )
    assert program is not None, "the dynamo exporter returns a program"
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(finished(program.model_proto), str(path))


def finished(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the exported model with free cell counts and without the exporter's notes.

    The exporter writes the cells of each grid as constants into the `Reshape` nodes, and the exporting program's stack
    traces, with its folders, into every node. Neither belongs into a file for others.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    constants = {constant.name: constant for constant in made.graph.initializer}
    for node in made.graph.node:
        if node.op_type == "Reshape":
            shape = numpy_helper.to_array(constants[node.input[1]]).copy()
            shape[-1] = -1
            constants[node.input[1]].CopyFrom(numpy_helper.from_array(shape, node.input[1]))
    forget_the_exporter(made)
    onnx.checker.check_model(made)
    return made


def forget_the_exporter(model: onnx.ModelProto) -> None:
    """Remove folders, stack traces and the sizes of one input from a model, in place."""
    graph = model.graph
    del graph.value_info[:]  # shapes of one input size
    del model.metadata_props[:], graph.metadata_props[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
