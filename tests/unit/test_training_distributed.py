"""Distributed runs: norms over the images of all processes, and gradients that add up."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from training.distributed import SINGLE, Distributed, SharedBatchNorm2d, share_norms


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()), nn.BatchNorm2d(4))


def test_sharing_norms_keeps_names_values_and_the_parameters_an_optimiser_refers_to() -> None:
    module = layers()
    parameters, state = [id(p) for p in module.parameters()], module.state_dict()
    share_norms(module)
    assert [id(p) for p in module.parameters()] == parameters
    assert module.state_dict().keys() == state.keys()
    assert [type(m) for m in module.modules()].count(SharedBatchNorm2d) == 2


@pytest.mark.usefixtures("group")
def test_a_shared_norm_of_one_process_is_a_batch_norm() -> None:
    images = torch.randn(5, 3, 9, 8)
    found = []
    for share in (False, True):
        module = layers()
        if share:
            share_norms(module)
        for _ in range(2):
            module(images).square().mean().backward()
        found.append(([p.grad for p in module.parameters()], module.state_dict(), module.eval()(images)))
    (gradients, state, answer), (gradients_shared, state_shared, answer_shared) = found
    torch.testing.assert_close(gradients_shared, gradients, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(dict(state_shared), dict(state), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(answer_shared, answer, rtol=1e-4, atol=1e-5)


def test_shares_cover_everything_in_order() -> None:
    rows = list(range(12))
    assert [row for rank in range(4) for row in rows[Distributed(rank, 4).share(12)]] == rows


def test_a_single_process_needs_no_group() -> None:
    tensor = torch.ones(3, requires_grad=True)
    assert torch.equal(SINGLE.gather(tensor), tensor)
    assert not SINGLE.gather(tensor).requires_grad
    assert SINGLE.agreed(0.3) == 0.3
    with SINGLE.first_alone():
        assert SINGLE.first
