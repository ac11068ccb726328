"""`climbtrack score`: compare identities with ground truth."""

import json
import shutil
import textwrap
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import Json, finite
from deploy.cli.page import write_pictures
from deploy.errors import UsageError

if TYPE_CHECKING:
    from gallery.score import ScoreTable

FRACTIONS = ("HOTA", "DetA", "AssA", "IDF1", "IDP", "IDR", "MOTA")
COUNTS = ("IDSW", "Frag")


def score(
    truth: Annotated[
        Path,
        typer.Option(
            "--truth", metavar="DIR", help="Ground truth: a folder of CAMERA.txt or CAMERA/gt/gt.txt, or a file."
        ),
    ],
    tracks: Annotated[
        Path,
        typer.Option("--tracks", "--result", metavar="DIR", help="Output of `climbtrack run --out` or of a tracker."),
    ],
    truth_first: Annotated[
        int | None,
        typer.Option("--truth-first-frame", min=0, max=1, help="Number of the truth's first frame; default: detected."),
    ] = None,
    tracks_first: Annotated[
        int | None,
        typer.Option(
            "--tracks-first-frame", min=0, max=1, help="Number of the tracks' first frame; default: detected."
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            "--fps",
            min=0.001,
            max=10_000,
            callback=finite,
            help="Frames a second, to name times in seconds; default: read from seqinfo.ini, else frames are named.",
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures", metavar="FILE.html", help="Write a page: who was where under which number, who was confused."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare identities with ground truth over all cameras: each person must have one number everywhere.

    Prints HOTA (Luiten et al. 2021), IDF1 (Ristani et al. 2016) and MOTA, equal to TrackEval's, links between cameras,
    and who was confused with whom. Files are MOTChallenge text.
    """
    from gallery.errors import ScoreError
    from gallery.score import score_folder
    from gallery.score.first_frame import FirstFrame

    try:
        table = score_folder(truth, tracks, FirstFrame(truth_first, tracks_first), fps)
    except ScoreError as error:
        raise UsageError(str(error)) from error
    if pictures:
        from gallery.score.page import write_page

        write_pictures(pictures, partial(write_page, table))
    for remark in table.remarks:
        typer.echo(remark, err=True)
    if as_json:
        from gallery.score.figures import as_json as figures

        typer.echo(json.dumps(figures(table) | {"pictures": None if pictures is None else str(pictures.absolute())}))
    else:
        _print_table(table)


def _print_table(table: "ScoreTable") -> None:
    from deploy.terminal import print_rows
    from gallery.score.figures import figures_of
    from gallery.score.words import in_words, merges_in_words, splits_in_words

    rows = [*table.cameras.items(), ("each on its own", table.separate), ("all cameras", table.overall)]
    print_rows(
        "Compared with who really was there",
        ("camera", *FRACTIONS, *COUNTS),
        [
            (name, *(f"{figures[key]:.3f}" for key in FRACTIONS), *(f"{figures[key]}" for key in COUNTS))
            for name, figures in ((name, figures_of(one)) for name, one in rows)
        ],
    )
    width = min(100, shutil.get_terminal_size().columns) - 1
    for paragraph in in_words(table):
        typer.echo("\n" + textwrap.fill(paragraph, width))
    for heading, *lines in filter(None, (merges_in_words(table), splits_in_words(table))):
        typer.echo("\n" + heading)
        for line in lines:
            typer.echo(textwrap.fill(line, width, initial_indent="  ", subsequent_indent="    "))
