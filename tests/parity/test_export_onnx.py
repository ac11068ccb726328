"""An exported network computes what PyTorch does, in onnxruntime, and says what it is."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper, inliner, numpy_helper
from torch import nn

from reid_worker.model import mamba
from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.scan import selective_scan
from reid_worker.model.weights import LoadedWeights
from training.export.graph import build_onnx, scan_function
from training.export.half import HalfPrecisionError, to_half
from training.export.report import torch_embed
from training.export.session import OnnxError, OnnxNetwork

TRACKLETS = Architecture(
    name="small", height=48, width=32, tower_width=16, layers=1, heads=2, joint_width=12, frames=4, strides=(1, 4),
    state=4, expand=2,
)  # fmt: skip
SEQUENCES = replace(TRACKLETS, name="sequences", ranking="sequence")
IMAGES = Architecture(
    name="images", height=16, width=16, patch=8, stem="patch", tower_width=16, layers=1, heads=2, joint_width=12,
    frames=1, strides=(1,), state=4, expand=1, project=False, cameras=3, side_coefficient=4.0,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A network in PyTorch and its two files."""

    loaded: LoadedWeights
    fp32: Path
    fp16: Path

    def crops(self, n: int) -> NDArray[np.uint8]:
        a = self.loaded.network.architecture
        rng = np.random.default_rng(n)
        return rng.integers(0, 256, (n, a.frames, a.height, a.width, 3), dtype=np.uint8)


def random_network(architecture: Architecture) -> LoadedWeights:
    """Return a network none of whose weights has a value that would hide its absence."""
    torch.manual_seed(5)
    network = Climb(architecture).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.InstanceNorm2d | nn.LayerNorm):
            for name, tensor in module.state_dict().items():
                if tensor.is_floating_point():
                    tensor.copy_(torch.rand_like(tensor) + (0.5 if name in {"weight", "running_var"} else -0.5))
    preprocessing = Preprocessing(architecture.height, architecture.width, standardise=0.8)
    return LoadedWeights(network, preprocessing, f"{architecture.name}-0123456789ab")


@pytest.fixture(scope="module", params=[TRACKLETS, SEQUENCES, IMAGES], ids=lambda a: a.name)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("onnx")
    made = Case(random_network(request.param), folder / "fp32.onnx", folder / "fp16.onnx")
    model = build_onnx(made.loaded)
    onnx.save(model, str(made.fp32))
    onnx.save(to_half(model), str(made.fp16))
    return made


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_float32_file_gives_pytorchs_embeddings_for_any_number_of_tracklets(case: Case, n: int) -> None:
    crops = case.crops(n)
    np.testing.assert_allclose(OnnxNetwork(case.fp32).embed(crops), torch_embed(case.loaded)(crops), atol=1e-5)


def test_a_flat_crop_gives_pytorchs_embedding_too(case: Case) -> None:
    crops = np.full_like(case.crops(1), 77)
    np.testing.assert_allclose(OnnxNetwork(case.fp32).embed(crops), torch_embed(case.loaded)(crops), atol=1e-5)


def test_the_float16_file_is_half_the_size_and_almost_the_same_network(case: Case) -> None:
    crops = case.crops(5)
    half, exact = OnnxNetwork(case.fp16).embed(crops), torch_embed(case.loaded)(crops)
    assert (half * exact).sum(axis=1).min() > 0.999
    assert not np.array_equal(half, exact)
    assert weight_bytes(case.fp16) < 0.75 * weight_bytes(case.fp32)


def weight_bytes(path: Path) -> int:
    return sum(numpy_helper.to_array(one).nbytes for one in onnx.load(str(path)).graph.initializer)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_file_says_what_it_is(case: Case, precision: str) -> None:
    network = OnnxNetwork(case.fp32 if precision == "fp32" else case.fp16)
    said, a = network.metadata, case.loaded.network.architecture
    assert (said["model_id"], said["precision"]) == (case.loaded.model_id, precision)
    assert json.loads(said["preprocessing"]) == asdict(case.loaded.preprocessing)
    assert Architecture(**{**json.loads(said["architecture"]), "strides": a.strides}) == a
    assert network.shape == (a.frames, a.height, a.width, 3)


def test_a_file_needs_nothing_but_standard_operators_and_names_no_folder(case: Case) -> None:
    for path in (case.fp32, case.fp16):
        assert [entry.domain for entry in onnx.load(str(path)).opset_import] == [""]
        content = path.read_bytes()
        assert str(Path(__file__).parents[2]).encode() not in content
        assert b"site-packages" not in content


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda crops: np.concatenate([crops, crops], axis=1), id="too many frames"),
        pytest.param(lambda crops: crops[:, :, :-1], id="another height"),
        pytest.param(lambda crops: crops.astype(np.float32), id="floats"),
        pytest.param(lambda crops: crops[0], id="one tracklet without its axis"),
        pytest.param(lambda crops: crops[:0], id="no tracklet"),
        pytest.param(lambda crops: crops.transpose(0, 1, 4, 2, 3), id="channels first"),
    ],
)
def test_crops_of_a_wrong_shape_are_rejected_with_the_expected_one(
    case: Case, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> None:
    a = case.loaded.network.architecture
    with pytest.raises(ValueError, match=rf"must be \(n, {a.frames}, {a.height}, {a.width}, 3\) uint8"):
        OnnxNetwork(case.fp32).embed(change(case.crops(2)))


def test_exporting_leaves_the_network_as_it_was(case: Case) -> None:
    assert vars(mamba)["selective_scan"] is selective_scan
    assert not case.loaded.network.training


@pytest.mark.parametrize("content", [b"", b"no model", None], ids=["empty", "foreign bytes", "not there"])
def test_a_file_that_is_not_a_model_is_rejected_by_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "odd.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OnnxError, match=r"odd\.onnx: onnxruntime cannot load it"):
        OnnxNetwork(path)


def test_a_model_of_another_program_is_refused(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("same", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["image"], ["same"])], "g", [value], [out])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(OnnxError, match=r"its inputs are \['image'\]"):
        OnnxNetwork(tmp_path / "m.onnx")


def test_a_weight_beyond_float16_is_refused_by_name() -> None:
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1])
    out = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 1])
    huge = numpy_helper.from_array(np.full((1, 1), 1e6, np.float32), "huge")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "huge"], ["y"])], "g", [value], [out], [huge])
    with pytest.raises(HalfPrecisionError, match="weight huge reaches 1e\\+06, but float16 only 65504"):
        to_half(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))


def run_in_onnxruntime(nodes: list[onnx.NodeProto], inputs: dict[str, NDArray[np.float32]],
                       functions: list[onnx.FunctionProto]) -> NDArray[np.float32]:  # fmt: skip
    """Run nodes over float32 inputs and return their output `y`."""
    values = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, value.shape) for name, value in inputs.items()
    ]
    out = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("climbtrack", 1)]
    model = helper.make_model(
        helper.make_graph(nodes, "g", values, [out]), opset_imports=opsets, functions=functions, ir_version=8
    )
    content = inliner.inline_local_functions(model).SerializeToString()
    (y,) = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(["y"], inputs)
    return np.asarray(y, np.float32)


@pytest.mark.parametrize("reverse", [False, True], ids=["ahead", "back"])
@pytest.mark.parametrize(("b", "length"), [(1, 1), (3, 7), (2, 130)])
def test_the_scan_in_onnx_is_the_sequential_scan(reverse: bool, b: int, length: int) -> None:
    E, n = 6, 4
    generator = torch.Generator().manual_seed(length)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    tensors = {
        "x": normal(b, length, E), "delta": torch.rand(b, length, E, generator=generator), "A": -normal(E, n).exp(),
        "B": normal(b, length, n), "C": normal(b, length, n), "D": normal(E),
    }  # fmt: skip
    wide = [tensor.double() for tensor in tensors.values()]
    turned = [t.flip(1) if reverse and t.ndim == 3 else t for t in wide]
    wanted = selective_scan(*turned, implementation="sequential")
    function = scan_function(reverse=reverse)
    node = helper.make_node(function.name, list(tensors), ["y"], domain=function.domain)
    got = run_in_onnxruntime([node], {name: tensor.numpy() for name, tensor in tensors.items()}, [function])
    np.testing.assert_allclose(got, (wanted.flip(1) if reverse else wanted).numpy(), rtol=1e-4, atol=1e-5)


def test_equal_values_are_sorted_as_pytorch_sorts_them() -> None:
    """TopK promises it: of equal values the one with the lower index comes first."""
    values = np.random.default_rng(0).integers(0, 5, (3, 200)).astype(np.float32)
    nodes = [
        helper.make_node("Constant", [], ["k"], value_ints=[200]),
        helper.make_node("TopK", ["values", "k"], ["sorted", "order"], axis=1, largest=1, sorted=1),
        helper.make_node("Cast", ["order"], ["y"], to=onnx.TensorProto.FLOAT),
    ]
    got = run_in_onnxruntime(nodes, {"values": values}, [])
    wanted = torch.from_numpy(values).argsort(dim=1, descending=True, stable=True)
    np.testing.assert_array_equal(got, wanted.numpy())
