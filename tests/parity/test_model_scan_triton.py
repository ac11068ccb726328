"""The Triton scan without a GPU: its kernels in Triton's interpreter, and compiled for the GPUs people have."""

import os
import subprocess
import sys

import pytest

triton = pytest.importorskip("triton", reason="Triton comes with torch on Linux only")

INTERPRETED = """
import torch
from functools import partial
from reid_worker.model import scan_triton
from reid_worker.model.scan import selective_scan, unavailable
from reid_worker.model.scan_parity import relative_errors, scan_inputs, value_and_gradients
from reid_worker.model.scan_sequential import scan_sequential

scan_triton._CHUNK = 4  # the interpreter is slow: so nine positions are three chunks
scan_triton._ENOUGH = 6
assert unavailable("triton", torch.device("cpu"), torch.float32) == ""
for dtype, bound in ((torch.float32, 1e-5), (torch.bfloat16, 1e-2), (torch.float16, 1e-2)):
    for b, L, E, n, reverse in ((2, 6, 8, 16, False), (1, 9, 33, 5, True), (1, 1, 8, 16, False), (2, 5, 33, 5, True)):
        tensors = [t.to(dtype) for t in scan_inputs(b, L, E=E, n=n)]
        wanted = value_and_gradients(scan_sequential, [t.double() for t in tensors], reverse=reverse)
        found = value_and_gradients(partial(selective_scan, implementation="triton"), tensors, reverse=reverse)
        errors = relative_errors(found, wanted)
        assert max(errors.values()) < bound, (dtype, b, L, errors)
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
from reid_worker.model.scan_triton import _BLOCK, _REGISTERS, _SPAN
from reid_worker.model.scan_triton_kernels import backward_kernel, chunk_kernel, forward_kernel

IN_DTYPE = {"x", "delta", "B", "C", "y", "dy", "dx", "ddelta"}
NUMBERS = {"L", "E", "n", "chunk"}

def exchanges(kernel, constants, dtype, generation, **options):
    signature = {}
    for name in kernel.arg_names:
        if name in constants:
            signature[name] = "constexpr"
        else:
            signature[name] = "i32" if name in NUMBERS else "*" + (dtype if name in IN_DTYPE else "fp32")
    aligned = {(at,): [["tt.divisibility", 16]] for at, name in enumerate(kernel.arg_names) if name not in constants}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=aligned)
    compiled = compile(source, target=GPUTarget("cuda", generation, 32), options={"num_warps": 1, **options})
    assert compiled.asm["cubin"]
    return compiled.asm["ptx"].count("shfl")

walk = dict(N=16, BLOCK=_BLOCK, REVERSE=True)
sizes = dict(walk, SPAN=_SPAN)
for dtype, generation in (("bf16", 80), ("fp32", 90)):
    # A thread has two states of four channels: only sums go from one to another.
    assert exchanges(chunk_kernel, dict(walk, BACK=False), dtype, generation) == 0
    assert exchanges(chunk_kernel, dict(walk, BACK=True), dtype, generation) == 0
    for keep in (False, True):
        assert exchanges(forward_kernel, dict(sizes, KEEP=keep), dtype, generation) == 4 * 3
    # A position: 24 for two sums over states, 8 for two over channels, 4 to store these.
    assert exchanges(backward_kernel, sizes, dtype, generation, maxnreg=_REGISTERS) == 36 * _SPAN
print("compiled")
"""


def test_triton_scan_compiles_for_ampere_and_hopper_and_threads_exchange_only_sums() -> None:
    done = python(COMPILED)
    assert done.stdout.strip() == "compiled", done.stderr[-2000:]
