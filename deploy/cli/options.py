"""Options shared by several commands."""

import math
from pathlib import Path
from typing import Annotated

import typer


def finite(value: float | None) -> float | None:
    """Return the value of an option if it is finite; typer's ranges accept `nan`, and open ranges accept `inf`.

    Raises:
        typer.BadParameter: The value is not finite.
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
    typer.Option("--data-dir", help="Data folder of single-machine runs; default: in your data home.", metavar="DIR"),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line; the rest goes to stderr.")]
Site = Annotated[
    str | None, typer.Option("--site", metavar="NAME", help="The site; default: of the last run, or of --config.")
]
ApiUrl = Annotated[
    str | None,
    typer.Option("--api", envvar="CLIMBTRACK_API", help="URL of the API, like http://127.0.0.1:8080.", metavar="URL"),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token", envvar="CLIMBTRACK_API_TOKEN", help="Bearer token, if the API requires one.", show_default=False
    ),
]
Recipe = Annotated[Path | None, typer.Argument(help="YAML file, like training/configs/mars.yaml.")]
Changes = Annotated[
    list[str] | None, typer.Argument(help="GROUP.KEY=VALUE overrides of the file, like schedule.steps=1000.")
]


def recipe_and_changes(recipe: Path | None, changes: list[str] | None) -> tuple[Path | None, list[str]]:
    """Separate the recipe file from the changes when the first argument is already a GROUP.KEY=VALUE."""
    given = changes or []
    if recipe is not None and "=" in str(recipe) and not recipe.exists():
        return None, [str(recipe), *given]
    return recipe, given
