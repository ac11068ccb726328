"""`climbtrack score`: identities against ground truth."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import Json
from deploy.errors import UsageError

if TYPE_CHECKING:
    from gallery.score import IdentityScore, ScoreTable


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
    from deploy.terminal import print_rows

    rows = [*table.cameras.items(), ("all cameras", table.overall)]
    print_rows(
        "Compared with who really was there",
        ("camera", "IDF1", "IDP", "IDR"),
        [(name, f"{one.idf1:.3f}", f"{one.idp:.3f}", f"{one.idr:.3f}") for name, one in rows],
    )
    typer.echo(f"\n{_in_words(table)}")


def _in_words(table: "ScoreTable") -> str:
    """Return what the score says to whoever does not know the measure."""
    overall, found = table.overall, len(table.people)
    return (
        f"IDF1 {overall.idf1:.2f} over all cameras; 1.00 is perfect. "
        f"{overall.idr:.0%} of where people really were\n"
        f"was found, under one number for each person, and {overall.idp:.0%} of what was found is right.\n"
        f"{table.numbers} numbers were given; {found} of them {'is' if found == 1 else 'are'} somebody who was there."
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
