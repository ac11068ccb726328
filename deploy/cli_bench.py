"""`climbtrack bench`: how fast, and how much memory."""

import json
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.errors import UsageError

app = typer.Typer(help="Measure speed and memory on this machine.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure speed and memory on this machine."""


@app.command("pipeline")
def pipeline(
    site: Annotated[
        Path,
        typer.Option(
            "--site", metavar="DIR", help="Folder of videos, one a camera, as `climbtrack synth site` makes it."
        ),
    ] = Path(".cache/sample-site"),
    minutes: Annotated[
        float, typer.Option("--minutes", min=0, help="Simulated minutes over which memory is watched; 0 leaves it out.")
    ] = 30.0,
    kafka: Annotated[bool, typer.Option("--kafka/--no-kafka", help="Also as processes over Kafka and Redis.")] = True,
    video: Annotated[
        Path | None,
        typer.Option("--video", metavar="FILE", help="How many cameras like this file one core passes through ingest."),
    ] = None,
) -> None:
    """Print one JSON line: frames a second by stage, in one process and over Kafka; memory and its growth; ingest."""
    videos = sorted(site.glob("*.mp4"))
    if not videos:
        raise UsageError(
            f"--site {site}: no videos there; make some with `climbtrack synth site --out {site} --seed 7`"
        )

    from deploy import bench, bench_cluster, bench_ingest

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


@app.command("model")
def model(
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="auto (a GPU where there is one), cpu, cuda, ...")
    ] = "auto",
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads; the worker embeds with one.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Measure every size of network against a large matrix product: crops a second, share of its rate, memory."""
    import torch

    from deploy import bench_model

    torch.set_num_threads(threads)
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        place = torch.device(chosen)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts that it has it
        raise UsageError(f"--device {device}: {str(error).splitlines()[0]}") from error
    found = list(bench_model.rows(bench_model.subjects(), place, lambda text: typer.echo(text, err=True)))
    if as_json:
        typer.echo(json.dumps({"rows": [asdict(row) for row in found]}))
        return
    for line in bench_model.table(found):
        typer.echo(line)
