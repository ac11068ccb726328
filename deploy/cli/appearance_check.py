"""The part of `climbtrack models check` that tries an appearance model on generated people."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reid_worker.appearance.opening import OpenedModel
    from training.evaluation.appearance import Trial


@dataclass(frozen=True, slots=True)
class Checked:
    """Result of a check. `said` is a message for people; `path` is None if the file is missing."""

    name: str
    path: str | None
    ok: bool
    said: str


def check_appearance(name: str, path: Path, *, otherwise: Checked, write: bool) -> Checked:
    """Check a file that is not a detector; `otherwise` says why, and is the result if it is no appearance model either.

    With `write`, the format that tells generated people apart best, and its prior, are written beside the file.
    """
    from reid_worker.appearance.embedder import AppearanceEmbedder
    from reid_worker.appearance.opening import open_appearance
    from reid_worker.model.tensors import WeightsError
    from reid_worker.onnx_graph import GraphError, read_graph
    from reid_worker.onnx_session import OnnxRuntime
    from training.evaluation.appearance import try_formats

    try:
        read_graph(path)
    except GraphError:
        return otherwise
    try:
        model = open_appearance(path, OnnxRuntime("cpu"))
        trials = try_formats(model)
        if not any(one.numbers for one in trials):
            AppearanceEmbedder(model)  # it says why
    except WeightsError as error:
        said = f"{otherwise.said}. Nor an appearance model: {error.reason}"
        return Checked(name, str(path), ok=False, said=said)
    numbers = max(one.numbers for one in trials)
    what = f"{path}, loads and runs, appearance model with {numbers} numbers per crop; {_figures(trials)}"
    if write:
        return _written(name, path, model, trials, what)
    return _compared(name, path, model, trials, what)


def _compared(name: str, path: Path, model: "OpenedModel", trials: "list[Trial]", what: str) -> Checked:
    from training.evaluation.appearance import CLEARLY

    own, best = trials[0], max(trials, key=lambda one: one.mean_ap)
    if best.mean_ap > own.mean_ap + CLEARLY:
        return Checked(
            name, str(path), ok=False, said=f"{what}. Its crops seem to be wrong: `--write` chooses {best.crop_format}"
        )
    doubt = f". Not certain: {model.unsure}; `--write` writes down what is best here" if model.unsure else ""
    unsaid = "" if model.said.prior else ". No similarity prior: `--write` measures it on generated people"
    return Checked(name, str(path), ok=True, said=f"{what}{doubt}{unsaid}")


def _written(name: str, path: Path, model: "OpenedModel", trials: "list[Trial]", what: str) -> Checked:
    """Write down the best format; the model's own unless another one is clearly better."""
    from msgspec.structs import replace

    from reid_worker.appearance.description import beside, write, written
    from reid_worker.model.tensors import WeightsError
    from training.evaluation.appearance import CLEARLY

    own, best = trials[0], max(trials, key=lambda one: one.mean_ap)
    chosen = best if best.mean_ap > own.mean_ap + CLEARLY else own
    found = chosen.crop_format
    if chosen.prior is None:
        said = f"{what}. Nothing was written: it does not tell generated people apart"
        return Checked(name, str(path), ok=False, said=said)
    try:
        crops = {"colour": found.colour, "values": found.values, "mean": found.mean, "std": found.std}
        size = (found.height, found.width) if model.ports.height is None or model.ports.width is None else None
        write(path, replace(written(path), **crops, size=size, prior=chosen.prior))
    except WeightsError as error:
        return Checked(name, str(path), ok=False, said=error.reason)
    said = (
        f"{what}. Written to {beside(path)}, with a similarity prior of generated people; `climbtrack evaluate "
        "--write-prior` measures it on a data set of yours"
    )
    return Checked(name, str(path), ok=True, said=said)


def _figures(trials: "list[Trial]") -> str:
    own, *others = trials
    rest = "; ".join(f"{one.mean_ap:.2f} with {one.crop_format}" for one in others)
    return f"mAP {own.mean_ap:.2f} on generated people with crops of {own.crop_format}, against {rest}"
