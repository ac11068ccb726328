"""`climbtrack adapt`: adapt weights to a site."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import Json, finite
from deploy.errors import RunError, UsageError
from deploy.writable import check_file

if TYPE_CHECKING:
    from training.adapt.adapt import AdaptReport
    from training.adapt.validate import SiteMetrics


def adapt(
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Tracklets of the site: CAMERA/TRACKLET/*.jpg, tracklets.jsonl, or MARS's or Market1501's naming.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File for the new weights; must not exist yet.")],
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="Weights to start from; default: the shipped ones.")
    ] = None,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.1, max=100_000, callback=finite, help="Training time, wall clock.")
    ] = 15.0,
    epochs: Annotated[
        int, typer.Option("--epochs", min=0, max=100_000, help="Train for this many epochs instead; reproducible.")
    ] = 0,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, max=20, help="Number of times tracklets are clustered.")
    ] = 3,
    labels: Annotated[
        bool, typer.Option("--labels", help="Evaluate with the folder's labels; never trained on.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write the new weights to --out even if they are worse.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**31, help="Seed of the random numbers.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=1, max=256, help="CPU threads.")] = 2,
    as_json: Json = False,
) -> None:
    """Adapt weights to a site without labels, and compare the old and new weights on it.

    New weights that are worse are refused, and kept in a file beside FILE. The old file is never changed: to go back,
    set `worker.weights` to it.
    """
    from training.adapt.adapt import AdaptError, AdaptPlan
    from training.adapt.adapt import adapt as run
    from training.data.dataset import DataSetError
    from training.errors import TrainingError

    check_file("--out", out)
    budget = 0.0 if epochs else minutes
    plan = AdaptPlan(data, out, weights, budget, epochs, rounds, labels, force, seed=seed, threads=threads)
    try:
        report = run(plan, lambda text: typer.echo(text, err=True))
    except (AdaptError, DataSetError) as error:
        raise UsageError(str(error)) from error
    except TrainingError as error:
        raise RunError(str(error)) from error
    except OSError as error:
        raise RunError(f"{out} cannot be written: {error.strerror}") from error
    _print(report, as_json=as_json)
    typer.echo(json.dumps(_as_json(report)) if as_json else verdict(report, out))
    if report.new is None:
        raise typer.Exit(1)


def verdict(report: "AdaptReport", out: Path) -> str:
    """Return whether the new weights are taken, where they are, and what to do next."""
    from deploy.terminal import command

    if report.new is None:
        return (
            f"{report.old} is unchanged: the new weights are worse here, and are kept as {report.new_weights} (--force"
            " takes them nevertheless)"
        )
    return (
        f"{out}: {report.new}; the old weights {report.old} are unchanged, {report.old_weights}\n\n"
        f"Next: {command()} run --weights {out}"
    )


def _as_json(report: "AdaptReport") -> dict[str, object]:
    said = {"model_id": report.new, **asdict(report), "old_weights": str(report.old_weights)}
    new = str(said.pop("new_weights"))
    return {**said, "weights": new if report.new else None, "refused": None if report.new else new}


def _print(report: "AdaptReport", *, as_json: bool) -> None:
    from deploy.terminal import print_rows

    print_rows(
        f"{report.tracklets} tracklets, {report.certain_pairs} certainly different pairs; {report.steps} steps on "
        f"{report.learnt} tracklets",
        ("", "before", "after"),
        [(name, _formatted(report.before, field), _formatted(report.after, field)) for name, field in _ROWS],
        stderr=as_json,
    )


def _formatted(figures: "SiteMetrics", field: str) -> str:
    value = getattr(figures, field)
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


_ROWS = (
    ("mAP", "mean_ap"),
    ("Rank-1", "rank1"),
    ("found back", "mutual"),
    ("separation of certain pairs", "separation"),
    ("certain pairs confused", "violated"),
    ("people found", "clusters"),
    ("unclustered tracklets", "alone"),
    ("silhouette", "silhouette"),
)
