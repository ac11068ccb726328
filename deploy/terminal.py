"""Lines and tables on a terminal, for every command."""

import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


def command() -> str:
    """Return how to invoke `climbtrack`: its name, or the path of the running script if it is not on the PATH."""
    started = Path(sys.argv[0])
    return "climbtrack" if started.name != "climbtrack" or shutil.which("climbtrack") else shlex.quote(str(started))


def print_line(console: Console, text: str, style: str | None = None) -> None:
    """Print a line verbatim: no markup, no wrapping, and no colours except `style` on a terminal."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def print_rows(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, stderr: bool = False) -> None:
    """Print a plain, frameless table to stdout or stderr, with a rule under the header only on a terminal."""
    console = Console(stderr=stderr)
    print_line(console, title, "bold")
    table = Table(box=SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    console.print(table)
