"""`climbtrack evaluate`: measure the quality of weights on a data set."""

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
    from training.evaluation.evaluate import EmbeddedSplit, Embeddings, Rerank
    from training.evaluation.metrics import Ranking

_HISTOGRAM = "colour-histogram"
_HISTOGRAM_FRAMES = 8
_PER_CENT = (1, 5, 10, 20)


def evaluate(
    layout: Annotated[
        Literal["market", "mars", "msmt17", "lsvid", "ilids", "people"],
        typer.Option(
            "--layout",
            help="Layout of the folder; market and mars also fit folders so named; people is one folder per person.",
        ),
    ],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The data set.")],
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            help="climbtrack weights, or an ONNX file; default: the shipped ones.",
        ),
    ] = None,
    baseline: Annotated[
        Literal["colour-histogram"] | None, typer.Option("--baseline", help="Evaluate this instead of weights.")
    ] = None,
    frames: Annotated[
        Literal["sampled", "dense"],
        typer.Option(
            "--frames", help="T frames at the middles of equal spans, or all frames, averaged over groups of T."
        ),
    ] = "sampled",
    feature: Annotated[
        Literal["all", "sequence", "temporal"],
        typer.Option(
            "--feature", help="The embedding that is served, the plain average over frames, or the temporal head."
        ),
    ] = "all",
    distance: Annotated[
        Literal["cosine", "parts"],
        typer.Option("--distance", help="Cosine of the full feature, or the sum of its two parts' cosine distances."),
    ] = "cosine",
    flip: Annotated[bool, typer.Option("--flip", help="Average with mirrored crops.")] = False,
    rerank: Annotated[bool, typer.Option("--rerank", help="Re-rank by k-reciprocal neighbours.")] = False,
    k1: Annotated[
        int | None,
        typer.Option("--k1", min=1, max=1000, help="For --rerank: size of the neighbourhood; default: 20."),
    ] = None,
    k2: Annotated[
        int | None,
        typer.Option("--k2", min=1, max=1000, help="For --rerank: number of neighbours averaged; default: 6."),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(
            "--lambda",
            min=0,
            max=1,
            callback=finite,
            help="For --rerank: weight of the original distance; default: 0.3.",
        ),
    ] = None,
    split: Annotated[
        int | None, typer.Option("--split", min=0, max=9, help="Split of ilids; default: the mean over all ten.")
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", min=0, max=10_000_000, help="Use only this many identities, for a quick (and easier) test."
        ),
    ] = 0,
    unchecked: Annotated[
        bool,
        typer.Option("--unchecked", help="Accept a published data set whose counts differ from the published ones."),
    ] = False,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Skip tracklets with a broken image, and list them.")
    ] = False,
    batch: Annotated[int, typer.Option("--batch", min=1, max=1024, help="Tracklets embedded together.")] = 16,
    threads: Annotated[int, typer.Option("--threads", min=1, max=64, help="Batches in parallel.")] = 2,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="DIR",
            help="Write ranked lists, similarity histograms and a t-SNE map to this folder.",
        ),
    ] = None,
    cameras: Annotated[
        Literal["auto", "own", "unknown"],
        typer.Option(
            "--cameras",
            help="For weights with camera side information: treat cameras as the data set's own or as unknown; auto "
            "uses its own if their number matches.",
        ),
    ] = "auto",
    write_prior: Annotated[
        bool,
        typer.Option("--write-prior", help="Store the measured similarity prior with the --weights file."),
    ] = False,
    device: Annotated[str, typer.Option("--device", help="auto (a GPU if available), cpu, cuda, ...")] = "auto",
    as_json: Json = False,
) -> None:
    """Evaluate on a data set by its own protocol: CMC, mAP and mINP in per cent.

    Junk, and gallery items with the query's identity and camera, are ignored; distractors never match. Queries without
    a match are excluded.
    """
    from reid_worker.errors import EmbeddingError
    from reid_worker.model import WeightsError
    from training.data.dataset import BrokenImageError, DataSetError
    from training.evaluation.embedding import EmbedPlan

    reranking = _reranking(rerank, {"--k1": k1, "--k2": k2, "--lambda": weight})
    _check_outputs(pictures, weights, write_prior=write_prior)
    try:
        model = _model(baseline, weights, device, parts=(feature, distance) != ("all", "cosine"))
        if model.sequence is None and (feature, distance) != ("all", "cosine"):
            raise UsageError(f"--feature and --distance need weights of CLIMB: {model.name} has only one part")
        plan = EmbedPlan(model.frames, frames == "dense", flip, batch, threads, skip_broken)
        whole, known_cameras = _embedded(model, plan, _Set(layout, data, split, limit, not unchecked), cameras)
        found = [_compared(one, model.sequence, feature, distance) for one in whole.splits]
        summary = _figures(found, reranking)
        _draw(pictures, found[0])
        prior = _written_prior(weights, whole.splits[0]) if write_prior else {}
    except BrokenImageError as error:
        raise UsageError(f"{error}. Use --skip-broken to skip unreadable images") from error
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
    summary = (
        summary
        | how
        | prior
        | {"cameras": known_cameras, "model_id": model.name, "data": whole.splits[0].name, "broken": len(whole.broken)}
    )
    typer.echo(json.dumps(summary) if as_json else "\n".join(f"{name:>12}  {value}" for name, value in summary.items()))


@dataclass(frozen=True, slots=True)
class _Model:
    """What to evaluate.

    Attributes:
        frames: Maximum number of crops per call.
        sequence: Length of its sequence feature, if it has one.
        cameras: Number of cameras with side information.
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


def _reranking(wanted: bool, options: dict[str, float | None]) -> "Rerank | None":
    """Return how to re-rank, with the paper's values for what was not given; None if it is not wanted."""
    from training.evaluation.evaluate import Rerank

    given = {name: value for name, value in options.items() if value is not None}
    if not wanted:
        if given:
            raise UsageError(f"{' and '.join(given)} without --rerank would change nothing: add --rerank")
        return None
    usual = Rerank()
    return Rerank(
        int(given.get("--k1", usual.k1)), int(given.get("--k2", usual.k2)), given.get("--lambda", usual.weight)
    )


def _check_outputs(pictures: Path | None, weights: Path | None, *, write_prior: bool) -> None:
    from deploy.writable import check_file, check_folder

    if pictures is not None:
        check_folder("--pictures", pictures)
    if write_prior and weights is None:
        raise UsageError("--write-prior needs --weights: the file to write the prior to")
    if write_prior and weights is not None and weights.exists():
        check_file("--write-prior to", weights)


def _model(baseline: str | None, weights: Path | None, device: str, *, parts: bool) -> _Model:
    """Return what to evaluate; with `parts`, both features of weights of CLIMB, whichever of them rank."""
    if baseline == _HISTOGRAM:
        if weights is not None:
            raise UsageError("--baseline and --weights exclude each other: give one")
        from training.evaluation.baseline import colour_histogram

        return _Model(_HISTOGRAM, colour_histogram, _HISTOGRAM_FRAMES, None)
    from reid_worker.appearance.choose import is_appearance_model, load_network
    from reid_worker.model.embedder import load_embedder
    from reid_worker.model.weights import SHIPPED, load_weights

    path = weights or SHIPPED
    # Batches run in parallel: threads within one would wait for each other whenever the machine is busy.
    if is_appearance_model(path):
        other = load_network(path, device=device, threads=1)
        return _Model(other.model_id, other.embed, other.frames, None)
    network = load_embedder(path, device=device, threads=1, both=parts)
    sequence = load_weights(path).network.architecture.sequence_dim
    return _Model(network.model_id, network.embed, network.frames, sequence, network.cameras)


def _embedded(model: _Model, plan: "EmbedPlan", one: _Set, cameras: str) -> "tuple[Embeddings, str]":
    """Embed the data set; also return `own`, `unknown` or `none`: which cameras the weights were given."""
    from training.data.remarks import remarks
    from training.evaluation.evaluate import embed_splits, limited_to
    from training.evaluation.load import splits_of

    sets = splits_of(one.layout, one.data, split=one.split, checked=one.checked)
    side = _side_of(model, sets, cameras)
    if one.limit:
        sets = [limited_to(each, one.limit) for each in sets]
    for remark in remarks(sets[0]):
        if not remark.startswith("train"):
            typer.echo(remark, err=True)
    with _progress() as progress:
        whole = embed_splits(sets, model.embed, plan, progress, side)
    for reason in whole.broken:
        typer.echo(f"left out: {reason}", err=True)
    return whole, "own" if side is not None else "unknown" if model.cameras else "none"


def _side_of(model: _Model, sets: "Sequence[DataSet]", cameras: str) -> "Side | None":
    """Return the cameras' side information, or None to treat all cameras as unknown."""
    from training.data.side import Side

    if not model.cameras:
        if cameras == "own":
            raise UsageError(f"--cameras own: {model.name} has no camera side information")
        return None
    side = Side.of(sets, model.cameras)
    if cameras == "own" or (cameras == "auto" and side.fits):
        return side
    if cameras == "auto":
        typer.echo(
            f"{model.name} has side information for {side.known} cameras, {sets[0].name} has {len(side.cameras)}: they "
            "are treated as unknown, with the mean side information (--cameras own treats them as the first ones)",
            err=True,
        )
    return None


def _written_prior(weights: Path | None, found: "EmbeddedSplit") -> dict[str, float]:
    """Measure the similarity prior, and write it into the weights."""
    from msgspec.structs import asdict

    from reid_worker.appearance.choose import save_prior
    from training.evaluation.prior import gap_between, prior_of

    prior = prior_of(gap_between(found.query, found.items))
    if prior is None:
        raise RunError(
            "no prior was written: on this data set, the same person is no more similar than different people are"
        )
    assert weights is not None
    save_prior(weights, prior)
    return asdict(prior)


@contextmanager
def _progress() -> "Iterator[Progress]":
    """Show a progress bar with the remaining time on a terminal, or a line per 10 % elsewhere."""
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


def _compared(found: "EmbeddedSplit", sequence: int | None, feature: str, distance: str) -> "EmbeddedSplit":
    from training.evaluation.evaluate import select_features

    if sequence is None or (feature, distance) == ("all", "cosine"):
        return found
    query, items = (
        select_features(part.features, sequence, feature=feature, distance=distance)  # type: ignore[arg-type]
        for part in (found.query, found.items)
    )
    return found.with_features(query, items)


def _draw(folder: Path | None, found: "EmbeddedSplit") -> None:
    if folder is None:
        return
    from training.evaluation.pictures_report import draw_report

    for path in draw_report(folder, found):
        typer.echo(f"drew {path}", err=True)


def _figures(found: "list[EmbeddedSplit]", rerank: "Rerank | None") -> dict[str, float | int | str | bool]:
    from training.evaluation.evaluate import ranking_of

    ranking: Ranking = ranking_of(found, rerank)
    if ranking.left_out:
        typer.echo(
            f"{ranking.left_out} of {ranking.left_out + ranking.queries} queries have no match in another camera and "
            "are excluded",
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
