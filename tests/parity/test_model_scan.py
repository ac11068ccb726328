"""The selective scan: every implementation equals the sequential one in float64, values and gradients."""

from functools import partial

import pytest
import torch

from reid_worker.model.scan import Implementation, chosen_implementation, selective_scan, unavailable, why_broken
from reid_worker.model.scan_parity import relative_errors, scan_inputs, upstream_for, value_and_gradients
from reid_worker.model.scan_sequential import scan_sequential

ON_CPU: tuple[Implementation, ...] = ("fused", "parallel", "sequential")
CPU = torch.device("cpu")


def of(name: Implementation, tensors: list[torch.Tensor], *, reverse: bool = False) -> list[torch.Tensor]:
    return value_and_gradients(partial(selective_scan, implementation=name), tensors, reverse=reverse)


@pytest.mark.parametrize("reverse", [False, True], ids=["ahead", "back"])
@pytest.mark.parametrize("L", [1, 5, 64, 129])
@pytest.mark.parametrize("b", [1, 3])
@pytest.mark.parametrize("implementation", ON_CPU)
def test_scan_in_float32_equals_the_float64_reference(
    implementation: Implementation, b: int, L: int, reverse: bool
) -> None:
    rounded = [t.float() for t in scan_inputs(b, L)]
    wanted = of("sequential", [t.double() for t in rounded], reverse=reverse)
    errors = relative_errors(of(implementation, rounded, reverse=reverse), wanted)
    assert max(errors.values()) < 1e-5, errors


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("implementation", ON_CPU)
def test_scan_of_half_precision_keeps_its_state_in_float32(implementation: Implementation, dtype: torch.dtype) -> None:
    rounded = [t.to(dtype) for t in scan_inputs(2, 129)]
    wanted = of("sequential", [t.double() for t in rounded])
    found = of(implementation, rounded)
    assert {t.dtype for t in found} == {dtype}
    errors = relative_errors(found, wanted)
    assert max(errors.values()) < 1e-2, errors


def distance(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(found.double() - wanted) / torch.linalg.vector_norm(wanted))


def test_a_gradient_of_more_numbers_than_float16_counts_to_is_right_where_a_device_counts_in_float16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a GPU `torch.linspace` takes its step in the dtype asked for: 65 535 is infinite, and the step was 0."""

    def counted_in_its_dtype(start: float, end: float, steps: int, *, dtype: torch.dtype) -> torch.Tensor:
        span = torch.tensor(end - start, dtype=dtype) / torch.tensor(steps - 1, dtype=dtype)
        ahead = start + span * torch.arange(steps // 2)
        return torch.cat([ahead, end - span * torch.arange(steps - steps // 2).flip(0)]).to(dtype)

    x = torch.zeros(2, 512, 64, dtype=torch.float16)
    exact = upstream_for(x.double())
    monkeypatch.setattr(torch, "linspace", counted_in_its_dtype)
    broken = torch.linspace(-1, 1, x.numel(), dtype=x.dtype)
    assert distance(broken, exact.flatten()) == pytest.approx(1, abs=1e-4)  # what was measured there
    assert distance(upstream_for(x), exact) < 1e-3


@pytest.mark.parametrize("E", [255, 256, 300])
def test_fused_scan_of_more_channels_than_a_block_equals_the_reference(E: int) -> None:
    rounded = [t.float() for t in scan_inputs(2, 7, E=E, n=16)]
    wanted = of("sequential", [t.double() for t in rounded])
    errors = relative_errors(of("fused", rounded), wanted)
    assert max(errors.values()) < 1e-5, errors


def test_fused_scan_on_one_thread_equals_that_on_two() -> None:
    rounded = [t.float() for t in scan_inputs(3, 20)]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = of("fused", rounded)
        torch.set_num_threads(2)
        shared = of("fused", rounded)
    finally:
        torch.set_num_threads(threads)
    for one, other in zip(alone, shared, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_sequential_scan_equals_the_recurrence_written_for_one_number() -> None:
    x, delta, A, B, C, D = scan_inputs(1, 7, E=1, n=1)
    h, expected = 0.0, []
    for t in range(7):
        step, value = float(delta[0, t, 0]), float(x[0, t, 0])
        h = float(torch.exp(torch.tensor(step * float(A[0, 0])))) * h + step * float(B[0, t, 0]) * value
        expected.append(float(C[0, t, 0]) * h + float(D[0]) * value)
    got = scan_sequential(x, delta, A, B, C, D)[0, :, 0]
    torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("implementation", ["sequential", "parallel"])
def test_gradient_is_that_of_finite_differences(implementation: Implementation) -> None:
    tensors = [t.requires_grad_() for t in scan_inputs(2, 4, E=2, n=2)]
    assert torch.autograd.gradcheck(lambda *t: selective_scan(*t, implementation=implementation), tensors)


@pytest.mark.parametrize("implementation", ON_CPU)
def test_long_steps_forget_everything_before_them(implementation: Implementation) -> None:
    tensors = [t.float() for t in scan_inputs(1, 10)]
    tensors[1][:, 5] = 1e4  # exp(Δ A) underflows: state before position 5 is gone
    changed = [t.clone() for t in tensors]
    changed[0][:, :5] = 0
    torch.testing.assert_close(
        selective_scan(*tensors, implementation=implementation)[:, 5:],
        selective_scan(*changed, implementation=implementation)[:, 5:],
    )


@pytest.mark.parametrize("wrong", [1, 2, 3, 4, 5], ids=["delta", "A", "B", "C", "D"])
def test_scan_refuses_tensors_that_do_not_fit(wrong: int) -> None:
    tensors = [t.float() for t in scan_inputs(2, 4)]
    tensors[wrong] = tensors[wrong][:-1]
    with pytest.raises(ValueError, match=r"must be|expected"):
        selective_scan(*tensors)


def test_scan_refuses_an_empty_sequence() -> None:
    with pytest.raises(ValueError, match="at least one position"):
        selective_scan(*scan_inputs(1, 0))


def test_fused_scan_refuses_what_it_was_not_compiled_for() -> None:
    with pytest.raises(ValueError, match=r"takes float32, float16, bfloat16, got torch\.float64"):
        selective_scan(*scan_inputs(1, 3), implementation="fused")


@pytest.mark.parametrize("name", ["triton", "mamba_ssm"])
def test_a_kernel_for_a_gpu_says_that_there_is_none(name: Implementation) -> None:
    assert unavailable(name, CPU, torch.float32) == "it needs a cuda device, got cpu"


@pytest.mark.parametrize("failure", [ImportError, OSError, RuntimeError])
def test_a_broken_kernel_is_a_reason_and_no_error(failure: type[Exception]) -> None:
    def broken(*tensors: torch.Tensor, reverse: bool) -> torch.Tensor:
        raise failure("undefined symbol: _ZN3c104cuda\nand a page more")

    assert why_broken(broken, CPU, torch.float32) == f"{failure.__name__}: undefined symbol: _ZN3c104cuda"


def test_a_kernel_with_wrong_numbers_is_not_used() -> None:
    assert "numbers are wrong" in why_broken(lambda *t, **_: 1.1 * scan_sequential(*t), CPU, torch.float32)
    assert "numbers are wrong" in why_broken(lambda *t, **_: scan_sequential(*t) + t[0].detach(), CPU, torch.float32)


def test_a_kernel_that_works_has_no_reason_against_it() -> None:
    assert why_broken(scan_sequential, CPU, torch.bfloat16) == ""


def test_an_unknown_implementation_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="there is none of that name, only mamba_ssm, triton, fused"):
        selective_scan(*scan_inputs(1, 3), implementation="magic")  # type: ignore[arg-type]


def test_auto_takes_the_compiled_loop_on_a_cpu_and_the_reference_for_float64() -> None:
    assert chosen_implementation(CPU, torch.float32) == "fused"
    assert chosen_implementation(CPU, torch.bfloat16) == "fused"
    assert chosen_implementation(CPU, torch.float64) == "sequential"
