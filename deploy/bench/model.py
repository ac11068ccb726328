"""Measure the network's speed on this machine as a share of the achievable matrix-product rate.

The device's rate is that of a large matrix product of the same dtype, interleaved with the network so that other load
on the machine affects both equally. Each figure is the best of all rounds.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from deploy.bench.memory import memory_mb
from reid_worker.model.climb import CLIMB_BASE, CLIMB_TINY, Architecture, Climb
from reid_worker.model.cost import gflop_per_crop, parameters
from reid_worker.model.scan import chosen_implementation
from reid_worker.model.serving import serving_form
from reid_worker.model.weights import SHIPPED, load_weights

Form = Literal["served", "eager"]

MATRIX = {"cpu": 2048, "cuda": 8192}  # side of the large matrix product; larger ones are no faster
MOST_CROPS = {"cpu": 64, "cuda": 512}  # approximate size of one embedder call
SLOW_S = 0.5  # slower calls are measured with fewer crops and fewer rounds
TURNS = 12
_MATRIX_TURNS = 6
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Subject:
    """A network to measure.

    Attributes:
        model: Name of the model.
        network: The network with its weights.
    """

    model: str
    network: Climb


@dataclass(frozen=True, slots=True)
class Case:
    """A configuration in which to measure a network.

    Attributes:
        device: Device to run on.
        precision: `fp32`, `bf16` or `fp16`.
        frames: Crops per tracklet, 1 to T.
        form: `served`, as the worker runs it, or `eager`, as it was trained.
    """

    device: torch.device
    precision: str
    frames: int
    form: Form = "served"


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.

    Attributes:
        dtype: Dtype of the matrix products.
        batch: Crops per call.
        gflop_per_crop: Matrix products and convolutions of encoder and temporal head, 1e9 operations.
        gemm_share: Achieved operations per second divided by those of a large matrix product.
        peak_bytes: On a GPU, peak memory allocated, including weights; on a CPU, the rise in resident memory over its
            previous value, including inputs and the large matrix.
        latency_s: Time for a single tracklet.
        scan: Implementation of the selective scan.
    """

    model: str
    device: str
    dtype: str
    form: Form
    frames: int
    batch: int
    crops_per_s: float
    gflop_per_crop: float
    gemm_share: float
    peak_bytes: int
    latency_s: float
    parameters: int
    scan: str
    threads: int


def subjects() -> list[Subject]:
    """Return the shipped network, plus whichever of `climb-tiny` and `climb-base` it is not, with random weights."""
    shipped = Subject("shipped", load_weights(SHIPPED).network)
    others = [a for a in (CLIMB_TINY, CLIMB_BASE) if a != shipped.network.architecture]
    return [shipped, *(Subject(a.name, random_network(a)) for a in others)]


def random_network(architecture: Architecture) -> Climb:
    """Return an untrained network, which is good only for measuring speed."""
    torch.manual_seed(0)
    return Climb(architecture).eval()


def cases(device: torch.device, frames: int) -> list[Case]:
    """Return the cases to measure on a device: one image, a full tracklet, and every dtype it multiplies natively."""
    lengths = (1, frames)
    if device.type != "cuda":
        return [Case(device, "fp32", frames, "eager"), *(Case(device, "fp32", length) for length in lengths)]
    return [
        *(Case(device, precision, length) for length in lengths for precision in ("bf16", "fp16", "fp32")),
        Case(device, "fp32", frames, "eager"),
    ]


def measure(subject: Subject, case: Case, *, turns: int | None = None, crops: int | None = None) -> Row:
    """Measure one network in one configuration.

    Args:
        subject: Not modified.
        case: Must name an available device.
        turns: Repetitions of network and matrix product; if None, as many as take a short time.
        crops: Crops per call, rounded to whole tracklets; if None, chosen for the device, and fewer if that is slow.
    """
    kind, device, a = case.device.type, case.device, subject.network.architecture
    dtype = _DTYPES[case.precision]
    with _peak_memory(device) as peak, torch.inference_mode():
        network = serving_form(subject.network, dtype) if case.form == "served" else subject.network
        run = _runner(network.to(device), case, dtype)
        one_s = _best(device, 1, run(1))[0]
        turns = turns or TURNS
        tracklets = max(1, (crops or MOST_CROPS.get(kind, 64)) // case.frames)
        if crops is None and one_s * tracklets > SLOW_S:
            tracklets, turns = max(1, int(SLOW_S / one_s)), max(1, min(turns, int(4 * SLOW_S / one_s)))
        matrix = torch.randn(MATRIX.get(kind, 2048), MATRIX.get(kind, 2048), device=device).to(dtype)
        best_s, matrix_s = _best(device, turns, run(tracklets), lambda: matrix @ matrix)
        if turns < _MATRIX_TURNS:  # a slow network leaves the matrix product too few rounds to reach its best time
            matrix_s = min(matrix_s, *_best(device, _MATRIX_TURNS, lambda: matrix @ matrix))
        latency_s = min(one_s, best_s if tracklets == 1 else _best(device, turns, run(1))[0])
    count, gflop = tracklets * case.frames, gflop_per_crop(a, case.frames)
    rate = 2 * matrix.shape[0] ** 3 / matrix_s
    if case.form == "eager":
        subject.network.to("cpu")
    return Row(
        model=subject.model,
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        form=case.form,
        frames=case.frames,
        batch=count,
        crops_per_s=round(count / best_s, 1),
        gflop_per_crop=round(gflop, 5),
        gemm_share=round(gflop * 1e9 * count / best_s / rate, 4),
        peak_bytes=peak(),
        latency_s=round(latency_s, 6),
        parameters=parameters(a),
        scan=chosen_implementation(device, dtype),
        threads=torch.get_num_threads(),
    )


def rows(subjects: Sequence[Subject], device: torch.device, log: Callable[[str], None]) -> Iterator[Row]:
    """Measure every network in every configuration on a device, and `log` each one before it starts."""
    for subject in subjects:
        for case in cases(device, subject.network.architecture.frames):
            log(f"{subject.model}: {case.frames} frames, {case.precision}, {case.form}, on {device}")
            yield measure(subject, case)


def table(rows: Sequence[Row]) -> list[str]:
    """Return the rows as a text table with a header line."""
    lines = [
        f"{'model':<11}{'form':<8}{'dtype':<10}{'frames':>6}{'batch':>7}{'crops/s':>10}{'ms/tracklet':>13}"
        f"{'GFLOP/crop':>12}{'of matmul':>11}{'peak MB':>9}{'M params':>10}"
    ]
    lines += [
        f"{row.model:<11}{row.form:<8}{row.dtype:<10}{row.frames:>6}{row.batch:>7}{row.crops_per_s:>10.1f}"
        f"{row.latency_s * 1e3:>13.2f}{row.gflop_per_crop:>12.4f}{row.gemm_share:>11.2f}{row.peak_bytes / 1e6:>9.0f}"
        f"{row.parameters / 1e6:>10.2f}"
        for row in rows
    ]
    return lines


def _runner(network: Climb, case: Case, dtype: torch.dtype) -> Callable[[int], Callable[[], object]]:
    """Return a factory that, given a number of tracklets, builds one call of the network on random crops."""
    a = network.architecture

    def run(tracklets: int) -> Callable[[], object]:
        images = torch.randn(tracklets * case.frames, 3, a.height, a.width, device=case.device)
        lengths = [case.frames] * tracklets

        def call() -> Tensor:
            with nullcontext() if dtype == torch.float32 else torch.autocast(case.device.type, dtype):
                return network.ranking(network.encode(images, lengths))

        return call

    return run


def _best(device: torch.device, turns: int, *calls: Callable[[], object]) -> list[float]:
    """Return the shortest time of each call in seconds, with the calls interleaved; the first round is a warm-up.

    On a single CPU thread this is processor time, so that other programs on a shared machine do not distort it.
    """
    clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    best = [float("inf")] * len(calls)
    for turn in range(turns + 1):
        for number, call in enumerate(calls):
            started = clock()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if turn:
                best[number] = min(best[number], clock() - started)
    return best


@contextmanager
def _peak_memory(device: torch.device) -> Iterator[Callable[[], int]]:
    """Yield a function that returns the peak memory since this context was entered, in bytes."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield lambda: torch.cuda.max_memory_allocated(device)
        return
    before = memory_mb()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak resident memory
    yield lambda: max(0, round((_highest_mb() - before) * 1e6))


def _highest_mb() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return memory_mb()
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6
