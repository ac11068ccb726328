"""`climbtrack score`: compare identities with ground truth."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import Json
from deploy.errors import UsageError

if TYPE_CHECKING:
    from gallery.score import IdentityScore, ScoreTable


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
    as_json: Json = False,
) -> None:
    """Compare identities with ground truth over all cameras: each person must have one number everywhere.

    Prints IDF1, IDP and IDR (Ristani et al. 2016), with boxes matched at an IoU of at least 0.5. Files are
    MOTChallenge text.
    """
    from gallery.errors import ScoreError
    from gallery.score import score_folder
    from gallery.score.first_frame import FirstFrame

    try:
        table = score_folder(truth, tracks, FirstFrame(truth_first, tracks_first))
    except ScoreError as error:
        raise UsageError(str(error)) from error
    for remark in table.remarks:
        typer.echo(remark, err=True)
    if as_json:
        typer.echo(json.dumps(_score_as_json(table)))
        return
    from deploy.terminal import print_rows

    rows = [*table.cameras.items(), ("each on its own", table.separate), ("all cameras", table.overall)]
    print_rows(
        "Compared with who really was there",
        ("camera", "IDF1", "IDP", "IDR"),
        [(name, f"{one.idf1:.3f}", f"{one.idp:.3f}", f"{one.idr:.3f}") for name, one in rows],
    )
    typer.echo(f"\n{_in_words(table)}")


def _in_words(table: "ScoreTable") -> str:
    """Explain the score to readers who do not know the metric."""
    overall, found = table.overall, len(table.people)
    return (
        f"IDF1 is {overall.idf1:.2f} over all cameras; 1.00 is perfect. {overall.idr:.0%} of the true boxes were found "
        f"under the\none number that belongs to their person, and {overall.idp:.0%} of the boxes found have the right "
        f"number.\n{table.numbers} numbers were given out, and {found} of them belong to a real person."
    )


def _score_as_json(table: "ScoreTable") -> dict[str, object]:
    return {
        "all": _figures(table.overall),
        "separate": _figures(table.separate),
        "cameras": {name: _figures(score) for name, score in table.cameras.items()},
        "identities": table.numbers,
        "matched_identities": len(table.people),
        "remarks": table.remarks,
    }


def _figures(score: "IdentityScore") -> dict[str, float]:
    """Return fractions and the box counts behind them, under their standard names."""
    return {
        "IDF1": score.idf1,
        "IDP": score.idp,
        "IDR": score.idr,
        "IDTP": score.true_positives,
        "IDFP": score.false_positives,
        "IDFN": score.false_negatives,
    }
