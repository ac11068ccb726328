"""The log of a run: a progress bar on a terminal, lines elsewhere, a CSV file, and optional TensorBoard files."""

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

EVERY = 20  # steps between progress lines and between log rows
_LOG, _HELD_OUT = "log.csv", "held_out.csv"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """The state of a run after a step, as logged.

    Attributes:
        step: Steps completed.
        progress: Completed fraction of the run, 0 to 1.
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
        """Minutes left at the current pace."""
        return self.elapsed_s * (1 - self.progress) / max(self.progress, 1e-9) / 60


def peak_memory_mb() -> float:
    """Return the peak memory of this process in MB, that of the GPU if it uses one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e3 if sys.platform != "darwin" else 1e6)


@dataclass(slots=True)
class RunLog:
    """Reports and records the progress of a run; `quiet` on all processes but the first.

    Attributes:
        folder: Folder of `log.csv`, `held_out.csv` and TensorBoard files.
        quiet: Print and write nothing.
        tensorboard: Write TensorBoard files.
    """

    folder: Path
    quiet: bool = False
    tensorboard: bool = False
    _bar: "Progress | None" = None
    _task: "TaskID | None" = None
    _board: "SummaryWriter | None" = None
    _waited_s: float = field(default=0.0)

    def begin(self, step: int) -> None:
        """Open the logs; rows of steps after `step`, left by a run that was killed, are dropped."""
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
        """Close the logs."""
        if self._bar is not None:
            self._bar.stop()
        if self._board is not None:
            self._board.close()

    def message(self, text: str) -> None:
        """Print a line."""
        if self.quiet:
            return
        if self._bar is not None:
            self._bar.console.print(text, highlight=False)
            return
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def step(self, record: StepRecord) -> None:
        """Record a step; every `EVERY` steps, write a row and report progress."""
        self._waited_s += record.waited_s
        if self.quiet or record.step % EVERY:
            return
        memory = peak_memory_mb()
        losses = "  ".join(f"{name} {value:.3f}" for name, value in record.values.items() if name != "lr" and value)
        text = f"{losses}  {memory:.0f} MB"
        if self._bar is not None and self._task is not None:
            left = f"step {record.step}  {record.left_min:.1f} min left"
            self._bar.update(self._task, completed=record.progress, description=left, losses=text)
        else:
            self.message(f"step {record.step}  {record.progress:.1%}  {record.left_min:.1f} min left  {text}")
        row = {"step": float(record.step), "elapsed_s": record.elapsed_s, **record.values}
        self._write(row | {"waited_s": self._waited_s, "memory_mb": memory})
        self._waited_s = 0.0

    def validated(self, step: int, values: Mapping[str, float]) -> None:
        """Write the metrics of a validation, by name."""
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
