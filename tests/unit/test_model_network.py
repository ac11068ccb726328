"""The CLIMB network: what the paper promises of its parts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_worker.model.climb import CLIMB_BASE, CLIMB_TINY, Architecture, Climb, fill_frames, without_cameras
from reid_worker.model.cost import parameters
from reid_worker.model.irm import ImportanceReorderMamba, MultiTemporalMamba, reorder_by_importance
from reid_worker.model.mamba import BidirectionalMamba

SMALL = Architecture(
    name="small", height=32, width=16, tower_width=16, layers=1, heads=2, joint_width=8, frames=8, state=4
)


IMAGE = replace(SMALL, frames=1, strides=(1,))


def climb(architecture: Architecture = SMALL) -> Climb:
    """Return a network whose norms have seen other statistics than those of a normal distribution."""
    torch.manual_seed(3)
    network = Climb(architecture)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.fixture
def network() -> Climb:
    return climb()


@pytest.fixture(scope="module")
def shared() -> Climb:
    """Return one network for all examples, in float64: where rounding swaps two tokens, sorting is not continuous."""
    return climb().double()


def crops(n: int, t: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, t, 3, SMALL.height, SMALL.width, generator=torch.Generator().manual_seed(seed))


def test_reordering_puts_the_most_similar_token_first() -> None:
    cls_token = torch.tensor([[1.0, 0.0]])
    patches = torch.tensor([[[0.0, 1.0], [5.0, 0.0], [-1.0, 0.0], [1.0, 1.0]]])
    expected = torch.tensor([[[5.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 0.0]]])
    assert torch.equal(reorder_by_importance(cls_token, patches), expected)


def test_order_of_tokens_inside_a_fragment_does_not_matter() -> None:
    torch.manual_seed(0)
    irm = ImportanceReorderMamba(16, state=4, expand=2).eval()
    cls_tokens, patches = torch.randn(2, 4, 16), torch.randn(2, 4, 8, 16)
    shuffled = patches.flatten(1, 2)[:, torch.randperm(32)].reshape(2, 4, 8, 16)
    frames = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        expected = irm(cls_tokens, patches)
        torch.testing.assert_close(irm(cls_tokens, shuffled), expected)
        torch.testing.assert_close(irm(cls_tokens[:, frames], patches[:, frames]), expected)


def test_order_matters_to_mamba_itself() -> None:
    torch.manual_seed(0)
    mamba = BidirectionalMamba(16, state=4)
    tokens = torch.randn(1, 10, 16)
    with torch.no_grad():
        assert not torch.allclose(mamba(tokens.flip(1)).flip(1), mamba(tokens), atol=1e-4)


def test_mamba_sees_ahead_and_back() -> None:
    torch.manual_seed(0)
    mamba = BidirectionalMamba(16, state=4)
    tokens = torch.randn(1, 10, 16)
    changed = tokens.clone()
    changed[:, 5] += 1
    with torch.no_grad():
        difference = (mamba(changed) - mamba(tokens)).abs().sum(-1)[0]
    assert (difference > 0).all()


@given(order=st.tuples(st.permutations(range(4)), st.permutations(range(4, 8))), seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_order_of_frames_inside_the_fragments_does_not_matter_to_the_feature(
    shared: Climb, order: tuple[list[int], list[int]], seed: int
) -> None:
    tracklet = crops(1, 8, seed).double()
    with torch.no_grad():
        shuffled = shared(tracklet[:, [*order[0], *order[1]]]).ranking()
        torch.testing.assert_close(shuffled, shared(tracklet).ranking())


def test_order_of_frames_across_fragments_matters_to_the_temporal_feature(network: Climb) -> None:
    tracklet = crops(1, 8)
    with torch.no_grad():
        as_given, mixed = network(tracklet), network(tracklet[:, [4, 1, 2, 3, 0, 5, 6, 7]])
    torch.testing.assert_close(mixed.sequence, as_given.sequence, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(mixed.temporal, as_given.temporal, atol=1e-4)


@pytest.mark.parametrize("project", [True, False])
def test_one_frame_gives_the_importance_mamba_of_single_frames_alone(project: bool) -> None:
    torch.manual_seed(0)
    multi = MultiTemporalMamba(16, 4, 2, strides=(1, 4, 8), project=project).eval()
    cls_tokens, patches = torch.randn(2, 1, 16), torch.randn(2, 1, 8, 16)
    with torch.no_grad():
        alone = multi.branches["1"](cls_tokens, patches)
        expected = multi.project(alone) if project else alone
        torch.testing.assert_close(multi(cls_tokens, patches), expected)


def test_every_stride_counts() -> None:
    torch.manual_seed(0)
    multi = MultiTemporalMamba(16, 4, 2, strides=(1, 4, 8), project=False).eval()
    cls_tokens, patches = torch.randn(2, 8, 16), torch.randn(2, 8, 8, 16)
    with torch.no_grad():
        parts = [
            branch(cls_tokens.reshape(-1, S, 16), patches.reshape(-1, S, 8, 16)).reshape(2, 8 // S, 16).mean(1)
            for S, branch in ((int(name), branch) for name, branch in multi.branches.items())
        ]
        torch.testing.assert_close(multi(cls_tokens, patches), torch.stack(parts).sum(0))


def test_a_tracklet_shorter_than_every_fragment_is_refused() -> None:
    multi = MultiTemporalMamba(16, 4, 2, strides=(4, 8))
    with pytest.raises(ValueError, match=r"2 frames is shorter than every fragment, \['4', '8'\]"):
        multi(torch.randn(1, 2, 16), torch.randn(1, 2, 8, 16))


def test_fragments_must_fill_the_tracklet() -> None:
    multi = MultiTemporalMamba(16, 4, 2, strides=(1, 4))
    with pytest.raises(ValueError, match="6 frames cannot be cut into fragments of 4"):
        multi(torch.randn(1, 6, 16), torch.randn(1, 6, 8, 16))


def test_temporal_head_learns_without_moving_the_encoder(network: Climb) -> None:
    features = network(crops(2, 8))
    features.temporal.square().sum().backward()
    assert all(p.grad is None for p in network.encoder.parameters())
    assert network.temporal.project.weight.grad is not None


def test_temporal_head_moves_the_encoder_where_it_is_not_detached() -> None:
    network = climb(replace(SMALL, detached=False))
    network(crops(2, 8)).temporal.square().sum().backward()
    assert network.encoder.class_embedding.grad is not None
    assert network.encoder.class_embedding.grad.abs().sum() > 0


def test_sequence_feature_moves_the_encoder(network: Climb) -> None:
    network(crops(2, 8)).sequence.sum().backward()
    assert network.encoder.proj.grad is not None


def test_a_batch_equals_its_tracklets_one_by_one(network: Climb) -> None:
    batch = crops(3, 4)
    with torch.no_grad():
        together = network(batch).ranking()
        alone = torch.cat([network(batch[i : i + 1]).ranking() for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("t", [1, 3, 5])
def test_a_short_tracklet_equals_its_frames_repeated_in_order(network: Climb, t: int) -> None:
    short = crops(1, t)
    repeated = short[:, torch.arange(SMALL.frames) % t]
    with torch.no_grad():
        torch.testing.assert_close(network(short).ranking(), network(repeated).ranking(), rtol=1e-4, atol=1e-5)


def test_lengths_may_differ_inside_a_batch(network: Climb) -> None:
    a, b = crops(1, 3, seed=1)[0], crops(1, 8, seed=2)[0]
    with torch.no_grad():
        mixed = network.ragged(torch.cat([a, b]), [3, 8]).ranking()
        torch.testing.assert_close(mixed[:1], network(a[None]).ranking(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(mixed[1:], network(b[None]).ranking(), rtol=1e-4, atol=1e-5)


@given(lengths=st.lists(st.integers(1, 8), min_size=1, max_size=5), seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_a_ragged_batch_equals_its_tracklets_repeated_one_by_one(shared: Climb, lengths: list[int], seed: int) -> None:
    tracklets = [crops(1, length, seed + i)[0].double() for i, length in enumerate(lengths)]
    with torch.no_grad():
        together = shared.ragged(torch.cat(tracklets), lengths).ranking()
        alone = [shared(t[torch.arange(SMALL.frames) % len(t)].unsqueeze(0)).ranking() for t in tracklets]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        ((2, 3, 32, 16), torch.uint8, "must be .* floats, preprocessed, got .*uint8"),
        ((2, 32, 16, 3), torch.float32, "must be"),
        ((2, 1, 32, 16), torch.float32, "must be"),
        ((3, 32, 16), torch.float32, "must be"),
        ((0, 3, 32, 16), torch.float32, "must be"),
        ((2, 3, 32, 0), torch.float32, "must be"),
    ],
    ids=["bytes", "channels last", "grey", "one crop", "none", "no width"],
)
def test_what_is_no_batch_of_crops_is_refused(
    network: Climb, shape: tuple[int, ...], dtype: torch.dtype, said: str
) -> None:
    batch = torch.zeros(shape, dtype=dtype)
    with pytest.raises(ValueError, match=said):
        network.images(batch)
    with pytest.raises(ValueError, match=said):
        network.ragged(batch, [1] * len(batch))


def test_crops_that_are_not_whole_patches_are_refused_where_nothing_pads_them() -> None:
    with pytest.raises(ValueError, match="33x16 px cannot be cut into patches of 16"):
        climb(replace(SMALL, stem="patch")).images(torch.zeros(2, 3, 33, 16))


def test_crops_and_lengths_must_belong_together(network: Climb) -> None:
    with pytest.raises(ValueError, match=r"3 crops do not make tracklets of \[2, 2\] frames"):
        network.ragged(crops(1, 3)[0], [2, 2])


def test_a_network_of_one_frame_takes_tracklets_as_images() -> None:
    network = climb(IMAGE)
    images = crops(3, 1)
    with torch.no_grad():
        expected = network.images(images[:, 0]).ranking()
        torch.testing.assert_close(network(images).ranking(), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(network.ragged(images[:, 0], [1] * 3).ranking(), expected, rtol=1e-4, atol=1e-5)


def test_an_image_leaves_the_longer_strides_out_and_a_filled_tracklet_does_not(network: Climb) -> None:
    image = crops(1, 1)
    single = climb(replace(IMAGE, name="single"))
    shared_names = single.state_dict().keys() & network.state_dict().keys()
    single.load_state_dict({name: network.state_dict()[name] for name in shared_names}, strict=True)
    with torch.no_grad():
        as_image, filled = network.images(image[0]), network(image)
        torch.testing.assert_close(as_image.ranking(), single(image).ranking(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(as_image.sequence, filled.sequence, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(as_image.temporal, filled.temporal, atol=1e-3)


def test_a_camera_adds_its_vector_times_the_coefficient_to_the_class_token() -> None:
    network = climb(replace(SMALL, cameras=3, side_coefficient=2.5))
    other = climb(replace(SMALL, cameras=3, side_coefficient=2.5))
    assert network.side is not None
    other.encoder.class_embedding.data += 2.5 * network.side[1].detach()
    torch.nn.init.zeros_(other.get_parameter("side"))
    tracklets = crops(2, 4)
    with torch.no_grad():
        plain, seen = network(tracklets).ranking(), network(tracklets, [1, 1]).ranking()
        torch.testing.assert_close(seen, other(tracklets).ranking(), rtol=1e-4, atol=1e-5)
        assert not torch.allclose(seen, plain, atol=1e-4)
        mixed = network.ragged(tracklets.flatten(0, 1)[:5], [1, 4], [0, 1]).ranking()
        torch.testing.assert_close(mixed[1:], network(tracklets.flatten(0, 1)[None, 1:5], [1]).ranking(), rtol=1e-4,
                                   atol=1e-5)  # fmt: skip


def test_a_network_with_side_information_serves_cameras_it_has_never_seen() -> None:
    """Without an index the mean of the known cameras stands in, which can also become part of the class token."""
    network = climb(replace(SMALL, cameras=3, side_coefficient=2.5))
    side = network.get_parameter("side")
    torch.nn.init.normal_(side)
    without = without_cameras(network)
    assert without.architecture == SMALL
    with torch.no_grad():
        unknown = network(crops(2, 2)).ranking()
        torch.testing.assert_close(without(crops(2, 2)).ranking(), unknown, rtol=1e-5, atol=1e-6)
        side[1] = side.mean(0)  # so that the mean is a camera's
        side[0] = 2 * side[1] - side[2]
        torch.testing.assert_close(network(crops(2, 2), [1, 1]).ranking(), unknown, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(network(crops(2, 2), [0, 0]).ranking(), unknown, atol=1e-3)


def test_a_network_without_side_information_is_its_own_form_without() -> None:
    network = climb()
    assert without_cameras(network) is network


@pytest.mark.parametrize(
    ("known", "cameras"),
    [(0, [0, 0]), (3, [0]), (3, [0, 3]), (3, [-1, 0])],
    ids=["none known", "too few", "too high", "negative"],
)
def test_cameras_that_cannot_be_meant_are_refused(known: int, cameras: list[int]) -> None:
    network = climb(replace(SMALL, cameras=known))
    with pytest.raises(ValueError, match=f"2 tracklets need as many cameras below {known}"):
        network(crops(2, 1), cameras)


def test_training_with_side_information_needs_the_cameras() -> None:
    network = climb(replace(SMALL, cameras=3)).train()
    with pytest.raises(ValueError, match="side information of 3 cameras needs their indices"):
        network(crops(2, 8))


def test_ranking_feature_has_the_stated_length_and_norm_one(network: Climb) -> None:
    with torch.no_grad():
        ranking = network(crops(2, 2)).ranking()
    assert ranking.shape == (2, SMALL.dim)
    np.testing.assert_allclose(ranking.norm(dim=1).numpy(), 1, rtol=1e-5)


@pytest.mark.parametrize("lengths", [[], [0], [2, 9]], ids=["none", "empty", "too long"])
def test_tracklets_that_cannot_be_filled_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="1 to 8 frames"):
        fill_frames(lengths, 8)


def test_sizes_are_those_of_the_paper() -> None:
    assert (CLIMB_BASE.height, CLIMB_BASE.width, CLIMB_BASE.grid) == (256, 128, (16, 8))
    assert (CLIMB_BASE.frames, CLIMB_BASE.strides, CLIMB_BASE.dim) == (8, (1, 4, 8), 2048)
    assert (CLIMB_BASE.state, CLIMB_BASE.expand) == (16, 2)
    assert CLIMB_TINY.strides == (1, 4, 8)


def test_climb_base_has_the_shapes_of_the_paper_without_being_made() -> None:
    with torch.device("meta"):
        network = Climb(CLIMB_BASE).eval()
        encoded = network.encoder(torch.empty(3, 3, 256, 128))
    assert encoded.cls_token.shape == (3, 768)
    assert encoded.patches.shape == (3, 128, 768)
    assert encoded.joint.shape == (3, 512)
    assert sorted(network.temporal.branches, key=int) == ["1", "4", "8"]
    mamba = network.temporal.branches["8"].get_submodule("mamba")
    assert mamba.get_parameter("A_b_log").shape == (1536, 16)
    assert mamba.get_parameter("dt_proj.weight").shape == (1536, 48)


def test_climb_base_has_the_parameters_of_clips_tower_with_fewer_positions() -> None:
    tower = 86_192_640 - (14 * 14 - 16 * 8) * 768  # ViT-B/16 with its projection, at 224 px
    with torch.device("meta"):
        network = Climb(CLIMB_BASE)
    assert sum(p.numel() for p in network.encoder.parameters()) == tower
    D, E, n, r, k, a = 768, 1536, 16, 48, 4, 192
    direction = E * (k + 1) + E * (r + 2 * n) + E * (r + 1) + E * n + E
    branch = 3 * D * E + 2 * direction + 4 * D + (D + 1) * a + a + 1  # Mamba, two norms, attention pooling
    norms = 2 * (D + 512 + D)
    assert parameters(CLIMB_BASE) == tower + 3 * branch + D * D + D + norms


@pytest.mark.parametrize(
    ("sizes", "complaint"),
    [
        ({"height": 100}, "multiple of patch"),
        ({"patch": 8}, "patches of 16"),
        ({"heads": 5}, "heads"),
        ({"strides": (3,)}, "divide"),
        ({"strides": ()}, "divide"),
        ({"strides": (0,)}, "divide"),
        ({"stem": "other"}, "stem"),
        ({"patch": 0}, "patch must be at least 1"),
        ({"layers": -1}, "layers must be at least 1"),
        ({"cameras": -1}, "cameras must be at least 0"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(sizes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Architecture(**sizes)  # type: ignore[arg-type]
