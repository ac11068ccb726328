"""What a run shows on a terminal: bars while it works, a table of people at its end."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from deploy.local.report import Report
from deploy.local.watch import CameraTotals
from deploy.local.ways import duration, headline, people_lines
from deploy.terminal import print_line

STEPS = 10  # lines a camera gets where there is no terminal


class CameraBars:
    """Shows frames done of frames there are, one bar a camera; plain lines where there is no terminal.

    `expected` is None for a camera whose length is not known, or that has no end.
    """

    def __init__(self, console: Console, expected: Mapping[str, int | None]) -> None:
        self._console = console
        self._expected = expected
        self._said: dict[str, int] = {}
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
        """Begin to draw."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        self._bars.stop()

    def show(self, cameras: Mapping[str, CameraTotals]) -> None:
        """Show how far the cameras are."""
        for name, totals in cameras.items():
            if name not in self._tasks:
                continue
            total = totals.frames if totals.ended else self._expected[name]
            note = _tracklets(totals) + (f", {totals.reason}" if totals.reason else "")
            self._bars.update(self._tasks[name], completed=totals.frames, total=total, note=note)
            if not self._console.is_terminal:
                self._say(name, totals, total)

    def _say(self, name: str, totals: CameraTotals, total: int | None) -> None:
        step = STEPS if totals.ended else min(STEPS - 1, STEPS * totals.frames // total) if total else 0
        if self._said.get(name, -1) >= step:
            return
        self._said[name] = step
        end = f", ended: {totals.reason}" if totals.reason else ", ended" if totals.ended else ""
        of = f" of {total}" if total and not totals.ended else ""
        print_line(self._console, f"{name}: {totals.frames}{of} frames, {_tracklets(totals)}{end}")


def print_people(console: Console, report: Report, everybody: str) -> None:
    """Print who was seen, people of several cameras first; `everybody` is the command that lists all of them."""
    print_line(console, "")
    print_line(console, headline(report), "bold")
    lines = people_lines(report, console.width, everybody)
    if lines:
        print_line(console, "")
    for line in lines:
        print_line(console, line)
    print_line(console, "")


def print_files(console: Console, files: Mapping[str, Path | str]) -> None:
    """Print what a run wrote and how to ask again: one line each, a path can be clicked where the terminal can."""
    wide = max(map(len, files), default=0)
    for name, where in files.items():
        style = f"link {where.resolve().as_uri()}" if isinstance(where, Path) and console.is_terminal else ""
        console.print(Text.assemble(f"{name:<{wide}}  ", (str(where), style)), highlight=False, soft_wrap=True)


def print_cameras(console: Console, report: Report) -> None:
    """Print one line a camera, and how long it took."""
    for name, camera in report.cameras.items():
        reason = f" - {camera.reason}" if camera.reason else ""
        print_line(
            console,
            f"{name}: {camera.analysed} of {camera.frames} frames analysed, {camera.dropped} dropped, "
            f"{_tracklets(camera)}{reason}",
        )
    analysed = sum(camera.analysed for camera in report.cameras.values())
    rate = analysed / max(report.seconds, 1e-9)
    print_line(console, f"{analysed} frames in {duration(report.seconds)}, {rate:.1f} a second")


def _tracklets(totals: CameraTotals) -> str:
    return "1 tracklet" if totals.tracklets == 1 else f"{totals.tracklets} tracklets"
