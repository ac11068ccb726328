"""One feature of a tracklet from those of its frames: what agrees with the others counts for more."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from reid_worker.model.agreement import SHARPNESS, agreed


def frames(count: int, seed: int = 0, width: int = 6) -> Tensor:
    """Return one tracklet of random features."""
    return torch.randn(1, count, width, generator=torch.Generator().manual_seed(seed))


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def by_definition(features: Tensor) -> Tensor:
    """Return the weighted mean of distinct frames `(T, c)`, frame by frame."""
    count = len(features)
    agreement = [
        sum(cosine(f, g) for j, g in enumerate(features) if i != j) / (count - 1) for i, f in enumerate(features)
    ]
    weights = torch.tensor([math.exp(SHARPNESS * one) for one in agreement])
    return weights @ features / weights.sum()


@given(count=st.integers(2, 8), seed=st.integers(0, 1000))
def test_it_is_the_mean_weighted_by_the_cosine_with_the_other_frames(count: int, seed: int) -> None:
    features = frames(count, seed)
    torch.testing.assert_close(agreed(features)[0], by_definition(features[0]), atol=1e-5, rtol=1e-5)


@given(order=st.permutations(range(5)))
def test_the_order_of_frames_does_not_matter(order: list[int]) -> None:
    features = frames(5)
    torch.testing.assert_close(agreed(features[:, order]), agreed(features))


def test_a_stranger_in_one_frame_of_four_counts_for_nearly_nothing() -> None:
    person, stranger = torch.eye(6)[0], torch.eye(6)[1]
    same = torch.stack([person + 0.3 * other for other in torch.eye(6)[2:5]])
    features = torch.cat([same, stranger.unsqueeze(0)]).unsqueeze(0)
    found = agreed(features)[0]
    # Three frames with cosines of 1 / 1.09 to each other and 0 to the stranger, who has 0 to all
    weight = math.exp(SHARPNESS * 2 / 3 / 1.09)
    torch.testing.assert_close(found[1], torch.tensor(1 / (1 + 3 * weight)))
    assert cosine(found, person) > 0.98 > cosine(features[0].mean(0), person)


def test_one_frame_is_itself_and_two_are_their_mean() -> None:
    one, two = frames(1), frames(2)
    torch.testing.assert_close(agreed(one), one[:, 0])
    torch.testing.assert_close(agreed(two), two.mean(1))


def test_a_frame_that_is_repeated_to_fill_a_tracklet_does_not_agree_with_itself() -> None:
    a, b = frames(2)[0]
    torch.testing.assert_close(agreed(torch.stack([a, b, a, b]).unsqueeze(0))[0], (a + b) / 2)
    torch.testing.assert_close(agreed(torch.stack([a, a, a]).unsqueeze(0))[0], a)


def test_tracklets_of_one_batch_do_not_touch_each_other() -> None:
    first, second = frames(4, 1), frames(4, 2)
    torch.testing.assert_close(agreed(torch.cat([first, second])), torch.cat([agreed(first), agreed(second)]))


def test_autocast_leaves_it_in_float32() -> None:
    features = frames(5)
    with torch.autocast("cpu", torch.bfloat16):
        found = agreed(features)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, agreed(features), rtol=0, atol=0)
