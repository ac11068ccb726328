"""Options that several commands share."""

import math
from pathlib import Path
from typing import Annotated

import typer


def finite(value: float | None) -> float | None:
    """Return the value of an option; ranges let `nan` pass, and open ones `inf`.

    Raises:
        typer.BadParameter: It is no number that can be counted with.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="CLIMBTRACK_CONFIG", help="YAML file with settings and cameras.", metavar="FILE"),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Where a run on one machine keeps people; under your data home by default.", metavar="DIR"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line; all else goes to stderr.")]
ApiUrl = Annotated[
    str | None,
    typer.Option(
        "--api", envvar="CLIMBTRACK_API", help="Address of the API, like http://127.0.0.1:8080.", metavar="URL"
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token", envvar="CLIMBTRACK_API_TOKEN", help="Bearer token of the API, where it has one.", show_default=False
    ),
]
Recipe = Annotated[Path | None, typer.Argument(help="YAML file, like training/configs/mars.yaml.")]
Changes = Annotated[list[str] | None, typer.Argument(help="GROUP.KEY=VALUE, over the file, like schedule.steps=1000.")]


def recipe_and_changes(recipe: Path | None, changes: list[str] | None) -> tuple[Path | None, list[str]]:
    """Tell a file from a first GROUP.KEY=VALUE that stands in its place."""
    given = changes or []
    if recipe is not None and "=" in str(recipe) and not recipe.exists():
        return None, [str(recipe), *given]
    return recipe, given
