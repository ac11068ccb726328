"""`climbtrack synth|train|score|doctor`: what is not the running system itself."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.errors import RunError, UsageError
from deploy.options import Config, Json

if TYPE_CHECKING:
    from gallery.score import IdentityScore, ScoreTable

synth = typer.Typer(help="Make videos of generated people with exact ground truth.", no_args_is_help=True)


@synth.command("site")
def synth_site(
    out: Annotated[Path, typer.Option("--out", help="Folder for NAME.mp4 and gt/NAME.txt.", metavar="DIR")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same site.")],
    cameras: Annotated[int, typer.Option("--cameras", min=1, max=64)] = 3,
    people: Annotated[int, typer.Option("--people", min=1, max=1000)] = 12,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=86_400)] = 60.0,
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


def train(
    config: Annotated[Path | None, typer.Argument(help="YAML file, like training/configs/climb_tiny.yaml.")] = None,
    overrides: Annotated[list[str] | None, typer.Argument(help="KEY=VALUE, over the file.")] = None,
    as_json: Json = False,
) -> None:
    """Train CLIMB on generated people."""
    from training.config import ConfigError, load_config
    from training.train import TrainingError, run_training

    try:
        result = run_training(load_config(config, overrides or ()))
    except ConfigError as error:
        raise UsageError(str(error)) from error
    except TrainingError as error:
        raise RunError(str(error)) from error
    said = {"weights": str(result.weights), "best_map": result.best_map, "steps": result.steps, "loss": result.loss}
    typer.echo(json.dumps(said) if as_json else f"{result.weights}: held-out mAP {result.best_map:.3f}")


def doctor(config: Config = None, as_json: Json = False) -> None:
    """Check what climbtrack needs, and say what to do about what is missing."""
    from rich.console import Console

    from deploy.doctor import examine, print_checks

    checks = examine(config)
    print_checks(Console(stderr=as_json), checks)
    if as_json:
        typer.echo(json.dumps({"ok": all(check.fine for check in checks), "checks": [asdict(one) for one in checks]}))
    raise typer.Exit(0 if all(check.fine for check in checks) else 1)


def score(
    truth: Annotated[Path, typer.Option("--truth", metavar="DIR", help="Folder of NAME.txt in MOTChallenge text.")],
    result: Annotated[Path, typer.Option("--result", metavar="DIR", help="What `climbtrack run --out` wrote.")],
    as_json: Json = False,
) -> None:
    """Compare identities with ground truth, over all cameras: one person must be one number everywhere.

    IDF1, IDP and IDR as by Ristani et al. 2016, boxes matched from an IoU of 0.5 on.
    """
    from gallery.errors import ScoreError
    from gallery.score import score_folder

    try:
        table = score_folder(truth, result)
    except ScoreError as error:
        raise UsageError(str(error)) from error
    if as_json:
        typer.echo(json.dumps(_score_as_json(table)))
        return
    from deploy.console import print_rows

    rows = [*table.cameras.items(), ("all cameras", table.overall)]
    print_rows(
        f"{table.numbers} identities found, {len(table.people)} of them are somebody",
        ("camera", "IDF1", "IDP", "IDR"),
        [(name, f"{one.idf1:.3f}", f"{one.idp:.3f}", f"{one.idr:.3f}") for name, one in rows],
    )


def _score_as_json(table: "ScoreTable") -> dict[str, object]:
    def numbers(score: "IdentityScore") -> dict[str, float]:
        return {"idf1": score.idf1, "idp": score.idp, "idr": score.idr}

    return {
        **numbers(table.overall),
        "identities": table.numbers,
        "matched_identities": len(table.people),
        "cameras": {name: numbers(score) for name, score in table.cameras.items()},
    }
