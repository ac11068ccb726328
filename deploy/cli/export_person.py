"""`climbtrack identities export`: everything about one person as a file."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import Config, DataDirOption, Json, Site


def export(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**53 - 1)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.zip", help="A file that is not there yet.")],
    clips: Annotated[
        bool, typer.Option("--clips", help="With the recordings of each visit, in which only this person is seen.")
    ] = False,
    surroundings: Annotated[
        bool, typer.Option("--surroundings", help="Clips show the place, too, and so people who were not tracked.")
    ] = False,
    data_dir: DataDirOption = None,
    config: Config = None,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Write what is stored about a person to a ZIP file: visits, sightings, crops, and clips if asked for."""
    from deploy.cli.find_accounts import open_accounts, record
    from deploy.local.data_dir import default_data_dir
    from deploy.person_archive import write_archive
    from gallery.recording.config import RecordingSettings

    recordings = RecordingSettings.load(config)
    if config is None or data_dir is not None:
        recordings = recordings.within(data_dir or default_data_dir())
    with open_accounts(config, data_dir, site) as store:
        tell = partial(typer.echo, err=True)
        contents = write_archive(store, number, out, recordings if clips else None, tell, surroundings=surroundings)
        record(store, "exported a person", "", config, (contents.identity,))
    if as_json:
        typer.echo(json.dumps({"file": str(out), **asdict(contents)}))
        return
    parts = f"{contents.visits} visits, {contents.crops} crops, {len(contents.clips)} clips"
    typer.echo(f"{out}: {parts} of person {contents.identity}")
    for remark in contents.remarks:
        typer.echo(remark)
