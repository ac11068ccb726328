"""The log of a run: a progress bar on a terminal, lines elsewhere, a CSV file, TensorBoard's files if wanted."""

import csv
import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from torch.utils.tensorboard import SummaryWriter

EVERY = 20  # steps between two lines of progress and of the log
_LOG, _HELD_OUT = "log.csv", "held_out.csv"


@dataclass(frozen=True, slots=True)
class Moment:
    """How a run is after a step.

    Attributes:
        step: Steps done.
        progress: Share of the run that is done, 0 to 1.
        elapsed_s: Training time so far.
        waited_s: Time of this step spent waiting for its batch.
        values: Learning rate and losses, by name.
    """

    step: int
    progress: float
    elapsed_s: float
    waited_s: float
    values: Mapping[str, float]

    @property
    def left_min(self) -> float:
        """Minutes left at the pace so far."""
        return self.elapsed_s * (1 - self.progress) / max(self.progress, 1e-9) / 60


def peak_memory_mb() -> float:
    """Return the most memory this process has held, of the GPU where it uses one, MB."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e3 if sys.platform != "darwin" else 1e6)


@dataclass(slots=True)
class RunLog:
    """Says and writes how a run goes on; `quiet` for all processes but the first.

    Attributes:
        folder: Of `log.csv`, `held_out.csv` and TensorBoard's files.
        quiet: Say and write nothing.
        tensorboard: Write TensorBoard's files.
    """

    folder: Path
    quiet: bool = False
    tensorboard: bool = False
    _bar: "Progress | None" = None
    _task: "TaskID | None" = None
    _board: "SummaryWriter | None" = None
    _waited_s: float = field(default=0.0)

    def begin(self, step: int) -> None:
        """Open what is written to; rows of steps after `step`, of a run that was killed, are dropped."""
        if self.quiet:
            return
        for name in (_LOG, _HELD_OUT):
            _drop_after(self.folder / name, step)
        if self.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.folder), purge_step=step + 1)
        if sys.stderr.isatty():
            self._bar, self._task = _bar()
            self._bar.start()

    def end(self) -> None:
        """Close what was opened."""
        if self._bar is not None:
            self._bar.stop()
        if self._board is not None:
            self._board.close()

    def say(self, text: str) -> None:
        """Print a line."""
        if self.quiet:
            return
        if self._bar is not None:
            self._bar.console.print(text, highlight=False)
            return
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def step(self, moment: Moment) -> None:
        """Take a step into account; every so many, write a row and say how it goes."""
        self._waited_s += moment.waited_s
        if self.quiet or moment.step % EVERY:
            return
        memory = peak_memory_mb()
        losses = "  ".join(f"{name} {value:.3f}" for name, value in moment.values.items() if name != "lr" and value)
        text = f"{losses}  {memory:.0f} MB"
        if self._bar is not None and self._task is not None:
            left = f"step {moment.step}  {moment.left_min:.1f} min left"
            self._bar.update(self._task, completed=moment.progress, description=left, losses=text)
        else:
            self.say(f"step {moment.step}  {moment.progress:.1%}  {moment.left_min:.1f} min left  {text}")
        row = {"step": float(moment.step), "elapsed_s": moment.elapsed_s, **moment.values}
        self._write(row | {"waited_s": self._waited_s, "memory_mb": memory})
        self._waited_s = 0.0

    def validated(self, step: int, values: Mapping[str, float]) -> None:
        """Write the figures of an evaluation, by name."""
        if self.quiet:
            return
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"held_out/{name}", value, step)
        _append(self.folder / _HELD_OUT, {"step": step, **values})

    def _write(self, row: dict[str, float]) -> None:
        if self._board is not None:
            for name, value in row.items():
                self._board.add_scalar(f"train/{name}", value, int(row["step"]))
        _append(self.folder / _LOG, row)


def _bar() -> "tuple[Progress, TaskID]":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.1f} %  {task.fields[losses]}"),
    )
    bar = Progress(*columns, console=Console(stderr=True))
    return bar, bar.add_task("", total=1.0, losses="")


def _append(path: Path, row: Mapping[str, float]) -> None:
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow({name: f"{value:.6g}" for name, value in row.items()} | {"step": int(row["step"])})


def _drop_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    head, *rows = path.read_text().splitlines()
    kept = [row for row in rows if row.partition(",")[0].isdigit() and int(row.partition(",")[0]) <= step]
    part = path.with_name(path.name + ".part")
    part.write_text("\n".join([head, *kept]) + "\n")
    part.replace(path)
