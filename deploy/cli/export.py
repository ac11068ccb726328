"""`climbtrack export`: export the network for other runtimes."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from deploy.cli.options import Json
from deploy.errors import RunError, UsageError


def export(
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="Folder, or a file NAME.onnx.")],
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="climbtrack weights; default: the shipped ones.")
    ] = None,
    precision: Annotated[
        Literal["fp32", "fp16", "both"], typer.Option("--precision", help="fp16 halves the file size.")
    ] = "both",
    people: Annotated[
        int, typer.Option("--people", min=2, max=1000, help="Number of generated people for the comparison.")
    ] = 24,
    as_json: Json = False,
) -> None:
    """Export the network to ONNX, from uint8 crops to embeddings, and compare it with PyTorch.

    The comparison is printed, and written next to the model as NAME.report.json. If the exported model does not match
    PyTorch it is deleted, and the command fails.
    """
    from rich.console import Console

    from deploy.terminal import print_line, print_rows
    from training.export.export import PRECISIONS, ExportError, ExportPlan
    from training.export.export import export as run_export
    from training.export.report import table_rows
    from training.synthetic.people import PeopleGenerator

    console = Console(stderr=True)
    plan = ExportPlan(out, weights, PRECISIONS if precision == "both" else (precision,), people)
    try:
        done = run_export(plan, render=PeopleGenerator().tracklet, log=lambda text: print_line(console, text))
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}; give a folder or NAME.onnx that can be written") from error
    except ExportError as error:
        raise RunError(str(error)) from error
    print_rows(
        f"{done[0].model_id} on {done[0].parity.tracklets} tracklets of {people} generated people",
        ("", *(one.path.name for one in done)),
        table_rows([(one.parity, one.speed, one.size_bytes) for one in done]),
        stderr=as_json,
    )
    print_line(console, "\n".join(str(one.path) for one in done))
    if as_json:
        typer.echo(json.dumps({"exports": [{**one.as_json(), "path": str(one.path)} for one in done]}))
