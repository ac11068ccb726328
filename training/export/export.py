"""`climbtrack export`: weights to ONNX files, each held against PyTorch before it is kept."""

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

# float32: against float64 a typical tracklet of climb-tiny is off by 1e-6 in PyTorch and by 7e-6 in onnxruntime. Two
# patch tokens that are almost equally like the class token may change places in the sort, though: with an earlier
# climb-tiny they did in 2 of lab-4cam's 147 tracklets, one then differed by 5e-3, cosine 0.9997 (PyTorch's serving form
# against its training form: 1 tracklet, 1e-3). So what is typical is held tight, the worst loosely. float16 rounds
# before the sort, so tokens change places in most tracklets; what counts then is that people stay in order.
BOUNDS: dict[Precision, Bounds] = {
    "fp32": Bounds(typical=5e-5, difference=5e-2, cosine=0.995, map_loss=0.005),
    "fp16": Bounds(typical=5e-3, difference=5e-2, cosine=0.995, map_loss=0.01),
}
_SPEED_TRACKLETS = 8
_THREADS = 1  # a speed of several threads would be that of the other programs on the machine


class ExportError(Exception):
    """Raised when nothing can be exported, or the export is not the network; the message says why."""


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What to export.

    Attributes:
        out: A file `NAME.onnx`, or a folder that gets one of the network's name.
        weights: A weight file of ours; None is the shipped one.
        precisions: At least one.
        people: Generated people to compare on, each seen by `cameras` cameras.
    """

    out: Path
    weights: Path | None = None
    precisions: tuple[Precision, ...] = PRECISIONS
    people: int = 24
    cameras: int = 3

    def __post_init__(self) -> None:
        """Raise ValueError where nothing could come out."""
        if not self.precisions or self.people < 2 or self.cameras < 2:
            raise ValueError(f"an export needs a precision, 2 people and 2 cameras, got {self}")

    def path(self, name: str, precision: Precision) -> Path:
        """Return where a precision of the network `name` goes."""
        file = self.out if self.out.suffix == ".onnx" else self.out / f"{name}.onnx"
        alone = self.out.suffix == ".onnx" and len(self.precisions) == 1
        return file if precision == "fp32" or alone else file.with_name(f"{file.stem}-{precision}.onnx")


@dataclass(frozen=True, slots=True)
class Exported:
    """One file, and how it compares with PyTorch."""

    path: Path
    model_id: str
    precision: Precision
    size_bytes: int
    weights_bytes: int
    parity: Parity
    speed: Speed
    bounds: Bounds

    def as_json(self) -> dict[str, object]:
        """Return the report for machines, with what it was measured on."""
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


def export(plan: ExportPlan, *, render: Render, say: Callable[[str], None]) -> tuple[Exported, ...]:
    """Write the files of a plan, each with `NAME.report.json` beside it; a file out of bounds is not kept.

    Args:
        plan: What to write, and where.
        render: Makes the people to compare on.
        say: Gets a line for every step, which take seconds to a minute each.

    Raises:
        WeightsError: The weights cannot be used.
        ExportError: The network cannot be exported, or the exported one is not the same.
        OSError: The files cannot be written.
    """
    weights = plan.weights or SHIPPED
    loaded = load_weights(weights)
    name = loaded.network.architecture.name
    paths = {precision: plan.path(name, precision) for precision in plan.precisions}
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        _part(path).touch()  # says at once, and not after a minute, that nothing can be written here
    with ExitStack() as at_end:
        for path in paths.values():
            at_end.callback(_part(path).unlink, missing_ok=True)
        say(f"writing {loaded.model_id} as ONNX")
        model = build_onnx(loaded)
        networks = {precision: _write(model, path, precision) for precision, path in paths.items()}
        say(f"comparing on {plan.people} generated people, {plan.cameras} cameras")
        people = report_people(loaded, render, people=plan.people, cameras=plan.cameras)
        exported = _judge(loaded, weights, networks, people)
        return tuple(_keep(one, paths[one.precision]) for one in exported)


def _write(model: onnx.ModelProto, path: Path, precision: Precision) -> OnnxNetwork:
    try:
        onnx.save(to_half(model) if precision == "fp16" else model, str(_part(path)))
        return OnnxNetwork(_part(path), threads=_THREADS)
    except (HalfPrecisionError, OnnxError) as error:
        raise ExportError(f"{path.name}: {error}") from error


def _judge(
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
    """Measure the network as it is served by PyTorch against the exported ones, all in one run."""
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
    """Give a file its name and its report, or raise ExportError where it is not the network."""
    if broken := exported.parity.broken(exported.bounds):
        raise ExportError(f"{path.name} is not the network {exported.model_id}, not kept: {'; '.join(broken)}")
    kept = replace(exported, path=path)
    report = path.with_suffix(".report.json")
    report.write_text(json.dumps(kept.as_json(), indent=2) + "\n", encoding="utf-8")
    exported.path.replace(path)
    return kept


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")
