"""`climbtrack identities`: query known people from a running system, or from the data of an earlier run."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.options import ApiUrl, DataDirOption, Json, Token

if TYPE_CHECKING:
    from deploy.cli.api_client import ApiClient

app = typer.Typer(name="identities", help="List and show known people.", no_args_is_help=True)
PAGE = 100


@app.command("ls")
def list_identities(
    api: ApiUrl = None, token: Token = None, data_dir: DataDirOption = None, as_json: Json = False
) -> None:
    """List everyone: number, cameras, first and last seen, sightings."""
    from deploy.cli.find_api import query_api

    with query_api(api, token, data_dir) as client:
        people = list(_all_people(client))
    if as_json:
        typer.echo(json.dumps({"identities": people}))
        return
    from deploy.terminal import print_rows

    print_rows(
        f"{len(people)} known",
        ("id", "cameras", "first", "last (UTC)", "sightings"),
        [
            (one["id"], ", ".join(one["cameras"]), _short(one["first"]), _short(one["last"]), one["sightings"])
            for one in people
        ],
    )


@app.command("show")
def show(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**53 - 1)],
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """Show where and when a person was seen."""
    from deploy.cli.find_api import query_api

    with query_api(api, token, data_dir) as client:
        person = client.get(f"/v1/identities/{number}")
    if as_json:
        typer.echo(json.dumps(person))
        return
    from deploy.terminal import print_rows

    print_rows(
        f"identity {person['id']}",
        ("camera", "from", "to (UTC)", "seconds"),
        [(one["camera_id"], _short(one["first"]), _short(one["last"]), one["seconds"]) for one in person["presences"]],
    )


def _all_people(client: "ApiClient") -> Iterator[dict[str, Any]]:
    after: int | None = 0
    while after is not None:
        page = client.get("/v1/identities", after=after, limit=PAGE)
        yield from page["identities"]
        after = page["next"]


def _short(time: str) -> str:
    """Return an ISO 8601 time without year and milliseconds, short enough for a table."""
    return time[5:19].replace("T", " ")
