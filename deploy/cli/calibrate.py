"""`climbtrack calibrate`: show what a site has learnt about similarities, and whether its probabilities hold."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import Config, DataDirOption, Json
from deploy.cli.page import write_pictures
from deploy.errors import RunError, UsageError

if TYPE_CHECKING:
    from gallery.reliability.report import Report


def calibrate(
    show: Annotated[bool, typer.Option("--show", help="Show what was learnt; a gallery learns by itself.")] = False,
    data_dir: DataDirOption = None,
    config: Config = None,
    site: Annotated[
        str | None, typer.Option("--site", metavar="NAME", help="The site; default: of the last run, or of --config.")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth",
            metavar="DIR",
            help="Ground truth, as `score` takes it: hold the matches against it, by stated probability.",
        ),
    ] = None,
    truth_first: Annotated[
        int | None,
        typer.Option("--truth-first-frame", min=0, max=1, help="Number of the truth's first frame; default: detected."),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", metavar="FILE.html", help="Write a page with the diagrams.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a site has learnt: which similarity means the same person, and whether probabilities hold.

    Reads the data of a run (`--data-dir`), running or not, or the Redis of a cluster (`--config`), and changes nothing.
    """
    if not show:
        raise UsageError(
            "a gallery calibrates itself while it runs: nothing needs to be done. `climbtrack calibrate --show` shows "
            "what it has learnt"
        )
    report = _report(config, data_dir, site, truth, truth_first)
    if pictures:
        from gallery.reliability.page import write_page

        write_pictures(pictures, partial(write_page, report))
    for remark in report.remarks:
        typer.echo(remark, err=True)
    if as_json:
        from gallery.reliability.figures import as_json as figures

        path = None if pictures is None else str(pictures.absolute())
        typer.echo(json.dumps(figures(report) | {"pictures": path}))
    else:
        from gallery.reliability.words import lines

        typer.echo("\n".join(lines(report)))


def _report(
    config: Path | None, data_dir: Path | None, site: str | None, truth: Path | None, first: int | None
) -> "Report":
    from deploy.cli.find_store import open_store
    from gallery.config import GallerySettings
    from gallery.errors import NothingLearnt, ScoreError
    from gallery.reliability.report import checked, show
    from gallery.reliability.truth import read_truth
    from gallery.site_worker import plan_of

    settings = GallerySettings.load(config)
    try:
        with open_store(config, data_dir, site) as store:
            report, rows = show(store, plan_of(settings).rules, settings.false_merge_rate)
    except NothingLearnt as error:
        raise RunError(str(error)) from error
    if truth is None:
        return report
    remarks: list[str] = []
    try:
        true = read_truth(truth, {row.tracklet.camera_id for row in rows}, remarks.append)
        return checked(report, rows, true, first, remarks)
    except ScoreError as error:
        raise UsageError(str(error)) from error
