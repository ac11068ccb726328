"""What is served equals the network that was trained: its serving form, and the resizing that runs on a device."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.mamba import BidirectionalMamba
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.serving import serving_form
from reid_worker.model.serving_mamba import ServedMamba

STEMS = {
    "convolution": Architecture(height=48, width=32, tower_width=32, layers=2, heads=2, joint_width=16, state=4),
    "patch": Architecture(height=32, width=16, stem="patch", tower_width=16, layers=1, heads=2, joint_width=8, state=4),
}


@pytest.fixture(params=list(STEMS))
def network(request: pytest.FixtureRequest) -> Climb:
    """Return a network as if it had been trained: no statistic, gain or shift is what it was made with."""
    torch.manual_seed(11)
    network = Climb(STEMS[request.param])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.InstanceNorm2d | nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
        for name, statistic in module.named_buffers(recurse=False):
            if name.startswith("running"):
                statistic.uniform_(0.5, 2.0)
    return network.eval()


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def crops(network: Climb, n: int, seed: int = 0) -> Tensor:
    a = network.architecture
    return torch.randn(n, 3, a.height, a.width, generator=torch.Generator().manual_seed(seed))


def test_the_serving_form_gives_the_same_features(network: Climb) -> None:
    images = crops(network, 9)
    expected, served = network.ragged(images, [8, 1]), serving_form(network).ragged(images, [8, 1])
    torch.testing.assert_close(served.ranking(), expected.ranking(), atol=1e-5, rtol=0)
    torch.testing.assert_close(served.sequence, expected.sequence, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(served.temporal, expected.temporal, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("ranking", ["both", "sequence"])
def test_the_serving_form_ranks_alike(network: Climb, ranking: Literal["both", "sequence"]) -> None:
    network.architecture = replace(network.architecture, ranking=ranking)
    images, served = crops(network, 9), serving_form(network)
    expected = network.ranking(network.encode(images, [8, 1]))
    assert expected.shape == (2, network.architecture.dim)
    torch.testing.assert_close(served.ranking(served.encode(images, [8, 1])), expected, atol=1e-5, rtol=0)


def test_the_serving_form_gives_the_same_tokens(network: Climb) -> None:
    images = crops(network, 3)
    expected, served = network.encoder(images), serving_form(network).encoder(images)
    torch.testing.assert_close(served.patches, expected.patches, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(served.joint, expected.joint, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("b", "L"), [(1, 1), (3, 2), (2, 40)])
def test_the_served_mamba_layer_equals_the_trained_one(b: int, L: int, threads: int) -> None:
    torch.manual_seed(5)
    layer = BidirectionalMamba(24, state=16)
    tokens = 3 * torch.randn(b, L, 24)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        torch.testing.assert_close(ServedMamba(layer)(tokens), layer(tokens), rtol=1e-5, atol=1e-6)
    finally:
        torch.set_num_threads(before)


def test_the_served_mamba_layer_survives_numbers_that_overflow_an_exponential() -> None:
    torch.manual_seed(5)
    layer = BidirectionalMamba(8, state=4)
    tokens = 1e4 * torch.randn(1, 5, 8)
    served = ServedMamba(layer)(tokens)
    assert served.isfinite().all()
    torch.testing.assert_close(served, layer(tokens), rtol=1e-3, atol=1e-3 * float(served.abs().max()))


def test_the_served_mamba_layer_takes_other_dtypes_than_float32() -> None:
    layer = BidirectionalMamba(8, state=4).double()
    tokens = torch.randn(1, 5, 8, dtype=torch.float64)
    assert torch.equal(ServedMamba(layer)(tokens), layer(tokens))


def test_a_crop_of_almost_one_colour_keeps_its_digits(network: Climb) -> None:
    images = 0.8 + 1e-3 * crops(network, 2)
    expected, served = network.encoder(images), serving_form(network).encoder(images)
    torch.testing.assert_close(served.joint, expected.joint, atol=1e-4, rtol=1e-4)


def test_making_the_serving_form_leaves_the_network_as_it_was(network: Climb) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    serving_form(network)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert all(p.requires_grad for name, p in network.named_parameters() if "bottleneck" not in name)


SIZES = [(200, 80), (64, 32), (128, 64), (300, 33), (65, 31), (20, 90), (10, 6), (63, 32), (1, 1), (64, 200), (97, 53)]


def test_resizing_on_a_device_equals_opencv_to_one_grey_level() -> None:
    """Shrinking, enlarging, keeping, and the mixed cases."""
    generator = np.random.default_rng(4)
    crops = [generator.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]
    preprocessing = Preprocessing(64, 32)
    served = preprocessing.resize_on(torch.device("cpu"), crops, written)
    expected = torch.from_numpy(preprocessing.resize(crops)).float()
    assert (served - expected).abs().amax(dim=(1, 2, 3)).le(1).all()
    assert (served - expected).abs().mean() < 0.1


def test_what_lies_beside_a_packed_crop_does_not_matter() -> None:
    crops = [np.full((40, 20, 3), 7, np.uint8), np.full((100, 60, 3), 9, np.uint8)]
    served = Preprocessing(16, 8).resize_on(torch.device("cpu"), crops, written)
    assert served[0].eq(7).all()
    assert served[1].eq(9).all()


def written(shape: tuple[int, ...], fill: Callable[[NDArray[np.uint8]], None]) -> Tensor:
    """Send nowhere; where nothing is written there is garbage, as in a buffer that was used before."""
    array = np.full(shape, 255, np.uint8)
    fill(array)
    return torch.from_numpy(array)
