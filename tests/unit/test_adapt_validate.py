"""Validation of weights on a site, with labels and without."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.adapt.validate import SiteMetrics, ValidationSet, embedded, validate
from training.data.crops import CropSet
from training.evaluation.embedding import Embed

PEOPLE, CAMERAS, FRAMES = 10, 3, 4
NOBODY = np.empty((0, 2), np.int64)


def _site(seed: int = 0) -> CropSet:
    """People whose crops are individual patterns, slightly different on every camera and in every frame."""
    rng = np.random.default_rng(seed)
    who, where = np.repeat(np.arange(PEOPLE), CAMERAS), np.tile(np.arange(CAMERAS), PEOPLE)
    looks = rng.integers(60, 196, (PEOPLE, 1, 8, 4, 3))[who]
    noise = rng.normal(0, 12, (len(who), FRAMES, 8, 4, 3))
    return CropSet(np.clip(looks + noise, 0, 255).astype(np.uint8), who, where)


def _pixels(blur: float) -> Embed:
    """Embed by pixel values, with noise of standard deviation `blur` derived from the crop."""

    def embed(
        tracklets: Sequence[Sequence[NDArray[np.uint8]]], cameras: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        assert cameras is None, "nobody learnt these cameras"
        rows = []
        for tracklet in tracklets:
            mean = np.mean([crop.astype(np.float64) - 128 for crop in tracklet], axis=0).ravel()
            rows.append(mean + np.random.default_rng(int(abs(mean[:9]).sum() * 1e6)).normal(0, blur, mean.shape))
        stacked = np.stack(rows)
        return np.asarray(stacked / np.linalg.norm(stacked, axis=1, keepdims=True), np.float32)

    return embed


def _validation_set(people: CropSet, different: NDArray[np.int64] = NOBODY) -> ValidationSet:
    return ValidationSet(people, different, np.arange(0, len(people.identities), 2), None, None, FRAMES)


def test_weights_that_tell_people_apart_better_have_better_metrics_of_every_kind() -> None:
    people = _site()
    neighbours = np.array([[0, 3], [1, 4], [6, 9], [2, 8], [12, 18]])
    validation = replace(_validation_set(people, neighbours), queries=people, gallery=people)
    good, bad = validate(_pixels(5), validation), validate(_pixels(90), validation)
    assert good.mean_ap is not None
    assert bad.mean_ap is not None
    assert good.mean_ap > 0.95 > bad.mean_ap
    assert (good.clusters, good.alone, good.violated) == (PEOPLE, 0, 0)
    assert good.mutual is not None
    assert bad.mutual is not None
    assert good.mutual > bad.mutual
    assert good.separation is not None
    assert bad.separation is not None
    assert good.separation > bad.separation
    assert good.cosines is not None
    assert good.cosines.same_mean > 0.9
    assert abs(good.cosines.different_mean) < 0.2
    assert good.better_than(bad) is True
    assert bad.better_than(good) is False


def test_metrics_without_evidence_are_none() -> None:
    one_frame = CropSet(_site().crops[:, :1], _site().identities, np.zeros(PEOPLE * CAMERAS, np.int64))
    figures = validate(_pixels(5), _validation_set(one_frame))
    assert figures.mean_ap is None
    assert figures.rank1 is None
    assert figures.separation is None
    assert figures.mutual is None
    assert figures.violated is None


@pytest.mark.parametrize(
    ("after", "better"),
    [
        pytest.param({"mean_ap": 0.6, "mutual": 0.9}, False, id="labels decide where there are some"),
        pytest.param({"mean_ap": 0.7, "mutual": 0.1}, True, id="equal is not worse"),
        pytest.param({"mean_ap": None, "mutual": 0.4}, False, id="then who finds each other"),
        pytest.param({"mean_ap": None, "mutual": 0.6, "violated": 0.1}, True, id="and certain pairs are confused less"),
        pytest.param({"mean_ap": None, "mutual": 0.6, "violated": 0.3}, False, id="unless certain pairs are confused"),
        pytest.param({"mean_ap": None, "mutual": None, "separation": 2.0}, False, id="then what one camera tells"),
        pytest.param({"mean_ap": None, "mutual": None, "separation": None}, None, id="or nobody knows"),
    ],
)
def test_labels_decide_before_everything_else(after: dict[str, float | None], better: bool | None) -> None:
    before = SiteMetrics(
        0.7, 0.8, mutual=0.5, separation=3.0, clusters=10, alone=2, silhouette=0.4, violated=0.2, cosines=None
    )
    assert replace(before, **after).better_than(before) is better  # type: ignore[arg-type]


def test_a_part_of_a_tracklet_is_embedded_from_frames_of_that_part() -> None:
    seen: list[list[int]] = []

    def embed(
        tracklets: Sequence[Sequence[NDArray[np.uint8]]],
        cameras: Sequence[int] | None = None,
    ) -> NDArray[np.float32]:
        seen.extend([int(crop[0, 0, 0]) for crop in tracklet] for tracklet in tracklets)
        return np.zeros((len(tracklets), 2), np.float32)

    crops = np.arange(10, dtype=np.uint8).reshape(1, 10, 1, 1, 1).repeat(3, axis=-1)
    people = CropSet(crops, np.zeros(1, np.int64), np.zeros(1, np.int64))
    for part in ((0.0, 0.5), (0.5, 1.0), (0.0, 1.0)):
        embedded(embed, people, np.array([0]), 4, part)
    early, late, whole = seen
    assert max(early) < 5 <= min(late)
    assert len(early) == len(late) == len(whole) == 4
    assert whole == sorted(set(whole))
