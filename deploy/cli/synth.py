"""`climbtrack synth site|people`: generated videos, and generated data sets to learn from or to be judged by."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deploy.cli.options import Json, finite
from deploy.errors import RunError, UsageError

if TYPE_CHECKING:
    from training.synthetic.folders import FolderPlan

app = typer.Typer(
    name="synth", help="Make videos and data sets of generated people, with exact ground truth.", no_args_is_help=True
)


@app.command("site")
def synth_site(
    out: Annotated[Path, typer.Option("--out", help="Folder for NAME.mp4 and gt/NAME.txt.", metavar="DIR")],
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**31, help="The same seed gives the same site.")],
    cameras: Annotated[int, typer.Option("--cameras", min=1, max=64)] = 3,
    people: Annotated[int, typer.Option("--people", min=1, max=1000)] = 12,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=86_400, callback=finite)] = 60.0,
) -> None:
    """Write the videos of one site: a few cameras, the same people walking from one to the other."""
    from rich.console import Console
    from rich.progress import Progress

    from training.synthetic.site import write_site

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(f"{cameras} cameras, {people} people", total=1.0)
        try:
            write_site(
                out,
                seed=seed,
                cameras=cameras,
                people=people,
                seconds=seconds,
                progress=lambda done: bars.update(task, completed=done),
            )
        except OSError as error:
            raise UsageError(f"--out {out}: {error.strerror}; give a folder that can be written") from error
    typer.echo(f"{out}: {cameras} videos, truth in {out / 'gt'}")
    typer.echo(f"Next: climbtrack run --config {out / 'site.yaml'} --out out", err=True)
    typer.echo(f"then: climbtrack score --truth {out / 'gt'} --tracks out", err=True)


@app.command("people")
def synth_people(
    out: Annotated[Path, typer.Option("--out", help="New or empty folder.", metavar="DIR")],
    layout: Annotated[Literal["market", "mars"], typer.Option("--layout", help="Whose folders and names.")],
    identities: Annotated[
        int, typer.Option("--identities", min=2, max=1_000_000, help="People: half to train on, half to test with.")
    ],
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**31, help="The same seed gives the same files.")],
    cameras: Annotated[int, typer.Option("--cameras", min=2, max=64, help="Cameras that see each person.")] = 6,
    tracklets: Annotated[int, typer.Option("--tracklets", min=1, max=1000, help="Of a person on a camera.")] = 1,
    frames: Annotated[int, typer.Option("--frames", min=1, max=999, help="Images of a tracklet.")] = 4,
    height: Annotated[
        int | None,
        typer.Option("--height", min=16, max=1024, help="Pixels; half as wide. 128 as Market1501, 256 as MARS."),
    ] = None,
    setting: Annotated[
        Literal["default", "other"],
        typer.Option("--setting", help="`default`: as the shipped weights learn from; `other`: to judge them by."),
    ] = "default",
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes; the files stay the same.")] = 1,
    as_json: Json = False,
) -> None:
    """Write a data set of generated people as Market1501 or MARS would be on disk.

    The first half of the people are to train on, the other half to test with: the first image (market) or tracklet
    (mars) of a person on a camera is a query. 24 people share their cameras, and the halves share none, so there are
    more camera numbers than cameras that see a person. There are no distractors and no junk.
    """
    from training.data.dataset import DataSetError
    from training.synthetic.folders import FolderPlan, FolderTakenError

    high = height or {"market": 128, "mars": 256}[layout]
    try:
        plan = FolderPlan(layout, identities, seed, cameras, tracklets, frames, high, setting)
    except ValueError as error:
        raise UsageError(str(error)) from error
    started = time.perf_counter()
    try:
        _write(out, plan, workers)
    except FolderTakenError as error:
        raise UsageError(f"--out {error}") from error
    except DataSetError as error:
        raise RunError(f"{error}; {out}.partial is unfinished: remove it, or it is begun again next time") from error
    seconds = time.perf_counter() - started
    said = {"out": str(out), "layout": layout, "setting": setting, "identities": identities, "images": plan.images,
            "seconds": round(seconds, 3), "images_per_second": round(plan.images / seconds, 2)}  # fmt: skip
    typer.echo(json.dumps(said) if as_json else f"{out}: {plan.images} images of {identities} people, {seconds:.0f} s")


def _write(out: Path, plan: "FolderPlan", workers: int) -> None:
    """Write the folder under a progress bar."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    from training.synthetic.folders import write_people

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("images", total=plan.images)
        write_people(out, plan, workers=workers, progress=lambda done: bars.update(task, completed=done))
