"""Losses and memories against their formulas, written out by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from reid_worker.model.climb import Features
from training.losses import (
    CONTRAST_TEMPERATURE,
    Classifiers,
    LossWeights,
    batch_contrast,
    batch_hard_triplet,
    climb_losses,
)
from training.memory import MOMENTUM, STRATEGIES, TEMPERATURE, initial_memory, memory_loss, move_rows, start_rows


def test_memory_loss_is_the_mean_cross_entropy_over_memories() -> None:
    torch.manual_seed(0)
    memory = F.normalize(torch.randn(2, 3, 4), dim=2)
    features, labels = torch.randn(2, 4), torch.tensor([2, 0])
    expected = 0.0
    for p in range(2):
        for b, y in enumerate(labels.tolist()):
            unit = features[b] / features[b].norm()
            scores = [math.exp(float(unit @ memory[p, k]) / TEMPERATURE) for k in range(3)]
            expected -= math.log(scores[y] / sum(scores)) / 4
    assert float(memory_loss(features, memory, labels)) == pytest.approx(expected, rel=1e-4)


def test_memories_start_as_the_mean_direction_of_each_identity() -> None:
    features = torch.tensor([[2.0, 0.0], [0.0, 5.0], [0.0, -3.0]])
    memory = initial_memory(features, torch.tensor([0, 0, 1]), 2)
    half = math.sqrt(0.5)
    expected = torch.tensor([[half, half], [0.0, -1.0]])
    torch.testing.assert_close(memory, torch.stack([expected, expected]))


def test_an_identity_without_features_has_no_memory() -> None:
    with pytest.raises(ValueError, match="1 identities have no feature"):
        initial_memory(torch.ones(1, 2), torch.tensor([0]), 2)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_mean_memory_moves_to_the_mean_and_a_hard_one_to_the_least_similar() -> None:
    memory = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
    moved = memory.clone()
    near, far = torch.tensor([0.8, 0.6]), torch.tensor([0.0, 1.0])
    move_rows(moved, torch.stack([3 * near, 7 * far]), torch.tensor([0, 0]), ("mean", "hard"), draws())
    mean = MOMENTUM * memory[0, 0] + (1 - MOMENTUM) * (near + far) / 2
    hard = MOMENTUM * memory[1, 0] + (1 - MOMENTUM) * far
    torch.testing.assert_close(moved[0, 0], mean / mean.norm())
    torch.testing.assert_close(moved[1, 0], hard / hard.norm())


def test_a_random_memory_moves_to_any_feature_of_its_identity_and_to_no_other() -> None:
    features = torch.eye(4)
    went = set()
    for seed in range(40):
        memory = torch.zeros(1, 2, 4)
        move_rows(memory, features, torch.tensor([1, 1, 1, 0]), ("random",), draws(seed))
        went.add(int(memory[0, 1].argmax()))
        assert torch.equal(memory[0, 0], features[3])
    assert went == {0, 1, 2}


def test_identities_outside_the_batch_keep_their_rows() -> None:
    before = F.normalize(torch.randn(3, 3, 4), dim=2)
    moved = before.clone()
    move_rows(moved, torch.randn(2, 4), torch.tensor([1, 1]), STRATEGIES, draws())
    assert torch.equal(moved[:, [0, 2]], before[:, [0, 2]])
    torch.testing.assert_close(moved.norm(dim=2), torch.ones(3, 3))


def test_a_first_visit_starts_a_row_and_a_second_does_not() -> None:
    memory = torch.zeros(2, 3, 2)
    memory[:, 2] = torch.tensor([1.0, 0.0])
    start_rows(memory, torch.tensor([[0.0, 2.0], [3.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0, 2]))
    half = math.sqrt(0.5)
    expected = torch.tensor([[half, half], [0.0, 0.0], [1.0, 0.0]])
    torch.testing.assert_close(memory, torch.stack([expected, expected]))


def test_an_identity_not_seen_yet_is_not_a_class_of_the_memory_loss() -> None:
    torch.manual_seed(3)
    seen = F.normalize(torch.randn(2, 3, 4), dim=2)
    features, labels = torch.randn(2, 4), torch.tensor([2, 0])
    with_unseen = torch.cat([seen, torch.zeros(2, 5, 4)], dim=1)
    assert float(memory_loss(features, with_unseen, labels)) == pytest.approx(
        float(memory_loss(features, seen, labels))
    )


def test_triplet_takes_the_farthest_positive_and_the_nearest_negative() -> None:
    features = torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [0.0, 2.0]])
    labels = torch.tensor([0, 0, 0, 1])
    positive = [3.0, 2.0, 3.0, 0.0]
    negative = [2.0, math.sqrt(5), math.sqrt(13), 2.0]
    expected = sum(math.log1p(math.exp(p - n)) for p, n in zip(positive, negative, strict=True)) / 4
    assert float(batch_hard_triplet(features, labels)) == pytest.approx(expected, rel=1e-4)


def test_triplet_has_a_finite_gradient_for_equal_features() -> None:
    features = torch.ones(4, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(batch_hard_triplet(features, torch.tensor([0, 0, 1, 1])), features)
    assert torch.isfinite(gradient).all()


def test_triplet_needs_two_identities() -> None:
    with pytest.raises(ValueError, match="two identities"):
        batch_hard_triplet(torch.randn(3, 2), torch.zeros(3, dtype=torch.int64))


def test_contrast_is_the_mean_log_share_of_the_positives() -> None:
    torch.manual_seed(2)
    features, labels = torch.randn(4, 3), [0, 0, 0, 1, 1]
    features = torch.cat([features, features[:1] * 2])
    unit = features / features.norm(dim=1, keepdim=True)
    expected = 0.0
    for i in range(5):
        shares = {j: math.exp(float(unit[i] @ unit[j]) / CONTRAST_TEMPERATURE) for j in range(5) if j != i}
        positives = [j for j in shares if labels[j] == labels[i]]
        expected -= sum(math.log(shares[j] / sum(shares.values())) for j in positives) / len(positives) / 5
    assert float(batch_contrast(features, torch.tensor(labels))) == pytest.approx(expected, rel=1e-4)


def test_contrast_needs_two_tracklets_of_every_identity() -> None:
    with pytest.raises(ValueError, match="two tracklets"):
        batch_contrast(torch.randn(3, 2), torch.tensor([0, 0, 1]))


def test_total_is_the_weighted_sum_of_the_parts() -> None:
    torch.manual_seed(1)
    features = Features(torch.randn(4, 6), torch.randn(4, 5))
    labels = torch.tensor([0, 0, 1, 1])
    memory = F.normalize(torch.randn(2, 2, 6), dim=2)
    classifiers = Classifiers(6, 5, 2)
    losses = climb_losses(features, labels, classifiers, memory, LossWeights(1.0, 0.25, 0.5, 0.75, 1.0, 2.0))
    expected = (
        memory_loss(features.sequence, memory, labels)
        + 0.25 * F.cross_entropy(features.sequence @ classifiers.sequence.weight.T, labels, label_smoothing=0.1)
        + 0.5 * batch_contrast(features.sequence, labels)
        + 0.75 * batch_hard_triplet(features.sequence, labels)
        + F.cross_entropy(features.temporal @ classifiers.temporal.weight.T, labels, label_smoothing=0.1)
        + 2.0 * batch_hard_triplet(features.temporal, labels)
    )
    torch.testing.assert_close(losses.total, expected)
