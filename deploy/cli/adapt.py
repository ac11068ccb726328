"""`climbtrack adapt`: weights that know a site."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import Json, finite
from deploy.errors import RunError, UsageError

if TYPE_CHECKING:
    from training.adapt.adapt import AdaptReport
    from training.adapt.judge import Figures


def adapt(
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Tracklets of the site: CAMERA/TRACKLET/*.jpg, tracklets.jsonl, or MARS's or Market1501's naming.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where the new weights go; never a file there is.")
    ],
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="Old weights; the shipped ones by default.")
    ] = None,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.1, max=100_000, callback=finite, help="Wall time of learning.")
    ] = 15.0,
    epochs: Annotated[
        int, typer.Option("--epochs", min=0, max=100_000, help="Learn this long instead, and repeatably.")
    ] = 0,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=20, help="How often tracklets are clustered.")] = 3,
    labels: Annotated[
        bool, typer.Option("--labels", help="Judge by the folder's labels; they are never learnt.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write the new weights even if they are worse.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**31, help="Of everything drawn.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=1, max=256, help="CPU threads.")] = 2,
    as_json: Json = False,
) -> None:
    """Learn the people of a site that nobody labelled, and compare old and new weights on it.

    Weights that are worse are not written. The old file stays as it is: to go back, name it again as `worker.weights`.
    """
    from training.adapt.adapt import AdaptError, AdaptPlan
    from training.adapt.adapt import adapt as run
    from training.data.dataset import DataSetError
    from training.errors import TrainingError

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
    typer.echo(json.dumps(_as_json(report, out)) if as_json else verdict(report, out))
    if report.new is None:
        raise typer.Exit(1)


def verdict(report: "AdaptReport", out: Path) -> str:
    """Return what became of the weights, and what to do with them."""
    from deploy.terminal import command

    if report.new is None:
        return f"{report.old} stays: the new weights are worse here, and were not written (--force writes them)"
    return (
        f"{out}: {report.new}; the old weights {report.old} stay where they are, {report.old_weights}\n\n"
        f"Next: {command()} run --weights {out}"
    )


def _as_json(report: "AdaptReport", out: Path) -> dict[str, object]:
    said = {**asdict(report), "old_weights": str(report.old_weights), "weights": str(out) if report.new else None}
    return {"model_id": report.new, **said}


def _print(report: "AdaptReport", *, as_json: bool) -> None:
    from deploy.terminal import print_rows

    print_rows(
        f"{report.tracklets} tracklets, {report.certain_pairs} pairs certainly different; {report.steps} steps on "
        f"{report.learnt} tracklets",
        ("", "before", "after"),
        [(name, _said(report.before, field), _said(report.after, field)) for name, field in _ROWS],
        stderr=as_json,
    )


def _said(figures: "Figures", field: str) -> str:
    value = getattr(figures, field)
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


_ROWS = (
    ("mAP", "mean_ap"),
    ("Rank-1", "rank1"),
    ("found back", "mutual"),
    ("separation of what is certain", "separation"),
    ("certain pairs confused", "violated"),
    ("people found", "clusters"),
    ("tracklets alone", "alone"),
    ("silhouette", "silhouette"),
)
