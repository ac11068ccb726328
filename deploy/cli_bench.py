"""`climbtrack bench`: how fast, and how much memory."""

import typer

app = typer.Typer(help="Measure speed and memory on this machine.", no_args_is_help=True)
