"""A crop of an earlier embedding is not encoded again, and the new embedding is what it would be anyway."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from reid_worker.appearance.embedder import load_appearance
from reid_worker.crops import Cutout
from reid_worker.encodings import Encodings
from reid_worker.model.climb import Architecture, Climb
from reid_worker.model.embedder import Embedder, load_embedder
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import LoadedWeights
from reid_worker.networks import Networks
from tests.appearance_tools import colour_network
from tests.worker_tools import FakeEmbedder

SIDED = Architecture(
    name="sided", height=32, width=16, tower_width=16, layers=1, heads=2, joint_width=8, state=4, cameras=3
)


def cutout(seed: int, height: int = 90) -> Cutout:
    return Cutout.of(np.random.default_rng(seed).integers(0, 256, (height, 40, 3), dtype=np.uint8))


def grown(first: int) -> list[list[Cutout]]:
    """Return the crops of one tracklet as it is sent again and again: some are new each time, others go."""
    crops = [cutout(first + k, 60 + 9 * k) for k in range(12)]
    return [crops[:3], crops[:5], [crops[0], *crops[2:9]], [crops[2], *crops[5:12]], crops[11:]]


def _sided() -> Embedder:
    torch.manual_seed(4)
    return Embedder(LoadedWeights(Climb(SIDED).eval(), Preprocessing(32, 16), "sided-1"), torch.device("cpu"))


@pytest.mark.parametrize("kind", ["shipped", "side information of cameras", "ONNX"])
def test_an_embedding_of_crops_that_were_encoded_before_is_that_of_the_crops(kind: str, tmp_path: Path) -> None:
    network: Any
    if kind == "ONNX":
        network = load_appearance(colour_network(tmp_path / "net.onnx"), device="cpu")
    else:
        network = load_embedder(device="cpu") if kind == "shipped" else _sided()
    encodings = Encodings()
    for mine, other in zip(grown(0), grown(100), strict=True):  # two people, whose crops are encoded together
        found = network.combine(encodings.of(network, [mine, other]))
        wanted = network.embed([[crop.rgb() for crop in crops] for crops in (mine, other)])
        # Batches of other sizes are summed in another order: 9e-6 with the shipped weights, 4e-15 in double precision.
        np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_in_bf16_it_is_nearly_that_too() -> None:
    network = load_embedder(device="cpu", precision="bf16")
    encodings = Encodings()
    for crops in grown(0):
        found = network.combine(encodings.of(network, [crops]))
        wanted = network.embed([[crop.rgb() for crop in crops]])
        assert float((found * wanted).sum()) > 0.999


def test_each_crop_is_encoded_once_by_each_of_two_networks() -> None:
    serving, shadow = FakeEmbedder(), FakeEmbedder(model_id="new")
    networks = Networks(serving, shadow)
    emissions = grown(0)
    for crops in emissions:
        networks.embed([crops])
    networks.embed([emissions[-1], emissions[-2]])  # updated and closed in one go
    assert (serving.encoded, shadow.encoded) == (12, 12)


def test_what_a_state_saved_is_encoded_as_it_was_saved_and_only_once() -> None:
    """A worker that starts from that state has these pixels only."""
    network, encodings, crop = FakeEmbedder(), Encodings(), cutout(1)
    encodings.of(network, [[crop]])
    for _ in range(2):
        jpeg = crop.settled()
        (after,) = encodings.of(network, [[crop]])
    (restarted,) = Encodings().of(network, [[Cutout.restored(jpeg)]])
    np.testing.assert_array_equal(after[0], restarted[0])
    assert network.encoded == 3


class Counting:
    """Encodes a crop as a kilobyte."""

    model_id = "kilobyte"

    def __init__(self) -> None:
        self.made = 0

    def encode(self, crops: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        self.made += len(crops)
        return [np.zeros(256, np.float32) for _ in crops]


def test_encodings_are_bounded_and_the_oldest_go_first() -> None:
    network, encodings = Counting(), Encodings(most_bytes=8 * 1024)
    crops = [cutout(k) for k in range(12)]
    for crop in crops:
        encodings.of(network, [[crop]])
        assert sum("kilobyte" in one.encodings for one in crops) <= 8
    encodings.of(network, [crops[-6:]])
    assert network.made == 12
    encodings.of(network, [crops[:1]])
    assert network.made == 13


def test_more_crops_at_once_than_may_be_kept_are_all_returned() -> None:
    (found,) = Encodings(most_bytes=2 * 1024).of(Counting(), [[cutout(k) for k in range(5)]])
    assert len(found) == 5


def test_crops_that_are_gone_take_no_room_of_those_in_use() -> None:
    network, encodings, lasting = Counting(), Encodings(most_bytes=8 * 1024), cutout(0)
    encodings.of(network, [[lasting]])
    for k in range(1, 40):
        encodings.of(network, [[cutout(k)]])
    encodings.of(network, [[lasting]])
    assert network.made == 40
