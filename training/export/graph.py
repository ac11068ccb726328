"""Build one ONNX graph of standard operators from a loaded network: uint8 crops in, unit embeddings out.

The selective scan has no ONNX operator. It is expressed as ONNX's `Scan`, a loop over positions inside the runtime that
keeps one state `(b, n, E)` in the cache; a doubling scan of plain operators moves `L · n · E` numbers `log2 L` times
through memory and took 11 to 30 times as long (onnxruntime, 8 tracklets, width 256).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import onnx
import torch
from onnx import inliner, parser
from onnxscript import opset18 as op
from torch import Tensor, nn

from reid_worker.model import mamba
from reid_worker.model.climb import Climb, Tokens
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import LoadedWeights
from training.export.clean import cleaned

INPUT, OUTPUT = "crops", "embedding"
_OPSET = 18  # same as `op` above; the exporter emits it without a version conversion
_DOMAIN = "climbtrack"  # domain of the scan's function, until it is inlined
_EXAMPLE_BATCH = 3  # differs from all dimensions of the network, so that it cannot be confused with one

# Letters as in `reid_worker.model.scan`; `one` marks an axis of size 1. Positions come first, so that a step reads
# contiguous memory, and channels last, so that a step operates on rows of E numbers.
_SCAN = """
<domain: "{domain}", opset_import: ["": {opset}]>
{name} (x, delta, A, B, C, D) => (y)
{{
  two = Constant <value_ints = [2]> ()
  three = Constant <value_ints = [3]> ()
  decay_rate = Transpose <perm = [1, 0]> (A)
  batch = Shape <start = 0, end = 1> (x)
  state_shape = Shape (decay_rate)
  shape = Concat <axis = 0> (batch, state_shape)
  start = ConstantOfShape (shape)
  pushed = Mul (delta, x)
  pushed_first = Transpose <perm = [1, 0, 2]> (pushed)
  pushed_rows = Unsqueeze (pushed_first, two)
  delta_first = Transpose <perm = [1, 0, 2]> (delta)
  delta_rows = Unsqueeze (delta_first, two)
  B_first = Transpose <perm = [1, 0, 2]> (B)
  B_columns = Unsqueeze (B_first, three)
  C_first = Transpose <perm = [1, 0, 2]> (C)
  C_rows = Unsqueeze (C_first, two)
  last, scanned_rows = Scan <
    num_scan_inputs = 4, scan_output_directions = [{reverse}],
    scan_input_directions = [{reverse}, {reverse}, {reverse}, {reverse}],
    body = step (float[b, n, E] h, float[b, one, E] pushed_l, float[b, one, E] delta_l, float[b, n, one] B_l,
                 float[b, one, n] C_l) => (float[b, n, E] h_l, float[b, one, E] y_l)
    {{
      exponent = Mul (delta_l, decay_rate)
      decay = Exp (exponent)
      kept = Mul (decay, h)
      push = Mul (B_l, pushed_l)
      h_l = Add (kept, push)
      y_l = MatMul (C_l, h_l)
    }}
  > (start, pushed_rows, delta_rows, B_columns, C_rows)
  scanned_first = Squeeze (scanned_rows, two)
  scanned = Transpose <perm = [1, 0, 2]> (scanned_first)
  skip = Mul (D, x)
  y = Add (scanned, skip)
}}
"""


class ExportedNetwork(nn.Module):
    """The complete pipeline from crops of the network's size to embeddings, with a dynamic batch size."""

    def __init__(self, network: Climb, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing

    def forward(self, crops: Tensor) -> Tensor:
        """Return the embeddings `(n, dim)` of full tracklets `(n, T, H, W, 3)` uint8 RGB."""
        n, T = crops.shape[:2]
        encoded = self.network.encoder(self.preprocessing.scale(crops.flatten(0, 1)), self.network.any_camera())
        tokens = Tokens(encoded, torch.arange(n * T).reshape(n, T))
        return self.network.ranking(tokens)


def build_onnx(loaded: LoadedWeights) -> onnx.ModelProto:
    """Return the network as a checked, self-describing float32 ONNX model for any runtime with opset 18."""
    a = loaded.network.architecture
    crops = torch.zeros((_EXAMPLE_BATCH, a.frames, a.height, a.width, 3), dtype=torch.uint8)
    with _scan_as_operator():
        program = torch.onnx.export(
            ExportedNetwork(loaded.network, loaded.preprocessing).eval(),
            (crops,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            custom_translation_table={torch.ops.aten.sort.stable: _sorted},
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None, "the dynamo exporter returns a program"
    model = program.model_proto
    model.functions.extend(scan_function(reverse=reverse) for reverse in (False, True))
    made = cleaned(inliner.inline_local_functions(model))
    describe(made, loaded)
    onnx.checker.check_model(made, full_check=True)
    return made


def scan_function(*, reverse: bool) -> onnx.FunctionProto:
    """Return `selective_scan` as a function of standard operators: x, delta, A, B, C and D to y."""
    text = _SCAN.format(domain=_DOMAIN, opset=_OPSET, name=_scan_name(reverse=reverse), reverse=int(reverse))
    return parser.parse_function(text)


def describe(model: onnx.ModelProto, loaded: LoadedWeights) -> None:
    """Document the model and its inputs in `metadata_props` and `doc_string`."""
    a, p = loaded.network.architecture, loaded.preprocessing
    kernel = "bicubic as in Pillow" if p.filter == "bicubic" else "area filter when shrinking"
    resize = f"stretch every crop to {p.width}x{p.height} px ({kernel}), keep RGB order and uint8"
    order = " ".join(str(i % 3) for i in range(a.frames))
    fill = f"a tracklet of fewer than {a.frames} crops repeats them in order until it has {a.frames}; 3 crops: {order}"
    onnx.helper.set_model_props(
        model,
        {
            "model_id": loaded.model_id,
            "precision": "fp32",
            "architecture": json.dumps(asdict(a), sort_keys=True),
            "preprocessing": json.dumps(asdict(p), sort_keys=True),
            "input": f"{INPUT}: uint8 (n, {a.frames}, {a.height}, {a.width}, 3), RGB, 0 to 255; scaling is inside",
            "output": f"{OUTPUT}: float32 (n, {a.dim}), rows of length 1; compare by dot product, equal model_id only",
            "resize": resize,
            "fill": fill,
        },
    )
    model.producer_name = "climbtrack"
    model.producer_version = ""
    model.graph.name = a.name
    model.doc_string = f"CLIMB network {loaded.model_id} for person re-identification. Before it, {resize}; {fill}."


def _sorted(values: Any, *, dim: int = -1, descending: bool = False, **_: object) -> Any:
    """Translate a stable sort: TopK returns equal values in index order, as a stable sort does."""
    everything = op.Shape(values, start=dim, end=dim + 1 or None)
    return op.TopK(values, everything, axis=dim, largest=int(descending), sorted=1)


def _scan_name(*, reverse: bool) -> str:
    return "ReversedSelectiveScan" if reverse else "SelectiveScan"


@contextmanager
def _scan_as_operator() -> Iterator[None]:
    """Replace `mamba`'s scan by a placeholder operator during export, since the compiled loops cannot be traced."""

    def placeholder(*tensors: Tensor, reverse: bool = False, **_: object) -> Tensor:
        x = tensors[0]
        name = f"{_DOMAIN}::{_scan_name(reverse=reverse)}"
        return torch.as_tensor(torch.onnx.ops.symbolic(name, tensors, dtype=x.dtype, shape=x.shape, version=1))

    names = vars(mamba)
    original = names["selective_scan"]
    names["selective_scan"] = placeholder
    try:
        yield
    finally:
        names["selective_scan"] = original
