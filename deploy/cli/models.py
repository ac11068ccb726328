"""`climbtrack models`: list, download and check the detectors that climbtrack knows by name."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.appearance_check import Checked, check_appearance
from deploy.cli.options import Config, Json
from deploy.errors import RunError, UsageError

if TYPE_CHECKING:
    from reid_worker.detectors.catalogue import ModelFile
    from reid_worker.detectors.choose import DetectorOptions
    from reid_worker.detectors.download import Progress
    from reid_worker.detectors.files import LocalFile

app = typer.Typer(name="models", help="List, download and check the files of person detectors.", no_args_is_help=True)
OWN_FILES = "any ONNX file in the layout of YOLOX, RF-DETR, or D-FINE and RT-DETR works too: --detector FILE"


@app.command("ls")
def list_models(config: Config = None, as_json: Json = False) -> None:
    """List the detectors, their purpose and their location."""
    from reid_worker.detectors.catalogue import CATALOGUE, YOLOX_RELEASE
    from reid_worker.detectors.files import find

    options = _options(config)
    found = [(model, find(model, options.folders)) for model in CATALOGUE]
    if as_json:
        folders = [str(folder) for folder in options.folders]
        typer.echo(json.dumps({"models": [_as_json(*one) for one in found], "folders": folders}))
        return
    from rich.console import Console

    from deploy.terminal import print_line, print_rows

    rows = [_row(*one) for one in found]
    columns = ("name", "size", "licence", "input", "good for", "where")
    print_rows(f"{len(rows) + 2} detectors", columns, [*rows, *_always_here()])
    console = Console()
    print_line(console, f"folders, in search order: {', '.join(str(folder) for folder in options.folders)}")
    print_line(console, f"manual download: {', '.join(model.file for model in CATALOGUE)} from {YOLOX_RELEASE}/")
    print_line(console, OWN_FILES)


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name from `climbtrack models ls`.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Download a detector unless it is already present; resume an interrupted download."""
    from reid_worker.detectors.choose import describe_mismatch
    from reid_worker.detectors.download import download
    from reid_worker.detectors.files import find
    from reid_worker.errors import DetectorError

    model, options = _named(name), _options(config)
    found = find(model, options.folders)
    if found is not None and not found.verified:  # never overwrite a file the user put there
        advice = f"it was not replaced: move it away, then get {model.name} again"
        raise RunError(f"{describe_mismatch(found, model)}; {advice}")
    if found is None:
        try:
            with _bar(model, to_stderr=as_json) as progress:
                path = download(model, options.folders, options.network, progress)
        except DetectorError as error:
            raise RunError(str(error)) from error
    else:
        path = found.path
    if as_json:
        typer.echo(json.dumps({"name": model.name, "path": str(path), "downloaded": found is None}))
        return
    typer.echo(f"{path}: {'downloaded' if found is None else 'already present'}, checksum correct")


@app.command("check")
def check(
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|FILE", help="A name from `climbtrack models ls`, or your own detector or appearance model."
        ),
    ] = None,
    write: Annotated[
        bool,
        typer.Option("--write", help="For an appearance model: write its crop format and prior to FILE.onnx.yaml."),
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Check that detector files are intact, load and run; without an argument, check all that are present.

    An appearance model is also tried on generated people, with other crop formats than the one it is given.

    Exit code 1: a file differs from the published one, does not load, is missing, or is given the wrong crops.
    """
    options = _options(config)
    results = _check_all(options) if which is None else [_check_one(which, options, write=write)]
    if as_json:
        typer.echo(json.dumps({"ok": all(one.ok for one in results), "models": [asdict(one) for one in results]}))
    else:
        for one in results:
            typer.echo(f"{'ok     ' if one.ok else 'FAILED '} {one.name}: {one.said}")
    raise typer.Exit(0 if all(one.ok for one in results) else 1)


def _check_all(options: "DetectorOptions") -> list[Checked]:
    from reid_worker.detectors.catalogue import NAMES

    known = [_check_one(name, options) for name in ("bundled", *NAMES)]
    return [one for one in known if one.path is not None]


def _check_one(which: str, options: "DetectorOptions", *, write: bool = False) -> Checked:
    from reid_worker.detectors.catalogue import by_name
    from reid_worker.detectors.choose import bundled
    from reid_worker.detectors.files import describe, expected, find

    model = by_name(which)
    if model is None:
        path = bundled(options.device) if which == "bundled" else Path(which).expanduser()
        detector = _loads(which, path, str(path), options)
        return detector if detector.ok else check_appearance(which, path, otherwise=detector, write=write)
    found = find(model, options.folders)
    if found is None:
        return Checked(which, None, ok=False, said=f"not downloaded; `climbtrack models get {which}` downloads it")
    if found.verified or found.content is None:
        return _loads(which, found.path, f"{found.path}, checksum correct", options)
    loaded = _loads(which, found.path, "it loads nevertheless", options)
    difference = f"{describe(found.content)}; expected {expected(model)}"
    said = f"{found.path} differs from the published file: {difference}; {loaded.said}"
    return Checked(which, str(found.path), ok=False, said=said)


def _loads(name: str, path: Path, what: str, options: "DetectorOptions") -> Checked:
    from reid_worker.detectors.choose import open_detector
    from reid_worker.detectors.onnx_file import open_model
    from reid_worker.errors import DetectorError

    try:
        model = open_model(path)
        open_detector(model, options)  # loading also runs it once
    except DetectorError as error:
        return Checked(name, str(path), ok=False, said=str(error))
    inputs = " and ".join(map(str, model.inputs))
    return Checked(name, str(path), ok=True, said=f"{what}, loads and runs, {model.layout} layout, input {inputs}")


def _options(config: Path | None) -> "DetectorOptions":
    from reid_worker.config import WorkerSettings

    return WorkerSettings.load(config).detector_options(threads=1)


def _named(name: str) -> "ModelFile":
    from reid_worker.detectors.catalogue import NAMES, by_name

    model = by_name(name)
    if model is None:
        raise UsageError(f"{name}: unknown detector; must be one of {', '.join(NAMES)}")
    return model


def _row(model: "ModelFile", found: "LocalFile | None") -> tuple[str, ...]:
    return (
        model.name,
        _megabytes(model.size_bytes),
        model.licence,
        _pixels(model.input_px),
        model.good_for,
        "not downloaded" if found is None else str(found.path) + ("" if found.verified else " (wrong checksum)"),
    )


def _always_here() -> list[tuple[str, ...]]:
    from reid_worker.detectors.choose import BUNDLED, BUNDLED_INT8

    card = json.loads(BUNDLED.with_suffix(".json").read_text())
    size = _megabytes(BUNDLED.stat().st_size + BUNDLED_INT8.stat().st_size)
    here = "included in climbtrack"
    return [
        ("bundled", size, "MIT", _pixels(card["input"][2:]), "running without a download", here),
        ("hog", "-", "Apache-2.0", "any", "last resort when no model runs", f"{here}, in OpenCV"),
    ]


def _as_json(model: "ModelFile", found: "LocalFile | None") -> dict[str, Any]:
    return asdict(model) | {
        "path": None if found is None else str(found.path),
        "right": None if found is None else found.verified,
    }


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


def _pixels(size: Sequence[int]) -> str:
    return "x".join(map(str, size))


@contextmanager
def _bar(model: "ModelFile", *, to_stderr: bool) -> Iterator["Progress"]:
    """Show download progress; a single line if stderr is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=to_stderr)
    if not console.is_terminal:
        console.print(f"downloading {model.name}, {_megabytes(model.size_bytes)}", highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(model.name, total=model.size_bytes)
        yield lambda done, total: bars.update(task, completed=done, total=total)
