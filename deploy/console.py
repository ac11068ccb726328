"""What a run shows on a terminal: bars while it works, a table of people at its end."""

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from deploy.report import Person, Report, clock_time
from deploy.watch import CameraTotals

DATED = "%m-%d %H:%M"
DAY_NS = 86_400 * 10**9
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
            note = f"{totals.tracklets} tracklets" + (f", {totals.reason}" if totals.reason else "")
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
        print_line(self._console, f"{name}: {totals.frames}{of} frames, {totals.tracklets} tracklets{end}")


def print_line(console: Console, text: str) -> None:
    """Print a line as it is: no markup, no colours, no breaking."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def print_rows(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, stderr: bool = False) -> None:
    """Print a plain table on stdout, or on stderr."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    Console(stderr=stderr).print(table)


def print_people(console: Console, people: tuple[Person, ...]) -> None:
    """Print the table of identities; who was known before says since when."""
    returning = any(person.known_since_ns < person.first_ns for person in people)
    days = {time_ns // DAY_NS for person in people for time_ns in (person.first_ns, person.last_ns)}
    form = "%H:%M:%S" if len(days) < 2 else DATED
    table = Table(title=f"{len(people)} {'person' if len(people) == 1 else 'people'}")
    table.add_column("id", justify="right")
    table.add_column("cameras", min_width=12)
    for column in ("first", "last (UTC)", "visible", "sightings", *(["known since"] if returning else [])):
        table.add_column(column, justify="right", no_wrap=True)
    for person in people:
        known = clock_time(person.known_since_ns, DATED) if person.known_since_ns < person.first_ns else ""
        table.add_row(
            str(person.number),
            ", ".join(person.cameras),
            clock_time(person.first_ns, form),
            clock_time(person.last_ns, form),
            f"{person.visible_s:.1f} s",
            str(person.sightings),
            *([known] if returning else []),
        )
    console.print(table)


def print_cameras(console: Console, report: Report) -> None:
    """Print one line a camera, and how long it took."""
    for name, camera in report.cameras.items():
        reason = f" - {camera.reason}" if camera.reason else ""
        print_line(
            console,
            f"{name}: {camera.analysed} of {camera.frames} frames analysed, {camera.dropped} dropped, "
            f"{camera.tracklets} tracklets{reason}",
        )
    analysed = sum(camera.analysed for camera in report.cameras.values())
    print_line(
        console, f"{analysed} frames in {report.seconds:.1f} s, {analysed / max(report.seconds, 1e-9):.1f} a second"
    )
