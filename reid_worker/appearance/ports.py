"""Finds the input that takes crops and the output that holds features, and says what a file is if it has none."""

from dataclasses import dataclass

import onnx

from reid_worker.detectors.onnx_file import recognise
from reid_worker.onnx_graph import Tensor

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}
_FEATURES = ("feat", "embed", "reid")  # parts of names of outputs that hold features
_SHORTEST = 16  # an output of fewer numbers is not a feature: ages, attributes, poses
_CLASSES = {
    625: "MARS", 702: "DukeMTMC-reID", 751: "Market-1501", 767: "CUHK03", 1000: "ImageNet", 1041: "MSMT17",
}  # fmt: skip  # identities or classes of public training sets


@dataclass(frozen=True, slots=True)
class Ports:
    """The input and the output of an appearance model.

    Attributes:
        dtype: Number type of the input.
        batch: Crops that one call takes; None for any number.
        height, width: Of the crops, px; None where the model takes any.
        channels_last: Whether the input is `(n, H, W, 3)`.
    """

    crops: str
    features: str
    dtype: str
    batch: int | None
    height: int | None
    width: int | None
    channels_last: bool


def find_ports(
    model: onnx.ModelProto, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], output: str | None
) -> Ports:
    """Return the ports of an appearance model; `output` is the name of the features, None to find them.

    Raises:
        ValueError: It is something else: a detector, a classifier, a model with more inputs; with the remedy.
    """
    _check_inputs(inputs, outputs)
    crops = inputs[0]
    last = crops.shape[1] != 3
    height, width = (crops.shape[1], crops.shape[2]) if last else (crops.shape[2], crops.shape[3])
    found = _features(outputs, output, inputs)
    if output is None:
        _check_not_classes(model.graph, found)
    return Ports(
        crops=crops.name,
        features=found.name,
        dtype=_DTYPES[crops.kind],
        batch=_side(crops.shape[0]),
        height=_side(height),
        width=_side(width),
        channels_last=last,
    )


def _check_inputs(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
    shown = " and ".join(map(str, inputs))
    if len(inputs) != 1:
        _refuse_detector(inputs, outputs)
        raise ValueError(
            f"it has {len(inputs)} inputs, {shown}; an appearance model takes crops only: export it without the others "
            "(camera and view numbers can be constants in the export)"
        )
    (crops,) = inputs
    if len(crops.shape) == 5:
        raise ValueError(
            f"its input {shown} is a tracklet, as in exports of climbtrack's own network: give the .safetensors file "
            "that it was exported from"
        )
    if len(crops.shape) != 4 or 3 not in (crops.shape[1], crops.shape[3]):
        raise ValueError(
            f"its input {shown} is not a batch of colour pictures, (n, 3, height, width) or (n, height, width, 3)"
        )
    if crops.kind not in _DTYPES:
        raise ValueError(f"its input is a {crops.kind}; export it with float32, float16 or uint8")


def _features(outputs: tuple[Tensor, ...], output: str | None, inputs: tuple[Tensor, ...]) -> Tensor:
    shown = " and ".join(map(str, outputs))
    if output is not None:
        for one in outputs:
            if one.name == output:
                return one
        raise ValueError(f"it has no output {output!r}, which its description names, but {shown}")
    vectors = [one for one in outputs if _is_vector(one)]
    if not vectors:
        _refuse_detector(inputs, outputs)
        raise ValueError(f"its output {shown} is not one feature per crop, (n, numbers){_explained(outputs)}")
    named = [one for one in vectors if any(part in one.name.lower() for part in _FEATURES)]
    for choice in (vectors, named):
        if len(choice) == 1:
            return choice[0]
    raise ValueError(
        f"several outputs may be the features: {shown}; name the right one in the description beside it, "
        f"`output: {vectors[0].name}`"
    )


def _is_vector(one: Tensor) -> bool:
    return len(one.shape) >= 2 and all(side == 1 for side in one.shape[2:])


def _refuse_detector(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
    try:
        layout = recognise(inputs, outputs)
    except ValueError:
        return
    raise ValueError(f"it is a detector in the layout of {layout}: give it with --detector, or as worker.detector")


def _explained(outputs: tuple[Tensor, ...]) -> str:
    ranks = {len(one.shape) for one in outputs}
    if 4 in ranks:
        return ": a feature map; export the model with its pooling"
    if 3 in ranks:
        return ": boxes of a detector, or tokens of a transformer; export the pooled feature"
    return ""


def _check_not_classes(graph: onnx.GraphProto, found: Tensor) -> None:
    remedy = (
        "export the feature before the classifier (torchreid, FastReID: model.eval() first), or, if these are "
        f"features, write `output: {found.name}` into the description beside it"
    )
    makers = {name: node.op_type for node in graph.node for name in node.output}
    if makers.get(found.name) in ("Softmax", "LogSoftmax"):
        raise ValueError(f"its output {found} are probabilities of classes, not a feature; {remedy}")
    numbers = found.shape[1]
    if not isinstance(numbers, int):
        return
    if numbers < _SHORTEST:
        raise ValueError(f"its output {found} has {numbers} numbers, too few for a feature; {remedy}")
    if numbers in _CLASSES and makers.get(found.name) in ("Gemm", "MatMul", "Add"):
        raise ValueError(
            f"its output {found} looks like a classifier's: {_CLASSES[numbers]} has {numbers} classes; {remedy}"
        )


def _side(side: int | str | None) -> int | None:
    return side if isinstance(side, int) and side > 0 else None
