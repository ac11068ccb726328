"""The CLIMB network: what the paper promises of its parts."""

import numpy as np
import pytest
import torch

from reid_worker.model.climb import CLIMB_BASE, CLIMB_TINY, Architecture, Climb, fill_frames
from reid_worker.model.irm import ImportanceReorderMamba, MultiTemporalMamba, reorder_by_importance
from reid_worker.model.mamba import BidirectionalMamba

SMALL = Architecture(
    name="small", height=32, width=16, tower_width=16, layers=1, heads=2, joint_width=8, frames=8, state=4
)


@pytest.fixture
def network() -> Climb:
    torch.manual_seed(3)
    return Climb(SMALL).eval()


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


def test_one_frame_gives_the_importance_mamba_alone() -> None:
    torch.manual_seed(0)
    multi = MultiTemporalMamba(16, 4, 2, strides=(1,)).eval()
    cls_tokens, patches = torch.randn(2, 1, 16), torch.randn(2, 1, 8, 16)
    with torch.no_grad():
        alone = multi.branches["1"](cls_tokens, patches)
        torch.testing.assert_close(multi(cls_tokens, patches), multi.project(alone))


def test_fragments_must_fill_the_tracklet() -> None:
    multi = MultiTemporalMamba(16, 4, 2, strides=(1, 4))
    with pytest.raises(ValueError, match="6 frames cannot be cut into fragments of 4"):
        multi(torch.randn(1, 6, 16), torch.randn(1, 6, 8, 16))


def test_temporal_head_learns_without_moving_the_encoder(network: Climb) -> None:
    features = network(crops(2, 8))
    features.temporal.square().sum().backward()
    assert all(p.grad is None for p in network.encoder.parameters())
    assert network.temporal.project.weight.grad is not None


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
    assert CLIMB_BASE.grid == (16, 8)
    assert CLIMB_BASE.dim == 2048
    assert CLIMB_TINY.strides == (1, 4, 8)


@pytest.mark.parametrize(
    ("sizes", "complaint"),
    [
        ({"height": 100}, "multiple of patch"),
        ({"patch": 8}, "patches of 16"),
        ({"heads": 5}, "heads"),
        ({"strides": (3,)}, "divide"),
        ({"strides": ()}, "divide"),
        ({"stem": "other"}, "stem"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(sizes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Architecture(**sizes)  # type: ignore[arg-type]
