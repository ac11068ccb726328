"""`climbtrack evaluate`: what weights are worth on a data set."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deploy.cli.options import Json, finite
from deploy.errors import RunError, UsageError

if TYPE_CHECKING:
    from training.data.dataset import DataSet
    from training.data.side import Side
    from training.evaluation.embedding import Embed, EmbedPlan, Progress
    from training.evaluation.evaluate import Embeddings, Found, Rerank
    from training.evaluation.metrics import Ranking

_HISTOGRAM = "colour-histogram"
_HISTOGRAM_FRAMES = 8
_PER_CENT = (1, 5, 10, 20)


def evaluate(
    layout: Annotated[
        Literal["market", "mars", "msmt17", "lsvid", "ilids", "people"],
        typer.Option(
            "--layout",
            help="How the folder is laid out; market and mars are also common namings, people is one folder a person.",
        ),
    ],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The data set.")],
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="Weights of ours; the shipped ones by default.")
    ] = None,
    baseline: Annotated[
        Literal["colour-histogram"] | None, typer.Option("--baseline", help="Judge this instead of weights.")
    ] = None,
    frames: Annotated[
        Literal["sampled", "dense"],
        typer.Option("--frames", help="T in the middle of equal spans, or all of them in groups of T, averaged."),
    ] = "sampled",
    feature: Annotated[
        Literal["all", "sequence", "temporal"],
        typer.Option("--feature", help="All that is served, the plain average over frames, or the temporal head."),
    ] = "all",
    distance: Annotated[
        Literal["cosine", "parts"],
        typer.Option("--distance", help="Cosine of the whole feature, or the sum of its two parts' cosine distances."),
    ] = "cosine",
    flip: Annotated[bool, typer.Option("--flip", help="Average with mirrored crops.")] = False,
    rerank: Annotated[bool, typer.Option("--rerank", help="Re-rank by k-reciprocal neighbours.")] = False,
    k1: Annotated[
        int, typer.Option("--k1", min=1, max=1000, help="Of --rerank: neighbours that must name each other.")
    ] = 20,
    k2: Annotated[int, typer.Option("--k2", min=1, max=1000, help="Of --rerank: neighbours that are averaged.")] = 6,
    weight: Annotated[
        float,
        typer.Option("--lambda", min=0, max=1, callback=finite, help="Of --rerank: weight of the original distance."),
    ] = 0.3,
    split: Annotated[
        int | None, typer.Option("--split", min=0, max=9, help="Of ilids; the mean over all ten by default.")
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", min=0, max=10_000_000, help="Only so many identities, for a quick look: easier than all."
        ),
    ] = 0,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Take a published set whose counts are not the published ones.")
    ] = False,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out what has a broken image, and say so.")
    ] = False,
    batch: Annotated[int, typer.Option("--batch", min=1, max=1024, help="Tracklets embedded together.")] = 16,
    threads: Annotated[int, typer.Option("--threads", min=1, max=64, help="Batches at a time.")] = 2,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures", metavar="DIR", help="Draw whom queries found, how alike people are, where they lie."
        ),
    ] = None,
    cameras: Annotated[
        Literal["auto", "own", "unknown"],
        typer.Option(
            "--cameras",
            help="Of weights with side information of cameras: the data set's own, or unknown ones; auto takes its own "
            "where they are as many.",
        ),
    ] = "auto",
    write_prior: Annotated[
        bool,
        typer.Option("--write-prior", help="Write into --weights how alike people are here: their similarity prior."),
    ] = False,
    device: Annotated[str, typer.Option("--device", help="auto (a GPU where there is one), cpu, cuda, ...")] = "auto",
    as_json: Json = False,
) -> None:
    """Rank a data set's queries by its own rules: CMC, mAP and mINP in per cent.

    Junk and what the query's own camera saw of its person do not count; distractors are wrong for everybody. A query
    without a match does not count.
    """
    from reid_worker.errors import EmbeddingError
    from reid_worker.model import WeightsError
    from training.data.dataset import BrokenImageError, DataSetError
    from training.evaluation.embedding import EmbedPlan
    from training.evaluation.evaluate import Rerank

    try:
        if write_prior and weights is None:
            raise UsageError("--write-prior needs --weights, a file of yours to write into")
        judged = _judged(baseline, weights, device)
        if judged.sequence is None and (feature, distance) != ("all", "cosine"):
            raise UsageError(f"--feature and --distance are of a network: {judged.name} has one part")
        plan = EmbedPlan(judged.frames, frames == "dense", flip, batch, threads, skip_broken)
        whole, told = _embedded(judged, plan, _Set(layout, data, split, limit, not unchecked), cameras)
        found = [_compared(one, judged.sequence, feature, distance) for one in whole.found]
        said = _figures(found, Rerank(k1, k2, weight) if rerank else None)
        _draw(pictures, found[0])
        prior = _written_prior(weights, whole.found[0]) if write_prior else {}
    except BrokenImageError as error:
        raise UsageError(f"{error}. --skip-broken leaves out what cannot be read") from error
    except (DataSetError, WeightsError) as error:
        raise UsageError(str(error)) from error
    except (EmbeddingError, OSError) as error:
        raise RunError(str(error)) from error
    how: dict[str, float | int | str | bool] = {
        "feature": feature,
        "distance": distance,
        "frames": frames,
        "flip": flip,
        "rerank": rerank,
        "limit": limit,
    }
    said = (
        said
        | how
        | prior
        | {"cameras": told, "model_id": judged.name, "data": whole.found[0].name, "broken": len(whole.broken)}
    )
    typer.echo(json.dumps(said) if as_json else "\n".join(f"{name:>12}  {value}" for name, value in said.items()))


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is judged.

    Attributes:
        frames: Most crops it takes at once.
        sequence: Length of its sequence feature, if it has one.
        cameras: Cameras with side information.
    """

    name: str
    embed: "Embed"
    frames: int
    sequence: int | None
    cameras: int = 0


@dataclass(frozen=True, slots=True)
class _Set:
    layout: str
    data: Path
    split: int | None
    limit: int
    checked: bool


def _judged(baseline: str | None, weights: Path | None, device: str) -> _Judged:
    if baseline == _HISTOGRAM:
        if weights is not None:
            raise UsageError("--baseline and --weights are two things to judge: give one")
        from training.evaluation.baseline import colour_histogram

        return _Judged(_HISTOGRAM, colour_histogram, _HISTOGRAM_FRAMES, None)
    from reid_worker.model import load_embedder
    from reid_worker.model.weights import SHIPPED, load_weights

    path = weights or SHIPPED
    architecture = load_weights(path).network.architecture
    # Batches run side by side: threads within one would wait for each other wherever the machine has other work.
    embedder = load_embedder(path, device=device, threads=1)
    sequence = architecture.tower_width + architecture.joint_width
    return _Judged(embedder.model_id, embedder.embed, embedder.frames, sequence, embedder.cameras)


def _embedded(judged: _Judged, plan: "EmbedPlan", one: _Set, cameras: str) -> "tuple[Embeddings, str]":
    """Embed the data set; say in a word which cameras the weights were told of."""
    from training.data.remarks import remarks
    from training.evaluation.evaluate import embed_splits, smaller
    from training.evaluation.load import splits_of

    sets = splits_of(one.layout, one.data, split=one.split, checked=one.checked)
    side = _side_of(judged, sets, cameras)
    if one.limit:
        sets = [smaller(each, one.limit) for each in sets]
    for remark in remarks(sets[0]):
        if not remark.startswith("train"):
            typer.echo(remark, err=True)
    with _progress() as progress:
        whole = embed_splits(sets, judged.embed, plan, progress, side)
    for reason in whole.broken:
        typer.echo(f"left out: {reason}", err=True)
    return whole, "own" if side is not None else "unknown" if judged.cameras else "none"


def _side_of(judged: _Judged, sets: "Sequence[DataSet]", cameras: str) -> "Side | None":
    """Return which camera has which side information, None where the weights are told of none."""
    from training.data.side import Side

    if not judged.cameras:
        if cameras == "own":
            raise UsageError(f"--cameras own: {judged.name} has no side information of cameras")
        return None
    side = Side.of(sets, judged.cameras)
    if cameras == "own" or (cameras == "auto" and side.fits):
        return side
    if cameras == "auto":
        typer.echo(
            f"{judged.name} has side information of {side.known} cameras, {sets[0].name} has {len(side.cameras)}: they "
            "count as unknown, for which the mean stands in (--cameras own takes them for the first ones)",
            err=True,
        )
    return None


def _written_prior(weights: Path | None, found: "Found") -> dict[str, float]:
    """Write the similarity prior that was measured into the weights."""
    from msgspec.structs import asdict

    from reid_worker.model.weights import save_prior
    from training.evaluation.prior import gap_between, prior_of

    prior = prior_of(gap_between(found.query, found.items))
    if prior is None:
        raise RunError("no prior was written: people are not more alike to themselves here than to others")
    assert weights is not None
    save_prior(weights, prior)
    return asdict(prior)


@contextmanager
def _progress() -> "Iterator[Progress]":
    """Show a bar with the time left on a terminal, and a line every tenth elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tenths = [0]
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("embedding", total=None)

        def show(done: int, of: int) -> None:
            bars.update(task, completed=done, total=of)
            if not console.is_terminal and 10 * done // of > tenths[0]:
                tenths[0] = 10 * done // of
                typer.echo(f"{done} of {of} embedded", err=True)

        yield show


def _compared(found: "Found", sequence: int | None, feature: str, distance: str) -> "Found":
    from training.evaluation.evaluate import compared_by

    if sequence is None or (feature, distance) == ("all", "cosine"):
        return found
    query, items = (
        compared_by(part.features, sequence, feature=feature, distance=distance)  # type: ignore[arg-type]
        for part in (found.query, found.items)
    )
    return found.with_features(query, items)


def _draw(folder: Path | None, found: "Found") -> None:
    if folder is None:
        return
    from training.evaluation.pictures_report import draw_report

    for path in draw_report(folder, found):
        typer.echo(f"drew {path}", err=True)


def _figures(found: "list[Found]", rerank: "Rerank | None") -> dict[str, float | int | str | bool]:
    from training.evaluation.evaluate import ranking_of

    ranking: Ranking = ranking_of(found, rerank)
    if ranking.left_out:
        typer.echo(
            f"{ranking.left_out} of {ranking.left_out + ranking.queries} queries have no match in another camera and "
            "do not count",
            err=True,
        )
    return {
        **{f"rank{r}": round(100 * ranking.rank(r), 2) for r in _PER_CENT},
        "mAP": round(100 * ranking.mean_ap, 2),
        "mINP": round(100 * ranking.mean_inp, 2),
        "queries": ranking.queries,
        "queries_without_match": ranking.left_out,
        "gallery": sum(len(one.gallery) for one in found),
        "splits": len(found),
    }
