"""`climbtrack identities visits`: who was where and when, as a table or as a file for other programs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import ApiUrl, DataDirOption, Json, Token
from deploy.errors import RunError, UsageError
from deploy.writable import check_file

FORMATS = ("csv", "jsonl", "parquet")
OUT = "A file, written anew: .csv, .jsonl (one JSON object a line) or .parquet."


def visits(
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=OUT)] = None,
    form: Annotated[
        str | None, typer.Option("--format", metavar="|".join(FORMATS), help="Default: by the ending of --out.")
    ] = None,
    since: Annotated[
        str, typer.Option("--from", metavar="TIME", help="ISO 8601, or a number since 1970; default: 24 hours ago.")
    ] = "",
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="Default: now.")] = "",
    camera: Annotated[str, typer.Option(metavar="NAME", help="Only visits to this camera.")] = "",
    tag: Annotated[str, typer.Option(metavar="TAG", help="Only people with this tag, in any case.")] = "",
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """List who was where and how long, or write it to a file; hidden people are left out."""
    from deploy.cli.find_api import query_api

    kind = None if out is None and form is None else _format_of(out, form)
    if out is None and form is not None:
        raise UsageError("--format is about the file that --out names: give --out as well")
    given = {"from": since, "to": until, "camera": camera, "tag": tag}
    conditions = {name: value for name, value in given.items() if value}
    with query_api(api, token, data_dir) as client:
        if out is not None:
            check_file("--out", out)
            size = _write(out, client.get_bytes("/v1/visits", format=str(kind), **conditions))
            typer.echo(json.dumps({"file": str(out), "bytes": size}) if as_json else f"{out}: {size} bytes")
            return
        _show(client.get("/v1/visits", **conditions), as_json=as_json)


def _format_of(out: Path | None, form: str | None) -> str:
    """Return the format that is named, else that of a file's ending.

    Raises:
        UsageError: It is none.
    """
    ending = form if form is not None else ("" if out is None else out.suffix.removeprefix(".").lower())
    if ending not in FORMATS:
        named = f"--format {form}" if form is not None else f"--out {out}"
        raise UsageError(f"{named}: expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    return ending


def _write(out: Path, content: bytes) -> int:
    """Write a file whole or not at all; return its size."""
    part = out.with_name(f"{out.name}.part")
    try:
        part.write_bytes(content)
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RunError(f"--out {out}: {error.strerror}") from error
    return len(content)


def _show(found: dict[str, list[dict[str, object]]], *, as_json: bool) -> None:
    from deploy.terminal import print_rows

    if as_json:
        typer.echo(json.dumps(found))
        return
    columns = ("identity", "name", "camera_id", "first", "last", "seconds")
    print_rows(
        f"{len(found['visits'])} visits",
        ("id", "name", "camera", "from", "to (UTC)", "seconds"),
        [tuple(visit[column] for column in columns) for visit in found["visits"]],
    )
