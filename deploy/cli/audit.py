"""`climbtrack audit`: who looked at or changed which person, and when."""

import json
from typing import Annotated

import typer

from deploy.cli.options import Config, DataDirOption, Json, Site


def audit(
    identity: Annotated[
        int | None, typer.Option("--identity", metavar="ID", min=1, max=2**53 - 1, help="Only about this person.")
    ] = None,
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="Only what this user did.")] = "",
    what: Annotated[str, typer.Option("--what", metavar="TEXT", help="Only what contains this text.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="How many, the newest first.")] = 50,
    data_dir: DataDirOption = None,
    config: Config = None,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Show who looked at or changed which person, the newest first."""
    from deploy.cli.find_accounts import open_accounts
    from gallery.access.audit import AuditQuery, entries_of
    from gallery.api.access.audit import deed_out, numbers_of

    with open_accounts(config, data_dir, site) as store:
        query = AuditQuery(who=user, identities=numbers_of(store, identity), what=what, limit=limit)
        found = [deed_out(entry).model_dump() for entry in entries_of(store.accounts, query)]
    if as_json:
        typer.echo(json.dumps({"entries": found}))
        return
    from deploy.terminal import print_rows

    columns = ("time (UTC)", "who", "what", "people", "about", "from", "status")
    print_rows(
        f"{len(found)} entries",
        columns,
        [
            (
                one["time"][:19].replace("T", " "),
                one["who"] or "not signed in",
                one["what"],
                ", ".join(map(str, one["identities"])),
                one["about"],
                one["address"] or one["way"],
                one["status"] or "",
            )
            for one in found
        ],
    )
