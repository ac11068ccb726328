"""Terminal output of a run: progress bars while it works, a table of people at the end."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from deploy.local.people_table import duration, headline, people_lines
from deploy.local.report import Report
from deploy.local.watch import CameraTotals
from deploy.terminal import print_line

STEPS = 10  # progress lines per camera when the output is not a terminal


class CameraBars:
    """Show processed and total frames, one bar per camera, or as plain lines if the output is not a terminal.

    `expected` is None for a camera of unknown length, or without an end.
    """

    def __init__(self, console: Console, expected: Mapping[str, int | None]) -> None:
        self._console = console
        self._expected = expected
        self._printed: dict[str, int] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {
            name: self._bars.add_task(name, total=total, note="") for name, total in expected.items()
        }

    def __enter__(self) -> Self:
        """Start drawing."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        self._bars.stop()

    def show(self, cameras: Mapping[str, CameraTotals]) -> None:
        """Update the progress of the cameras."""
        for name, totals in cameras.items():
            if name not in self._tasks:
                continue
            total = totals.frames if totals.ended else self._expected[name]
            note = _tracklets(totals) + (f", {_cause(totals)}" if totals.reason else "")
            self._bars.update(self._tasks[name], completed=totals.frames, total=total, note=note)
            if not self._console.is_terminal:
                self._print_progress(name, totals, total)

    def _print_progress(self, name: str, totals: CameraTotals, total: int | None) -> None:
        step = STEPS if totals.ended else min(STEPS - 1, STEPS * totals.frames // total) if total else 0
        if self._printed.get(name, -1) >= step:
            return
        self._printed[name] = step
        end = f", ended: {_cause(totals)}" if totals.reason else ", ended" if totals.ended else ""
        of = f" of {total}" if total and not totals.ended else ""
        print_line(self._console, f"{name}: {totals.frames}{of} frames, {_tracklets(totals)}{end}")


def print_people(console: Console, report: Report, list_command: str) -> None:
    """Print who was seen, people on several cameras first; `list_command` is the command that lists everyone."""
    print_line(console, "")
    print_line(console, headline(report), "bold")
    lines = people_lines(report, console.width, list_command)
    if lines:
        print_line(console, "")
    for line in lines:
        print_line(console, line)
    print_line(console, "")


def print_files(console: Console, files: Mapping[str, Path | str]) -> None:
    """Print what a run wrote and how to query it, a line each; paths are links where the terminal supports them."""
    wide = max(map(len, files), default=0)
    for name, where in files.items():
        style = f"link {where.resolve().as_uri()}" if isinstance(where, Path) and console.is_terminal else ""
        console.print(Text.assemble(f"{name:<{wide}}  ", (str(where), style)), highlight=False, soft_wrap=True)


def print_cameras(console: Console, report: Report) -> None:
    """Print one line per camera, and the overall speed."""
    for name, camera in report.cameras.items():
        reason = f" - {_cause(camera)}" if camera.reason else ""
        print_line(
            console,
            f"{name}: {camera.analysed} of {camera.frames} frames analysed, {camera.dropped} dropped, "
            f"{_tracklets(camera)}{reason}",
        )
    analysed = sum(camera.analysed for camera in report.cameras.values())
    rate = analysed / max(report.seconds, 1e-9)
    print_line(console, f"{analysed} frames in {duration(report.seconds)}, {rate:.1f} per second")


def _cause(totals: CameraTotals) -> str:
    """Return why a camera ended without the remedy, which is said once, where the failed cameras are named."""
    return totals.reason.partition(";")[0]


def _tracklets(totals: CameraTotals) -> str:
    return "1 tracklet" if totals.tracklets == 1 else f"{totals.tracklets} tracklets"
