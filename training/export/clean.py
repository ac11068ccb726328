"""Clean an exported graph of the exporter's metadata, local paths and unused parts."""

import onnx


def cleaned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy without stack traces, shapes of intermediate values, unused initializers and unused domains."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.metadata_props[:]
    _clear_metadata(made.graph)
    remove_unused(made.graph)
    domains = {node.domain for node in made.graph.node}
    kept = [entry for entry in made.opset_import if entry.domain in domains]
    del made.opset_import[:]
    made.opset_import.extend(kept)
    return made


def remove_unused(graph: onnx.GraphProto) -> None:
    """Remove the initializers that no node of the graph or of its subgraphs reads."""
    used = _read_names(graph)
    kept = [one for one in graph.initializer if one.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _read_names(graph: onnx.GraphProto) -> set[str]:
    names = {output.name for output in graph.output}
    for node in graph.node:
        names.update(node.input)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                names |= _read_names(attribute.g)
    return names


def _clear_metadata(graph: onnx.GraphProto) -> None:
    del graph.value_info[:], graph.metadata_props[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _clear_metadata(attribute.g)
