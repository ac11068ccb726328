"""Sampling, augmentation, rendered crops and configuration."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.augment import augment, augment_as_published
from training.config_checks import ConfigError
from training.config_file import load_config
from training.data.crops import CropPlan, load_crops
from training.sampler import BatchPlan, IdentitySampler, restricted_random
from training.schedule import rate_at

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
    source = IdentitySampler(seeds[:, 0], seeds[:, 1], BatchPlan(4, 3, cluster=2, sites=3, turns=2), seed=1)
    lengths = np.full(len(seeds), 4)
    epoch = [seeds[source.batch(step, frames=1, lengths=lengths).tracklets] for step in range(source.steps_per_epoch)]
    assert sorted(set(np.concatenate(epoch)[:, 0].tolist())) == list(range(10, 58))
    for turn in range(4):  # three sites of four people are three batches, twice
        seen = np.concatenate(epoch[6 * turn : 6 * turn + 6])
        assert len(set(seen[:, 1].tolist())) == 3 * plan.cameras
        assert np.unique(seen[:, 0], return_counts=True)[1].tolist() == [6] * 12


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


def test_an_interrupted_rendering_is_done_again(tmp_path: Path) -> None:
    def fails(identity: int, *rest: object) -> NDArray[np.uint8]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_crops(PLAN, fails, tmp_path, report=lambda text: None)
    assert load_crops(PLAN, constant, tmp_path, report=lambda text: None).crops.any()


def test_overrides_come_after_the_file_and_keep_their_types(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("steps: 7\nlr: 1.0e-3\noutput: here\n")
    config = load_config(path, ["steps=9", "minutes=1e-1"])
    assert (config.steps, config.lr, config.minutes, config.output) == (9, 1e-3, 0.1, Path("here"))


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("speed=3", "unknown key 'speed'"),
        ("steps=many", "steps is 'many', must be int"),
        ("steps=0", "steps is 0, must be at least 1"),
        ("steps", "no key=value"),
        ("model=vgg", "model is 'vgg', must be one of"),
        ("tracklets=1", "nothing to match"),
        ("warmup=2", "warmup is 2.0, must be 0 to 1"),
        ("early_frames=9", "at most 8"),
        ("rendered_frames=9", "at most 8"),
        ("encoder_until=-1", "must be 0 to 1"),
        ("identities=5000", "at most train_identities"),
        ("resume=1", "resume is 1, must be bool"),
        ("crops=stale", "crops is 'stale', must be one of"),
        ("memories=[mean, best]", "must be some of"),
        ("memories=[]", "must be some of"),
        ("drop_tokens=0.9", "drop_tokens is 0.9, must be 0 to 0.75"),
        ("workers=-1", "workers is -1, must be at least 0"),
    ],
)
def test_a_bad_override_names_key_and_value(override: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_config(None, [override])


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml cannot be read"):
        load_config(tmp_path / "absent.yaml")


def test_every_shipped_configuration_loads() -> None:
    paths = sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.yaml"))
    assert paths
    for path in paths:
        on_data = "layout:" in path.read_text()
        assert load_config(path, ["data=somewhere"] if on_data else []).data == ("somewhere" if on_data else "")


def test_a_layout_without_its_folder_is_an_error_that_names_both() -> None:
    with pytest.raises(ConfigError, match=r"data is empty, must be the folder .* laid out as mars"):
        load_config(None, ["layout=mars"])
    with pytest.raises(ConfigError, match="layout is empty, must be how somewhere is laid out"):
        load_config(None, ["data=somewhere"])


def test_images_make_a_network_of_one_frame_without_a_layer_after_its_head() -> None:
    architecture = load_config(
        None, ["network_frames=1", "rendered_frames=1", "frames=1", "early_frames=1"]
    ).architecture
    assert (architecture.frames, architecture.strides, architecture.project) == (1, (1,), False)


def test_the_learning_rate_rises_and_falls_as_published() -> None:
    config = load_config(None, ["schedule=milestones", "milestones=[0.5, 0.75]", "warmup=0.25", "warmup_from=0.1"])
    found = [rate_at(config, progress) for progress in (0.0, 0.125, 0.25, 0.5, 0.8)]
    assert found == pytest.approx([0.1, 0.55, 1.0, 0.1, 0.01], rel=1e-2)
    cosine = load_config(None, ["warmup=0.1"])
    assert [rate_at(cosine, p) for p in (0.05, 0.1, 0.55, 1.0)] == pytest.approx([0.5, 1.0, 0.5, 0.0])


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
