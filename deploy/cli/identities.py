"""`climbtrack identities`: query and correct known people of a running system, or in the data of an earlier run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from deploy.cli.export_person import export
from deploy.cli.options import ApiUrl, DataDirOption, Json, Token, finite
from deploy.cli.visits import visits
from deploy.errors import UsageError

if TYPE_CHECKING:
    from deploy.cli.api_client import ApiClient

app = typer.Typer(name="identities", help="List, show, correct and export known people.", no_args_is_help=True)
app.command("export")(export)
app.command("visits")(visits)
PAGE = 100
SURE = "Only people each of whose newest 16 tracks is theirs with at least this probability."
PICTURES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}

Number = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**53 - 1)]


@app.command("ls")
def list_identities(
    tag: Annotated[str, typer.Option(metavar="TAG", help="Only people with this tag, in any case.")] = "",
    probability: Annotated[float, typer.Option(help=SURE, min=0.0, max=1.0, callback=finite)] = 0.0,
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """List everyone: number, name, tags, cameras, first and last seen, sightings."""
    from deploy.cli.find_api import query_api

    with query_api(api, token, data_dir) as client:
        people = list(_pages(client, "identities", tag=tag, probability=probability))
    if as_json:
        typer.echo(json.dumps({"identities": people}))
        return
    from deploy.terminal import print_rows

    print_rows(
        f"{len(people)} known",
        ("id", "name", "tags", "cameras", "first", "last (UTC)", "sightings"),
        [
            (
                one["id"],
                one["name"],
                ", ".join(one["tags"]),
                ", ".join(one["cameras"]),
                _short(one["first"]),
                _short(one["last"]),
                one["sightings"],
            )
            for one in people
        ],
    )


@app.command("show")
def show(
    number: Number,
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


@app.command("find")
def find(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="JPEG, PNG or WebP.")],
    limit: Annotated[int, typer.Option(help="People shown for each person of the picture.", min=1, max=50)] = 5,
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """Find the people of a picture among those who are known; a run or the services must be running."""
    from deploy.cli.find_api import running_api
    from wire.queries import MAX_PICTURE_BYTES

    try:
        with picture.open("rb") as file:
            data = file.read(MAX_PICTURE_BYTES + 1)  # the API refuses what is larger, and a device never ends
    except OSError as error:
        raise UsageError(f"{picture}: {error.strerror}") from error
    kind = PICTURES.get(picture.suffix.lower(), "image/jpeg")
    with running_api(api, token, data_dir) as client:
        found = client.post_file("/v1/search", data, kind, limit=limit)
    if as_json:
        typer.echo(json.dumps(found))
        return
    from deploy.terminal import print_rows

    for number, person in enumerate(found["people"], 1):
        left, top, right, bottom = map(round, person["box"])
        print_rows(
            f"person {number} of {len(found['people'])}, {right - left}x{bottom - top} px at {left},{top}",
            ("id", "name", "probability", "cameras", "last (UTC)"),
            [
                (
                    one["identity"]["id"],
                    one["identity"]["name"],
                    f"{one['probability']:.2f}",
                    ", ".join(one["identity"]["cameras"]),
                    _short(one["identity"]["last"]),
                )
                for one in person["lookalikes"]
            ],
        )


@app.command("name")
def name(
    number: Number,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Empty takes the name away.")],
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """Name a person."""
    _say("POST", f"identities/{number}/name", {"name": name}, api, token, data_dir, as_json=as_json)


@app.command("tag")
def tag(
    number: Number,
    tags: Annotated[list[str] | None, typer.Argument(metavar="[TAG...]", help="None takes all tags away.")] = None,
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """Give a person tags, in place of those they had."""
    _say("POST", f"identities/{number}/tags", {"tags": tags or []}, api, token, data_dir, as_json=as_json)


@app.command("merge")
def merge(
    number: Number,
    others: Annotated[list[int], typer.Argument(metavar="OTHER...", min=1, max=2**53 - 1)],
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """Say that others are the same person as the first one, whose number they get."""
    _say("POST", f"identities/{number}/merge", {"with": others}, api, token, data_dir, as_json=as_json)


@app.command("split")
def split(
    number: Number,
    tracks: Annotated[list[str], typer.Argument(metavar="TRACK...", help="As `show --json` lists them.")],
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """Say that some tracks of a person show somebody else, who gets a new number."""
    _say("POST", f"identities/{number}/split", {"tracklets": tracks}, api, token, data_dir, as_json=as_json)


@app.command("hide")
def hide(
    number: Number,
    shown: Annotated[bool, typer.Option("--show", help="Show the person again.")] = False,
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """Hide a person from lists and counts."""
    _say("POST", f"identities/{number}/hide", {"hidden": not shown}, api, token, data_dir, as_json=as_json)


@app.command("erase")
def erase(
    number: Number,
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """Delete all data about a person, for good, and print the proof."""
    _say("DELETE", f"identities/{number}", None, api, token, data_dir, as_json=as_json)


@app.command("undo")
def undo(
    word: Annotated[
        str, typer.Argument(metavar="[WORD]", help="As `words` lists it; without one, the last that holds.")
    ] = "",
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
    as_json: Json = False,
) -> None:
    """Undo what somebody said."""
    chosen = word or _last_word(api, token, data_dir)
    _say("POST", f"words/{quote(chosen, safe='')}/undo", None, api, token, data_dir, as_json=as_json)


@app.command("words")
def list_words(api: ApiUrl = None, token: Token = None, data_dir: DataDirOption = None, as_json: Json = False) -> None:
    """List what people said, and what became of it."""
    from deploy.cli.find_api import query_api

    with query_api(api, token, data_dir) as client:
        words = list(_pages(client, "words"))
    if as_json:
        typer.echo(json.dumps({"words": words}))
        return
    from deploy.terminal import print_rows

    print_rows(
        f"{len(words)} words",
        ("word", "time (UTC)", "by", "kind", "about", "state"),
        [
            (one["id"], _short(one["time"]), one["author"], one["kind"], _subject(one), one["reason"] or one["state"])
            for one in words
        ],
    )


def _last_word(api: str | None, token: str | None, data_dir: Path | None) -> str:
    """Return the id of the last word that holds.

    Raises:
        UsageError: There is none.
    """
    from deploy.cli.find_api import query_api

    with query_api(api, token, data_dir) as client:
        holding = [one["id"] for one in _pages(client, "words") if one["state"] == "applied" and one["kind"] != "undo"]
    if not holding:
        raise UsageError("there is nothing to undo: see `climbtrack identities words`")
    return str(holding[-1])


def _subject(word: dict[str, Any]) -> str:
    return ", ".join(map(str, word["about"] or word["tracklets"])) or str(word["undoes"] or "")


def _say(
    method: str,
    path: str,
    body: object,
    api: str | None,
    token: str | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """Say something, and print what became of it."""
    from deploy.cli.find_api import query_api

    with query_api(api, token, data_dir, corrects=True) as client:
        word = client.request(method, f"/v1/{path}", body=body)
    if as_json:
        typer.echo(json.dumps(word))
        return
    if word["state"] == "sent":
        typer.echo(f"sent; no gallery has confirmed it yet: see `climbtrack identities words` (word {word['id']})")
        return
    typer.echo(f"identity {word['identity']}: {word['kind']} done (word {word['id']})")
    if word["erasure"]:
        typer.echo(json.dumps(word["erasure"]))


def _pages(client: "ApiClient", kind: str, **conditions: str | float) -> Iterator[dict[str, Any]]:
    after: int | None = 0
    while after is not None:
        page = client.get(f"/v1/{kind}", after=after, limit=PAGE, **conditions)
        yield from page[kind]
        after = page["next"]


def _short(time: str) -> str:
    """Return an ISO 8601 time without year and milliseconds, short enough for a table."""
    return time[5:19].replace("T", " ")
