"""What the embedder is given and gives: bad input is an error with a reason, never a silent wrong embedding."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from torch import nn

from reid_worker.config import WorkerSettings
from reid_worker.errors import EmbeddingError
from reid_worker.handler import build_handler
from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.embedder import Embedder, Precision, dtype_of
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import LoadedWeights, save_weights
from wire.errors import WireError
from wire.memory import MemoryBus
from wire.metrics import ServiceMetrics

SMALL = Architecture(name="small", height=32, width=16, tower_width=16, layers=1, heads=2, joint_width=8, state=4)
CPU = torch.device("cpu")
Image = NDArray[np.uint8]


def network(seed: int = 2) -> Climb:
    torch.manual_seed(seed)
    return Climb(SMALL).eval()


def embedder(net: Climb | None = None, *, precision: Precision = "fp32", compiled: bool = False) -> Embedder:
    loaded = LoadedWeights(net or network(), Preprocessing(SMALL.height, SMALL.width), "small-1")
    return Embedder(loaded, CPU, precision=precision, compiled=compiled)


def crop(seed: int, h: int = 50, w: int = 20) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)


def test_an_embedder_does_not_follow_the_network_it_was_made_from() -> None:
    """Training goes on while its last state is evaluated."""
    trained = network()
    served = embedder(trained)
    before = served.embed([[crop(1)]])
    nn.init.zeros_(trained.encoder.proj)
    np.testing.assert_array_equal(served.embed([[crop(1)]]), before)


def test_more_tracklets_than_run_together_come_back_in_their_order() -> None:
    served = embedder()
    tracklets = [[crop(i, 40 + i, 20)] * (1 + i % 3) for i in range(20)]
    alone = np.concatenate([served.embed([tracklet]) for tracklet in tracklets])
    np.testing.assert_allclose(served.embed(tracklets), alone, atol=1e-5)


def test_a_glance_is_the_sequence_part_of_an_embedding_however_crops_are_batched() -> None:
    served = embedder()
    people = [crop(i, 40 + i, 20) for i in range(20)]
    glances = served.glance(people)
    whole = served.embed([[person] for person in people])[:, : glances.shape[1]]
    np.testing.assert_allclose(glances, whole / np.linalg.norm(whole, axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(glances, np.concatenate([served.glance([person]) for person in people]), atol=1e-5)


def test_crops_of_different_sizes_go_into_one_tracklet() -> None:
    assert np.isfinite(embedder().embed([[crop(1, 200, 80), crop(2, 9, 4), crop(3, 32, 16)]])).all()


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(lambda image: image[:, ::-1], id="mirrored"),
        pytest.param(lambda image: image[..., ::-1], id="channels swapped"),
        pytest.param(lambda image: image[::2, 1:-3], id="cut out"),
    ],
)
def test_a_view_of_an_image_is_embedded_like_its_copy(view: Callable[[Image], Image]) -> None:
    image, served = crop(6, 80, 50), embedder()
    np.testing.assert_array_equal(served.embed([[view(image)]]), served.embed([[view(image).copy()]]))


def test_channel_order_matters_so_a_wrong_one_is_another_embedding() -> None:
    served = embedder()
    assert not np.allclose(served.embed([[crop(1)]]), served.embed([[crop(1)[..., ::-1]]]), atol=1e-3)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_an_error_that_names_model_dtype_and_device(broken: float) -> None:
    net = network()
    nn.init.constant_(net.get_parameter("temporal.project.bias"), broken)
    with pytest.raises(EmbeddingError, match=r"small-1 gave NaN or infinite numbers for 2 of 2 .* float32 on cpu"):
        embedder(net).embed([[crop(1)], [crop(2)]])


def test_such_numbers_end_the_worker_in_one_line_not_in_a_dead_letter() -> None:
    assert issubclass(EmbeddingError, WireError)


def test_in_lower_precision_the_error_says_what_to_set() -> None:
    net = network()
    nn.init.constant_(net.get_parameter("temporal.project.bias"), float("nan"))
    with pytest.raises(EmbeddingError, match=r"bfloat16 on cpu.*`precision: fp32`"):
        embedder(net, precision="bf16").embed([[crop(1)]])


def test_bf16_gives_nearly_the_same_unit_rows_in_float32() -> None:
    tracklets = [[crop(1)], [crop(2), crop(3)]]
    rows = embedder(precision="bf16").embed(tracklets)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert (rows * embedder().embed(tracklets)).sum(1).min() > 0.99


@pytest.mark.parametrize(
    ("precision", "dtype"), [("auto", torch.float32), ("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_a_cpu_multiplies_in_float32_unless_told_otherwise(
    precision: Precision, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True, "amx_bf16": False}, raising=False)
    assert dtype_of(precision, CPU) == dtype


@pytest.mark.parametrize(
    ("precision", "dtype"), [("auto", torch.bfloat16), ("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_a_cpu_with_tiles_of_bfloat16_uses_them_unless_told_otherwise(
    precision: Precision, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert dtype_of(precision, CPU) == dtype


def test_where_torch_does_not_say_what_a_cpu_can_it_multiplies_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert dtype_of("auto", CPU) == torch.float32


def test_compiling_is_asked_of_the_encoder_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, **how: asked.append((type(self).__name__, how)))
    embedder(compiled=True)
    embedder(compiled=False)
    assert asked == [("VisualTower", {"dynamic": True})]


def test_a_worker_says_which_network_it_uses(tmp_path: Path) -> None:
    path, registry = tmp_path / "small.safetensors", CollectorRegistry()
    save_weights(path, network(), Preprocessing(SMALL.height, SMALL.width))
    settings = WorkerSettings.model_validate(
        {"detector": "hog", "weights": path, "device": "cpu", "precision": "fp32", "threads": 1}
    )
    build_handler(settings, MemoryBus(), ServiceMetrics(registry), registry)
    (sample,) = next(f.samples for f in registry.collect() if f.name == "climbtrack_reid_model_info")
    assert sample.value == 1
    assert sample.labels["model_id"].startswith("small-")
    assert (sample.labels["device"], sample.labels["dtype"]) == ("cpu", "float32")
    assert sample.labels["scan"]
