"""`climbtrack export`: export weights to ONNX, and compare each file with PyTorch before keeping it."""

import json
import platform
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import onnx
import onnxruntime
import torch

from reid_worker.model import load_embedder
from reid_worker.model.weights import SHIPPED, LoadedWeights, load_weights
from training.data.crops import CropSet, Render
from training.export.graph import build_onnx
from training.export.half import HalfPrecisionError, to_half
from training.export.report import (
    Bounds,
    EmbedCrops,
    Parity,
    Speed,
    compare,
    embed_all,
    fastest,
    report_people,
    torch_embed,
)
from training.export.session import OnnxError, OnnxNetwork

Precision = Literal["fp32", "fp16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

# float32: against float64, a typical tracklet of climb-tiny is off by 1e-6 in PyTorch and by 7e-6 in onnxruntime. Two
# patch tokens almost equally similar to the class token may swap in the sort, however: with an earlier climb-tiny this
# happened in 2 of lab-4cam's 147 tracklets, one of which then differed by 5e-3, cosine 0.9997 (PyTorch's serving form
# against its training form: 1 tracklet, 1e-3). So the bound for the median is tight and the one for the worst case
# loose. float16 rounds before the sort, so tokens swap in most tracklets; what matters then is the ranking of people.
BOUNDS: dict[Precision, Bounds] = {
    "fp32": Bounds(typical=5e-5, difference=5e-2, cosine=0.995, map_loss=0.005),
    "fp16": Bounds(typical=5e-3, difference=5e-2, cosine=0.995, map_loss=0.01),
}
_SPEED_TRACKLETS = 8
_THREADS = 1  # with several threads, other programs on the machine would distort the measurement


class ExportError(Exception):
    """Raised when the network cannot be exported, or the export does not match it; the message says why."""


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What to export.

    Attributes:
        out: A file `NAME.onnx`, or a folder for a file named after the network.
        weights: A climbtrack weights file; None for the shipped one.
        precisions: At least one.
        people: Number of generated people for the comparison, each seen by `cameras` cameras.
    """

    out: Path
    weights: Path | None = None
    precisions: tuple[Precision, ...] = PRECISIONS
    people: int = 24
    cameras: int = 3

    def __post_init__(self) -> None:
        """Raise ValueError if the plan cannot produce an export."""
        if not self.precisions or self.people < 2 or self.cameras < 2:
            raise ValueError(f"an export needs a precision, at least 2 people and at least 2 cameras, got {self}")

    def path(self, name: str, precision: Precision) -> Path:
        """Return the output path of the network `name` in a precision."""
        file = self.out if self.out.suffix == ".onnx" else self.out / f"{name}.onnx"
        alone = self.out.suffix == ".onnx" and len(self.precisions) == 1
        return file if precision == "fp32" or alone else file.with_name(f"{file.stem}-{precision}.onnx")


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported file, and its comparison with PyTorch."""

    path: Path
    model_id: str
    precision: Precision
    size_bytes: int
    weights_bytes: int
    parity: Parity
    speed: Speed
    bounds: Bounds

    def as_json(self) -> dict[str, object]:
        """Return the report for JSON, including the machine it was measured on."""
        return {
            "model": self.path.name,
            "model_id": self.model_id,
            "precision": self.precision,
            "size_bytes": self.size_bytes,
            "weights_bytes": self.weights_bytes,
            "parity": asdict(self.parity),
            "bounds": asdict(self.bounds),
            "speed": {**asdict(self.speed), "ratio": self.speed.ratio, "threads": _THREADS},
            "machine": {
                "processor": platform.processor() or platform.machine(),
                "torch": torch.__version__,
                "onnxruntime": onnxruntime.__version__,
            },
        }


def export(plan: ExportPlan, *, render: Render, log: Callable[[str], None]) -> tuple[Exported, ...]:
    """Write the files of a plan, each with `NAME.report.json` beside it; a file out of bounds is deleted.

    Args:
        plan: What to write, and where.
        render: Renderer of the people used for the comparison.
        log: Called with a message before each step, which takes seconds to a minute.

    Raises:
        WeightsError: The weights cannot be used.
        ExportError: The network cannot be exported, or the export does not match it.
        OSError: The files cannot be written.
    """
    weights = plan.weights or SHIPPED
    loaded = load_weights(weights)
    name = loaded.network.architecture.name
    paths = {precision: plan.path(name, precision) for precision in plan.precisions}
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        _part(path).touch()  # fails at once, not after a minute, if the folder is not writable
    with ExitStack() as at_end:
        for path in paths.values():
            at_end.callback(_part(path).unlink, missing_ok=True)
        log(f"writing {loaded.model_id} as ONNX")
        model = build_onnx(loaded)
        networks = {precision: _write(model, path, precision) for precision, path in paths.items()}
        log(f"comparing on {plan.people} generated people, {plan.cameras} cameras")
        people = report_people(loaded, render, people=plan.people, cameras=plan.cameras)
        exported = _compared(loaded, weights, networks, people)
        return tuple(_keep(one, paths[one.precision]) for one in exported)


def _write(model: onnx.ModelProto, path: Path, precision: Precision) -> OnnxNetwork:
    try:
        onnx.save(to_half(model) if precision == "fp16" else model, str(_part(path)))
        return OnnxNetwork(_part(path), threads=_THREADS)
    except (HalfPrecisionError, OnnxError) as error:
        raise ExportError(f"{path.name}: {error}") from error


def _compared(
    loaded: LoadedWeights, weights: Path, networks: dict[Precision, OnnxNetwork], people: CropSet
) -> list[Exported]:
    threads = torch.get_num_threads()
    torch.set_num_threads(_THREADS)
    try:
        torch_features = embed_all(torch_embed(loaded), people)
        speeds = _speeds(weights, networks, people)
    finally:
        torch.set_num_threads(threads)
    return [
        Exported(
            path=network.path,
            model_id=network.metadata["model_id"],
            precision=precision,
            size_bytes=network.path.stat().st_size,
            weights_bytes=weights.stat().st_size,
            parity=compare(torch_features, embed_all(network.embed, people), people),
            speed=speeds[precision],
            bounds=BOUNDS[precision],
        )
        for precision, network in networks.items()
    ]


def _speeds(weights: Path, networks: dict[Precision, OnnxNetwork], people: CropSet) -> dict[Precision, Speed]:
    """Measure the speed of the network served by PyTorch and of the exported ones, interleaved in one run."""
    crops = np.ascontiguousarray(people.crops[:_SPEED_TRACKLETS])
    served = load_embedder(weights, device="cpu")
    tracklets = [list(tracklet) for tracklet in crops]

    def run(embed: EmbedCrops) -> Callable[[], object]:
        return lambda: embed(crops)

    runs: dict[str, Callable[[], object]] = {one: run(network.embed) for one, network in networks.items()}
    seconds = fastest(runs | {"torch": lambda: served.embed(tracklets)})
    count = crops.shape[0] * crops.shape[1]
    return {one: Speed(count / seconds["torch"], count / seconds[one]) for one in networks}


def _keep(exported: Exported, path: Path) -> Exported:
    """Rename a file and write its report, or raise ExportError if it does not match the network."""
    if broken := exported.parity.broken(exported.bounds):
        raise ExportError(
            f"{path.name} does not match the network {exported.model_id} and was deleted: {'; '.join(broken)}"
        )
    kept = replace(exported, path=path)
    report = path.with_suffix(".report.json")
    report.write_text(json.dumps(kept.as_json(), indent=2) + "\n", encoding="utf-8")
    exported.path.replace(path)
    return kept


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")
