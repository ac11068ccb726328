"""`climbtrack run`: the whole system in one process."""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import Config, DataDirOption, Json
from wire.privacy import Privacy


def run(
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(
            "--camera",
            metavar="NAME=URL",
            help="A file, a folder of images, rtsp://, udp://, http://, or a webcam (0, /dev/video0); repeatable.",
        ),
    ] = None,
    config: Config = None,
    data_dir: DataDirOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write MOTChallenge text, one file per camera, and people.html."),
    ] = None,
    every_frame: Annotated[
        bool,
        typer.Option(
            "--every-frame", help="With --out: also write frames between analysed ones, interpolated along each track."
        ),
    ] = False,
    video: Annotated[
        Path | None,
        typer.Option(
            "--video", metavar="DIR", help="Write the recordings with boxes, numbers and trails, one MP4 per camera."
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            help="CLIMB weights, or an ONNX file; default: the shipped ones.",
        ),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector", help="auto, bundled, hog, a name of `climbtrack models ls`, or an ONNX file.", metavar="WHICH"
        ),
    ] = None,
    keep_crops: Annotated[
        Path | None,
        typer.Option(
            "--keep-crops", metavar="DIR", help="Keep crops of everyone for `climbtrack adapt`; default: none."
        ),
    ] = None,
    privacy: Annotated[
        Privacy | None,
        typer.Option(
            "--privacy",
            help="What of the pictures may leave the worker: full, all; blurred, nothing in which anybody can be "
            "recognised; embeddings, nothing.",
        ),
    ] = None,
    record: Annotated[
        bool,
        typer.Option("--record", help="Keep what the cameras send, in --data-dir, to be played on the page."),
    ] = False,
    as_json: Json = False,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port of the API; 8080 by default, 0 picks a free one."),
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Host of the API; 127.0.0.1 by default.")] = None,
    keep_serving: Annotated[
        bool, typer.Option("--keep-serving", help="Keep the API running after the last file, until Ctrl-C.")
    ] = False,
    pictures: Annotated[
        bool,
        typer.Option(
            " /--no-pictures",
            help="Do not write people.html, the page with a picture of everyone, to --out or, without it, --data-dir.",
        ),
    ] = True,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            help="Log what each stage does; -vv also logs every chunk, tracklet and event with its trace id.",
        ),
    ] = 0,
) -> None:
    """Follow people across cameras on this machine until the files end or you press Ctrl-C.

    With --keep-serving and no camera, run those that were added on the page, now or earlier.

    Exit code 0: success. 1: a camera delivered nothing or a file could not be read to its end (the results of the
    other cameras are still printed), or a component failed. 2: invalid usage or setting.
    """
    from rich.console import Console

    from deploy.cameras import chosen_cameras, reject_bare_arguments
    from deploy.local.run import RunOptions, follow
    from wire.logs import LogSettings, log_to_stderr

    reject_bare_arguments(words or [])
    level, logs_as_json = (
        (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)],
        LogSettings.load(config).format == "json",
    )
    log_to_stderr(level, plain=not verbose, as_json=logs_as_json)
    options = RunOptions(
        cameras=chosen_cameras(camera or [], config, needed=not keep_serving),
        config=config,
        data_dir=data_dir,
        out=out,
        every_frame=every_frame,
        video=video,
        weights=weights,
        detector=detector,
        keep_crops=keep_crops,
        privacy=privacy,
        record=record,
        host=host,
        port=port,
        keep_serving=keep_serving,
        pictures=pictures,
    )
    console = Console(stderr=as_json)
    outcome = follow(options, console)
    if as_json:
        typer.echo(json.dumps(outcome.as_json()))
    raise typer.Exit(1 if outcome.failed else 0)
