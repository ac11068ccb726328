"""`climbtrack bench`: measure speed and memory."""

import json
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.options import Changes, Recipe, finite, recipe_and_changes
from deploy.cli.scaling import workers
from deploy.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed import DataclassInstance

    from reid_worker.model.scan import Implementation

app = typer.Typer(name="bench", help="Measure speed and memory on this machine.", no_args_is_help=True)
app.command("workers")(workers)


@app.callback()
def bench() -> None:
    """Measure speed and memory on this machine."""


@app.command("pipeline")
def pipeline(
    site: Annotated[
        Path,
        typer.Option(
            "--site", metavar="DIR", help="Folder of videos, one per camera, as written by `climbtrack synth site`."
        ),
    ] = Path(".cache/sample-site"),
    minutes: Annotated[
        float,
        typer.Option(
            "--minutes",
            min=0,
            max=100_000,
            callback=finite,
            help="Simulated minutes over which to watch memory; 0 skips this.",
        ),
    ] = 30.0,
    kafka: Annotated[
        bool, typer.Option("--kafka/--no-kafka", help="Also run as processes over Kafka and Redis.")
    ] = True,
    video: Annotated[
        Path | None,
        typer.Option(
            "--video", metavar="FILE", help="Also measure how many cameras like this file one core can ingest."
        ),
    ] = None,
) -> None:
    """Print one JSON line: frames per second by stage, in one process and over Kafka; memory and its growth; ingest."""
    videos = sorted(site.glob("*.mp4"))
    if not videos:
        raise UsageError(
            f"--site {site}: the folder has no videos; generate some with `climbtrack synth site --out {site} --seed 7`"
        )

    from deploy.bench import cluster as bench_cluster
    from deploy.bench import ingest as bench_ingest
    from deploy.bench import pipeline as bench

    figures: dict[str, object] = {
        "benchmark": "pipeline",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": bench.machine(),
        "cameras": len(videos),
    }
    with tempfile.TemporaryDirectory(prefix="climbtrack-bench-") as name:
        folder = Path(name)
        figures["embedded"] = asdict(bench.measure_embedded(videos, folder / "embedded"))
        if kafka:
            (folder / "cluster").mkdir()
            figures["kafka"] = asdict(bench_cluster.measure_cluster(videos, folder / "cluster"))
        if minutes:
            figures["memory"] = asdict(bench.measure_growth(videos[0], folder / "growth", minutes))
    if video:
        figures["ingest"] = asdict(bench_ingest.measure_passthrough(video))
    typer.echo(json.dumps(figures))


@app.command("gallery")
def gallery(
    identities: Annotated[
        list[int] | None,
        typer.Option("--identities", min=1, max=10_000_000, help="People known; repeatable."),
    ] = None,
    store: Annotated[
        list[str] | None, typer.Option("--store", metavar="NAME", help="memory or redis; repeatable; both by default.")
    ] = None,
    tracklets: Annotated[
        int, typer.Option("--tracklets", min=1, max=100_000_000, help="Tracklets to decide for each row.")
    ] = 3_000,
    prototypes: Annotated[
        int | None,
        typer.Option("--prototypes", min=100, max=100_000_000, help="Measure an index of so many instead."),
    ] = None,
    soak: Annotated[
        int | None,
        typer.Option(
            "--soak",
            metavar="TRACKLETS",
            min=100,
            max=1_000_000_000,
            help="Decide so many instead, keeping --identities people, 2000 by default: does it stay as fast?",
        ),
    ] = None,
    backup: Annotated[
        bool, typer.Option("--backup", help="Back up and restore a site of --identities people instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Measure how fast tracklets are decided on one core, by how many people the gallery knows."""
    from deploy.bench import gallery as bench

    for name in store or ():
        if name not in bench.STORES:
            raise UsageError(f"--store {name}: must be one of {', '.join(bench.STORES)}")
    kinds = [kind for kind in bench.STORES if not store or kind in store]
    if prototypes is not None:
        typer.echo(json.dumps(bench.figures_of("deploy.bench.gallery_index", prototypes)))
        return
    if soak is not None:
        kept = identities[0] if identities else 2_000
        typer.echo(json.dumps(bench.figures_of("deploy.bench.gallery_soak", soak, kept, kinds[0], told=True)))
        return
    sizes = identities or bench.IDENTITIES
    if backup:
        _measure_backups(sizes)
        return
    found = []
    for row in (row for kind in kinds for row in bench.rows(sizes, kind, tracklets)):
        found.append(row)
        typer.echo(f"{row.store}, {row.identities} identities: {row.tracklets_per_s} tracklets/s", err=True)
    _print_rows(found, bench.table, as_json=as_json)


def _measure_backups(sizes: "Sequence[int]") -> None:
    from deploy.bench.gallery_backup import measure

    for people in sizes:
        with tempfile.TemporaryDirectory(prefix="climbtrack-") as folder:
            _print_line(measure(Path(folder), people))


@app.command("identities")
def identities(
    kinds: Annotated[
        list[str] | None, typer.Option("--site", metavar="KIND", help="Kind of site; repeatable; all by default.")
    ] = None,
    methods: Annotated[
        list[str] | None, typer.Option("--method", metavar="NAME", help="Repeatable; all by default.")
    ] = None,
    seeds: Annotated[
        list[int] | None, typer.Option("--seed", min=0, max=2**31, help="A site of each kind; repeatable.")
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option("--embeddings", metavar="DIR", help="Keep the embeddings here, for the next measurement."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line for each row instead of a table.")] = False,
) -> None:
    """Measure how well people are told apart at generated sites, by the gallery, without each part, and by an oracle.

    The oracle gives every tracklet to the nearest identity, by the one threshold that is best on the truth of each
    site. Embeddings are those of the shipped weights, of generated people whom they have not seen.
    """
    from deploy.bench.identities import rows as bench
    from deploy.bench.identities.looks import Studio
    from deploy.bench.identities.timetable import KINDS

    chosen = _named(kinds, list(KINDS), "--site")
    by = _named(methods, list(bench.METHODS), "--method")
    found = []
    for row in bench.rows(
        chosen, seeds or bench.REPORTED, by, Studio(embeddings), lambda text: typer.echo(text, err=True)
    ):
        found.append(row)
        typer.echo(json.dumps(asdict(row)) if as_json else bench.table([row])[1], err=not as_json)
    if not as_json:
        typer.echo("\n".join(bench.table(found)))


@app.command("reconnects")
def reconnects(
    count: Annotated[int, typer.Option("--count", min=10, max=10_000_000, help="Connections to lose.")] = 10_000,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", metavar="URL", help="Read this camera, whose streams end; default: one that fails in turn."
        ),
    ] = None,
) -> None:
    """Print one JSON line: threads, file descriptors and memory that lost camera connections leave behind."""
    from deploy.bench.reconnects import measure_reconnects

    _print_line(measure_reconnects(count, url))


@app.command("live")
def live(
    site: Annotated[
        Path, typer.Option("--site", metavar="DIR", help="Folder of videos, each played as a live camera.")
    ] = Path(".cache/sample-site"),
    cameras: Annotated[
        list[str] | None, typer.Option("--camera", metavar="NAME=SOURCE", help="Live camera instead; repeatable.")
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=86_400, callback=finite)] = 60.0,
    burners: Annotated[
        int, typer.Option("--burners", min=0, max=256, help="Busy processes in the middle third of the time.")
    ] = 0,
    kafka: Annotated[bool, typer.Option("--kafka", help="As processes over Kafka and Redis.")] = False,
) -> None:
    """Print one JSON line: how long after its capture a person is known, and what share of each camera is analysed."""
    videos = sorted(site.glob("*.mp4"))
    if not cameras and not videos:
        raise UsageError(
            f"--site {site}: the folder has no videos; generate some with `climbtrack synth site --out {site} --seed 7`"
        )

    from deploy.bench import live as bench
    from deploy.bench.pipeline import SITE
    from deploy.cameras import parse_cameras

    chosen = tuple(parse_cameras(cameras, SITE).values()) if cameras else bench.live_cameras(videos)
    measure = bench.measure_live_cluster if kafka else bench.measure_live
    with tempfile.TemporaryDirectory(prefix="climbtrack-bench-") as folder:
        _print_line(measure(chosen, Path(folder), seconds, burners=burners))


@app.command("gallery-kills")
def gallery_kills(
    kills: Annotated[int, typer.Option("--kills", min=1, max=10_000, help="How often to kill.")] = 50,
    speed: Annotated[
        float, typer.Option("--speed", min=0.1, max=100, callback=finite, help="Seconds of the cameras per second.")
    ] = 2.0,
    fade_after: Annotated[
        float,
        typer.Option("--fade-after", min=0, max=900, callback=finite, help="gallery.fade_after_s; 0: nobody fades."),
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**31, help="Other people and other moments.")] = 1,
) -> None:
    """Print one JSON line: what `kill -9` of a gallery and its Redis at random moments lost, doubled or changed."""
    from deploy.bench.gallery_kills import measure

    with tempfile.TemporaryDirectory(prefix="climbtrack-") as folder:
        figures = measure(Path(folder), kills, seed=seed, speed=speed, fade_after_s=fade_after)
    _print_line(figures)
    if faults := figures.audit.faults():
        typer.echo(f"not as without kills: {faults}", err=True)
        raise typer.Exit(1)


_Device = Annotated[str, typer.Option("--device", metavar="NAME", help="auto (a GPU if available), cpu, cuda, ...")]
_Threads = Annotated[int, typer.Option("--threads", min=1, max=256, help="CPU threads; the worker embeds with one.")]
_Lengths = Annotated[list[int] | None, typer.Option("--length", min=1, max=65_536, help="Sequence length; repeatable.")]
_Implementations = Annotated[
    list[str] | None, typer.Option("--implementation", metavar="NAME", help="Only this implementation; repeatable.")
]


@app.command("parity")
def parity(
    device: _Device = "auto",
    length: _Lengths = None,
    implementation: _Implementations = None,
    width: Annotated[int, typer.Option("--width", min=1, max=65_536, help="Channels.")] = 64,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Compare every selective scan with the reference in float64: forward, every gradient, every dtype."""
    from deploy.bench import device as bench_device
    from deploy.bench import scan as bench_scan

    place = bench_device.device_of(device, threads=1)
    names = _implementations(implementation)
    size = bench_scan.ScanSize(2, width, length or bench_scan.PARITY_LENGTHS, names)
    found = list(bench_scan.parity_rows(size, place))
    _print_rows(found, bench_scan.parity_table, as_json=as_json)


@app.command("scan")
def scan(
    device: _Device = "auto",
    threads: _Threads = 1,
    length: _Lengths = None,
    implementation: _Implementations = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=65_536, help="Sequences.")] = 8,
    width: Annotated[int, typer.Option("--width", min=1, max=65_536, help="Channels; 1536 in climb-base.")] = 1536,
    dtype: Annotated[str, typer.Option("--dtype", help="float32, bfloat16 or float16.")] = "float32",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Measure the speed of every selective scan, and of its exponentials alone."""
    from deploy.bench import device as bench_device
    from deploy.bench import scan as bench_scan

    if dtype not in bench_scan.DTYPES:
        raise UsageError(f"--dtype {dtype}: must be one of {', '.join(bench_scan.DTYPES)}")
    place = bench_device.device_of(device, threads)
    names = _implementations(implementation)
    size = bench_scan.ScanSize(batch, width, length or bench_scan.SPEED_LENGTHS, names)
    rows = bench_scan.speed_rows(size, place, dtype, say=lambda text: typer.echo(text, err=True))
    _print_rows(list(rows), bench_scan.speed_table, as_json=as_json)


@app.command("model")
def model(
    device: _Device = "auto",
    threads: _Threads = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Measure every size of network: crops per second, share of the matrix-product rate, memory."""
    from deploy.bench import device as bench_device
    from deploy.bench import model as bench_model

    place = bench_device.device_of(device, threads)
    found = list(bench_model.rows(bench_model.subjects(), place, lambda text: typer.echo(text, err=True)))
    _print_rows(found, bench_model.table, as_json=as_json)


@app.command("training")
def training(
    config: Recipe = None,
    overrides: Changes = None,
) -> None:
    """Print one JSON line: crops per second rendered and trained on, and how long a step waits for its batch."""
    from training.config import ConfigError, load_config
    from training.recipes.bench import measure

    try:
        _print_line(measure(load_config(*recipe_and_changes(config, overrides))))
    except ConfigError as error:
        raise UsageError(str(error)) from error


@app.command("evaluation")
def evaluation(
    queries: Annotated[int, typer.Option("--queries", min=1, max=10_000_000, help="Query tracklets.")] = 2_000,
    gallery: Annotated[int, typer.Option("--gallery", min=1, max=10_000_000, help="Gallery tracklets.")] = 20_000,
    rerank: Annotated[bool, typer.Option("--rerank/--no-rerank", help="Also measure re-ranking.")] = True,
) -> None:
    """Print one JSON line: time and memory of the ranking metrics, on random features.

    The defaults are about the size of MARS; MSMT17's size is --queries 11659 --gallery 82161.
    """
    from training.evaluation.bench import measure

    _print_line(measure(queries, gallery, by_rerank=rerank))


def _named(names: "Sequence[str] | None", known: "Sequence[str]", option: str) -> list[str]:
    """Return the known names that were chosen, all if none were.

    Raises:
        UsageError: A name is unknown.
    """
    for name in names or ():
        if name not in known:
            raise UsageError(f"{option} {name!r}: must be one of {', '.join(known)}")
    return [name for name in known if not names or name in names]


def _print_line(figures: "DataclassInstance") -> None:
    """Print figures as one JSON line, with fractions to three decimals."""
    line = json.loads(json.dumps(asdict(figures)), parse_float=lambda number: round(float(number), 3))
    typer.echo(json.dumps(line))


def _implementations(names: list[str] | None) -> "tuple[Implementation, ...]":
    """Return the implementations with these names; all if None.

    Raises:
        UsageError: A name is unknown.
    """
    from reid_worker.model.scan import IMPLEMENTATIONS

    for name in names or ():
        if name not in IMPLEMENTATIONS:
            raise UsageError(f"--implementation {name}: must be one of {', '.join(IMPLEMENTATIONS)}")
    return tuple(known for known in IMPLEMENTATIONS if not names or known in names)


def _print_rows(rows: "Sequence[DataclassInstance]", table: "Callable[[Any], list[str]]", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"rows": [asdict(row) for row in rows]}))
        return
    for line in table(rows):
        typer.echo(line)
