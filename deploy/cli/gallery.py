"""`climbtrack gallery`: the service, backups of what it has stored, and the weights by which it decides."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.options import Config, DataDirOption, Json
from deploy.cli.services import Verbose, serve
from deploy.cli.weights import app as weights
from deploy.cli.weights import reembed
from deploy.errors import RunError, UsageError

if TYPE_CHECKING:
    from gallery.backup.file import Reader

app = typer.Typer(name="gallery", invoke_without_command=True)
app.add_typer(weights)
app.command("reembed")(reembed)

Site = Annotated[str | None, typer.Option("--site", help="Site; default: that of the configuration or of the folder.")]
From = Annotated[Path, typer.Option("--from", help="A file that `backup` wrote.", metavar="FILE")]


@app.callback()
def gallery(ctx: typer.Context, config: Config = None, verbose: Verbose = False) -> None:
    """Assign identities and store them in Redis; subcommands back up what is stored, and change weights."""
    from gallery.__main__ import main

    if ctx.invoked_subcommand is None:
        serve(main, config, verbose=verbose)
    elif verbose or (config is not None and "COMMANDLINE" in str(ctx.get_parameter_source("config"))):
        raise UsageError(f"give options after the subcommand: climbtrack gallery {ctx.invoked_subcommand} --config …")


@app.command("backup")
def backup(
    to: Annotated[Path, typer.Option("--to", help="New file; only its owner may read it.", metavar="FILE")],
    site: Site = None,
    config: Config = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """Write everything stored about a site to one file, as of one moment, while the gallery goes on.

    The file holds pictures and names of people: encrypt it where you keep it, and delete it as early as the data in it.
    """
    from gallery.backup.make import back_up

    with _redis(config, data_dir, site) as (client, chosen):
        tail = back_up(client, chosen, to)
    told = {"file": str(to), "site": chosen, "bytes": to.stat().st_size, **_told(tail)}
    if as_json:
        typer.echo(json.dumps(told))
        return
    typer.echo(f"{to}: site {chosen}, {tail.identities} people, {to.stat().st_size / 1e6:.1f} MB")


@app.command("check")
def check(file: From, as_json: Json = False) -> None:
    """Read a backup as `restore` would, and say what it holds; nothing is changed."""
    from gallery.backup.file import Reader

    with _explained():
        reader = Reader(file)
        changes = sum(1 for _ in reader.changes())
    told = {"site": reader.head.site, "begun": reader.head.begun, "climbtrack": reader.head.climbtrack}
    if as_json:
        typer.echo(json.dumps({**told, **_told(reader.tail), "changes": changes}))
        return
    models = ", ".join(reader.tail.models) or "no weights"
    typer.echo(
        f"{file}: whole; site {reader.head.site} of {reader.head.begun}, {reader.tail.identities} people known under"
        f" {models}"
    )


@app.command("restore")
def restore(
    file: From,
    site: Annotated[str | None, typer.Option("--site", help="Restore under another name than it had.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Delete what is stored about the site.")] = False,
    erased_in: Annotated[
        list[Path] | None,
        typer.Option(
            "--erased-in", help="A later backup of the site: who was erased in it stays erased.", metavar="FILE"
        ),
    ] = None,
    other_weights: Annotated[
        bool,
        typer.Option(
            "--other-weights", help="Restore people whom the weights of the configuration will not recognise."
        ),
    ] = False,
    config: Config = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """Put a backup into Redis: all of it or nothing, after the whole file was checked.

    A running gallery and API go on with the restored site. Whoever was erased from the site that is replaced, or in a
    backup named by `--erased-in`, stays erased.
    """
    from gallery.backup.file import Reader
    from gallery.backup.restore import restore as put
    from gallery.config import GallerySettings
    from gallery.site_worker import plan_of

    rules = plan_of(GallerySettings.load(config)).rules
    with _explained():
        reader, later = Reader(file), [Reader(one) for one in erased_in or ()]
    if not other_weights:
        _check_weights(reader, config)
    with _redis(config, data_dir, site or reader.head.site, create=True) as (client, chosen):
        done = put(client, reader, chosen, rules, later, replace=replace)
    if as_json:
        typer.echo(json.dumps({"site": chosen, "identities": done.people, "erased_again": done.erased}))
        return
    again = f", {done.erased} were erased again" if done.erased else ""
    completed = " (an earlier restore was interrupted, and is complete now)" if done.completed else ""
    typer.echo(f"site {chosen}: {done.people} people, as of {reader.head.begun}{again}{completed}")


def _told(tail: Any) -> dict[str, Any]:
    return {"identities": tail.identities, "version": tail.version, "layout": tail.layout, "models": list(tail.models)}


@contextmanager
def _redis(
    config: Path | None, data_dir: Path | None, site: str | None, *, create: bool = False
) -> Iterator[tuple[Any, str]]:
    from deploy.cli.find_store import open_redis
    from gallery.store.server import connect
    from wire.message import check_name

    if site is not None:
        try:
            check_name("--site", site)
        except ValueError as error:
            raise UsageError(str(error)) from None
    with (
        _explained(),
        open_redis(config, data_dir, site, create=create) as (settings, chosen),
        closing(connect(settings)) as client,
    ):
        yield client, chosen


@contextmanager
def _explained() -> Iterator[None]:
    from gallery.errors import BackupError

    try:
        yield
    except BackupError as error:
        raise RunError(str(error)) from None


def _check_weights(reader: "Reader", config: Path | None) -> None:
    """Raise RunError if the workers of a configuration would recognise nobody of a backup.

    Where the network cannot be loaded, as on a machine of a gallery only, nothing is compared.
    """
    try:
        from reid_worker.appearance.choose import is_appearance_model
        from reid_worker.appearance.embedder import load_appearance
        from reid_worker.config import WorkerSettings
        from reid_worker.model.weights import SHIPPED, load_weights
    except ModuleNotFoundError:
        return
    known: Sequence[str] = reader.tail.models
    weights = WorkerSettings.load(config).weights or SHIPPED
    served = load_appearance(weights, device="cpu") if is_appearance_model(weights) else load_weights(weights)
    if known and served.model_id not in known:
        raise RunError(
            f"the people of the backup are known under {', '.join(known)}, and the workers of this configuration use"
            f" {served.model_id}: nobody would be recognised. Set worker.weights to the weights of then, or add"
            " --other-weights"
        )
