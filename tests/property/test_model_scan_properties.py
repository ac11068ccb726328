"""What always holds of the selective scan, whichever implementation runs it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_worker.model.scan import Implementation, selective_scan
from reid_worker.model.scan_parity import scan_inputs

ON_CPU: tuple[Implementation, ...] = ("fused", "parallel", "sequential")
sizes = {"b": st.integers(1, 3), "L": st.integers(1, 90), "seed": st.integers(0, 2**31)}

each = pytest.mark.parametrize("implementation", ON_CPU)
few = settings(max_examples=15, deadline=None)


def inputs(b: int, L: int, seed: int) -> list[torch.Tensor]:
    return [t.float() for t in scan_inputs(b, L, seed=seed)]


@each
@few
@given(**sizes, factor=st.floats(-3, 3))
def test_scan_is_linear_in_x(implementation: Implementation, b: int, L: int, seed: int, factor: float) -> None:
    x, *rest = inputs(b, L, seed)
    other = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    of_sum = selective_scan(x + factor * other, *rest, implementation=implementation)
    sum_of = selective_scan(x, *rest, implementation=implementation) + factor * selective_scan(
        other, *rest, implementation=implementation
    )
    torch.testing.assert_close(of_sum, sum_of, rtol=1e-3, atol=1e-4 * float(1 + sum_of.abs().max()))


@each
@few
@given(**sizes, data=st.data())
def test_a_change_of_x_reaches_no_earlier_position(
    implementation: Implementation, b: int, L: int, seed: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, L - 1))
    tensors = inputs(b, L, seed)
    before = selective_scan(*tensors, implementation=implementation)
    tensors[0][:, first:] += 1.0
    after = selective_scan(*tensors, implementation=implementation)
    assert torch.equal(before[:, :first], after[:, :first])
    assert not torch.equal(before[:, first], after[:, first])


@each
@few
@given(**sizes)
def test_walking_back_equals_walking_ahead_over_the_flipped_sequence(
    implementation: Implementation, b: int, L: int, seed: int
) -> None:
    x, delta, A, B, C, D = inputs(b, L, seed)
    back = selective_scan(x, delta, A, B, C, D, reverse=True, implementation=implementation)
    flipped = selective_scan(x.flip(1), delta.flip(1), A, B.flip(1), C.flip(1), D, implementation=implementation)
    torch.testing.assert_close(back, flipped.flip(1), rtol=1e-5, atol=1e-5)


@each
@few
@given(**sizes)
def test_sequences_of_a_batch_know_nothing_of_each_other(
    implementation: Implementation, b: int, L: int, seed: int
) -> None:
    x, delta, A, B, C, D = inputs(b, L, seed)
    together = selective_scan(x, delta, A, B, C, D, implementation=implementation)
    alone = [
        selective_scan(x[i : i + 1], delta[i : i + 1], A, B[i : i + 1], C[i : i + 1], D, implementation=implementation)
        for i in range(b)
    ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-6, atol=1e-6)
