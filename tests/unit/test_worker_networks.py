"""Two networks in one worker: every tracklet is embedded by both, and the second one can harm nobody."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from reid_worker.crops import Crop, Cutout
from reid_worker.errors import EmbeddingError
from reid_worker.networks import Networks
from reid_worker.pipeline import Pipeline
from reid_worker.stream import Emission
from tests.gallery_tools import tracklet
from tests.worker_tools import COLOURS, FakeEmbedder, ScriptedDetector, numbered_image, reporting
from wire.messages import ObservedTracklet, Tracklet

OBSERVED = {field.name for field in msgspec.structs.fields(ObservedTracklet)}


class Broken(FakeEmbedder):
    """Fails while `down`."""

    down = True

    def combine(self, tracklets: Sequence[Sequence[NDArray[np.float64]]]) -> NDArray[np.float32]:
        if self.down:
            raise EmbeddingError("new gave NaN")
        return super().combine(tracklets)


def emission(embeddings: Mapping[str, bytes] | None = None) -> Emission:
    """Return two pictures of somebody, to be sent."""
    fields = msgspec.structs.asdict(tracklet("door/s/1.0/0", 0, 1))
    seen = ObservedTracklet(**{name: value for name, value in fields.items() if name in OBSERVED})
    crops = tuple(Crop(n, Cutout.of(numbered_image(n, 64, 128))) for n in (1, 2))
    return Emission(seen, crops, embeddings or {}, storable=True)


def sent(networks: Networks, *emissions: Emission) -> list[Tracklet]:
    load, metrics, _ = reporting(CollectorRegistry())
    pipeline = Pipeline(ScriptedDetector({}), networks, load, metrics, threads=1, embed_batch=4)
    return pipeline.embedded(emissions or (emission(),))


def bytes_of(one: Tracklet) -> dict[str, bytes]:
    looks: list[Any] = [one] if one.shadow is None else [one, one.shadow]
    return {look.model_id: look.embedding.tobytes() for look in looks}


def test_a_tracklet_is_embedded_by_both_networks_and_says_what_to_expect_of_each() -> None:
    (one,) = sent(Networks(FakeEmbedder(), FakeEmbedder(COLOURS, "new")))

    assert (one.model_id, one.prior) == ("fake", None)
    assert one.shadow is not None
    assert (one.shadow.model_id, one.shadow.prior) == ("new", COLOURS)
    assert len(bytes_of(one)) == 2


def test_the_same_pictures_are_embedded_once_by_both() -> None:
    old, new = FakeEmbedder(), FakeEmbedder(model_id="new")
    (first,) = sent(Networks(old, new))
    (again,) = sent(Networks(old, new), emission(bytes_of(first)))

    assert bytes_of(again) == bytes_of(first)
    assert (old.batches, new.batches) == ([1], [1])


@pytest.mark.parametrize("known", [{}, {"before": b"\0\0"}, {"fake": b"\0\0", "before": b"\0\0"}])
def test_what_is_remembered_of_other_weights_is_not_taken_for_an_embedding_of_these(known: dict[str, bytes]) -> None:
    networks = Networks(FakeEmbedder(), FakeEmbedder(model_id="new"))
    (fresh,), (restored,) = sent(networks), sent(networks, emission(known))
    assert bytes_of(restored) == bytes_of(fresh)


def test_a_second_network_that_takes_fewer_pictures_gets_some_of_all() -> None:
    small = FakeEmbedder(model_id="new")
    small.frames = 2
    pictures = [np.full((4, 2, 3), value, np.uint8) for value in (0, 90, 250)]

    (rows,) = Networks(FakeEmbedder(), small).embed([[Cutout.of(picture) for picture in pictures]])

    expected = small.embed([[pictures[0], pictures[2]]])[0]
    np.testing.assert_allclose(rows["new"], expected, atol=1e-3)


def test_a_second_network_that_fails_stops_nobody_is_told_once_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    broken = Broken(model_id="new")
    networks = Networks(FakeEmbedder(), broken)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            (one,) = sent(networks)
            assert one.shadow is None
    assert caplog.text.count("worker.shadow_weights: new gave NaN") == 1

    broken.down = False
    (one,) = sent(networks)
    assert one.shadow is not None


def test_a_serving_network_that_fails_is_an_error() -> None:
    with pytest.raises(EmbeddingError, match="new gave NaN"):
        sent(Networks(Broken(model_id="new"), FakeEmbedder()))
