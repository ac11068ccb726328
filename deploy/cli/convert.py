"""`climbtrack convert`: convert published weights to climbtrack's format."""

import json
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import Json, finite
from deploy.errors import UsageError

if TYPE_CHECKING:
    from wire.similarity import SimilarityPrior


def convert(
    source: Annotated[Path, typer.Argument(help="The authors' checkpoint: torch.save or safetensors.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Safetensors file to write.")],
    size: Annotated[
        str | None,
        typer.Option(
            "--size", metavar="HxW", help="Crop size in pixels, unless the patch grid is twice as high as wide."
        ),
    ] = None,
    frames: Annotated[int, typer.Option("--frames", min=1, max=64, help="Crops per tracklet, averaged.")] = 1,
    side_coefficient: Annotated[
        float,
        typer.Option(
            "--side-coefficient",
            min=-1000,
            max=1000,
            callback=finite,
            help="SIE_COE of the authors' configuration, if it uses cameras.",
        ),
    ] = 1.0,
    views: Annotated[int, typer.Option("--views", min=1, max=1000, help="Side-information vectors per camera.")] = 1,
    prior: Annotated[
        str | None,
        typer.Option(
            "--prior",
            metavar="SM,SS,DM,DS",
            help="Similarity prior: mean and standard deviation of the cosine for the same person and for different "
            "people, like 0.6,0.2,0.1,0.2.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Convert the published CLIMB-ReID image weights to a file for `worker.weights`.

    Tensors not needed for the feature are dropped and listed; unexpected ones are an error. No code in the file is run.
    """
    from training.convert import convert as run

    known = _prior(prior)
    done = run(
        source, out, size=_size(size), frames=frames, side_coefficient=side_coefficient, views=views, prior=known
    )
    if known is None:
        typer.echo(_without_prior(out), err=True)
    if as_json:
        said = {"weights": str(out), "embedding": done.architecture.dim, **asdict(done)}
        typer.echo(json.dumps(said))
        return
    parts = Counter(name.partition(".")[0] for name in done.dropped)
    dropped = ", ".join(f"{part} ({count})" for part, count in parts.items()) or "nothing"
    cameras = f"; side information of {done.architecture.cameras} cameras" if done.architecture.cameras else ""
    typer.echo(f"{out}: {done.model_id}, {done.architecture.dim} dimensions{cameras}; tensors dropped: {dropped}")


def _without_prior(out: Path) -> str:
    from deploy.terminal import command

    return (
        f"{out} has no similarity prior: until it has learnt one from a site, the gallery assumes that of the shipped "
        "weights, and may merge or split people. To measure the prior, run\n"
        f"  {command()} evaluate --weights {out} --write-prior --layout LAYOUT --data DIR"
    )


def _prior(text: str | None) -> "SimilarityPrior | None":
    from wire.similarity import SimilarityPrior

    if text is None:
        return None
    try:
        same_mean, same_std, different_mean, different_std = (float(part) for part in text.split(","))
        return SimilarityPrior(
            same_mean=same_mean, same_std=same_std, different_mean=different_mean, different_std=different_std
        )
    except ValueError as error:
        raise UsageError(
            f"--prior {text}: expected mean and deviation for the same and for different people, like 0.6,0.2,0.1,0.2 "
            f"({error})"
        ) from error


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if found is None:
        raise UsageError(f"--size {text}: expected HEIGHTxWIDTH in pixels, like 256x128")
    return int(found[1]), int(found[2])
