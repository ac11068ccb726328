"""`climbtrack plan`: how many machines a number of cameras needs."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import Json, finite

if TYPE_CHECKING:
    from deploy.capacity.estimate import Estimate


def plan(
    cameras: Annotated[int, typer.Option("--cameras", min=1, max=1_000_000, help="Cameras, of all sites together.")],
    fps: Annotated[
        float, typer.Option("--fps", min=0.1, max=60, help="Analysed frames per second of a camera.", callback=finite)
    ] = 10.0,
    people: Annotated[
        float,
        typer.Option(
            "--people",
            min=0,
            max=100_000,
            help="People who pass a camera in an hour in which it is open.",
            callback=finite,
        ),
    ] = 60.0,
    stay: Annotated[
        float, typer.Option("--stay", min=0.1, max=86_400, help="Seconds that each is in the picture.", callback=finite)
    ] = 8.0,
    hours: Annotated[
        float, typer.Option("--hours", min=0, max=24, help="Hours of a day in which people pass.", callback=finite)
    ] = 12.0,
    retention: Annotated[
        float, typer.Option("--retention", min=0.01, max=3_650, help="Days that people are kept.", callback=finite)
    ] = 7.0,
    sites: Annotated[int, typer.Option("--sites", min=1, max=1_000_000, help="Sites that share the cameras.")] = 1,
    camera_fps: Annotated[
        float, typer.Option("--camera-fps", min=0.1, max=240, help="Frame rate of the streams.", callback=finite)
    ] = 25.0,
    megapixels: Annotated[
        float,
        typer.Option("--megapixels", min=0.01, max=64, help="Size of the streams; 1920x1080 is 2.07.", callback=finite),
    ] = 2.07,
    mbit: Annotated[
        float, typer.Option("--mbit", min=0.01, max=400, help="Bit rate of a stream in Mbit/s.", callback=finite)
    ] = 4.0,
    gpu: Annotated[bool, typer.Option("--gpu", help="Run networks on GPUs.")] = False,
    cores: Annotated[int, typer.Option("--cores", min=1, max=1_024, help="Cores of a worker's machine.")] = 8,
    replicas: Annotated[int, typer.Option("--replicas", min=1, max=10, help="Replicas of Kafka's partitions.")] = 2,
    as_json: Json = False,
) -> None:
    """Estimate processes, cores, memory, disk and network for a number of cameras, from measured figures.

    Nothing is asked of any server. The figures, how each was found, and which are only assumed, are printed too.
    """
    from deploy.capacity.estimate import Demand, estimate
    from deploy.capacity.figures import figures
    from deploy.errors import UsageError

    if sites > cameras:
        raise UsageError(f"--sites {sites}: there are {cameras} cameras, and a site has at least one")
    if fps > camera_fps:
        raise UsageError(f"--fps {fps:g}: the cameras send {camera_fps:g} frames a second (--camera-fps)")
    demand = Demand(
        cameras=cameras,
        sites=sites,
        fps=fps,
        camera_fps=camera_fps,
        megapixels=megapixels,
        mbit_s=mbit,
        people_per_hour=people,
        stay_s=stay,
        open_hours=hours,
        retention_days=retention,
    )
    found = estimate(replace(demand, gpu=gpu, worker_cores=cores, replicas=replicas))
    if as_json:
        known = [asdict_of(one) for one in figures().values()]
        typer.echo(json.dumps({"needs": asdict(found), "figures": known}))
        return
    for line in _lines(found, cores):
        typer.echo(line)
    typer.echo("\nWhat this rests on (about a factor of two either way on other machines):")
    for one in figures().values():
        typer.echo(f"  {one.name} = {one.value:g} {one.unit}; {one.found} {one.date}: {one.how}")


def asdict_of(figure: object) -> dict[str, object]:
    """Return a figure as plain values."""
    import msgspec

    plain: dict[str, object] = msgspec.to_builtins(figure)
    return plain


def _lines(found: "Estimate", cores: int) -> Iterator[str]:
    gpus = f", {found.gpus} GPUs" if found.gpus else ""
    yield f"ingest     {found.ingest_processes} processes, one of them to take over"
    yield (
        f"workers    {found.workers} machines of {cores} cores ({found.worker_cores:.0f} cores in all){gpus},"
        f" {_size(found.worker_bytes)} of memory in all"
    )
    yield (
        f"galleries  {found.galleries}, and one to take over; {found.gallery_cores:.2g} cores,"
        f" {_size(found.gallery_bytes)} of memory for {found.people:.0f} people"
    )
    yield (
        f"redis      {_size(found.redis_bytes)} of memory for {found.tracklets:.0f} tracklets, as much disk, and twice"
        " that while its file is rewritten"
    )
    yield (
        f"kafka      kafka.camera_partitions {found.camera_partitions}, kafka.site_partitions {found.site_partitions};"
        f" {found.brokers} brokers, {_size(found.kafka_disk_bytes)} of disk and {_size(found.kafka_bytes_s)}/s in all"
    )
    yield f"network    {_size(found.camera_bytes_s)}/s from the cameras"
    for limit in found.limits:
        said = f": {limit.remedy}" if limit.used > 1 else ""
        yield f"limit      {limit.used:.0%} of {limit.what}{said}"


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"
