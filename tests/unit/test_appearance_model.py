"""An ONNX file that takes image crops stands in for CLIMB, or is refused with the cause and the remedy."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from reid_worker.appearance.choose import is_appearance_model, load_network, save_prior
from reid_worker.appearance.crop_format import IMAGENET_MEAN, NO_MEAN, CropFormat
from reid_worker.appearance.description import written
from reid_worker.appearance.embedder import CAUTIOUS_PRIOR, load_appearance
from reid_worker.appearance.opening import open_appearance
from reid_worker.errors import EmbeddingError
from reid_worker.model import WeightsError
from reid_worker.model.weights import SHIPPED, load_weights
from reid_worker.onnx_session import OnnxRuntime
from tests.appearance_tools import DIM, HEIGHT, WIDTH, add_metadata, colour_network, person
from tests.detector_tools import d_fine_model, rf_detr_model, save, value, yolox_model
from wire.similarity import SimilarityPrior

RED, BLUE, GREY = (200, 30, 30), (30, 30, 200), (90, 90, 90)
PRIOR = SimilarityPrior(same_mean=0.8, same_std=0.2, different_mean=0.3, different_std=0.2)


def _format(path: Path) -> CropFormat:
    return open_appearance(path, OnnxRuntime("cpu")).crop_format


# What a model expects


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        pytest.param({}, ("rgb", "0-1", IMAGENET_MEAN), id="torchreid: the caller normalises"),
        pytest.param({"inside": True}, ("rgb", "0-255", NO_MEAN), id="FastReID: subtracts its means itself"),
        pytest.param({"inside": True, "bgr": True}, ("bgr", "0-255", NO_MEAN), id="OpenVINO: the same, blue first"),
        pytest.param({"name": "data"}, ("bgr", "0-255", NO_MEAN), id="Intel: by the name of the input"),
        pytest.param({"kind": TensorProto.UINT8}, ("rgb", "0-255", NO_MEAN), id="bytes"),
        pytest.param({"inside": True, "channels_last": True}, ("rgb", "0-255", NO_MEAN), id="channels last"),
    ],
)
def test_the_graph_tells_what_its_crops_are(options: dict[str, Any], wanted: object, tmp_path: Path) -> None:
    found = _format(colour_network(tmp_path / "net.onnx", **options))
    assert (found.colour, found.values, found.mean) == wanted
    assert (found.height, found.width) == (HEIGHT, WIDTH)


def _beginning(path: Path, nodes: list[Any], held: list[Any]) -> Path:
    """Write a network that begins with these nodes, from `images` to `begun`."""
    ends = [helper.make_node("GlobalAveragePool", ["begun"], ["f"])]
    return save(path, [*nodes, *ends], [value("images", ("n", 3, 64, 32))], [value("f", ("n", 32, 1, 1))], held)


def _triple(name: str, values: tuple[float, float, float]) -> Any:
    return numpy_helper.from_array(np.array(values, np.float32).reshape(1, 3, 1, 1), name)


def test_arithmetic_that_undoes_the_callers_normalisation_is_not_taken_for_one(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["images", "std"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["begun"]),
    ]
    path = _beginning(
        tmp_path / "net.onnx", nodes, [_triple("std", (0.229, 0.224, 0.225)), _triple("mean", IMAGENET_MEAN)]
    )
    found = open_appearance(path, OnnxRuntime("cpu"))
    assert (found.crop_format.colour, found.crop_format.mean) == ("rgb", IMAGENET_MEAN)
    assert found.unsure


def test_a_network_that_reverses_its_colours_first_wants_the_others(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gather", ["images", "reversed"], ["turned"], axis=1),
        helper.make_node("Sub", ["turned", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["begun"]),
    ]
    held = [
        numpy_helper.from_array(np.array([2, 1, 0], np.int64), "reversed"),
        _triple("mean", (123.675, 116.28, 103.53)),
        _triple("std", (58.395, 57.12, 57.375)),
    ]
    found = _format(_beginning(tmp_path / "net.onnx", nodes, held))
    assert (found.colour, found.values) == ("bgr", "0-255")


class Backbone(nn.Module):
    """A network as people train them, in the style of FastReID: with its own normalisation, or without."""

    pixel_mean: torch.Tensor
    pixel_std: torch.Tensor

    def __init__(self, *, inside: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inside = inside
        self.register_buffer("pixel_mean", torch.tensor((123.675, 116.28, 103.53)).view(1, 3, 1, 1))
        self.register_buffer("pixel_std", torch.tensor((58.395, 57.12, 57.375)).view(1, 3, 1, 1))
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 7, 4, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d((4, 2)),
            nn.Flatten(), nn.Linear(128, 64), nn.BatchNorm1d(64),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.inside:
            images = (images - self.pixel_mean) / self.pixel_std
        found: torch.Tensor = self.layers(images)
        return found


@pytest.mark.parametrize(("inside", "values"), [(True, "0-255"), (False, "0-1")])
def test_an_export_by_torch_is_read_and_gives_what_torch_gives(inside: bool, values: str, tmp_path: Path) -> None:
    network, path = Backbone(inside=inside).eval(), tmp_path / "net.onnx"
    torch.onnx.export(
        network, (torch.rand(2, 3, 64, 32),), str(path), dynamo=True, verbose=False,
        input_names=["images"], output_names=["features"], dynamic_shapes=({0: torch.export.Dim("n")},),
    )  # fmt: skip
    embedder = load_appearance(path, device="cpu")
    assert _format(path).values == values
    crops = [person(RED, BLUE), person(GREY, BLUE, height=200)]
    with torch.no_grad():
        raw = network(torch.from_numpy(_format(path).batch(crops).astype(np.float32)))
    mean = nn.functional.normalize(nn.functional.normalize(raw).mean(0, keepdim=True))
    np.testing.assert_allclose(embedder.embed([crops]), mean.numpy(), atol=1e-4)


def test_a_model_for_any_size_gets_the_usual_one_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = colour_network(tmp_path / "net.onnx", sides=("h", "w"))
    (tmp_path / "net.onnx.yaml").write_text(f"size: [{HEIGHT}, {WIDTH}]")
    assert (_format(path).height, _format(path).width) == (HEIGHT, WIDTH)
    (tmp_path / "net.onnx.yaml").unlink()
    assert (_format(path).height, _format(path).width) == (256, 128)
    with caplog.at_level(logging.WARNING), pytest.raises(WeightsError):
        load_appearance(path)  # this network cannot run at that size


# Its embeddings


@pytest.mark.parametrize("batch", [1, 4, "n"])
def test_a_tracklet_is_the_mean_of_its_crops_whatever_the_batch_size(batch: int | str, tmp_path: Path) -> None:
    embedder = load_appearance(colour_network(tmp_path / "net.onnx", batch=batch), device="cpu")
    one, two, three = person(RED, BLUE), person(BLUE, GREY), person(GREY, RED)
    alone = embedder.embed([[one], [two], [three]])
    rows = embedder.embed([[one, two], [three], [two, three, one]])
    assert rows.shape == (3, DIM)
    for row, parts in zip(rows, ([0, 1], [2], [0, 1, 2]), strict=True):
        mean = alone[parts].mean(axis=0)
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-5)


def test_the_same_network_in_another_form_gives_the_same_embedding(tmp_path: Path) -> None:
    crops = [[person(RED, BLUE)], [person(GREY, RED)]]
    forms: list[dict[str, Any]] = [
        {}, {"inside": True}, {"inside": True, "bgr": True}, {"inside": True, "channels_last": True},
        {"inside": True, "kind": TensorProto.UINT8},
    ]  # fmt: skip
    first, *others = (
        load_appearance(colour_network(tmp_path / f"{number}.onnx", **form), device="cpu").embed(crops)
        for number, form in enumerate(forms)
    )
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-5)


def test_no_tracklets_give_no_rows_and_too_many_crops_are_an_error(tmp_path: Path) -> None:
    embedder = load_appearance(colour_network(tmp_path / "net.onnx"), device="cpu")
    assert embedder.embed([]).shape == (0, DIM)
    with pytest.raises(ValueError, match="1 to 8 crops"):
        embedder.embed([[person(RED, BLUE)] * 9])


def test_a_picture_of_nothing_is_an_error_and_no_embedding(tmp_path: Path) -> None:
    embedder = load_appearance(colour_network(tmp_path / "net.onnx", name="data"), device="cpu")
    with pytest.raises(EmbeddingError, match="only zeros for 1 of 1"):
        embedder.embed([[person((0, 0, 0), (0, 0, 0))]])


def test_the_space_changes_with_the_crops_and_not_with_the_prior(tmp_path: Path) -> None:
    path = colour_network(tmp_path / "net.onnx")
    before = load_network(path).model_id
    save_prior(path, PRIOR)
    assert load_network(path).model_id == before
    (tmp_path / "net.onnx.yaml").write_text("colour: bgr\n")
    assert load_network(path).model_id != before


# What is written down about it


def test_the_description_beside_a_model_takes_precedence_over_its_metadata(tmp_path: Path) -> None:
    path = colour_network(tmp_path / "net.onnx")
    add_metadata(path, "climbtrack", '{"colour": "bgr", "frames": 4}')
    assert _format(path).colour == "bgr"
    assert _format(path).mean == IMAGENET_MEAN[::-1]
    (tmp_path / "net.onnx.yaml").write_text("colour: rgb\nvalues: 0-255\n")
    assert (_format(path).colour, _format(path).values, _format(path).mean) == ("rgb", "0-255", NO_MEAN)
    assert load_appearance(path).frames == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("color: bgr", "unknown field `color`", id="an unknown key"),
        pytest.param("colour: green", "green", id="an unknown value"),
        pytest.param("std: [1, 1, 0]", "std must be above 0", id="a deviation of nothing"),
        pytest.param("std: [1, .nan, 1]", "mean and std must be finite", id="a deviation that is no number"),
        pytest.param("mean: [.inf, 0, 0]", "mean and std must be finite", id="an infinite mean"),
        pytest.param("colour: bgr\ncolour: rgb", "line 2: duplicate key 'colour'", id="two colours"),
        pytest.param("- colour", "cannot be read", id="a list"),
        pytest.param("size: [4, 2]", "size must be", id="too small"),
        pytest.param("size: [128, 64]", "takes crops of 64x32 px only", id="another size than the model's"),
        pytest.param(
            "prior: {same_mean: 0.1, same_std: 0.1, different_mean: 0.3, different_std: 0.1}", "prior", id="p"
        ),
        pytest.param("colour: [", "cannot be read", id="no YAML"),
        pytest.param("output: other", "no output 'other'", id="an output that is not there"),
    ],
)
def test_a_wrong_description_is_refused_and_named(text: str, said: str, tmp_path: Path) -> None:
    path = colour_network(tmp_path / "net.onnx")
    (tmp_path / "net.onnx.yaml").write_text(text)
    with pytest.raises(WeightsError) as raised:
        open_appearance(path, OnnxRuntime("cpu"))
    assert said in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_description_from_windows_is_read(tmp_path: Path) -> None:
    path = colour_network(tmp_path / "net.onnx")
    (tmp_path / "net.onnx.yaml").write_bytes(b"\xef\xbb\xbfcolour: bgr\r\n")
    assert _format(path).colour == "bgr"


def test_an_output_may_be_called_by_a_number(tmp_path: Path) -> None:
    (tmp_path / "net.onnx.yaml").write_text("output: 495\n")
    assert written(tmp_path / "net.onnx").output == "495"


def test_without_a_prior_a_cautious_one_is_used_and_the_remedy_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = colour_network(tmp_path / "net.onnx", inside=True)
    with caplog.at_level(logging.WARNING):
        assert load_network(path).prior == CAUTIOUS_PRIOR
    assert f"climbtrack models check {path} --write" in caplog.text
    caplog.clear()
    assert save_prior(path, PRIOR) == tmp_path / "net.onnx.yaml"
    with caplog.at_level(logging.WARNING):
        assert load_network(path).prior == PRIOR
    assert caplog.text == ""


def test_what_was_assumed_is_logged_with_the_check(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = colour_network(tmp_path / "net.onnx")
    with caplog.at_level(logging.WARNING):
        load_network(path)
    assert "does not normalise" in caplog.text
    assert f"climbtrack models check {path}" in caplog.text
    caplog.clear()
    (tmp_path / "net.onnx.yaml").write_text("colour: rgb\nvalues: 0-1\n")
    with caplog.at_level(logging.WARNING):
        load_network(path)
    assert "does not normalise" not in caplog.text


# What is refused


def _head(path: Path, *, classes: int, softmax: bool = False) -> Path:
    weights = np.random.default_rng(0).normal(size=(DIM, classes)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["features", "head"], ["logits"])]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["chances"]))
    name = "chances" if softmax else "logits"
    colour_network(path, ending=nodes, outputs=[value(name, ("n", classes))])
    model = onnx.load(str(path))
    model.graph.initializer.append(numpy_helper.from_array(weights, "head"))
    onnx.save(model, str(path))
    return path


def _truncated(path: Path) -> Path:
    colour_network(path)
    path.write_bytes(path.read_bytes()[:-40])
    return path


def _external(path: Path) -> Path:
    model = onnx.load(str(colour_network(path)))
    onnx.save(model, str(path), save_as_external_data=True, location="net.data", size_threshold=0)
    (path.parent / "net.data").unlink()
    return path


def _two_inputs(path: Path) -> Path:
    nodes = [helper.make_node("Flatten", ["images"], ["flat"]), helper.make_node("Add", ["flat", "cam_label"], ["f"])]
    inputs = [value("images", ("n", 3, 8, 4)), value("cam_label", ("n", 1))]
    return save(path, nodes, inputs, [value("f", ("n", 96))], [])


def _map(path: Path) -> Path:
    nodes = [helper.make_node("Identity", ["images"], ["map"])]
    return save(path, nodes, [value("images", ("n", 3, 64, 32))], [value("map", ("n", 3, 64, 32))], [])


def _several(path: Path) -> Path:
    nodes = [helper.make_node("Flatten", ["images"], ["a"]), helper.make_node("Identity", ["a"], ["b"])]
    return save(path, nodes, [value("images", ("n", 3, 8, 4))], [value("a", ("n", 96)), value("b", ("n", 96))], [])


def _always_the_same(path: Path) -> Path:
    nodes = [
        helper.make_node("GlobalMaxPool", ["images"], ["m"]),
        helper.make_node("Mul", ["m", "zero"], ["nothing"]),
        helper.make_node("Flatten", ["nothing"], ["flat"]),
        helper.make_node("MatMul", ["flat", "wide"], ["wider"]),
        helper.make_node("Add", ["wider", "one"], ["f"]),
    ]
    held = [
        numpy_helper.from_array(np.zeros((), np.float32), "zero"),
        numpy_helper.from_array(np.ones((), np.float32), "one"),
        numpy_helper.from_array(np.ones((3, 32), np.float32), "wide"),
    ]
    return save(path, nodes, [value("images", ("n", 3, 64, 32))], [value("f", ("n", 32))], held)


def _tracklets(path: Path) -> Path:
    nodes = [helper.make_node("Flatten", ["crops"], ["embedding"])]
    return save(path, nodes, [value("crops", ("n", 8, 3, 8, 4))], [value("embedding", ("n", 768))], [])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(_truncated, "copy or download it again", id="truncated"),
        pytest.param(_external, "net.data, are missing", id="weights beside it missing"),
        pytest.param(yolox_model, "a detector in the layout of yolox: give it with --detector", id="y"),
        pytest.param(
            lambda path: d_fine_model(path, [0], [[0, 0, 1, 1]], [1.0]),
            "a detector in the layout of d-fine",
            id="d-fine",
        ),
        pytest.param(
            lambda path: rf_detr_model(path, [[0.5] * 4], np.zeros((1, 2), np.float32)),
            "layout of rf-detr",
            id="rf-detr",
        ),
        pytest.param(_two_inputs, "cam_label", id="another input"),
        pytest.param(_map, "feature map; export the model with its pooling", id="a feature map"),
        pytest.param(_several, "`output: a`", id="several outputs"),
        pytest.param(lambda path: _head(path, classes=751), "Market-1501 has 751 classes", id="a classifier"),
        pytest.param(lambda path: _head(path, classes=200, softmax=True), "probabilities of classes", id="softmax"),
        pytest.param(lambda path: _head(path, classes=4), "too few for a feature", id="attributes"),
        pytest.param(_always_the_same, "same feature for every picture", id="looks at nothing"),
        pytest.param(_tracklets, "give the .safetensors file", id="our own export"),
    ],
)
def test_what_is_no_appearance_model_is_refused_with_the_remedy(make: Any, said: str, tmp_path: Path) -> None:
    path = make(tmp_path / "net.onnx")
    with pytest.raises(WeightsError) as raised:
        load_network(path)
    assert said in str(raised.value)
    assert str(path) in str(raised.value)


def test_features_as_long_as_a_training_set_are_accepted_when_somebody_says_so(tmp_path: Path) -> None:
    path = _head(tmp_path / "net.onnx", classes=751)
    (tmp_path / "net.onnx.yaml").write_text("output: logits")
    assert load_network(path).dim == 751


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    renamed = colour_network(tmp_path / "net.bin")
    assert is_appearance_model(renamed)
    safetensors = tmp_path / "climb.onnx"
    safetensors.write_bytes(SHIPPED.read_bytes())
    assert not is_appearance_model(safetensors)
    assert load_network(safetensors).model_id.startswith("climb-tiny")


def test_what_needs_our_own_weights_says_so_of_an_onnx_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"an ONNX model.*safetensors"):
        load_weights(colour_network(tmp_path / "net.onnx"))
