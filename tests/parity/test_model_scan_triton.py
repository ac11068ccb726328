"""The Triton scan without a GPU: its kernels in Triton's interpreter, and compiled for the GPUs people have."""

import os
import subprocess
import sys

import pytest

triton = pytest.importorskip("triton", reason="Triton comes with torch on Linux only")

INTERPRETED = """
import torch
from functools import partial
from reid_worker.model.scan import selective_scan, unavailable
from reid_worker.model.scan_parity import relative_errors, scan_inputs, value_and_gradients
from reid_worker.model.scan_sequential import scan_sequential

assert unavailable("triton", torch.device("cpu"), torch.float32) == ""
for dtype, bound in ((torch.float32, 1e-5), (torch.bfloat16, 1e-2), (torch.float16, 1e-2)):
    for b, L, E, n, reverse in ((2, 6, 8, 16, False), (1, 5, 33, 5, True), (1, 1, 8, 16, False)):
        tensors = [t.to(dtype) for t in scan_inputs(b, L, E=E, n=n)]
        wanted = value_and_gradients(scan_sequential, [t.double() for t in tensors], reverse=reverse)
        found = value_and_gradients(partial(selective_scan, implementation="triton"), tensors, reverse=reverse)
        errors = relative_errors(found, wanted)
        assert max(errors.values()) < bound, (dtype, L, errors)
print("equal")
"""


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_triton_scan_equals_the_reference_in_the_interpreter() -> None:
    # a process of its own: Triton reads the switch when the kernels are defined
    done = python(INTERPRETED, TRITON_INTERPRET="1")
    assert done.stdout.strip() == "equal", done.stderr[-2000:]


COMPILED = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from reid_worker.model.scan_triton_kernels import backward_kernel, forward_kernel

IN_DTYPE = {"x", "delta", "B", "C", "y", "dy", "dx", "ddelta"}
NUMBERS = {"L", "E", "n", "unit"}

def shuffles(kernel, constants, dtype, generation):
    signature = {}
    for name in kernel.arg_names:
        if name in constants:
            signature[name] = "constexpr"
        elif name in NUMBERS:
            signature[name] = "i32"
        else:
            signature[name] = "*" + (dtype if name in IN_DTYPE else "fp32")
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    compiled = compile(source, target=GPUTarget("cuda", generation, 32), options={"num_warps": 1})
    assert compiled.asm["cubin"]
    return compiled.asm["ptx"].count("shfl")

sizes = dict(N=16, BLOCK=32, SPAN=4, REVERSE=True)
# Each thread owns a channel with all its states: y is summed up without asking another thread.
assert shuffles(forward_kernel, dict(sizes, KEEP=False), "bf16", 80) == 0
assert shuffles(forward_kernel, dict(sizes, KEEP=True), "fp32", 90) == 0
assert shuffles(backward_kernel, sizes, "bf16", 90) > 0
print("compiled")
"""


def test_triton_scan_compiles_for_ampere_and_hopper_with_a_channel_a_thread() -> None:
    done = python(COMPILED)
    assert done.stdout.strip() == "compiled", done.stderr[-2000:]
