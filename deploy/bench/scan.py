"""Measure the accuracy and speed of every selective scan on this machine. Letters as in `reid_worker.model.scan`."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from reid_worker.model.scan import IMPLEMENTATIONS, Implementation, selective_scan, unavailable
from reid_worker.model.scan_parity import NAMES, relative_errors, scan_inputs, upstream_for, value_and_gradients

PARITY_LENGTHS = (1, 5, 128, 129, 512, 1024)
SPEED_LENGTHS = (128, 512, 1024)  # patches in a fragment of climb-base: 128 per frame, 1, 4 or 8 frames
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
STATE = 16
FLOOR = "exponentials alone"
_DECAY = 3.0  # Δ of a trained network is small: softplus of a normal sample minus this
BACKWARD_SHARE = 4  # the sequential scan stores about 15 numbers per state for gradients: 23 GB at batch 8, length 1024
_CACHED = 1 << 16  # exponentials computed at a time, so that memory bandwidth is not what is measured


@dataclass(frozen=True, slots=True)
class ScanSize:
    """Batch size b, width E, and the implementations to measure; by default all that work on this machine."""

    batch: int
    width: int
    lengths: Sequence[int]
    implementations: Sequence[Implementation] = IMPLEMENTATIONS


@dataclass(frozen=True, slots=True)
class ParityRow:
    """Error of one tensor against the float64 reference on the same rounded inputs.

    Attributes:
        direction: `forward` for y, `backward` for a gradient.
        tensor: `y`, or the input that the gradient belongs to.
        relative_error: Norm of the difference divided by the norm of the reference; the worse of both scan directions.
    """

    implementation: str
    dtype: str
    length: int
    direction: str
    tensor: str
    relative_error: float


@dataclass(frozen=True, slots=True)
class SpeedRow:
    """Best time of a scan.

    Attributes:
        direction: `forward` without gradients; `backward` is a forward and a backward pass over fewer sequences.
        ns_per_state: Time per state of one channel at one position.
        times_sequential: Speed-up over the sequential implementation.
    """

    implementation: str
    dtype: str
    length: int
    direction: str
    seconds: float
    ns_per_state: float
    times_sequential: float
    batch: int
    width: int
    threads: int


def usable(names: Sequence[Implementation], device: torch.device, dtype: torch.dtype) -> list[Implementation]:
    """Return the implementations that work on this machine, with the reference last."""
    return [name for name in names if not unavailable(name, device, dtype)]


def parity_rows(size: ScanSize, device: torch.device) -> Iterator[ParityRow]:
    """Compare every implementation, dtype, length and gradient with the sequential scan in float64."""
    for length in size.lengths:
        exact = scan_inputs(size.batch, length, E=size.width, n=STATE)
        for dtype_name, dtype in DTYPES.items():
            tensors = [t.to(device, dtype) for t in exact]
            wanted = [_reference(tensors, reverse=reverse) for reverse in (False, True)]
            for name in usable(size.implementations, device, dtype):
                scan = partial(selective_scan, implementation=name)
                ahead, back = (
                    relative_errors(value_and_gradients(scan, tensors, reverse=reverse), wanted[reverse])
                    for reverse in (False, True)
                )
                for tensor in NAMES:
                    direction = "forward" if tensor == "y" else "backward"
                    worst = max(ahead[tensor], back[tensor])
                    yield ParityRow(name, dtype_name, length, direction, tensor, worst)


def _reference(tensors: Sequence[Tensor], *, reverse: bool) -> list[Tensor]:
    scan = partial(selective_scan, implementation="sequential")
    upstream = upstream_for(tensors[0]).double()
    return value_and_gradients(scan, [t.double() for t in tensors], reverse=reverse, upstream=upstream)


def speed_rows(
    size: ScanSize, device: torch.device, dtype_name: str, *, turns: int = 5, say: Callable[[str], None] = print
) -> Iterator[SpeedRow]:
    """Measure every implementation, interleaved, and the time that the exponentials alone take.

    Each figure is the best of all rounds; an implementation that is far slower than the rest gets one round.
    """
    dtype = DTYPES[dtype_name]
    for length in size.lengths:
        for direction in ("forward", "backward"):
            batch = size.batch if direction == "forward" else max(1, size.batch // BACKWARD_SHARE)
            states = batch * length * size.width * STATE
            inputs = _typical(batch, length, size.width, device, dtype)
            names = usable(size.implementations, device, dtype)
            runs: dict[str, Callable[[], object]] = {name: _runner(name, inputs, direction) for name in names}
            if direction == "forward":
                runs[FLOOR] = _exponentials(states, device)
            say(f"{direction}, length {length}: {', '.join(runs)}")
            best = _best(runs, device, turns)
            for name, seconds in best.items():
                yield SpeedRow(
                    name, dtype_name, length, direction, seconds, round(seconds / states * 1e9, 3),
                    round(best["sequential"] / seconds, 2) if "sequential" in best else 0.0,
                    batch, size.width, torch.get_num_threads(),
                )  # fmt: skip


def _typical(batch: int, length: int, width: int, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    x, delta, A, B, C, D = scan_inputs(batch, length, E=width, n=STATE)
    delta = torch.nn.functional.softplus(torch.log(torch.expm1(delta)) - _DECAY)
    return [t.to(device, dtype) for t in (x, delta, A, B, C, D)]


def _runner(name: Implementation, inputs: list[Tensor], direction: str) -> Callable[[], object]:
    scan = partial(selective_scan, implementation=name)
    if direction == "backward":
        upstream = upstream_for(inputs[0])  # built once, since it is made on the CPU
        return lambda: value_and_gradients(scan, inputs, upstream=upstream)

    def forward() -> Tensor:
        with torch.inference_mode():
            return scan(*inputs)

    return forward


def _exponentials(count: int, device: torch.device) -> Callable[[], object]:
    """Return a function that computes `count` exponentials and nothing else."""
    numbers = -torch.rand(min(count, _CACHED if device.type == "cpu" else count), device=device)
    out = torch.empty_like(numbers)

    def run() -> None:
        for _ in range(count // len(numbers)):
            torch.exp(numbers, out=out)

    return run


def _best(runs: dict[str, Callable[[], object]], device: torch.device, turns: int) -> dict[str, float]:
    """Return the shortest time of each run in seconds, interleaved, after a first round that compiles and warms up."""
    best = {name: _seconds(run, device) for name, run in runs.items()}
    for turn in range(turns):
        for name, run in runs.items():
            if turn == 0 or best[name] < 10 * min(best.values()):
                best[name] = min(best[name], _seconds(run, device))
    return best


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def parity_table(rows: Sequence[ParityRow]) -> list[str]:
    """Return a text table with a line per implementation, dtype and length, and a column per tensor."""
    lines = [f"{'implementation':<14} {'dtype':<9} {'L':>5}  " + "  ".join(f"{name:>7}" for name in NAMES)]
    for first in range(0, len(rows), len(NAMES)):
        group = rows[first : first + len(NAMES)]
        errors = "  ".join(f"{row.relative_error:7.1e}" for row in group)
        lines.append(f"{group[0].implementation:<14} {group[0].dtype:<9} {group[0].length:>5}  {errors}")
    return lines


def speed_table(rows: Sequence[SpeedRow]) -> list[str]:
    """Return the rows as a text table."""
    lines = [f"{'implementation':<18} {'dtype':<9} {'L':>5} {'':<8} {'ms':>10} {'ns/state':>9} {'x sequential':>12}"]
    lines += [
        f"{row.implementation:<18} {row.dtype:<9} {row.length:>5} {row.direction:<8} {row.seconds * 1e3:10.1f} "
        f"{row.ns_per_state:9.2f} {row.times_sequential:12.2f}"
        for row in rows
    ]
    return lines
