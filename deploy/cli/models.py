"""`climbtrack models`: the detectors that climbtrack knows by name, where they are, and whether they are whole."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.options import Config, Json
from deploy.errors import RunError, UsageError

if TYPE_CHECKING:
    from reid_worker.detectors.catalogue import ModelFile
    from reid_worker.detectors.choose import DetectorOptions
    from reid_worker.detectors.download import Progress
    from reid_worker.detectors.files import Found

app = typer.Typer(name="models", help="List, download and check the files of person detectors.", no_args_is_help=True)
OWN_FILES = "any ONNX file in the layout of YOLOX, RF-DETR, or D-FINE and RT-DETR works too: --detector FILE"


@app.command("ls")
def list_models(config: Config = None, as_json: Json = False) -> None:
    """List the detectors, what they are good for, and where they are."""
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
    print_line(console, f"folders, first found is taken: {', '.join(str(folder) for folder in options.folders)}")
    print_line(console, f"by hand: {', '.join(model.file for model in CATALOGUE)} from {YOLOX_RELEASE}/")
    print_line(console, OWN_FILES)


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `climbtrack models ls` shows it.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Download a detector, unless it is here; a download that was broken off goes on where it was."""
    from reid_worker.detectors.choose import describe_other
    from reid_worker.detectors.download import download
    from reid_worker.detectors.files import find
    from reid_worker.errors import DetectorError

    model, options = _named(name), _options(config)
    found = find(model, options.folders)
    if found is not None and not found.right:  # whoever put it there keeps it
        advice = f"it stays as it is: move it away first, then get {model.name} again"
        raise RunError(f"{describe_other(found, model)}; {advice}")
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
    typer.echo(f"{path}: {'downloaded' if found is None else 'here already'}, the right file")


@app.command("check")
def check(
    which: Annotated[
        str | None, typer.Argument(metavar="NAME|FILE", help="One of `climbtrack models ls`, or a file of yours.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Check detectors: is the file the right one, and does it load and run? All that are here, unless one is named.

    Exit code 1: a file is another one than was published, does not load, or is not here.
    """
    options = _options(config)
    results = _check_all(options) if which is None else [_check_one(which, options)]
    if as_json:
        typer.echo(json.dumps({"ok": all(one.ok for one in results), "models": [asdict(one) for one in results]}))
    else:
        for one in results:
            typer.echo(f"{'ok     ' if one.ok else 'FAILED '} {one.name}: {one.said}")
    raise typer.Exit(0 if all(one.ok for one in results) else 1)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found; `said` is for people, `path` None for what is not here."""

    name: str
    path: str | None
    ok: bool
    said: str


def _check_all(options: "DetectorOptions") -> list[Checked]:
    from reid_worker.detectors.catalogue import NAMES

    known = [_check_one(name, options) for name in ("bundled", *NAMES)]
    return [one for one in known if one.path is not None]


def _check_one(which: str, options: "DetectorOptions") -> Checked:
    from reid_worker.detectors.catalogue import by_name
    from reid_worker.detectors.choose import BUNDLED
    from reid_worker.detectors.files import describe, expected, find

    model = by_name(which)
    if model is None:
        path = BUNDLED if which == "bundled" else Path(which).expanduser()
        return _loads(which, path, str(path), options)
    found = find(model, options.folders)
    if found is None:
        return Checked(which, None, ok=False, said=f"not here; `climbtrack models get {which}` downloads it")
    if found.right or found.content is None:
        return _loads(which, found.path, f"{found.path}, the right file", options)
    loaded = _loads(which, found.path, "it loads all the same", options)
    said = f"{found.path} is another file: {describe(found.content)}; expected {expected(model)}; {loaded.said}"
    return Checked(which, str(found.path), ok=False, said=said)


def _loads(name: str, path: Path, what: str, options: "DetectorOptions") -> Checked:
    from reid_worker.detectors.choose import open_detector
    from reid_worker.detectors.onnx_file import open_model
    from reid_worker.errors import DetectorError

    try:
        model = open_model(path)
        open_detector(model, options)  # runs it once
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
        raise UsageError(f"{name}: no published detector; known are {', '.join(NAMES)}")
    return model


def _row(model: "ModelFile", found: "Found | None") -> tuple[str, ...]:
    return (
        model.name,
        _megabytes(model.size_bytes),
        model.licence,
        _pixels(model.input_px),
        model.good_for,
        "not here" if found is None else str(found.path) + ("" if found.right else " (another file)"),
    )


def _always_here() -> list[tuple[str, ...]]:
    from reid_worker.detectors.choose import BUNDLED

    card = json.loads(BUNDLED.with_suffix(".json").read_text())
    size = _megabytes(BUNDLED.stat().st_size)
    here = "comes with climbtrack"
    return [
        ("bundled", size, "MIT", _pixels(card["input"][2:]), "a start without a download", here),
        ("hog", "-", "Apache-2.0", "any", "only where no model runs at all", f"{here}, in OpenCV"),
    ]


def _as_json(model: "ModelFile", found: "Found | None") -> dict[str, Any]:
    return asdict(model) | {
        "path": None if found is None else str(found.path),
        "right": None if found is None else found.right,
    }


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


def _pixels(size: Sequence[int]) -> str:
    return "x".join(map(str, size))


@contextmanager
def _bar(model: "ModelFile", *, to_stderr: bool) -> Iterator["Progress"]:
    """Show how far a download is; one line where there is no terminal."""
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
