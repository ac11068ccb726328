"""Sampling, augmentation and rendered crops."""

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.augment import augment, augment_as_published
from training.data.crops import CropPlan, load_crops
from training.sampler import BatchPlan, IdentitySampler, restricted_random

PLAN = CropPlan("people", first_identity=10, identities=6, first_camera=50, cameras=3, block=2, frames=4, size=(8, 4))


LENGTHS = np.full(18, 4)


def sampler(P: int = 4, K: int = 3) -> IdentitySampler:
    seeds = PLAN.seeds()
    return IdentitySampler(seeds[:, 0], seeds[:, 1], BatchPlan(P, K, cluster=2), seed=1)


def test_a_batch_holds_enough_tracklets_of_enough_identities_from_different_cameras() -> None:
    seeds = PLAN.seeds()
    batch = sampler().batch(0, frames=2, lengths=LENGTHS)
    people = seeds[batch.tracklets, 0].reshape(4, 3)
    cameras = seeds[batch.tracklets, 1].reshape(4, 3)
    assert all(len(set(row)) == 1 for row in people.tolist())
    assert len(set(people[:, 0].tolist())) == 4
    assert all(len(set(row)) == 3 for row in cameras.tolist())


def test_a_batch_holds_people_who_share_their_cameras() -> None:
    batch = sampler(P=2).batch(0, frames=1, lengths=LENGTHS)
    assert len(set(PLAN.seeds()[batch.tracklets, 1].tolist())) == 3


def test_every_identity_comes_once_per_epoch() -> None:
    source = sampler(P=2)
    assert source.steps_per_epoch == 3
    seen = [PLAN.seeds()[source.batch(step, frames=1, lengths=LENGTHS).tracklets, 0] for step in range(3)]
    assert sorted(set(np.concatenate(seen).tolist())) == list(range(10, 16))


def test_a_batch_is_a_function_of_its_step() -> None:
    a, b = sampler(), sampler()
    a.batch(7, frames=2, lengths=LENGTHS)
    assert np.array_equal(
        a.batch(3, frames=2, lengths=LENGTHS).tracklets, b.batch(3, frames=2, lengths=LENGTHS).tracklets
    )
    assert not np.array_equal(
        a.batch(3, frames=2, lengths=LENGTHS).tracklets, a.batch(4, frames=2, lengths=LENGTHS).tracklets
    )


def test_few_tracklets_are_repeated() -> None:
    source = IdentitySampler(np.array([0, 0, 1]), np.array([0, 1, 0]), BatchPlan(2, 4, cluster=1), seed=0)
    assert sorted(source.batch(0, frames=1, lengths=np.ones(3, int)).tracklets.tolist()) == [0, 0, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize(("frames", "of"), [(1, 8), (3, 8), (8, 8), (4, 9)])
def test_restricted_random_takes_one_frame_from_each_span(frames: int, of: int) -> None:
    rng = np.random.default_rng(0)
    drawn = np.stack([restricted_random(frames, of, rng) for _ in range(200)])
    assert drawn.min() == 0
    assert drawn.max() == of - 1
    assert (np.diff(drawn, axis=1) > 0).all()


def test_a_tracklet_with_fewer_frames_than_wanted_gives_all_of_them() -> None:
    assert restricted_random(8, 3, np.random.default_rng(0)).tolist() == [0, 1, 2]
    source = sampler(P=6)
    lengths = np.arange(18) % 4 + 1
    batch = source.batch(0, frames=3, lengths=lengths)
    assert [len(f) for f in batch.frames] == np.minimum(lengths[batch.tracklets], 3).tolist()


def test_sites_are_visited_few_at_a_time_and_all_of_them_in_an_epoch() -> None:
    plan = replace(PLAN, identities=48, block=4)
    seeds = plan.seeds()
    source = IdentitySampler(seeds[:, 0], seeds[:, 1], BatchPlan(4, 3, cluster=2, sites=3, visits=2), seed=1)
    lengths = np.full(len(seeds), 4)
    epoch = [seeds[source.batch(step, frames=1, lengths=lengths).tracklets] for step in range(source.steps_per_epoch)]
    assert sorted(set(np.concatenate(epoch)[:, 0].tolist())) == list(range(10, 58))
    for visit in range(4):  # three sites of four people are three batches, twice
        seen = np.concatenate(epoch[6 * visit : 6 * visit + 6])
        assert len(set(seen[:, 1].tolist())) == 3 * plan.cameras
        assert np.unique(seen[:, 0], return_counts=True)[1].tolist() == [6] * 12


def test_each_lane_has_sites_of_its_own_for_as_long_as_it_visits_them() -> None:
    plan = replace(PLAN, identities=42, block=4)  # ten sites of four people and one of two
    seeds = plan.seeds()
    source = IdentitySampler(seeds[:, 0], seeds[:, 1], BatchPlan(4, 3, cluster=4, sites=1, visits=3, lanes=3), seed=1)
    lengths = np.full(len(seeds), 4)
    assert source.steps_per_epoch == 3 * (3 * 10 // 4)
    steps = 2 * source.steps_per_epoch
    epochs = np.stack([seeds[source.batch(step, frames=1, lengths=lengths).tracklets] for step in range(steps)])
    for epoch in np.split(epochs, 2):
        people = [set(epoch[lane::3, :, 0].ravel().tolist()) for lane in range(3)]
        assert len(people[0] | people[1] | people[2]) == sum(map(len, people)) > 20
        for lane in range(3):
            sites = [site for site, _ in groupby((epoch[lane::3, :, 0].ravel() - 10) // 4)]
            assert len(sites) == len(set(sites))  # no site comes again that was left


def test_lanes_without_a_batch_are_not_made() -> None:
    seeds = PLAN.seeds()  # three sites of two people
    source = IdentitySampler(seeds[:, 0], seeds[:, 1], BatchPlan(4, 3, cluster=2, sites=1, lanes=5), seed=1)
    assert source.steps_per_epoch == 6 // 4


def test_augmentation_is_the_same_for_all_frames_of_a_tracklet() -> None:
    still = np.broadcast_to(np.random.default_rng(0).integers(0, 256, (64, 32, 3), dtype=np.uint8), (3, 64, 32, 3))
    noise = 60.0  # sensor noise is drawn per frame, everything else once
    for seed in range(30):
        changed = augment(still, np.random.default_rng(seed)).astype(float)
        assert np.abs(changed[0] - changed[1]).mean() < noise / 2


def test_tracklets_of_a_camera_can_share_its_colours_and_detail_and_nothing_else() -> None:
    grey = np.full((1, 64, 32, 3), 128, np.uint8)
    shared = 0
    for seed in range(40):
        here, there = (
            augment(grey, np.random.default_rng((seed, k)), 0.3, np.random.default_rng(seed)) for k in (0, 1)
        )
        apart = augment(grey, np.random.default_rng((seed, 1)), 0.3)
        shared += bool((np.median(here, (0, 1, 2)) == np.median(there, (0, 1, 2))).all())
        shared -= bool((np.median(here, (0, 1, 2)) == np.median(apart, (0, 1, 2))).all())
    assert shared > 5


def test_augmentation_keeps_shape_and_dtype_and_follows_its_seed() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 32, 3), dtype=np.uint8)
    first = augment(crops, np.random.default_rng(5))
    assert first.shape == crops.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, augment(crops, np.random.default_rng(5)))
    assert not np.array_equal(first, augment(crops, np.random.default_rng(6)))


def constant(identity: int, camera: int, tracklet: int, frames: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.full((frames, *size, 3), identity + camera, np.uint8)


def test_crops_are_rendered_once_and_come_back_from_the_cache(tmp_path: Path) -> None:
    first = load_crops(PLAN, constant, tmp_path, report=lambda text: None)
    assert first.crops.shape == (18, 4, 8, 4, 3)
    assert first.identities.tolist() == np.repeat(np.arange(6), 3).tolist()
    assert (first.crops[:, 0, 0, 0, 0] == first.identities + 10 + first.cameras).all()

    def broken(*_: object) -> NDArray[np.uint8]:
        raise AssertionError("rendered again")

    again = load_crops(PLAN, broken, tmp_path, report=lambda text: None)
    assert np.array_equal(again.crops, first.crops)


def test_several_processes_render_what_one_does(tmp_path: Path) -> None:
    alone = load_crops(PLAN, constant, tmp_path / "alone", report=lambda text: None)
    shared = load_crops(PLAN, constant, tmp_path / "shared", report=lambda text: None, processes=2)
    assert np.array_equal(alone.crops, shared.crops)


def test_an_interrupted_rendering_is_done_again(tmp_path: Path) -> None:
    def fails(identity: int, *rest: object) -> NDArray[np.uint8]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_crops(PLAN, fails, tmp_path, report=lambda text: None)
    assert load_crops(PLAN, constant, tmp_path, report=lambda text: None).crops.any()


def test_published_augmentation_is_the_same_for_all_frames_and_keeps_their_size() -> None:
    still = np.broadcast_to(np.random.default_rng(0).integers(1, 256, (64, 32, 3), dtype=np.uint8), (3, 64, 32, 3))
    seen = set()
    for seed in range(30):
        changed = augment_as_published(still, np.random.default_rng(seed))
        assert changed.shape == still.shape
        assert changed.dtype == np.uint8
        assert (changed == changed[:1]).all()
        seen.add(changed.tobytes())
    assert len(seen) == 30
