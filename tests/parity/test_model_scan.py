"""The selective scan: every implementation equals the sequential one in float64, values and gradients."""

import pytest
import torch
from torch import Tensor

from reid_worker.model.scan import Implementation, scan_sequential, selective_scan


def inputs(b: int, L: int, E: int = 6, n: int = 5, seed: int = 0) -> list[Tensor]:
    g = torch.Generator().manual_seed(seed)
    x, delta, C = (torch.randn(s, generator=g, dtype=torch.float64) for s in ((b, L, E), (b, L, E), (b, L, n)))
    B = torch.randn(b, L, n, generator=g, dtype=torch.float64)
    A = -torch.arange(1, n + 1, dtype=torch.float64).repeat(E, 1) * (1 + torch.rand(E, 1, generator=g))
    D = torch.randn(E, generator=g, dtype=torch.float64)
    return [x, torch.nn.functional.softplus(delta), A, B, C, D]


def value_and_gradients(tensors: list[Tensor], implementation: Implementation) -> list[Tensor]:
    leaves = [t.clone().requires_grad_() for t in tensors]
    y = selective_scan(*leaves, implementation=implementation)
    weight = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
    return [y, *torch.autograd.grad((y * weight).sum(), leaves)]


@pytest.mark.parametrize("implementation", ["fused", "sequential"])
@pytest.mark.parametrize("L", [1, 5, 129])
@pytest.mark.parametrize("b", [1, 3])
def test_scan_in_float32_equals_the_sequential_float64_reference(
    implementation: Implementation, L: int, b: int
) -> None:
    exact = inputs(b, L)
    rounded = [t.float() for t in exact]
    expected = value_and_gradients([t.double() for t in rounded], "sequential")
    for got, wanted in zip(value_and_gradients(rounded, implementation), expected, strict=True):
        torch.testing.assert_close(got.double(), wanted, rtol=2e-4, atol=2e-5 * float(wanted.detach().abs().max()))


def test_sequential_scan_equals_the_recurrence_written_for_one_number() -> None:
    x, delta, A, B, C, D = inputs(1, 7, E=1, n=1)
    h, expected = 0.0, []
    for t in range(7):
        step, value = float(delta[0, t, 0]), float(x[0, t, 0])
        h = float(torch.exp(torch.tensor(step * float(A[0, 0])))) * h + step * float(B[0, t, 0]) * value
        expected.append(float(C[0, t, 0]) * h + float(D[0]) * value)
    got = scan_sequential(x, delta, A, B, C, D)[0, :, 0]
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-6)


def test_gradient_of_the_sequential_scan_is_that_of_finite_differences() -> None:
    tensors = [t.requires_grad_() for t in inputs(2, 4, E=2, n=2)]
    assert torch.autograd.gradcheck(scan_sequential, tensors)


@pytest.mark.parametrize("implementation", ["fused", "sequential"])
def test_scan_is_causal(implementation: Implementation) -> None:
    tensors = [t.float() for t in inputs(2, 20)]
    before = selective_scan(*tensors, implementation=implementation)
    tensors[0][:, 12:] += 1.0
    after = selective_scan(*tensors, implementation=implementation)
    torch.testing.assert_close(before[:, :12], after[:, :12], rtol=0, atol=0)
    assert not torch.equal(before[:, 12], after[:, 12])


def test_long_steps_forget_everything_before_them() -> None:
    tensors = [t.float() for t in inputs(1, 10)]
    tensors[1][:, 5] = 1e4  # exp(Δ A) underflows: state before position 5 is gone
    changed = [t.clone() for t in tensors]
    changed[0][:, :5] = 0
    torch.testing.assert_close(
        selective_scan(*tensors, implementation="fused")[:, 5:], selective_scan(*changed, implementation="fused")[:, 5:]
    )


@pytest.mark.parametrize("wrong", [1, 2, 3, 4, 5], ids=["delta", "A", "B", "C", "D"])
def test_scan_refuses_tensors_that_do_not_fit(wrong: int) -> None:
    tensors = [t.float() for t in inputs(2, 4)]
    tensors[wrong] = tensors[wrong][:-1]
    with pytest.raises(ValueError, match=r"must be|expected"):
        selective_scan(*tensors)


def test_scan_refuses_an_empty_sequence() -> None:
    with pytest.raises(ValueError, match="at least one position"):
        selective_scan(*inputs(1, 0))


def test_fused_scan_refuses_what_it_was_not_compiled_for() -> None:
    with pytest.raises(ValueError, match="float32 on the CPU"):
        selective_scan(*inputs(1, 3), implementation="fused")
