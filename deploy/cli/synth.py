"""`climbtrack synth site|people`: generate videos, and data sets for training or evaluation."""

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
    name="synth", help="Generate videos and data sets of people, with exact ground truth.", no_args_is_help=True
)


@app.command("site")
def synth_site(
    out: Annotated[Path, typer.Option("--out", help="Folder for NAME.mp4 and gt/NAME.txt.", metavar="DIR")],
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**31, help="The same seed gives the same site.")],
    cameras: Annotated[int, typer.Option("--cameras", min=1, max=64)] = 3,
    people: Annotated[int, typer.Option("--people", min=1, max=1000)] = 12,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=86_400, callback=finite)] = 60.0,
) -> None:
    """Write the videos of one site: a few cameras with the same people walking from one to the next."""
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
            raise UsageError(f"--out {out}: {error.strerror}; give another folder") from error
    typer.echo(f"{out}: {cameras} videos, ground truth in {out / 'gt'}")
    typer.echo(f"Next: climbtrack run --config {out / 'site.yaml'} --out out", err=True)
    typer.echo(f"then: climbtrack score --truth {out / 'gt'} --tracks out", err=True)


@app.command("people")
def synth_people(
    out: Annotated[Path, typer.Option("--out", help="New or empty folder.", metavar="DIR")],
    layout: Annotated[Literal["market", "mars"], typer.Option("--layout", help="Folder layout and naming.")],
    identities: Annotated[
        int, typer.Option("--identities", min=2, max=1_000_000, help="People: half for training, half for testing.")
    ],
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**31, help="The same seed gives the same files.")],
    cameras: Annotated[int, typer.Option("--cameras", min=2, max=64, help="Cameras that see each person.")] = 6,
    tracklets: Annotated[
        int, typer.Option("--tracklets", min=1, max=1000, help="Tracklets per person and camera.")
    ] = 1,
    frames: Annotated[int, typer.Option("--frames", min=1, max=999, help="Images per tracklet.")] = 4,
    height: Annotated[
        int | None,
        typer.Option(
            "--height", min=16, max=1024, help="Crop height in pixels; the width is half. Market1501: 128, MARS: 256."
        ),
    ] = None,
    setting: Annotated[
        Literal["default", "other", "plain"],
        typer.Option(
            "--setting",
            help="`default`: what the shipped weights were trained on; `other`, and `plain` with dark clothes in "
            "low-bitrate video: for evaluating them.",
        ),
    ] = "default",
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=256, help="Processes; the output does not depend on it.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Write a data set of generated people in the layout of Market1501 or MARS.

    The first half of the people is for training and the second for testing, where the first image (market) or tracklet
    (mars) of a person on each camera is a query. Groups of 24 people share cameras, and the two halves share none, so
    the data set has more cameras than see any one person. There are no distractors and no junk images.
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
        raise RunError(
            f"{error}; {out}.partial is incomplete: remove it, or the next run will start it over"
        ) from error
    seconds = time.perf_counter() - started
    said = {"out": str(out), "layout": layout, "setting": setting, "identities": identities, "images": plan.images,
            "seconds": round(seconds, 3), "images_per_second": round(plan.images / seconds, 2)}  # fmt: skip
    typer.echo(json.dumps(said) if as_json else f"{out}: {plan.images} images of {identities} people, {seconds:.0f} s")


def _write(out: Path, plan: "FolderPlan", workers: int) -> None:
    """Write the folder while showing a progress bar."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    from training.synthetic.folders import write_people

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("images", total=plan.images)
        write_people(out, plan, workers=workers, progress=lambda done: bars.update(task, completed=done))
